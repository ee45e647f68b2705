"""Finding a sequence on disk and reading its frames, whatever way the artist wrote it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import fileseq

from ..errors import FrameRangeError, MissingFramesError, PlateError, SizeMismatchError
from ..frames import FrameRange, SequencePath, compact_frames
from .image import ImageFile
from .reading import content_sha256, read_header, read_image_file

if TYPE_CHECKING:
    from .video import Movie

MOVIE_SUFFIXES = (".mov", ".mp4", ".m4v", ".mxf", ".mkv")
IMAGE_SUFFIXES = (
    ".exr .dpx .cin .tif .tiff .png .jpg .jpeg .jxl .jp2 .hdr .tga .bmp .sgi .rgb .webp .psd".split()
)
STILL_FRAME = 1  # the frame number of a still when no frames are asked for


@dataclass(frozen=True, eq=False)
class PlateSequence:
    """Frames on disk. `frames` are those that exist, within `wanted` when a range was asked for.

    `location` is a numbered path, one still that stands for every frame, or a movie's path.
    """

    location: SequencePath | Path
    frames: tuple[int, ...]
    wanted: FrameRange | None = None
    movie: Movie | None = None

    @property
    def name(self) -> str:
        """The pattern or path, for messages."""
        return str(self.location)

    @property
    def is_video(self) -> bool:
        return self.movie is not None

    def path(self, frame: int) -> Path:
        """The file that holds a frame, whether it exists or not."""
        return self.location if isinstance(self.location, Path) else self.location.frame_path(frame)

    def missing(self, frames: Iterable[int] | None = None) -> tuple[int, ...]:
        """Those of `frames` (default: what was asked for, else first to last frame) that do not exist."""
        present = set(self.frames)
        return tuple(frame for frame in self._expected(frames) if frame not in present)

    def require(self, frames: Iterable[int] | None = None) -> None:
        """Raises MissingFramesError that lists the `missing` frames."""
        missing = self.missing(frames)
        if missing:
            found = compact_frames(self.frames) or "none"
            raise MissingFramesError(
                f"{self.name} lacks frames {compact_frames(missing)} (found {found}). "
                "Render or copy them, or pass a --frames range without them."
            )

    def require_one_size(self, frames: Iterable[int] | None = None) -> None:
        """Raises SizeMismatchError when two frames differ in display window. Reads headers only."""
        if isinstance(self.location, Path):
            return
        chosen = [frame for frame in self._expected(frames) if frame in set(self.frames)]
        first = None
        for frame in chosen:
            window = read_header(self.path(frame)).display_window
            first = first or window
            if (window.width, window.height) != (first.width, first.height):
                raise SizeMismatchError(
                    f"Plate {self.path(frame).name} is {window.width}x{window.height} but "
                    f"{self.path(chosen[0]).name} is "
                    f"{first.width}x{first.height}. Render it at the size of the others, or leave it "
                    f"out with --frames."
                )

    def read(self, frame: int) -> ImageFile:
        """The frame's image file. Raises MissingFramesError, DamagedFrameError, PlateError."""
        if frame not in self.frames:
            raise MissingFramesError(
                f"{self.name} has no frame {frame} (found {compact_frames(self.frames) or 'none'})."
            )
        return read_image_file(self.path(frame)) if self.movie is None else self.movie.read(frame)

    def content_sha256(self, frame: int) -> str:
        """SHA-256 of the frame's file; of the decoded pixels for a movie."""
        if self.movie is None:
            return content_sha256(self.path(frame))
        return hashlib.sha256(self.movie.read(frame).main.pixels.tobytes()).hexdigest()

    def describe(self) -> str:
        """One line for a person: name, frames, size, format, channels."""
        if not self.frames:
            return f"{self.name}: no frames"
        count = "1 frame" if len(self.frames) == 1 else f"{len(self.frames)} frames"
        text = f"{self.name}: {compact_frames(self.frames)} ({count})"
        if self.movie is not None:
            width, height = self.movie.size
            tags = self.movie.read(self.frames[0]).main.metadata
            return f"{text}, {width}x{height}, {tags['video:matrix']} matrix, {tags['video:range']} range"
        image = read_header(self.path(self.frames[0]))
        shown = image.display_window
        formats = "/".join(dict.fromkeys(image.channel_formats))
        overscan = "" if image.data_window == shown else f", data window {image.data_window}"
        return f"{text}, {shown.width}x{shown.height}{overscan}, {formats} {' '.join(image.channels)}"

    def _expected(self, frames: Iterable[int] | None) -> Iterable[int]:
        if frames is not None:
            return frames
        if self.wanted is not None:
            return self.wanted
        return range(self.frames[0], self.frames[-1] + 1) if self.frames else ()


