"""Passes of the artist's own, which take the place of estimated ones: a layer of the plate, or a sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ChannelError, MissingFramesError, SizeMismatchError
from ..frames import FrameRange, SequencePath
from ..images.image import ImageFile, Window, placed
from ..images.sequence import PlateSequence, find_sequence
from .prediction import Map, unit

KINDS = ("normal", "depth", "albedo")
_SUFFIXES = {
    "normal": (("X", "Y", "Z"), ("x", "y", "z"), ("R", "G", "B"), ("red", "green", "blue")),
    "depth": (("Z",), ("z",), ("Y",), ("R",), ("red",), ("A",)),
    "albedo": (("R", "G", "B"), ("red", "green", "blue")),
}


@dataclass(frozen=True, eq=False)
class GivenPass:
    """Where one kind of pass is read. `sequence` is None for a layer of the plate itself."""

    kind: str
    layer: str
    sequence: PlateSequence | None

    @classmethod
    def parse(cls, kind: str, text: str, frames: FrameRange) -> GivenPass:
        """`text` is a layer's name, or the path of a sequence with all `frames`. Raises `PlateError`."""
        if not SequencePath.has_placeholder(text) and "/" not in text and "\\" not in text:
            return cls(kind, text, None)
        sequence = find_sequence(text, frames)
        try:
            sequence.require(frames)
        except MissingFramesError as error:
            raise MissingFramesError(f"--{kind}-layer: {error}") from None
        return cls(kind, "", sequence)

    def read(self, frame: int, plate: ImageFile, canvas: Window) -> Map:
        """(H, W, 3), or (H, W) for depth, on `canvas`, a window in the plate's display coordinates.

        Raises ChannelError, SizeMismatchError.
        """
        file = plate if self.sequence is None else self.sequence.read(frame)
        image, display = file.main, plate.main.display_window
        theirs = image.display_window
        if (theirs.width, theirs.height) != (display.width, display.height):
            raise SizeMismatchError(
                f"{file.path} is {theirs.width}x{theirs.height}, the plate is "
                f"{display.width}x{display.height}. "
                f"Render the {self.kind} pass in the plate's size."
            )
        values = file.select(_channels(file, self.kind, self.layer))
        window = Window(
            image.data_window.x - theirs.x + display.x,
            image.data_window.y - theirs.y + display.y,
            values.shape[1],
            values.shape[0],
        )
        return _cleaned(self.kind, placed(values, window, canvas))


def _channels(file: ImageFile, kind: str, layer: str) -> tuple[str, ...]:
    known = {name for channels in file.layers().values() for name in channels}
    prefixes = (layer,) if layer else (kind, "", "N" if kind == "normal" else kind)
    for prefix in prefixes:
        for suffix in _SUFFIXES[kind]:
            names = tuple(f"{prefix}.{end}" if prefix else end for end in suffix)
            if known.issuperset(names):
                return names
    if kind == "depth" and layer in known:
        return (layer,)
    wanted = " or ".join(", ".join(f"{layer or kind}.{end}" for end in ends) for ends in _SUFFIXES[kind][:2])
    raise ChannelError(
        f"{file.path} has no {kind} layer '{layer or kind}': expected {wanted}; it has "
        f"{', '.join(sorted(known)[:24])}."
    )


def _cleaned(kind: str, values: Map) -> Map:
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if kind == "normal":
        coded = finite * 2 - 1  # as colours show normals, (n + 1) / 2; whichever has length one is meant
        if finite.min() >= 0 and _off_unit(coded) < _off_unit(finite):
            finite = coded
        return unit(finite)
    if kind == "albedo":
        return np.maximum(finite, 0)
    depth = finite[..., 0]
    known = depth > 0
    far = float(depth[known].max()) if known.any() else 1.0
    return np.where(known, depth, far).astype(np.float32)  # holes are sky


def _off_unit(vectors: Map) -> float:
    """By how much vectors typically are not of length one."""
    return float(np.median(np.abs(np.linalg.norm(vectors, axis=-1) - 1)))
