"""Promises that are kept to the bit: the plate outside the change, and the same weights from the same
seed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..images.image import Image, Pixels
from ..images.writing import write_exr
from .pictures import stored_rgb
from .runs import Runs
from .table import Row

_WIDTH, _HEIGHT, _FRAMES, _KEYFRAMES = 320, 180, 8, (1, 4, 8)
_LOW, _HIGH = -0.5, 60.0
_RECTANGLE = np.s_[50:130, 90:220]
_RELATIVE_MUST_PERCENT = 0.1
_RELATIVE_FLOOR = 0.05  # values nearer to zero are compared with this


def identity_rows(runs: Runs, cpu_seconds: float, part: str) -> list[Row]:
    """Learn a change that is none: outside a rectangle the same bits, inside only rounded to half float."""
    folder = runs.work / "identity"
    for frame in range(1, _FRAMES + 1):
        plate = _wide_range_plate(frame)
        _write(folder / "plate" / f"plate.{frame:04d}.exr", plate)
        if frame in _KEYFRAMES:
            _write(folder / "keyframes" / f"keyframe.{frame:04d}.exr", _rounded(plate))
    params = {
        "plate": str(folder / "plate" / "plate.%04d.exr"),
        "keyframes": str(folder / "keyframes" / "keyframe.%04d.exr"),
        "out": str(folder / "model"), "cpu_budget": cpu_seconds, "seed": 0, "device": runs.device,
    }  # fmt: skip
    trained = runs.tool("train", params, threads=1, title="identity")
    result = folder / "out" / "result.%04d.exr"
    params = {
        "model": trained.value["model"], "plate": params["plate"], "out": str(result),
        "bit_depth": "float", "device": runs.device,
    }  # fmt: skip
    runs.tool("apply", params, threads=1, title="identity")
    return identity_verdict(folder, result, part)


def identity_verdict(folder: Path, result: Path, part: str) -> list[Row]:
    """Compare every frame: bits outside the rectangle, relative error inside it."""
    equal, error = [], 0.0
    for frame in range(1, _FRAMES + 1):
        plate = stored_rgb(folder / "plate" / f"plate.{frame:04d}.exr")
        made = stored_rgb(Path(str(result) % frame))
        outside = np.ones(plate.shape[:2], bool)
        outside[_RECTANGLE] = False
        equal.append(float((made.view(np.uint32) == plate.view(np.uint32)).all(axis=-1)[outside].mean()))
        exact = _rounded(plate)[_RECTANGLE]
        relative = np.abs(made[_RECTANGLE] - exact) / np.maximum(np.abs(exact), _RELATIVE_FLOOR)
        error = max(error, float(relative.max()))
    return [
        Row(part, "identity: pixels outside that keep their bits", 100 * min(equal), "%", 100.0, None, True),
        Row(part, "identity: relative error inside", 100 * error, "%", _RELATIVE_MUST_PERCENT, None, False),
    ]


def same_seed_rows(runs: Runs, steps: int, part: str) -> list[Row]:
    """Train twice for the same number of steps; the weight files must be equal byte for byte."""
    folder = runs.work / "identity"
    for frame in _KEYFRAMES:
        plate = _wide_range_plate(frame)
        _write(folder / "plate" / f"plate.{frame:04d}.exr", plate)
        _write(folder / "graded" / f"graded.{frame:04d}.exr", plate * np.float32(0.7))
    digests = []
    for name in ("first", "second"):
        params: dict[str, Any] = {
            "plate": str(folder / "plate" / "plate.%04d.exr"),
            "keyframes": str(folder / "graded" / "graded.%04d.exr"),
            "frames": ",".join(map(str, _KEYFRAMES)),
            "out": str(folder / f"{name}-model"), "steps": steps, "seed": 5, "device": runs.device,
        }  # fmt: skip
        model = Path(runs.tool("train", params, threads=1, title="same seed").value["model"])
        digests.append(hashlib.sha256((model / "weights.safetensors").read_bytes()).hexdigest())
    same = float(digests[0] == digests[1])
    return [
        Row(
            part,
            f"same seed, {steps} steps twice: equal weight files",
            same,
            "",
            1.0,
            None,
            True,
            {"sha256": digests},
        )
    ]


def _wide_range_plate(frame: int) -> Pixels:
    """(180, 320, 3) float32 with smooth shapes, edges and grain; values from -0.5 to 60 in every frame."""
    rng = np.random.default_rng(frame)
    fixed = np.random.default_rng(99)
    coarse = fixed.random((12, 24, 3), dtype=np.float32)
    smooth = cv2.resize(coarse, (_WIDTH + 40, _HEIGHT), interpolation=cv2.INTER_CUBIC)[:, frame * 4 :][
        :, :_WIDTH
    ]
    plate = smooth**6 * np.float32(40) - np.float32(0.1)
    plate += np.float32(0.01) * rng.standard_normal(plate.shape, dtype=np.float32)
    plate[20:40, 30:60], plate[70:76, 100:140] = np.float32(_HIGH), np.float32(_HIGH)
    plate[150:160, 250:300], plate[110:118, 150:190] = np.float32(_LOW), np.float32(_LOW)
    return np.clip(plate, np.float32(_LOW), np.float32(_HIGH))


def _rounded(plate: Pixels) -> Pixels:
    """The plate with the rectangle passed through half float."""
    rounded = plate.copy()
    rounded[_RECTANGLE] = plate[_RECTANGLE].astype(np.float16)
    return rounded


def _write(path: Path, pixels: Pixels) -> None:
    if not path.is_file():
        write_exr(path, Image(pixels, ("R", "G", "B"), channel_formats=("float",) * 3), "as-plate")
