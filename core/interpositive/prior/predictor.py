"""The shipped prior, applied to one picture: passes at a working size, and the light.

    prior = load_prior()                                  # or a folder that `interpositive prior train` wrote
    passes, light = prior.predict(plate, matte, key_direction)

The network itself, for adaptation, is `prior.network()`; `prepared` makes its inputs and `answer_of` takes
its outputs back, so that no other part needs to know how pictures are exposed, cut out, turned and padded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import DamagedModelError
from ..models.prior_network import (
    DEPTH_UNIT_PX,
    FOCAL,
    ONNX_OUTPUTS,
    STRIDE_PX,
    PriorNetwork,
    PriorOutput,
    load_prior_network,
)
from ..relight.shot_light import ShotLight
from .orientation import Orientation, light_from_right
from .weights_folder import ONNX_FILE, WEIGHTS_FILE, checked_file, read_prior_manifest

if TYPE_CHECKING:
    import onnxruntime

    from ..inference.providers import Device

Array = npt.NDArray[np.float32]
Passes = dict[str, Array]

SHIPPED = Path(__file__).parent / "weights"
EXPOSURE = 0.2  # mean of the matte that the network is shown
MATTE_PX, PLATE_PX = 144, 288  # long side of a matte, of a plate without one, that suits the training
SCALES = (1.0, 0.65)  # looks at two sizes are steadier than one
_MARGIN = 0.06  # of the long side, kept around a matte
_LEAST_MEAN = 1e-6


@dataclass(frozen=True)
class Prepared:
    """One picture as the network wants it; see `PriorNetwork.forward`. All arrays (1, C, H, W) and (1, 4)."""

    picture: Array
    matte: Array
    light: Array
    orientation: Orientation
    gain: float  # the picture is the plate times this
    window: tuple[int, int, int, int]  # top, left, height, width of the cut-out at the working size
    size: tuple[int, int]  # height and width of the whole plate at the working size
    shown: tuple[int, int]  # height and width that the window was shown at, before turning


class Prior:
    """A prior's folder, its files checked against the manifest.

    `threads` limits the cores that it uses; `device` is "auto", "cuda", "mps" or "cpu".
    """

    def __init__(self, folder: Path, threads: int | None = None, device: Device = "cpu") -> None:
        self.folder = folder
        self.manifest = read_prior_manifest(folder)
        self._threads, self._device = threads, device
        self._session: onnxruntime.InferenceSession | None = None

    def network(self) -> PriorNetwork:
        """A fresh copy of the torch network, float32, on the CPU."""
        weights = checked_file(self.folder, WEIGHTS_FILE, self.manifest)
        return load_prior_network(self.manifest["network"], weights)

    def predict(
        self,
        plate: Array,
        matte: Array | None = None,
        key_direction: npt.ArrayLike | None = None,
        working_px: int | None = None,
        views: int = 2,
        scales: Sequence[float] = SCALES,
    ) -> tuple[Passes, ShotLight]:
        """What `plate` (H, W, 3), scene-linear float32, is made of.

        `matte` (H, W) 0..1 tells what to look at; `key_direction` (3,) the key light, if known. The answer is
        at the plate's aspect with a long side of `working_px` (None: what suits the training best), in a
        dictionary of float32 arrays "normal" (h, w, 3), "depth" (h, w) with median 1, "albedo" and "shading"
        (h, w, 3) of the plate's exposure, "roughness", "visibility", "confidence" (h, w). Outside the matte's
        surroundings: normal (0, 0, 1), depth 1, albedo the plate, shading 1, confidence 0.
        The mean of `views` mirrored looks is taken, 1 to 8 (a known light: at most 2), at each of `scales`
        of the working size. An unknown light is estimated in a first round and known in the second.
        """

        def merged_views(direction: npt.ArrayLike | None) -> tuple[Passes, ShotLight]:
            turns = orientations(direction, views)
            looks = [prepared(plate, matte, direction, working_px, o, s) for o in turns for s in scales]
            return merged([(look, self.run(look)) for look in looks], plate)

        if key_direction is None:
            return merged_views(merged_views(None)[1].direction.numpy())
        return merged_views(key_direction)

    def run(self, look: Prepared) -> Mapping[str, Array]:
        """The network's outputs by name, from onnxruntime."""
        session = self._opened()
        feed = {"picture": look.picture, "matte": look.matte, "light": look.light}
        return dict(zip(PriorOutput._fields, session.run(list(ONNX_OUTPUTS), feed), strict=True))

    def _opened(self) -> onnxruntime.InferenceSession:
        if self._session is None:
            import onnxruntime

            from ..inference.providers import ORT_ERRORS, open_session
            from ..memory import usable_cores

            path = checked_file(self.folder, ONNX_FILE, self.manifest)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads or usable_cores()
            options.log_severity_level = 4
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            try:
                self._session, _ = open_session(str(path), self._device, options)
            except ORT_ERRORS as error:
                raise DamagedModelError(
                    f"{path} is not a model that onnxruntime can run. Install Interpositive again."
                ) from error
        return self._session


