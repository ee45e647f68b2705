"""The frames of a shot as analysis reads them: once small, once at full size, with what comes beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import ChannelError, SizeMismatchError
from ..frames import FrameRange, compact_frames
from ..images.colour import PlateColour, in_working_space, plate_colour
from ..images.image import ImageFile, Window, placed
from ..images.pipeline import stream
from ..images.reading import read_header
from ..images.sequence import PlateSequence, find_sequence
from ..inference.frame_renderer import matte_on
from ..inference.mixing import find_bad_pixels
from ..inference.render_stamp import fingerprint
from ..progress import Progress
from .frame_store import FrameStore
from .given import GivenPass
from .hints import Hint, read_hint, shrunk_hint
from .prediction import PACKED_PLANES, Map, shrunk, small_plate, working_size
from .shot import Knowledge

_READ_AHEAD = 2
_SMALLEST_PX = 8


@dataclass(frozen=True, eq=False)
class FullFrame:
    """One frame at full size. `plate` (H, W, 3) scene-linear lies on the shot's canvas, the part that the
    file has on `window`; `is_half` says that its values are half floats."""

    image_file: ImageFile
    plate: Map
    is_half: bool
    window: Window
    bad_pixels: int


@dataclass(frozen=True, eq=False)
class PlateFrames:
    """A plate with its matte, hints and given passes. `canvas` holds every frame's data window; `channels`
    are those of the picture."""

    plate: PlateSequence
    colour: PlateColour
    declared_space: str | None
    channels: tuple[str, ...]
    canvas: Window
    matte: PlateSequence | None
    hints: PlateSequence | None
    given: tuple[GivenPass, ...]

    def read(self, frame: int) -> FullFrame:
        """Raises `PlateError`, `ColourSpaceError`."""
        image_file = self._picture(self.plate.read(frame))
        is_half = set(_formats(image_file)) == {"half"} and self.colour.is_scene_linear
        image_file = in_working_space(image_file, plate_colour(image_file, self.declared_space))
        pixels = image_file.select(("R", "G", "B"))
        window = image_file.main.data_window
        bad = find_bad_pixels(pixels)
        plate = placed(pixels, window, self.canvas)
        return FullFrame(image_file, plate, is_half, window, 0 if bad is None else bad.count)

    def digest(self) -> str:
        """One text for all files that the passes of any frame depend on."""
        parts = [fingerprint(self.plate.path(frame)) for frame in self.plate.frames]
        others = [self.matte, self.hints, *(given.sequence for given in self.given)]
        for sequence in others:
            if sequence is not None:
                parts += sorted({fingerprint(sequence.path(frame)) for frame in sequence.frames})
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def given_at(self, frame: int, image_file: ImageFile) -> dict[str, Map]:
        """The artist's own passes of a frame, on the canvas."""
        return {given.kind: given.read(frame, image_file, self.canvas) for given in self.given}

    def _picture(self, image_file: ImageFile) -> ImageFile:
        """The file with the picture's channels under the names R, G, B."""
        if self.channels == ("R", "G", "B"):
            return image_file
        pixels = image_file.select(self.channels)
        formats = dict(zip(image_file.main.channels, image_file.main.channel_formats, strict=True))
        kind = formats.get(self.channels[0], "half")
        return image_file.replace(("R", "G", "B"), np.ascontiguousarray(pixels), kind)


@dataclass(frozen=True, eq=False)
class SmallShot:
    """The shot at the working size. Close it, or use it as a context manager."""

    plates: FrameStore
    mattes: FrameStore | None
    passes: FrameStore
    given: GivenStore | None
    hints: Mapping[int, Hint]

    def __enter__(self) -> SmallShot:
        return self

    def __exit__(self, *_: object) -> None:
        for store in (self.plates, self.mattes, self.passes, self.given.store if self.given else None):
            if store is not None:
                store.close()

    def knowledge(self) -> Knowledge:
        return Knowledge(given=(self.given.get if self.given else _nothing_given), hints=self.hints)


