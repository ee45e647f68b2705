"""Which clips lie in a folder (numbered images, stills, movies; by name alone), and when one has changed.

Folders are listed one at a time, so memory does not grow with their number. Nothing is opened here and
nothing is ever written.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..frames import FrameRange, SequencePath
from ..images.sequence import IMAGE_SUFFIXES, MOVIE_SUFFIXES, STILL_FRAME, PlateSequence, find_sequence
from .clips import Kind

_RAW_FRAME_SUFFIXES = ".ari .arx .dng .cr2 .cr3 .nef .arw .raf .orf .x3f".split()  # one file a frame
RAW_SUFFIXES = [*_RAW_FRAME_SUFFIXES, ".r3d", ".braw", ".crm", ".rmf", ".cine", ".mlv", ".krw"]
_PROJECT_MARK = "project.json"
_NOT_DAILIES = ("ascmhl",)  # the folder that holds checksum lists
_LONGEST_NAMES = 3
_SEPARATORS = "._- "
_ENDS_IN_DIGITS = re.compile(r"^(.*?)(\d+)(\.[A-Za-z][A-Za-z0-9]*)$", re.DOTALL)
_R3D_PART = re.compile(r"_\d{3}$")  # a long clip is spread over numbered files

Complain = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A clip by its name: a numbered sequence with the frames that exist, or one file."""

    location: SequencePath | Path
    frames: tuple[int, ...]
    kind: Kind
    root: Path  # the folder that was asked for
    is_raw: bool = False

    @property
    def path(self) -> str:
        """As `Clip.path`: the pattern or the file, posix."""
        text = Path(self.location.pattern()) if isinstance(self.location, SequencePath) else self.location
        return text.as_posix()

    @property
    def name(self) -> str:
        """The file name without frame number and extension."""
        if isinstance(self.location, Path):
            is_spanned = self.location.suffix.lower() == ".r3d"
            return _R3D_PART.sub("", self.location.stem) if is_spanned else self.location.stem
        prefix = self.location.prefix
        if len(self.frames) == 1 and prefix and prefix[-1] not in _SEPARATORS:
            return self.location.frame_path(self.frames[0]).stem
        return prefix.rstrip(_SEPARATORS) or self.location.directory.name

    @property
    def missing(self) -> str:
        """Range text of the gaps."""
        present = set(self.frames)
        absent = [n for n in range(self.frames[0], self.frames[-1] + 1) if n not in present]
        return str(FrameRange.of(absent)) if absent else ""

    def files(self) -> list[Path]:
        """Every file of the clip."""
        if isinstance(self.location, Path):
            return [self.location]
        return [self.location.frame_path(frame) for frame in self.frames]

    def stamp(self) -> str:
        """Hash of the sizes and times of all files. Raises OSError when one is gone or cannot be seen."""
        digest = hashlib.blake2b(digest_size=16)
        folder = f"{self.location.parent if isinstance(self.location, Path) else self.location.directory}/"
        for name in self._names():
            status = os.stat(folder + name)
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
        return digest.hexdigest()

    def _names(self) -> Iterator[str]:
        """Names of the files, without making a path of each: a day of dailies has hundreds of thousands."""
        if isinstance(self.location, Path):
            yield self.location.name
            return
        prefix, padding, suffix = self.location.prefix, self.location.padding, self.location.suffix
        for frame in self.frames:
            yield f"{prefix}{frame:0{padding}d}{suffix}"

    def open(self) -> PlateSequence:
        """For reading; a movie is opened. Raises PlateError."""
        if self.kind == "video":
            return find_sequence(self.location)  # type: ignore[arg-type]  # a movie is one file
        return PlateSequence(self.location, self.frames)


def find_clips(roots: list[Path], complain: Complain) -> Iterator[Found]:
    """Every clip under `roots` in the order of paths; camera raw too, marked `is_raw`.

    A folder that cannot be listed is told to `complain`, and the rest goes on. Links to folders, links to
    nothing, hidden files and project folders are left out. A clip under two of the roots comes once.
    """
    for root in _outermost(roots):
        yield from _in_folder(root, root, complain)


def _outermost(roots: list[Path]) -> list[Path]:
    unique = sorted(set(roots))
    return [root for root in unique if not any(other in root.parents for other in unique)]