def load_prior(folder: Path | None = None, threads: int | None = None, device: Device = "cpu") -> Prior:
    """The prior in `folder`, or the shipped one. Raises `ModelError`."""
    return Prior(folder or SHIPPED, threads, device)


def orientations(direction: npt.ArrayLike | None, views: int) -> list[Orientation]:
    """The looks to take: a known light comes from the right; without one any turn is as good."""
    if direction is not None:
        turns = light_from_right(direction).quarter_turns
        return [Orientation(turns, mirrored) for mirrored in (False, True)][: max(views, 1)]
    looks = [Orientation(0), Orientation(2, True)]  # upright, left and right exchanged
    more = ((0, True), (2, False), (1, False), (3, True), (1, True), (3, False))
    looks += [Orientation(turns, mirrored) for turns, mirrored in more]
    return looks[: max(views, 1)]


def prepared(
    plate: Array,
    matte: Array | None,
    direction: npt.ArrayLike | None,
    working_px: int | None = None,
    orientation: Orientation | None = None,
    scale: float = 1.0,
) -> Prepared:
    """Cut out, resize, expose, turn and pad one picture; see `Prior.predict` for the arguments.

    The network is shown `scale` times the working size; `answer_of` brings what it says back to that.
    """
    if orientation is None:
        orientation = orientations(direction, 1)[0]
    plate = np.nan_to_num(plate[..., :3].astype(np.float32), nan=0.0, posinf=65504.0, neginf=0.0)
    matte = np.ones(plate.shape[:2], np.float32) if matte is None else matte.astype(np.float32)
    size = working_size(matte, working_px)
    small, small_matte = (resized(planes, size) for planes in (plate, matte))
    window = _matte_window(small_matte)
    top, left, height, width = window
    cut = (slice(top, top + height), slice(left, left + width))
    weight = small_matte[cut][..., None]
    mean = float((np.clip(small[cut], 0, None) * weight).sum() / max(3 * weight.sum(), 1e-3))
    gain = EXPOSURE / max(mean, _LEAST_MEAN)
    shown = (max(round(height * scale), 1), max(round(width * scale), 1))
    picture = _padded(orientation.picture(resized(small[cut], shown) * np.float32(gain)), "edge")
    outside = "constant" if (height, width) != size or small_matte.min() < 0.5 else "edge"
    shown_matte = _padded(orientation.picture(resized(small_matte[cut], shown))[..., None], outside)
    light = np.zeros((1, 4), np.float32)
    if direction is not None:
        unit = np.asarray(direction, np.float32) / max(float(np.linalg.norm(direction)), 1e-9)
        light[0] = *orientation.vectors(unit), 1.0
    return Prepared(_batched(picture), _batched(shown_matte), light, orientation, gain, window, size, shown)


def answer_of(look: Prepared, output: Mapping[str, Array]) -> tuple[Passes, Array]:
    """The network's outputs (1, C, H, W) as upright planes (h, w, C) of the window, and the light (33,).

    Undoes turn, padding and exposure; `log_depth`, not `depth`, is among the planes.
    """
    back = look.orientation.inverse
    height, width = look.shown
    if look.orientation.quarter_turns % 2:
        height, width = width, height
    window = look.window[2:]
    planes: Passes = {}
    for name, values in output.items():
        if name != "light":
            upright = back.picture(values[0].transpose(1, 2, 0)[:height, :width])
            planes[name] = resized(np.ascontiguousarray(upright, np.float32), window)
            planes[name] = planes[name].reshape(*window, -1)
    planes["normal"] = back.vectors(planes["normal"])
    behind = (np.exp(np.clip(planes["log_depth"], -2, 2)) - 1) * np.float32(window[0] / look.shown[0])
    planes["log_depth"] = np.log(np.maximum(behind + 1, 0.05))
    planes["shading"] = planes["shading"] / np.float32(look.gain)
    light = output["light"][0].astype(np.float32).copy()
    light[:3] = back.vectors(light[:3])
    light[3:6] /= look.gain
    light[6:] = back.environment(light[6:].reshape(9, 3)).ravel() / look.gain
    return planes, light


