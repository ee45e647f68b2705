"""Frame ranges and numbered files. First and last frame are inclusive everywhere. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Tuple, Union

from .errors import FrameRangeError

MOST_FRAMES = 1_000_000  # a longer range is a typing error
_PART = re.compile(r"\s*(-?\d{1,9})\s*(?:-\s*(-?\d{1,9})\s*(?:x\s*(\d{1,9})\s*)?)?")
_PLACEHOLDER = re.compile(r"%(0\d+)?d|#+|@+")
_NUMBERED = re.compile(r"^(?P<prefix>.*?)(?P<frame>(?:(?<=[._])-)?\d+)(?P<suffix>\.[A-Za-z][A-Za-z0-9]*)$")
_VERSION = re.compile(r"(^|[._-])[vV]$")


@dataclass(frozen=True)
class FrameRange:
    """Frame numbers in rising order, each once; may have gaps."""

    frames: Tuple[int, ...]

    @classmethod
    def of(cls, frames: Iterable[int]) -> FrameRange:
        return cls(tuple(sorted(set(frames))))

    @classmethod
    def parse(cls, text: str) -> FrameRange:
        """Read "1001-1100", "1001-1100x2" (every second frame) or "1001,1005,1010-1020"."""
        frames: List[int] = []
        for part in text.split(","):
            match = _PART.fullmatch(part)
            if match is None:
                raise FrameRangeError(
                    f"Cannot read frame range '{text}' at '{part}'. Write it like 1001-1100, "
                    f"1001-1100x2 or 1001,1005,1010-1020."
                )
            first = int(match.group(1))
            last = first if match.group(2) is None else int(match.group(2))
            step = 1 if match.group(3) is None else int(match.group(3))
            if last < first or step == 0:
                raise FrameRangeError(
                    f"Frame range '{text}' runs backwards or stands still at '{part}'. Write "
                    f"first-last, or first-lastxSTEP with a step of 1 or more."
                )
            if (last - first) // step + len(frames) >= MOST_FRAMES:
                raise FrameRangeError(
                    f"Frame range '{text}' has more than {MOST_FRAMES} frames. Check the frame numbers."
                )
            frames.extend(range(first, last + 1, step))
        return cls.of(frames)

    @property
    def first_frame(self) -> int:
        return self._not_empty()[0]

    @property
    def last_frame(self) -> int:
        return self._not_empty()[-1]

    def with_handles(self, handles: int) -> FrameRange:
        """The range with `handles` more frames at each end."""
        first, last = self.first_frame, self.last_frame
        before, after = range(first - handles, first), range(last + 1, last + handles + 1)
        return FrameRange.of((*before, *self.frames, *after))

    def _not_empty(self) -> Tuple[int, ...]:
        if not self.frames:
            raise FrameRangeError("The frame range is empty. Give at least one frame.")
        return self.frames

    def __iter__(self) -> Iterator[int]:
        return iter(self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def __contains__(self, frame: object) -> bool:
        return frame in self.frames

    def __str__(self) -> str:
        """Text that `parse` reads back; steps are written with x."""
        return ",".join(_runs_text(first, last, step) for first, last, step in _runs(self.frames))


def compact_frames(frames: Iterable[int]) -> str:
    """Frame numbers for a message, such as "1007-1009, 1013"."""
    runs: List[List[int]] = []
    for frame in sorted(set(frames)):
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return ", ".join(_runs_text(first, last, 1) for first, last in runs)


def _runs(frames: Tuple[int, ...]) -> Iterator[Tuple[int, int, int]]:
    """(first, last, step) of the longest runs of equal step, from the left; a lone pair is a run only at
    step 1.
    """
    start = 0
    while start < len(frames):
        end, step = start, 1
        if start + 1 < len(frames):
            step = frames[start + 1] - frames[start]
            while end + 1 < len(frames) and frames[end + 1] - frames[end] == step:
                end += 1
        if step > 1 and end - start < 2:
            end, step = start, 1
        yield frames[start], frames[end], step
        start = end + 1


def _runs_text(first: int, last: int, step: int) -> str:
    if first == last:
        return str(first)
    return f"{first}-{last}" if step == 1 else f"{first}-{last}x{step}"


@dataclass(frozen=True)
class SequencePath:
    """A numbered file name: directory / prefix + frame with at least `padding` digits + suffix."""

    directory: Path
    prefix: str
    padding: int
    suffix: str

    @classmethod
    def parse(cls, text: Union[str, Path]) -> SequencePath:
        """Read "sh010.%04d.exr", "sh010.####.exr", "sh010.@@@.exr"; one # alone stands for four digits."""
        path = Path(text)
        found = list(_PLACEHOLDER.finditer(path.name))
        if len(found) != 1 or _PLACEHOLDER.search(str(path.parent)):
            raise FrameRangeError(
                f"'{text}' must have one frame number place in its file name, and none in its folder. "
                f"Write it like sh010.%04d.exr or sh010.####.exr."
            )
        place = found[0].group()
        padding = int(found[0].group(1) or 1) if place.startswith("%") else len(place)
        if place == "#":
            padding = 4
        return cls(path.parent, path.name[: found[0].start()], padding, path.name[found[0].end() :])

    @classmethod
    def from_frame(cls, path: Union[str, Path]) -> Optional[Tuple[SequencePath, int]]:
        """Split the file name of one frame of many, or None when it has no frame number.

        The number is the last one before the extension; "_v002" and ".v002" are versions, not frames.
        """
        path = Path(path)
        match = _NUMBERED.match(path.name)
        if match is None or _VERSION.search(match.group("prefix")):
            return None
        digits = match.group("frame")
        return cls(path.parent, match.group("prefix"), len(digits), match.group("suffix")), int(digits)

    @staticmethod
    def has_placeholder(text: Union[str, Path]) -> bool:
        return _PLACEHOLDER.search(Path(text).name) is not None

    def frame_path(self, frame: int) -> Path:
        return self.directory / f"{self.prefix}{frame:0{self.padding}d}{self.suffix}"

    def frame_of(self, name: str) -> Optional[int]:
        """The frame number in a file name, or None when the name is not of this sequence."""
        if not (name.startswith(self.prefix) and name.endswith(self.suffix)):
            return None
        digits = name[len(self.prefix) : len(name) - len(self.suffix)]
        if not re.fullmatch(r"-?\d{1,9}", digits) or self.frame_path(int(digits)).name != name:
            return None
        return int(digits)

    def pattern(self) -> str:
        """The path with %04d in place of the frame number."""
        place = "%d" if self.padding == 1 else f"%0{self.padding}d"
        return str(self.directory / f"{self.prefix}{place}{self.suffix}")

    def __str__(self) -> str:
        return self.pattern()
