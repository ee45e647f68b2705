"""Checksums of the media against ASC MHL: ascmhl folders with their generations, and lone .mhl files.

Lists are read and files hashed by the ASC's own `ascmhl` package. Lists of the older kind (version 1, as
written before ASC MHL) are read here; their hashes are the same. Nothing is written.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..errors import PlateError, UsageError
from .clips import Checksum

_FOLDER = "ascmhl"
_CHUNK_BYTES = 1 << 20
# Best first: fast ones that find every accident, then the older ones.
_FORMATS = ("xxh128", "xxh3", "xxh64", "md5", "sha1", "c4")
_VERSION_1_FORMATS = {"xxhash64be": "xxh64", "xxhash64": "xxh64", "md5": "md5", "sha1": "sha1"}


@dataclass
class Checksums:
    """What the lists say of each file: absolute path to (format, hash, size or None)."""

    expected: dict[str, tuple[str, str, int | None]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, path: str, entries: Iterable[tuple[str, str]], size: int | None) -> None:
        """The first statement of a file is the original one and stands."""
        by_format = {name: value for name, value in entries if name in _FORMATS and value}
        best = next((name for name in _FORMATS if name in by_format), None)
        if best is not None:
            self.expected.setdefault(os.path.normpath(path), (best, by_format[best], size))

    def verify(self, files: Iterable[Path], stop: Any = None) -> tuple[Checksum, list[str]]:
        """Whether the files are what the lists say, and problem lines. Every listed file is read whole.

        `stop()` is asked between blocks and may raise.
        """
        failed: list[str] = []
        unlisted = total = 0
        for file in files:
            total += 1
            wanted = self.expected.get(os.path.normpath(file))
            if wanted is None:
                unlisted += 1
                continue
            reason = _difference(file, *wanted, stop)
            if reason is not None:
                failed.append(f"{file.name} {reason}")
        if failed:
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            return "failed", [f"Checksum: {failed[0]}{more}. Copy it again from the camera original."]
        if unlisted == total:
            return "not listed", []
        if unlisted:
            return "not listed", [f"Checksum: {unlisted} of {total} files are in no list."]
        return "verified", []

    def absent_files(self) -> list[str]:
        """Listed files that are not on disk."""
        return [path for path in self.expected if not os.path.exists(path)]


def read_checksums(paths: list[Path]) -> Checksums:
    """The lists of `paths`: an .mhl file, an ascmhl folder, or a folder that holds one.

    A list that was changed since it was made is a problem line and is still used.
    Raises UsageError (none there), PlateError (not readable).
    """
    checksums = Checksums()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the pattern library that ascmhl uses
        for path in paths:
            _read(path, checksums)
    return checksums


def _read(path: Path, checksums: Checksums) -> None:
    if path.is_dir():
        root = path.parent if path.name == _FOLDER else path
        if not (root / _FOLDER).is_dir():
            raise UsageError(f"--mhl {path}: there is no {_FOLDER} folder. Pass the .mhl file itself.")
        _read_history(root, checksums)
    elif path.is_file():
        _read_list(path, checksums)
    else:
        raise UsageError(f"--mhl {path}: there is no such file or folder. Check the path.")


def _read_history(root: Path, checksums: Checksums) -> None:
    """All generations of a folder and of the folders below it; the oldest statement of a file stands."""
    from ascmhl.history import MHLHistory
    from click import ClickException

    try:
        history = MHLHistory.load_from_path(str(root))
    except ClickException as error:
        checksums.problems.append(f"{error.message}. The lists that are there are used all the same.")
        for file in sorted((root / _FOLDER).glob("*.mhl")):
            _read_list(file, checksums)
        return
    except (SyntaxError, OSError, AssertionError, ValueError, TypeError, AttributeError) as error:
        raise PlateError(f"Cannot read {root / _FOLDER}: {_line(error)}. Copy it again.") from error
    for each in MHLHistory.walk_child_histories(history):
        for hash_list in each.hash_lists:
            _add_list(hash_list, Path(each.get_root_path()), checksums)


def _read_list(path: Path, checksums: Checksums) -> None:
    from ascmhl import hashlist_xml_parser

    try:
        if _is_version_1(path):
            _read_version_1(path, checksums)
            return
        root = path.parent.parent if path.parent.name == _FOLDER else path.parent
        _add_list(hashlist_xml_parser.parse(str(path)), root, checksums)
    except (SyntaxError, OSError, ValueError, TypeError, AttributeError) as error:
        raise PlateError(f"Cannot read {path}: {_line(error)}. Copy the list again.") from error


def _add_list(hash_list: Any, root: Path, checksums: Checksums) -> None:
    for media in hash_list.media_hashes:
        if not media.is_directory:
            entries = [(entry.hash_format, entry.hash_string) for entry in media.hash_entries]
            checksums.add(str(root / media.path), entries, media.file_size)


def _is_version_1(path: Path) -> bool:
    _, root = next(ElementTree.iterparse(path, events=("start",)))
    return str(root.get("version", "")).startswith("1")


def _read_version_1(path: Path, checksums: Checksums) -> None:
    for _, element in ElementTree.iterparse(path):
        if element.tag != "hash":
            continue
        values = {child.tag: (child.text or "").strip() for child in element}
        if values.get("file"):
            entries = [
                (_VERSION_1_FORMATS[tag], value.lower())
                for tag, value in values.items()
                if tag in _VERSION_1_FORMATS
            ]
            size = values.get("size", "")
            checksums.add(str(path.parent / values["file"]), entries, int(size) if size.isdigit() else None)
        element.clear()


def _difference(file: Path, hash_format: str, expected: str, size: int | None, stop: Any) -> str | None:
    """What is wrong with the file, or None."""
    from ascmhl.hasher import new_hasher_for_hash_type

    try:
        found = file.stat().st_size
        if size is not None and found != size:
            return f"has {found} bytes instead of {size}"
        hasher = new_hasher_for_hash_type(hash_format)
        with file.open("rb") as stream:
            while block := stream.read(_CHUNK_BYTES):
                if stop is not None:
                    stop()
                hasher.update(block)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    digest = hasher.string_digest()
    return None if digest == expected else f"has {hash_format} {digest} instead of {expected}"


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
