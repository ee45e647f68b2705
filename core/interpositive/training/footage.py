"""What a shot model learns from: pairs of plate and keyframe, and which layers changed between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ChannelError, ColourSpaceError, KeyframeError, NothingToLearnError, SizeMismatchError
from ..frames import compact_frames
from ..images.colour import (
    AS_IN_FILE,
    PlateColour,
    convert,
    in_working_space,
    picture_space,
    plate_colour,
    to_working,
)
from ..images.image import ImageFile, Pixels, Window, placed
from ..images.sequence import PlateSequence
from ..progress import Progress
from .toe import chosen_toe

RGB = ("R", "G", "B")
_GREY_TOLERANCE = 1e-3  # of a picture's values, under which R, G and B are one matte
_LEAST_UNCHANGED = 0.02  # share of bit-identical pixels from which the change has a region
_PICTURE_FORMATS = {"jpeg", "png", "bmp", "targa", "webp"}  # display-referred, 8 bit as a rule


@dataclass(frozen=True)
class Layer:
    """A layer that goes into or comes out of the network, with its full EXR channel names."""

    name: str
    channels: tuple[str, ...]
    kind: Literal["rgb", "matte", "data"]


@dataclass(frozen=True, eq=False)
class Keyframe:
    """One pair. Pixels are scene-linear float32 on the plate's data window; `valid` is (H, W) bool."""

    frame: int
    plate: Pixels  # (H, W, C_in), NaN and infinity replaced by zero
    target: Pixels  # (H, W, C_out), zero where not valid
    valid: NDArray[np.bool_]  # finite in both, inside both data windows
    origin: tuple[int, int]  # top-left pixel relative to the display window, (x, y)
    plate_file: str
    plate_sha256: str
    keyframe_file: str
    keyframe_sha256: str

    @cached_property
    def changed(self) -> NDArray[np.bool_]:
        """(H, W): where any of the first three target channels differs from the plate's by a single bit."""
        return np.any(self.target[..., :3] != self.plate[..., :3], axis=2) & self.valid


@dataclass(frozen=True, eq=False)
class Footage:
    """Everything that training reads. `extent` is the display window's (width, height)."""

    plate: PlateSequence
    keyframes: tuple[Keyframe, ...]
    colour: PlateColour
    inputs: tuple[Layer, ...]
    outputs: tuple[Layer, ...]
    extent: tuple[int, int]
    toe: float
    has_region: bool

    @property
    def changes_rgb(self) -> bool:
        return self.outputs[0].kind == "rgb"

    def unlabelled_frames(self) -> list[int]:
        keyframes = {keyframe.frame for keyframe in self.keyframes}
        return [frame for frame in self.plate.frames if frame not in keyframes]

    def read_plate(self, frame: int) -> tuple[Pixels, tuple[int, int]]:
        """(H, W, C_in) scene-linear of any frame of the shot, bad pixels zero, and its origin."""
        image_file = in_working_space(self.plate.read(frame), self.colour)
        return _network_input(image_file, self.inputs), _origin(image_file)


def read_footage(
    plate: PlateSequence,
    keyframes: PlateSequence,
    declared_space: str | None,
    keyframe_space: str | None,
    input_layers: Sequence[str],
    output_layers: Sequence[str],
    progress: Progress,
) -> Footage:
    """Read and check every pair.

    `declared_space` is the plate's colour space where the files do not say it, and that of the keyframes
    when they have the plate's format and `keyframe_space` does not say otherwise. Without `output_layers`
    the layers that differ are found. Raises `KeyframeError`, `NothingToLearnError`, `PlateError`,
    `ColourSpaceError`.
    """
    frames = _paired_frames(plate, keyframes)
    plate.require_one_size(frames)
    first = plate.read(frames[0])
    colour = plate_colour(first, declared_space)
    space = _KeyframeSpace(colour, first.file_format, declared_space, keyframe_space)
    inputs = _input_layers(first, input_layers)
    files: list[tuple[ImageFile, ImageFile]] = []
    for done, frame in enumerate(frames):
        progress.report("reading keyframes", done, len(frames), f"frame {frame}")
        pair = (in_working_space(plate.read(frame), colour), keyframes.read(frame))
        _require_same_display(frame, *pair, keyframes)
        files.append(pair)
    if output_layers:
        outputs = _asked_layers(output_layers, [keyframe for _, keyframe in files], keyframes)
    else:
        outputs = _changed_layers(files, space)
    if not outputs:
        raise NothingToLearnError(
            f"Plate {plate.name} and keyframes {keyframes.name} are the same in every pixel of frames "
            f"{compact_frames(frames)}: there is no change to learn. Were the keyframes rendered from the "
            "changed comp?"
        )
    pairs = tuple(
        _keyframe(frame, pair, inputs, outputs, space, plate, keyframes)
        for frame, pair in zip(frames, files, strict=True)
    )
    _report_bad_pixels(pairs, progress)
    window = first.main.display_window
    unchanged = 1.0 - np.mean([keyframe.changed[keyframe.valid].mean() for keyframe in pairs])
    changes_rgb = outputs[0].kind == "rgb"
    return Footage(
        plate=plate,
        keyframes=pairs,
        colour=colour,
        inputs=inputs,
        outputs=outputs,
        extent=(window.width, window.height),
        toe=_toe_of(pairs, changes_rgb),
        has_region=changes_rgb and bool(unchanged >= _LEAST_UNCHANGED),
    )