@dataclass(frozen=True, eq=False)
class GivenStore:
    """The artist's own passes at the working size."""

    store: FrameStore
    kinds: tuple[str, ...]

    def get(self, k: int) -> dict[str, Map]:
        planes, first = self.store.get(k), 0
        found: dict[str, Map] = {}
        for kind in self.kinds:
            width = 1 if kind == "depth" else 3
            part = planes[..., first : first + width]
            found[kind] = part[..., 0] if kind == "depth" else part
            first += width
        return found


def _nothing_given(k: int) -> dict[str, Map]:
    return {}


def open_frames(
    plate_text: str,
    frames: FrameRange | None,
    layer: str | None,
    declared_space: str | None,
    given: Mapping[str, str | None],
    matte_text: str | None,
    hints_text: str | None,
    progress: Progress,
) -> PlateFrames:
    """Find and check everything that is read. Raises `PlateError`, `ColourSpaceError`."""
    plate = find_sequence(plate_text, frames)
    if frames is not None:
        plate.require()
    elif missing := plate.missing():
        progress.log(
            f"{plate.name} lacks frames {compact_frames(missing)}; the others are analysed.", "warning"
        )
    plate.require_one_size(plate.frames)
    first = plate.read(plate.frames[0])
    channels = _picture_channels(first, layer)
    _tell_about_views(first, layer, progress)
    wanted = FrameRange.of(plate.frames)
    matte = None
    if matte_text is not None:
        matte = find_sequence(matte_text, wanted)
        matte.require(plate.frames)
    hints = find_sequence(hints_text, wanted) if hints_text is not None else None
    passes = tuple(GivenPass.parse(kind, text, wanted) for kind, text in given.items() if text)
    found = PlateFrames(
        plate, plate_colour(first, declared_space), declared_space, channels, first.main.data_window, matte,
        hints, passes,
    )  # fmt: skip
    for own in passes:
        own.read(plate.frames[0], first, found.canvas)
    return replace(found, canvas=_canvas(plate, first))


def read_small(
    frames: PlateFrames, working_px: int, scratch: Path, memory_bytes: int, progress: Progress
) -> SmallShot:
    """Read every frame once and keep it at the working size; `memory_bytes` is for each kind of picture."""
    numbers, canvas = frames.plate.frames, frames.canvas
    width, height = working_size(canvas.width, canvas.height, working_px)
    if min(width, height) < _SMALLEST_PX:
        raise SizeMismatchError(
            f"{frames.plate.name} is {canvas.width}x{canvas.height}; passes need {_SMALLEST_PX} "
            "pixels each way."
        )
    kinds = tuple(own.kind for own in frames.given)
    planes = sum(1 if kind == "depth" else 3 for kind in kinds)

    def store(channels: int, dtype: type[np.float16] | type[np.float32]) -> FrameStore:
        return FrameStore(len(numbers), (height, width, channels), scratch, memory_bytes, dtype)

    shot = SmallShot(
        store(3, np.float32),
        store(1, np.float16) if frames.matte else None,
        store(PACKED_PLANES, np.float16),
        GivenStore(store(planes, np.float32), kinds) if kinds else None,
        _read_hints(frames, (width, height)),
    )

    def read(k: int) -> tuple[Map, Map | None, Map | None]:
        full = frames.read(numbers[k])
        matte = None
        if frames.matte is not None:
            on_plate = matte_on(frames.matte.read(numbers[k]), full.image_file.main)
            matte = shrunk(placed(on_plate, full.window, canvas), (width, height))
        own = frames.given_at(numbers[k], full.image_file)
        together = [shrunk(values, (width, height)).reshape(height, width, -1) for values in own.values()]
        return small_plate(full.plate, working_px), matte, np.concatenate(together, 2) if together else None

    def keep(k: int, small: tuple[Map, Map | None, Map | None]) -> None:
        progress.report("reading the shot", k, len(numbers), f"frame {numbers[k]}")
        plate, matte, own = small
        shot.plates.put(k, plate)
        if shot.mattes is not None and matte is not None:
            shot.mattes.put(k, np.clip(np.nan_to_num(matte), 0, 1)[..., None])
        if shot.given is not None and own is not None:
            shot.given.store.put(k, own)

    stream(range(len(numbers)), read, keep, lambda k, done: None, _READ_AHEAD, progress)
    progress.report("reading the shot", len(numbers), len(numbers))
    return shot


