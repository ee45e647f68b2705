"""How fast a trained model runs, what memory it takes, and whether tiles agree with the whole frame."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..images.colour import convert
from ..images.image import Image, Pixels
from ..images.reading import io_threads, read_image_file
from ..images.writing import write_exr
from ..inference.frame_renderer import FrameRenderer
from ..inference.session import InferenceSession
from ..inference.tiles import FrameRunner, plan_tiles, run_tiled
from ..memory import keep_freed_memory
from ..models.model_folder import load_model
from ..progress import Progress
from .clips import Clip, pattern
from .machine import matrix_multiply_peak, multiply_adds_per_pixel
from .pictures import display_picture
from .runs import SRGB, Runs, Training, training_of
from .table import Row

HD, UHD, UHD2 = (1920, 1080), (3840, 2160), (7680, 4320)
CPU_SECONDS_MUST, PEAK_SHARE_MARKS = 0.15, (60.0, 80.0)
OVERLAP_MARKS = (1.25, 1.1)
MEMORY_MUST_GB = 3.0
TILE_ERROR_MUST = 1e-4
_GRAIN = 0.004
_RELATIVE_FLOOR = 1e-3  # values nearer to zero than this are compared absolutely


class SpeedParts:
    """The speed rows of one clip. They share a model trained on scene-linear EXR made from it."""

    def __init__(self, runs: Runs, clip: Clip, layer: str) -> None:
        self._runs, self._clip, self._layer = runs, clip, layer
        self._folder = runs.work / f"{clip.name}-{layer}-scene-linear"
        self._training: Training | None = None

    def inference_rows(self, part: str) -> list[Row]:
        """CPU-seconds of one 1080p frame on one thread, and the share of the matrix-multiply peak."""
        found = self._runs.measure(inference_speed, self._model(), *HD, threads=1, title="1080p inference")
        return [
            Row(
                part,
                "1080p inference a frame",
                found["cpu_seconds"],
                "CPU-s",
                CPU_SECONDS_MUST,
                None,
                False,
                found,
            ),
            Row(
                part,
                "1080p inference of the matrix-multiply peak",
                found["peak_percent"],
                "%",
                *PEAK_SHARE_MARKS,
            ),
        ]

    def overlap_rows(self, part: str, size: tuple[int, int], few: int, many: int) -> list[Row]:
        """Seconds a frame from EXR to EXR, start-up excluded, against the slowest stage alone."""
        plate = self._plate(size, many)
        title = f"EXR to EXR at {size[0]}x{size[1]}"
        stages = self._runs.measure(
            stage_seconds, self._model(), plate, few, self._folder / "stage", threads=None, title=title
        )
        seconds = []
        for count in (few, many):
            params = {
                "model": str(self._model()), "plate": plate, "frames": f"1-{count}", "overwrite": True,
                "out": str(self._folder / "applied" / f"{size[0]}.%04d.exr"), "device": self._runs.device,
            }  # fmt: skip
            seconds.append(self._runs.tool("apply", params, threads=None, title=title).value["seconds"])
        a_frame = (seconds[1] - seconds[0]) / (many - few)
        slowest = max(stages.values())
        details = {**stages, "frame_seconds": a_frame, "runs_seconds": seconds}
        return [
            Row(
                part, f"{title}: of the slowest stage", a_frame / slowest, "x", *OVERLAP_MARKS, False, details
            )
        ]

    def memory_rows(self, part: str, size: tuple[int, int]) -> list[Row]:
        """Peak memory of the apply process."""
        params = {
            "model": str(self._model()), "plate": self._plate(size, 2), "overwrite": True, "frames": "1-2",
            "out": str(self._folder / "applied" / f"{size[0]}.%04d.exr"), "device": self._runs.device,
        }  # fmt: skip
        done = self._runs.tool("apply", params, threads=None, title=f"memory at {size[0]}x{size[1]}")
        gigabytes = done.peak_bytes / 1024**3
        return [
            Row(
                part,
                f"apply at {size[0]}x{size[1]}: peak memory",
                gigabytes,
                "GB",
                MEMORY_MUST_GB,
                None,
                False,
            )
        ]

    def tiling_rows(self, part: str) -> list[Row]:
        """The largest relative difference between a 4K frame in tiles and in one piece."""
        found = self._runs.measure(tiled_difference, self._model(), *UHD, threads=None, title="tiles")
        return [
            Row(part, "4K in tiles against whole", found["error"], "", TILE_ERROR_MUST, None, False, found)
        ]

    def _model(self) -> Path:
        if self._training is None:
            self._training = self._train()
        return self._training.model

    def _train(self) -> Training:
        """Ten CPU-seconds on EXR keyframes: quality is not the question here."""
        clip = self._clip
        for frame in clip.keyframes:
            for layer in ("plate", self._layer):
                write_exr(self._linear(layer, frame), _linear_image(clip.files[layer][frame]), "half")
        params = {
            "plate": str(self._folder / "plate.%04d.exr"),
            "keyframes": str(self._folder / f"{self._layer}.%04d.exr"),
            "out": str(self._folder / "model"),
            "cpu_budget": 10.0,
            "seed": 0,
            "device": self._runs.device,
        }
        done = self._runs.tool("train", params, threads=1, title="model for the speed rows")
        return training_of(done, clip, self._layer, tuple(clip.keyframes))

    def _linear(self, layer: str, frame: int) -> Path:
        return self._folder / f"{layer}.{frame:04d}.exr"

    def _plate(self, size: tuple[int, int], count: int) -> str:
        """An EXR sequence 1..count of the clip's frames enlarged, with grain so that it packs like
        footage."""
        files = self._clip.files["plate"]
        rng = np.random.default_rng(size[0])
        made: dict[int, Path] = {}
        for number in range(1, count + 1):
            made[number] = self._folder / "plates" / f"{size[0]}.{number:04d}.exr"
            if not made[number].is_file():
                frame = self._clip.frames[number % len(files)]
                large = cv2.resize(_linear_image(files[frame]).pixels, size, interpolation=cv2.INTER_CUBIC)
                large += np.float32(_GRAIN) * rng.standard_normal(large.shape, dtype=np.float32)
                write_exr(made[number], Image(large, ("R", "G", "B")), "half")
        return pattern(made)


def inference_speed(progress: Progress, model: Path, width: int, height: int) -> dict[str, Any]:
    """CPU-seconds of one frame on one thread (median of five), multiply-adds, and the peak in this
    process."""
    keep_freed_memory()
    loaded = load_model(model)
    session = InferenceSession(loaded.onnx_path, loaded.manifest.tiling, "cpu", threads=1)
    channels = sum(len(layer.channels) for layer in loaded.manifest.inputs)
    plate = _noise_plate(width, height, channels)
    session.run(plate, (0.0, 0.0), (float(width), float(height)))
    seconds = []
    for repeat in range(5):
        start = time.process_time()
        session.run(plate, (0.0, 0.0), (float(width), float(height)))
        seconds.append(time.process_time() - start)
        progress.report("inference", repeat + 1, 5)
    stride = loaded.manifest.tiling.stride
    padded = -(-width // stride) * stride * -(-height // stride) * stride
    work = multiply_adds_per_pixel(loaded.onnx_path, stride) * padded
    peak = matrix_multiply_peak()
    median = statistics.median(seconds)
    return {
        "cpu_seconds": median,
        "all_cpu_seconds": seconds,
        "giga_multiply_adds": work / 1e9,
        "peak_giga_multiply_adds_a_cpu_second": peak / 1e9,
        "peak_percent": 100 * work / median / peak,
    }


def stage_seconds(progress: Progress, model: Path, plate: str, count: int, out: Path) -> dict[str, float]:
    """Seconds a frame of reading, computing and writing, each alone on one thread.

    On one, because stages that share all cores cannot overlap: a frame then takes the sum of them however
    well they are arranged.
    """
    keep_freed_memory()
    loaded = load_model(model)
    manifest = loaded.manifest
    session = InferenceSession(loaded.onnx_path, manifest.tiling, "cpu", threads=1)
    renderer = FrameRenderer(manifest, FrameRunner(session, 2 * 1024**3, progress.log))
    paths = [Path(plate % number) for number in range(1, count + 1)]
    renderer.render(read_image_file(paths[0]))  # first run plans memory
    spent = {"read": 0.0, "compute": 0.0, "write": 0.0}
    with io_threads(1):
        for done, path in enumerate(paths):
            started = time.perf_counter()
            frame = read_image_file(path)
            read = time.perf_counter()
            rendered = renderer.render(frame).image_file
            computed = time.perf_counter()
            write_exr(out / path.name, rendered)
            times = (read - started, computed - read, time.perf_counter() - computed)
            for stage, seconds in zip(spent, times, strict=True):
                spent[stage] += seconds / count
            progress.report("stages alone", done + 1, count)
    return spent


def tiled_difference(progress: Progress, model: Path, width: int, height: int) -> dict[str, Any]:
    """The largest difference of a tiled frame from the whole one, relative to the larger of |value| and
    0.001."""
    loaded = load_model(model)
    tiling = loaded.manifest.tiling
    session = InferenceSession(loaded.onnx_path, tiling, "cpu")
    channels = sum(len(layer.channels) for layer in loaded.manifest.inputs)
    plate = _noise_plate(width, height, channels)
    extent = (float(width), float(height))
    tile_pixels = max(width * height // 6, (4 * tiling.receptive_px) ** 2)
    tiled = run_tiled(session, plate, (0.0, 0.0), extent, tile_pixels, progress.raise_if_cancelled)
    whole = session.run(plate, (0.0, 0.0), extent)
    error = np.abs(tiled - whole) / np.maximum(np.abs(whole), _RELATIVE_FLOOR)
    tiles = len(plan_tiles(width, height, tiling.stride, tiling.receptive_px, tile_pixels))
    return {"error": float(error.max()), "tiles": tiles, "size": [width, height]}


def _linear_image(path: Path) -> Image:
    picture = display_picture(path).astype(np.float32) / np.float32(255)
    return Image(convert(picture, SRGB, "ACEScg"), ("R", "G", "B"))


def _noise_plate(width: int, height: int, channels: int) -> Pixels:
    """Smooth shapes with grain, 0 to about 4: what matters is only that nothing is constant."""
    rng = np.random.default_rng(1)
    coarse = rng.random((height // 60 + 2, width // 60 + 2, channels), dtype=np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(
        height, width, channels
    )
    grain = rng.standard_normal((height, width, channels), dtype=np.float32)
    return np.ascontiguousarray(np.abs(smooth) ** 3 * 4 + grain * np.float32(_GRAIN))
