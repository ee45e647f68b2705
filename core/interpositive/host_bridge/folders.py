"""The user's own folders for logs and settings, where each system keeps such things.

Linux follows the XDG base directory specification 0.8; `INTERPOSITIVE_STATE` and `INTERPOSITIVE_CONFIG`
replace either folder (a render farm whose home is read-only).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Optional


def state_folder() -> Path:
    """Logs: not settings, not worth a backup. Not created here."""
    return _chosen("INTERPOSITIVE_STATE") or _by_system("XDG_STATE_HOME", ".local/state", "Library/Logs")


def config_folder() -> Path:
    """Settings. Not created here."""
    return _chosen("INTERPOSITIVE_CONFIG") or _by_system(
        "XDG_CONFIG_HOME", ".config", "Library/Application Support"
    )


def _chosen(variable: str) -> Optional[Path]:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else None


def _by_system(xdg_variable: str, xdg_default: str, mac_folder: str) -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "Interpositive"
    if sys.platform == "darwin":
        return Path.home() / mac_folder / "Interpositive"
    return Path(os.environ.get(xdg_variable) or Path.home() / xdg_default) / "interpositive"