def _read_hints(frames: PlateFrames, size: tuple[int, int]) -> dict[int, Hint]:
    if frames.hints is None:
        return {}
    display = read_header(frames.plate.path(frames.plate.frames[0])).display_window
    if frames.plate.is_video:
        display = frames.plate.read(frames.plate.frames[0]).main.display_window
    found: dict[int, Hint] = {}
    same: dict[Path, Hint] = {}
    for k, frame in enumerate(frames.plate.frames):
        if frame not in frames.hints.frames:
            continue
        path = frames.hints.path(frame)
        if path not in same:
            file = frames.hints.read(frame)
            theirs = file.main.display_window
            if (theirs.width, theirs.height) != (display.width, display.height):
                raise SizeMismatchError(
                    f"Hint {path} is {theirs.width}x{theirs.height}, the plate is {display.width}x"
                    f"{display.height}. Paint it in the plate's size."
                )
            same[path] = shrunk_hint(read_hint(file, display, frames.canvas), size)
        found[k] = same[path]
    return found


def _formats(image_file: ImageFile) -> list[str]:
    formats = dict(zip(image_file.main.channels, image_file.main.channel_formats, strict=True))
    return [formats.get(name, "float") for name in ("R", "G", "B")]


def _picture_channels(first: ImageFile, layer: str | None) -> tuple[str, ...]:
    known = {name for channels in first.layers().values() for name in channels}
    if layer:
        wanted = tuple(f"{layer}.{name}" for name in "RGB")
        if known.issuperset(wanted):
            return wanted
        raise ChannelError(
            f"{first.path} has no layer '{layer}' with channels R, G and B. Its layers are "
            f"{', '.join(sorted(name or 'the main one' for name in first.layers()))}."
        )
    if known.issuperset("RGB"):
        return ("R", "G", "B")
    if "Y" in known:
        return ("Y", "Y", "Y")
    with_colour = [
        name for name, have in first.layers().items() if {f"{name}.{c}" for c in "RGB"} <= set(have)
    ]
    hint = f"Pass --layer with one of {', '.join(with_colour)}." if with_colour else "Give a colour picture."
    raise ChannelError(f"{first.path} has no channels R, G, B, but {', '.join(sorted(known)[:24])}. {hint}")


def _tell_about_views(first: ImageFile, layer: str | None, progress: Progress) -> None:
    names = {name.lower() for name in first.layers()} | {part.part_name.lower() for part in first.parts}
    views = [view for view in ("left", "right") if any(view in name.split(".") for name in names)]
    views += [view for view in first.main.metadata.get("multiView", []) if view not in views]
    if len(views) > 1 and layer is None:
        progress.log(
            f"{first.path.name} holds the views {' and '.join(views)}. Its main picture is "
            "analysed; for the other "
            f"pass --layer {views[-1]} and another --out.",
            "warning",
        )


def _canvas(plate: PlateSequence, first: ImageFile) -> Window:
    """The smallest window that holds every frame's data window. Reads headers only."""
    windows = [first.main.data_window]
    if not plate.is_video:
        windows += [read_header(path).data_window for path in sorted({plate.path(f) for f in plate.frames})]
    left, top = min(w.x for w in windows), min(w.y for w in windows)
    right, bottom = max(w.x + w.width for w in windows), max(w.y + w.height for w in windows)
    return Window(left, top, right - left, bottom - top)