def find_sequence(text: str | Path, frames: FrameRange | None = None) -> PlateSequence:
    """Find what `text` names: sh010.%04d.exr, sh010.####.exr, a folder, one frame of many, a still, a mov
    or mp4.

    `frames` limits the result; frames of it that do not exist are no error here, see `require`. A still
    (no frame number in its name) stands for every one of `frames`.
    Raises MissingFramesError (nothing there), PlateError (several sequences in a folder), FrameRangeError.
    """
    path = Path(text).expanduser()
    if SequencePath.has_placeholder(path) and not path.is_file():
        return _numbered(SequencePath.parse(path), frames)
    if path.is_dir():
        return _in_folder(path, frames)
    if path.suffix.lower() in MOVIE_SUFFIXES:
        return _movie(path, frames)
    split = SequencePath.from_frame(path)
    if split is not None:
        return _numbered(_family(split[0], _names(path.parent)), frames)
    if not path.exists():
        raise MissingFramesError(f"There is no file or folder {path}. Check the path.")
    return PlateSequence(path, frames.frames if frames else (STILL_FRAME,), frames)


def _numbered(location: SequencePath, frames: FrameRange | None) -> PlateSequence:
    on_disk = _frames_on_disk(location)
    if not on_disk:
        raise MissingFramesError(
            f"There are no frames {location}. Check the folder, the name and the digits."
        )
    return _limited(location, on_disk, frames)


def _limited(location: SequencePath, on_disk: tuple[int, ...], frames: FrameRange | None) -> PlateSequence:
    kept = on_disk if frames is None else tuple(sorted(set(on_disk) & set(frames)))
    if not kept:
        raise MissingFramesError(
            f"{location} has frames {compact_frames(on_disk)}, none of {frames}. Check --frames."
        )
    return PlateSequence(location, kept, frames)


def _frames_on_disk(location: SequencePath) -> tuple[int, ...]:
    return _frames_among(_names(location.directory), location)


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


def _frames_among(names: Iterable[str], location: SequencePath) -> tuple[int, ...]:
    numbers = (location.frame_of(name) for name in names)
    return tuple(sorted(number for number in numbers if number is not None))


def _family(one_of_many: SequencePath, names: Iterable[str]) -> SequencePath:
    """The numbering that a frame belongs to: 10 may follow 9 or 09. Most frames win, then digits."""
    spellings = [
        SequencePath(one_of_many.directory, one_of_many.prefix, padding, one_of_many.suffix)
        for padding in range(one_of_many.padding, 0, -1)
    ]
    return max(spellings, key=lambda spelling: len(_frames_among(names, spelling)))


def _movie(path: Path, frames: FrameRange | None) -> PlateSequence:
    from .video import FIRST_FRAME, Movie

    movie = Movie(path)
    present = range(FIRST_FRAME, FIRST_FRAME + len(movie))
    kept = tuple(present) if frames is None else tuple(frame for frame in frames if frame in present)
    if not kept:
        raise MissingFramesError(
            f"{path} has frames {present[0]}-{present[-1]}, none of {frames}. Check --frames."
        )
    return PlateSequence(path, kept, frames, movie)


def _in_folder(folder: Path, frames: FrameRange | None) -> PlateSequence:
    names = _names(folder)
    candidates: dict[str, SequencePath | Path] = {}
    for found in fileseq.findSequencesOnDisk(str(folder)):
        name = Path(found[0]).name
        suffix = Path(name).suffix.lower()
        if suffix in MOVIE_SUFFIXES:
            candidates.update({Path(file).name: folder / Path(file).name for file in found})
        elif suffix in IMAGE_SUFFIXES:
            split = SequencePath.from_frame(folder / name)
            location = folder / name if split is None else _family(split[0], names)
            candidates[str(location)] = location
    if not candidates:
        raise MissingFramesError(f"Folder {folder} holds no images and no movie. Check the path.")
    if len(candidates) > 1:
        raise PlateError(
            f"Folder {folder} holds {len(candidates)} sequences: "
            f"{'; '.join(_shown(candidates.values()))}. Pass one of them."
        )
    (only,) = candidates.values()
    if isinstance(only, SequencePath):
        return _numbered(only, frames)
    return find_sequence(only, frames)


def _shown(locations: Iterable[SequencePath | Path]) -> list[str]:
    """At most five names with their frames, for a message."""
    lines = []
    for location in list(locations)[:5]:
        if isinstance(location, SequencePath):
            lines.append(f"{Path(location.pattern()).name} {compact_frames(_frames_on_disk(location))}")
        else:
            lines.append(location.name)
    return lines


def output_path(text: str | Path) -> SequencePath:
    """Where result frames go: a pattern, or a folder, in which they are called after the folder.

    Raises FrameRangeError for anything but an EXR pattern or a folder.
    """
    path = Path(text).expanduser()
    if SequencePath.has_placeholder(path):
        location = SequencePath.parse(path)
    elif not path.suffix or path.is_dir():
        location = SequencePath(path, f"{path.name}.", 4, ".exr")
    else:
        raise FrameRangeError(
            f"--out {path} is one file. Write it with a frame number, like {path.stem}.%04d.exr."
        )
    if location.suffix.lower() != ".exr":
        raise FrameRangeError(
            f"--out {path} is not EXR. Results are scene-linear: write them to {location.prefix}%04d.exr."
        )
    return location
