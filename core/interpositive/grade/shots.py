"""Shots on disk, as matching takes them: a few frames spread over each, scene-linear, with their space."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import MissingFramesError
from ..frames import FrameRange
from ..images.colour import PlateColour, plate_colour, to_working
from ..images.image import Image, Pixels
from ..images.sequence import PlateSequence, find_sequence
from .cdl import CDL, apply
from .grading_space import GradingSpace

_RGB = ("R", "G", "B")


@dataclass(frozen=True, eq=False)
class Shot:
    """A shot and those of its frames that were read: scene-linear (H, W, 3), by number, in
    `space.working_space`.

    `first` is the first read frame's image, for its header.
    """

    name: str
    sequence: PlateSequence
    colour: PlateColour
    space: GradingSpace
    frames: dict[int, Pixels]
    first: Image

    @property
    def pictures(self) -> list[Pixels]:
        return list(self.frames.values())

    @property
    def middle(self) -> Pixels:
        """The picture that stands for the shot."""
        return self.pictures[len(self.frames) // 2]

    @property
    def is_log_or_display(self) -> bool:
        """Whether the files were converted to scene-linear."""
        return not self.colour.is_scene_linear

    def graded(self, cdl: CDL) -> Shot:
        """The shot after a CDL in its space."""
        frames = {
            number: self.space.decode(apply(cdl, self.space.encode(pixels)))
            for number, pixels in self.frames.items()
        }
        return replace(self, frames=frames)


def read_shot(
    text: str, count: int, cdl_space: str | None, input_space: str | None, frames: FrameRange | None = None
) -> Shot:
    """Read `count` frames spread over a shot. Raises what `find_sequence` raises, ChannelError,
    ColourSpaceError."""
    return frames_of(
        find_sequence(text, frames), spread(_present(text, frames), count), cdl_space, input_space
    )


def frames_of(
    sequence: PlateSequence, numbers: Sequence[int], cdl_space: str | None, input_space: str | None
) -> Shot:
    """Read the frames `numbers` of a sequence."""
    found: dict[int, Pixels] = {}
    first: Image | None = None
    colour: PlateColour | None = None
    for number in numbers:
        image_file = sequence.read(number)
        if first is None or colour is None:
            first, colour = image_file.main, plate_colour(image_file, input_space)
        found[number] = to_working(image_file.select(_RGB), colour)
    if first is None or colour is None:
        raise MissingFramesError(f"{sequence.name} has no frames to read.")
    return Shot(
        shot_name(sequence), sequence, colour, GradingSpace.for_plate(cdl_space, colour), found, first
    )


def spread(numbers: Sequence[int], count: int) -> list[int]:
    """At most `count` of the numbers at even steps, the middle one where only one is asked for."""
    if count >= len(numbers):
        return list(numbers)
    if count == 1:
        return [numbers[len(numbers) // 2]]
    last = len(numbers) - 1
    return [numbers[round(k * last / (count - 1))] for k in range(count)]


def shot_name(sequence: PlateSequence) -> str:
    """What the shot is called in files: its file name without the frame number, else its folder's."""
    location = sequence.location
    stem = location.stem if isinstance(location, Path) else location.prefix.strip("._- ")
    folder = location.parent if isinstance(location, Path) else location.directory
    name = stem or folder.name
    return re.sub(r"[^\w.-]+", "_", name) or "shot"


def _present(text: str, frames: FrameRange | None) -> tuple[int, ...]:
    sequence = find_sequence(text, frames)
    if frames is not None:
        sequence.require(frames)
    return sequence.frames