def _toe_of(pairs: Sequence[Keyframe], changes_rgb: bool) -> float:
    brightest = float(
        np.percentile(np.abs(np.concatenate([k.plate[::7, ::7, :3].ravel() for k in pairs])), 99)
    )
    coloured = [(k.plate[..., :3], k.target[..., :3], k.changed) for k in pairs if changes_rgb]
    return chosen_toe(coloured, brightest)


def _paired_frames(plate: PlateSequence, keyframes: PlateSequence) -> list[int]:
    if not keyframes.frames:
        raise KeyframeError(f"No keyframes at {keyframes.name}. Render the changed frames there first.")
    known = set(plate.frames)
    outside = [frame for frame in keyframes.frames if frame not in known]
    if outside:
        raise KeyframeError(
            f"Keyframes {compact_frames(outside)} of {keyframes.name} have no plate: {plate.name} has "
            f"{compact_frames(plate.frames) or 'no frames'}. Correct --frames or the keyframes' numbers."
        )
    return list(keyframes.frames)


def _require_same_display(
    frame: int, plate: ImageFile, keyframe: ImageFile, keyframes: PlateSequence
) -> None:
    ours, theirs = plate.main.display_window, keyframe.main.display_window
    if (ours.width, ours.height) != (theirs.width, theirs.height):
        raise SizeMismatchError(
            f"Keyframe {keyframes.path(frame).name} is {theirs.width}x{theirs.height}, the plate's frame "
            f"{frame} is {ours.width}x{ours.height}. Render the keyframe in the plate's format."
        )


def _input_layers(first: ImageFile, names: Sequence[str]) -> tuple[Layer, ...]:
    missing = [channel for channel in RGB if channel not in first.main.channels]
    if missing:
        raise ChannelError(
            f"{first.path} has channels {', '.join(first.main.channels)}, the plate needs R, G and B. "
            "Give a colour plate."
        )
    return (Layer("beauty", RGB, "rgb"), *(_named_layer(name, first) for name in names))


def _named_layer(name: str, file: ImageFile) -> Layer:
    """A layer by its name, or a single channel by its full name."""
    layers = file.layers()
    if name in layers and name:
        channels = layers[name]
    elif any(name in channels for channels in layers.values()):
        channels = (name,)
    else:
        known = ", ".join(sorted({*filter(None, layers), *layers.get("", ())}))
        raise ChannelError(f"{file.path} has no layer or channel {name!r}; it has {known}.")
    return Layer(name, tuple(channels), "matte" if len(channels) == 1 else "data")


def _asked_layers(
    names: Sequence[str], files: Sequence[ImageFile], keyframes: PlateSequence
) -> tuple[Layer, ...]:
    """The named layers in the network's order. A single channel is a matte when its values are 0 to 1."""
    layers: list[Layer] = []
    for name in names:
        if name.lower() in ("rgb", "beauty"):
            if any(channel not in files[0].main.channels for channel in RGB):
                raise ChannelError(
                    f"Keyframes {keyframes.name} have no R, G and B. Leave rgb out of --output-layers."
                )
            layers.append(Layer("beauty", RGB, "rgb"))
            continue
        layer = _named_layer(name, files[0])
        if layer.kind == "matte" and not all(_is_matte(file.select(layer.channels)) for file in files):
            layer = replace(layer, kind="data")
        layers.append(layer)
    # The network gives mattes before data.
    order = ("rgb", "matte", "data")
    return tuple(sorted(dict.fromkeys(layers), key=lambda layer: order.index(layer.kind)))


def _is_matte(values: Pixels) -> bool:
    finite = values[np.isfinite(values)]
    return bool(
        finite.min(initial=0.0) >= -_GREY_TOLERANCE and finite.max(initial=0.0) <= 1 + _GREY_TOLERANCE
    )


def _changed_layers(files: Sequence[tuple[ImageFile, ImageFile]], space: _KeyframeSpace) -> tuple[Layer, ...]:
    """The layers that the artist changed: RGB that differs, an alpha that is new or differs, a lone matte."""
    sample = files[0][1].main
    if not set(RGB) <= set(sample.channels):
        return (Layer("matte", sample.channels[:1], "matte"),)
    if all(_is_grey(keyframe.select(RGB)) for _, keyframe in files) and not all(
        _is_grey(plate.select(RGB)) for plate, _ in files
    ):
        return (Layer("matte", ("R",), "matte"),)
    layers: list[Layer] = []
    for plate, keyframe in files:
        ours = placed(plate.select(RGB), plate.main.data_window, _relative(keyframe, plate), np.nan)
        theirs = space.rgb_of(keyframe)
        if np.any((ours != theirs) & np.isfinite(ours) & np.isfinite(theirs)):
            layers.append(Layer("beauty", RGB, "rgb"))
            break
    if "A" in sample.channels and any(_alpha_differs(plate, keyframe) for plate, keyframe in files):
        layers.append(Layer("alpha", ("A",), "matte"))
    return tuple(layers)


