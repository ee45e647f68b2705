"""How much memory a run may take, and how freed memory is kept for the next frame.

Both training and inference ask here, so that one number of the artist (`--memory-gb`) governs both.
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

import psutil

from .errors import UsageError

GIB = 1024**3
_LARGEST_DEFAULT_BYTES = 2 * GIB
_SMALLEST_DEFAULT_BYTES = GIB // 4

# malloc.h of glibc
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEPT_TOP_BYTES = 64 * 1024**2
_NEVER_TRIM = 2**31 - 1

# (folder, limit, usage, what of the usage is file cache that gives way) of Linux control groups 2 and 1
_CGROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", ("active_file", "inactive_file")),
    (
        Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_active_file", "total_inactive_file"),
    ),
)


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed blocks instead of returning them, and say whether that took effect.

    Frame-sized buffers come and go at every step; handing each back to the kernel means that every page
    is faulted in again, which measures as half of the CPU time of eager inference. Nothing happens where
    the C library is another one. The process then keeps its peak size, so this is for processes that
    run one job, never for a host's.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER_TRIM), (_M_TOP_PAD, _KEPT_TOP_BYTES))
    return all([mallopt(ctypes.c_int(option), ctypes.c_int(value)) == 1 for option, value in settings])


def free_bytes() -> int:
    """Memory that can be taken without swapping: of the machine, or of the container where that is less."""
    free = int(psutil.virtual_memory().available)
    for folder, limit_file, usage_file, cache_keys in _CGROUPS:
        limit, used = _read_integer(folder / limit_file), _read_integer(folder / usage_file)
        if limit is not None and used is not None:
            free = min(free, max(limit - used + _file_cache(folder / "memory.stat", cache_keys), 0))
    return free


def budget_bytes(memory_gb: float | None = None) -> int:
    """Bytes that frames and tiles of one run may take together.

    `memory_gb` (GiB) is the artist's wish; without one it is a quarter of the free memory, at most 2 GiB.
    Raises `UsageError` for a wish that the machine cannot meet.
    """
    free = free_bytes()
    if memory_gb is None:
        return max(min(_LARGEST_DEFAULT_BYTES, free // 4), _SMALLEST_DEFAULT_BYTES)
    wanted = int(memory_gb * GIB)
    if wanted > free:
        raise UsageError(
            f"--memory-gb {memory_gb:g} is more than the {free / GIB:.1f} GB that are free on this machine. "
            "Pass less, or leave the option out."
        )
    return wanted


def usable_cores() -> int:
    """CPU cores that this process may run on (affinity respected)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_integer(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # "max" is no limit


def _file_cache(stat: Path, keys: tuple[str, ...]) -> int:
    try:
        pairs = (line.split() for line in stat.read_text(encoding="ascii").splitlines())
        return sum(int(value) for key, value in pairs if key in keys)
    except OSError:
        return 0