def merged(looks: Sequence[tuple[Prepared, Mapping[str, Array]]], plate: Array) -> tuple[Passes, ShotLight]:
    """The mean of several looks at one plate: normals as vectors, colours and depth as logarithms."""
    answers = [answer_of(look, output) for look, output in looks]
    prepared_ = looks[0][0]

    def mean(values: list[Array]) -> Array:
        return cast(Array, np.mean(values, axis=0, dtype=np.float32))

    vector = mean([a["normal"] * a["confidence"] for a, _ in answers])
    length = np.sqrt((vector**2).sum(-1, keepdims=True))
    cut: Passes = {
        "normal": vector / np.maximum(length, 1e-6),
        "confidence": np.clip(length, 0, 1),
        "log_depth": mean([a["log_depth"] for a, _ in answers]),
        **{n: np.exp(mean([np.log(a[n] + 1e-8) for a, _ in answers])) for n in ("albedo", "shading")},
        **{name: mean([a[name] for a, _ in answers]) for name in ("roughness", "visibility")},
    }
    cut["depth"] = _frame_depth(cut.pop("log_depth"), prepared_.size[0])
    light = mean([values for _, values in answers])
    shot_light = ShotLight.of(light[:3].tolist(), light[3:6].tolist(), light[6:].reshape(9, 3).tolist())
    return _in_frame(cut, prepared_, plate), shot_light


def _frame_depth(log_depth: Array, height_px: int) -> Array:
    """Depth with median 1 in a frame of `height_px` seen at the default focal length."""
    behind = FOCAL * (np.exp(np.clip(log_depth - np.median(log_depth), -2, 2)) - 1)
    depth = 1 + behind * DEPTH_UNIT_PX / (height_px * FOCAL)
    return np.maximum(depth, 0.05).astype(np.float32)


def working_size(matte: Array, working_px: int | None = None) -> tuple[int, int]:
    """Height and width at which a plate with this matte (H, W) is looked at."""
    height, width = matte.shape
    if working_px is not None:
        scale = working_px / max(height, width)
    elif matte.min() >= 0.5:
        scale = min(PLATE_PX / max(height, width), 1.0)
    else:
        _, _, tall, wide = _matte_window(matte, 0.0)
        scale = min(MATTE_PX / max(tall, wide), 4.0, 4 * PLATE_PX / max(height, width))
    return max(round(height * scale), 1), max(round(width * scale), 1)


def resized(planes: Array, size: tuple[int, int]) -> Array:
    """(H, W, ...) brought to (height, width): averaged when smaller, bilinear when larger."""
    if planes.shape[:2] == size:
        return planes
    is_smaller = size[0] * size[1] < planes.shape[0] * planes.shape[1]
    how = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    return cast(Array, cv2.resize(planes, (size[1], size[0]), interpolation=how))


def _matte_window(matte: Array, margin: float = _MARGIN) -> tuple[int, int, int, int]:
    """Top, left, height, width of what the matte covers, and a margin."""
    inside = matte > 0.05
    if not inside.any():
        return 0, 0, *matte.shape
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    extra = round(margin * max(rows[-1] - rows[0], columns[-1] - columns[0]) + 0.5)
    top, left = max(rows[0] - extra, 0), max(columns[0] - extra, 0)
    bottom, right = min(rows[-1] + 1 + extra, matte.shape[0]), min(columns[-1] + 1 + extra, matte.shape[1])
    return int(top), int(left), int(bottom - top), int(right - left)


def _padded(planes: npt.NDArray[Any], mode: Any) -> npt.NDArray[Any]:
    height, width = planes.shape[:2]
    return np.pad(planes, ((0, -height % STRIDE_PX), (0, -width % STRIDE_PX), (0, 0)), mode)


def _batched(planes: npt.NDArray[Any]) -> Array:
    return np.ascontiguousarray(planes.transpose(2, 0, 1)[None], np.float32)


def _in_frame(cut: Passes, look: Prepared, plate: Array) -> Passes:
    """Passes of the window put into the frame; around it what changes nothing."""
    top, left, height, width = look.window
    if (height, width) == look.size:
        return _squeezed(cut)
    frame = {
        name: np.full((*look.size, values.shape[2]), _AROUND.get(name, 1.0), np.float32)
        for name, values in cut.items()
    }
    frame["normal"][:] = (0, 0, 1)
    frame["albedo"][:] = resized(np.nan_to_num(plate[..., :3].astype(np.float32)), look.size)
    for name, values in cut.items():
        frame[name][top : top + height, left : left + width] = values
    return _squeezed(frame)


def _squeezed(passes: Passes) -> Passes:
    return {name: values[..., 0] if values.shape[2] == 1 else values for name, values in passes.items()}


_AROUND = {"confidence": 0.0, "roughness": 0.6}