def _alpha_differs(plate: ImageFile, keyframe: ImageFile) -> bool:
    theirs = keyframe.select(["A"])
    if "A" not in plate.main.channels:
        return bool(theirs.min() != theirs.max())  # an alpha of all ones says nothing
    ours = placed(plate.select(["A"]), plate.main.data_window, _relative(keyframe, plate), np.nan)
    return bool(np.any((ours != theirs) & np.isfinite(ours)))


def _is_grey(rgb: Pixels) -> bool:
    with np.errstate(invalid="ignore"):  # infinite pixels
        return bool(np.nanmax(np.abs(rgb - rgb[..., :1]), initial=0.0) <= _GREY_TOLERANCE)


@dataclass(frozen=True)
class _KeyframeSpace:
    """How colours of keyframes become comparable with the plate's.

    An EXR from the comp is scene-linear as it stands; other files share the plate's declared space when they
    are of its kind. `declared_keyframes` overrules both.
    """

    plate: PlateColour
    plate_format: str
    declared: str | None
    declared_keyframes: str | None

    def rgb_of(self, keyframe: ImageFile) -> Pixels:
        """(H, W, 3) in the plate's working space. Raises `ColourSpaceError`."""
        formats = {keyframe.file_format, self.plate_format}
        shared = self.declared if len(formats) == 1 or formats <= _PICTURE_FORMATS else None
        colour = plate_colour(keyframe, self.declared_keyframes or shared)
        pixels = to_working(keyframe.select(RGB), colour)
        ours, theirs = self.plate.working_space, colour.working_space
        if theirs in (ours, AS_IN_FILE) or (ours == AS_IN_FILE and colour.is_scene_linear):
            return pixels
        if ours == AS_IN_FILE:
            if self.plate.chromaticities is None:
                raise ColourSpaceError(
                    f"Keyframe {keyframe.path} is {colour.input_space}, and the plate does not say what its "
                    "primaries are. Pass --input-space with the plate's space, such as ACEScg."
                )
            ours = picture_space(self.plate)
        return convert(pixels, theirs, ours)


def _relative(keyframe: ImageFile, plate: ImageFile) -> Window:
    """The keyframe's data window in the plate's coordinates."""
    data, theirs, ours = keyframe.main.data_window, keyframe.main.display_window, plate.main.display_window
    return Window(data.x - theirs.x + ours.x, data.y - theirs.y + ours.y, data.width, data.height)


def _origin(image_file: ImageFile) -> tuple[int, int]:
    data, display = image_file.main.data_window, image_file.main.display_window
    return data.x - display.x, data.y - display.y


def _network_input(image_file: ImageFile, inputs: Sequence[Layer]) -> Pixels:
    return np.nan_to_num(
        image_file.select([name for layer in inputs for name in layer.channels]), posinf=0, neginf=0
    )


def _keyframe(
    frame: int,
    files: tuple[ImageFile, ImageFile],
    inputs: Sequence[Layer],
    outputs: Sequence[Layer],
    space: _KeyframeSpace,
    plate: PlateSequence,
    keyframes: PlateSequence,
) -> Keyframe:
    plate_file, keyframe_file = files
    window, source = plate_file.main.data_window, _relative(keyframe_file, plate_file)
    planes: list[Pixels] = []
    for layer in outputs:
        pixels = space.rgb_of(keyframe_file) if layer.kind == "rgb" else keyframe_file.select(layer.channels)
        planes.append(placed(pixels, source, window, np.nan))
    target = np.concatenate(planes, 2) if len(planes) > 1 else planes[0]
    raw = plate_file.select([name for layer in inputs for name in layer.channels])
    valid: NDArray[np.bool_] = np.all(np.isfinite(target), axis=2) & np.all(np.isfinite(raw), axis=2)
    if not valid.any():
        raise KeyframeError(
            f"Keyframe {keyframes.path(frame).name} has no pixel that is finite and inside the plate. "
            "Render it again."
        )
    return Keyframe(
        frame=frame,
        plate=_network_input(plate_file, inputs),
        target=np.where(valid[..., None], target, np.float32(0)),
        valid=valid,
        origin=_origin(plate_file),
        plate_file=plate.path(frame).name,
        plate_sha256=plate.content_sha256(frame),
        keyframe_file=keyframes.path(frame).name,
        keyframe_sha256=keyframes.content_sha256(frame),
    )


def _report_bad_pixels(pairs: Sequence[Keyframe], progress: Progress) -> None:
    for pair in pairs:
        bad = int(pair.valid.size - pair.valid.sum())
        if bad:
            row, column = (int(index[0]) for index in np.nonzero(~pair.valid))
            progress.log(
                f"Frame {pair.frame}: {bad} pixels are NaN, infinite or outside the keyframe (first at "
                f"x {column}, y {row} of the plate's data window) and are left out of training.",
                "warning",
            )
