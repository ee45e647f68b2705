"""One run at a time on a folder: a lock that survives being killed.

The lock is a small JSON file with the process that made it. It is refused to others while that process
lives, taken over when the process is dead (or its number now belongs to another process), and respected
when it was made on another machine, where nobody here can tell. Looking into the file and writing it
are one step for others, by the operating system's lock of the file itself.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import psutil

from .errors import FolderBusyError, OutputError

LOCK_FILE = ".interpositive.lock"
_LARGEST_LOCK_BYTES = 65536
_SAME_START_S = 2.0  # clocks of two readings of one process's start differ by less
_ATTEMPTS, _WAIT_S = 200, 0.01


@dataclass(frozen=True)
class _Holder:
    token: str
    pid: int
    process_started: float  # seconds since the epoch
    host: str
    since_utc: str
    purpose: str


@contextmanager
def lock_folder(folder: Path, purpose: str) -> Iterator[None]:
    """Hold `folder` (made if absent) for this process. `purpose` is what others are told, such as "train".

    Raises `FolderBusyError` naming the other run, `OutputError` where the folder cannot be written.
    """
    path = folder / LOCK_FILE
    holder = _Holder(
        token=uuid.uuid4().hex,
        pid=os.getpid(),
        process_started=psutil.Process().create_time(),
        host=socket.gethostname(),
        since_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        purpose=purpose,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _acquire(path, holder)
    except OSError as error:
        in_the_way = next((place for place in (folder, *folder.parents) if place.is_file()), None)
        reason = f"{in_the_way} is a file" if in_the_way is not None else error.strerror
        raise OutputError(
            f"Folder {folder} cannot be written: {reason}. Choose another folder or change its permissions."
        ) from error
    try:
        yield
    finally:
        _release(path, holder)


def _acquire(path: Path, holder: _Holder) -> None:
    with _opened(path) as file:
        found = file.read(_LARGEST_LOCK_BYTES)
        other = _holder(found)
        if other is not None:
            _raise_if_busy(path, other)
        file.seek(0)
        file.truncate()
        file.write(json.dumps(asdict(holder)).encode())


def _release(path: Path, holder: _Holder) -> None:
    with suppress(OSError), _opened(path) as file:
        if _holder(file.read(_LARGEST_LOCK_BYTES)) != holder:
            return
        file.seek(0)
        file.truncate()  # free, even where an open file cannot be deleted
        path.unlink()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The lock file, made if absent, with nobody else looking into it within the block."""
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        with os.fdopen(descriptor, "r+b") as file:
            if not _claim(descriptor):
                time.sleep(_WAIT_S)
                continue
            # Whoever had the file before may have deleted it between our opening and our claim.
            if not path.exists() or not os.path.samestat(os.fstat(descriptor), path.stat()):
                continue
            yield file
            return
    raise FolderBusyError(
        f"Folder {path.parent} is being locked by another run. Try again, or delete {path}."
    )


def _claim(descriptor: int) -> bool:
    """Take the operating system's own lock of an open file, which ends when the file is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, _LARGEST_LOCK_BYTES, os.SEEK_SET)  # a byte past what is written
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # A file system without such locks: two runs that start in the same moment are then not told apart.
        return error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
    return True


def _raise_if_busy(path: Path, other: _Holder) -> None:
    if other.host != socket.gethostname():
        raise FolderBusyError(
            f"Folder {path.parent} is in use by interpositive {other.purpose} on {other.host} "
            f"(process {other.pid}) since {other.since_utc}, {_age_text(path)} ago. "
            f"If that run is dead, delete {path}."
        )
    if _is_alive(other):
        raise FolderBusyError(
            f"Folder {path.parent} is in use by interpositive {other.purpose} "
            f"(process {other.pid} on {other.host}, since {other.since_utc}). "
            "Wait for it or stop it, or choose another --out."
        )


def _is_alive(holder: _Holder) -> bool:
    try:
        process = psutil.Process(holder.pid)
        same = abs(process.create_time() - holder.process_started) < _SAME_START_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _holder(found: bytes) -> _Holder | None:
    """The process named in a lock; None for an empty one, or one that a killed process left half written."""
    try:
        holder = _Holder(**json.loads(found))
        return holder if isinstance(holder.pid, int) and isinstance(holder.process_started, float) else None
    except (ValueError, TypeError):
        return None


def _age_text(path: Path) -> str:
    hours, seconds = divmod(max(int(time.time() - path.stat().st_mtime), 0), 3600)
    return f"{hours} h {seconds // 60} min" if hours else f"{seconds // 60} min {seconds % 60} s"
