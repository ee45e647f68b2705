"""The environment variables that the engine starts with: a short list of what it needs, nothing else.

A host fills its environment with what its own Python, Qt and libraries need (PYTHONPATH, PYTHONHOME,
LD_LIBRARY_PATH, DYLD_*, QT_*, OMP_* ...), each of which can break another Python. So variables are kept by
name, not removed by name:

- the system's own: where home, temporary files, programs and the language are
- OCIO and the OCIO_* settings: the show's colour config is the engine's too
- which GPUs to use: CUDA_*, NVIDIA_*, HIP_VISIBLE_DEVICES
- INTERPOSITIVE_*

The engine runs in Python's isolated mode as well, which ignores PYTHON* and the user's site-packages.
"""

from __future__ import annotations

import os
from typing import Dict, Mapping, Optional

_KEPT_NAMES = frozenset(
    """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR HOSTNAME
    SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT TEMP TMP USERNAME USERPROFILE USERDOMAIN COMPUTERNAME
    HOMEDRIVE HOMEPATH APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES NUMBER_OF_PROCESSORS OS
    OCIO HIP_VISIBLE_DEVICES
    """.split()
)
_KEPT_PREFIXES = ("LC_", "XDG_", "OCIO_", "CUDA_", "NVIDIA_", "PROCESSOR_", "INTERPOSITIVE_")


def engine_environment(host: Mapping[str, str], extra: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """The engine's variables from the `host`'s, then `extra` on top. Case counts, but on Windows."""
    kept = {name: value for name, value in host.items() if _is_kept(name)}
    kept.update(extra or {})
    return kept


def _is_kept(name: str) -> bool:
    if os.name == "nt":
        name = name.upper()
    return name in _KEPT_NAMES or name.startswith(_KEPT_PREFIXES)