def _in_folder(folder: Path, root: Path, complain: Complain) -> Iterator[Found]:
    names: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not _is_readable_name(entry.name, folder, complain):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file():
                    names.append(entry.name)
    except OSError as error:
        complain(
            f"Folder {folder} cannot be read: {error.strerror}. "
            "Check its permissions and that the drive is there."
        )
        return
    if _PROJECT_MARK in names:
        return
    yield from clips_among(folder, names, root)
    for name in sorted(folders):
        if name not in _NOT_DAILIES:
            yield from _in_folder(folder / name, root, complain)


def _is_readable_name(name: str, folder: Path, complain: Complain) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = name.encode(errors="backslashreplace").decode()
        complain(f"{shown!r} in {folder} is left out: its name is not UTF-8. Rename a copy of it.")
        return False
    return True


def clips_among(folder: Path, names: list[str], root: Path) -> Iterator[Found]:
    """The clips that file names of one folder make."""
    numbered: dict[tuple[str, str], list[tuple[int, int]]] = {}
    singles: list[str] = []
    numberings: dict[tuple[str, str], bool] = {}  # of (prefix, suffix): whether its digits count frames
    for name in names:
        suffix = os.path.splitext(name)[1].lower()
        is_frame = suffix in IMAGE_SUFFIXES or suffix in _RAW_FRAME_SUFFIXES
        split = _split(name, numberings) if is_frame else None
        if split is None and (is_frame or suffix in MOVIE_SUFFIXES or suffix in RAW_SUFFIXES):
            singles.append(name)
        elif split is not None:
            prefix, digits, ending = split
            numbered.setdefault((prefix, ending), []).append((int(digits), len(digits)))
    clips = [_single(folder / name, root) for name in singles]
    for (prefix, suffix), members in numbered.items():
        is_raw = suffix.lower() in RAW_SUFFIXES
        clips += [
            Found(SequencePath(folder, prefix, padding, suffix), frames, "images", root, is_raw)
            for padding, frames in _families(members)
        ]
    yield from sorted(clips, key=lambda clip: clip.path)


def _split(name: str, numberings: dict[tuple[str, str], bool]) -> tuple[str, str, str] | None:
    """(prefix, digits, suffix) as `SequencePath.from_frame` splits names; it is asked once a numbering."""
    match = _ENDS_IN_DIGITS.match(name)
    if match is None:
        return None
    prefix, digits, ending = match.groups()
    if prefix.endswith("-") or (prefix, ending) not in numberings:
        split = SequencePath.from_frame(name)
        if split is None:
            numberings[prefix, ending] = False
            return None
        numbering, frame = split
        if numbering.prefix != prefix:  # a frame below zero
            return numbering.prefix, f"{frame:0{numbering.padding}d}", ending
        numberings[prefix, ending] = True
    return (prefix, digits, ending) if numberings[prefix, ending] else None


def _single(path: Path, root: Path) -> Found:
    suffix = path.suffix.lower()
    kind: Kind = "video" if suffix in MOVIE_SUFFIXES else "images"
    return Found(path, (STILL_FRAME,), kind, root, is_raw=suffix in RAW_SUFFIXES)


def _families(members: list[tuple[int, int]]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(padding, frames) of the numberings that (frame, digits) make: 10 follows 9 or 09. Most frames win."""
    left = set(members)
    while left:
        counts: Counter[int] = Counter()
        for padding in {digits for _, digits in left}:
            counts[padding] = sum(len(f"{frame:0{padding}d}") == digits for frame, digits in left)
        padding = max(counts, key=lambda digits: (counts[digits], digits))
        family = {(frame, digits) for frame, digits in left if len(f"{frame:0{padding}d}") == digits}
        left -= family
        yield padding, tuple(sorted(frame for frame, _ in family))


def raw_advice(names: list[str], suffixes: set[str]) -> str | None:
    """One line about camera raw clips that have no transcode, or None where there are none."""
    if not names:
        return None
    kinds = ", ".join(sorted(suffix[1:].upper() for suffix in suffixes))
    some = ", ".join(names[:_LONGEST_NAMES])
    more = f" and {len(names) - _LONGEST_NAMES} more" if len(names) > _LONGEST_NAMES else ""
    count = "1 clip is" if len(names) == 1 else f"{len(names)} clips are"
    return (
        f"{count} camera raw ({kinds}: {some}{more}). Ingest the facility's transcode "
        "(EXR, DPX, ProRes or DNxHR)."
    )
