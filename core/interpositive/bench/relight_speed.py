"""What understanding and relighting take: CPU-seconds a frame, frames a second on a card, memory at 4K."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..images.image import Image
from ..images.reading import read_image_file
from ..images.writing import write_exr
from ..memory import keep_freed_memory
from ..progress import Progress
from ..relight.compose import FrameLighting, relight
from ..relight.lights import rig_from
from ..relight.passes import Passes
from ..relight.placement import ShotScale, place_rig
from ..relight.view import View
from ..soundstage.relight_scenes import VALIDATION_SEEDS, relight_shot
from .analyses import Analyses
from .relight_exactness import lights_file, three_lights
from .table import Row

ANALYSE_MARKS_CPU_S, RELIGHT_MARKS_CPU_S = (6.0, 2.0), (0.6, 0.25)
RELIGHT_MARKS_GPU_FPS = (24.0, 60.0)
MEMORY_MUST_GB = 4.0
_FEW, _MANY = 2, 6
_GRAIN = 0.004


class RelightSpeed:
    """The speed and memory rows. They share enlarged soundstage plates and their passes."""

    def __init__(self, analyses: Analyses) -> None:
        self._analyses = analyses
        self._runs = analyses.runs
        self._folder = self._runs.work / "speed"

    @property
    def has_gpu(self) -> bool:
        """Whether PyTorch sees a CUDA card."""
        import torch

        return bool(torch.cuda.is_available())

    def analyse_rows(self, size: tuple[int, int], part: str) -> list[Row]:
        """CPU-seconds a frame from EXR to EXR on all cores, start-up excluded."""
        plate = self._plate(size, _MANY)
        title = f"analyse at {size[0]}x{size[1]}"
        cpu_s, wall_s = [], []
        for count in (_FEW, _MANY):
            out = str(self._passes_folder(size) / "passes.%04d.exr")
            done = self._analyses.analyse(plate, out, title, frames=f"1-{count}", overwrite=True)
            cpu_s.append(done.cpu_seconds)
            wall_s.append(done.wall_seconds)
        a_frame, wall_a_frame = ((v[1] - v[0]) / (_MANY - _FEW) for v in (cpu_s, wall_s))
        details = {"runs_cpu_seconds": cpu_s, "runs_wall_seconds": wall_s}
        return [
            Row(part, f"{title}, EXR to EXR, a frame", a_frame, "CPU-s", *ANALYSE_MARKS_CPU_S, False,
                details),
            Row(part, f"{title}, EXR to EXR, a frame, all cores", wall_a_frame, "s"),
        ]  # fmt: skip

    def relight_rows(self, size: tuple[int, int], part: str) -> list[Row]:
        """CPU-seconds of lighting one frame by three lights with shadows; and from EXR to EXR."""
        plate, passes = self._plate(size, _MANY), self._passes(size)
        title = f"relight, three shadowed lights, at {size[0]}x{size[1]}"
        found = self._runs.measure(
            relight_seconds, Path(plate % 1), Path(passes % 1), "cpu", threads=None, title=title
        )
        cpu_s = []
        for count in (_FEW, _MANY):
            done = self._relight(plate, passes, count, size, title)
            cpu_s.append(done.cpu_seconds)
        a_frame = (cpu_s[1] - cpu_s[0]) / (_MANY - _FEW)
        return [
            Row(part, f"{title}, a frame", found["cpu_seconds"], "CPU-s", *RELIGHT_MARKS_CPU_S, False, found),
            Row(part, f"{title}, EXR to EXR, a frame", a_frame, "CPU-s", details={"runs_cpu_seconds": cpu_s}),
        ]

    def relight_gpu_rows(self, size: tuple[int, int], part: str) -> list[Row]:
        """Frames a second on a card, pixels from and to main memory included."""
        plate, passes = self._plate(size, _MANY), self._passes(size)
        title = f"relight, three shadowed lights, at {size[0]}x{size[1]}, CUDA"
        found = self._runs.measure(
            relight_seconds, Path(plate % 1), Path(passes % 1), "cuda", threads=None, title=title
        )
        return [Row(part, title, 1 / found["wall_seconds"], "frames/s", *RELIGHT_MARKS_GPU_FPS, True, found)]

    def memory_rows(self, size: tuple[int, int], part: str) -> list[Row]:
        """Peak memory of the analyse and the relight process."""
        plate = self._plate(size, 2)
        passes = str(self._passes_folder(size) / "passes.%04d.exr")
        title = f"memory at {size[0]}x{size[1]}"
        analysed = self._analyses.analyse(plate, passes, title, frames="1-2", overwrite=True)
        lit = self._relight(plate, passes, 2, size, title)
        return [
            Row(part, f"{name} at {size[0]}x{size[1]}: peak memory", done.peak_bytes / 1024**3, "GB",
                MEMORY_MUST_GB, None, False)
            for name, done in (("analyse", analysed), ("relight", lit))
        ]  # fmt: skip

    def _relight(self, plate: str, passes: str, count: int, size: tuple[int, int], title: str) -> Any:
        params = {
            "plate": plate, "passes": passes, "frames": f"1-{count}", "overwrite": True,
            "lights": str(lights_file(self._folder / "three.json", three_lights())),
            "out": str(self._folder / f"relit {size[0]}" / "relit.%04d.exr"),
        }  # fmt: skip
        return self._runs.tool("relight", params, threads=None, title=title)

    def _passes_folder(self, size: tuple[int, int]) -> Path:
        return self._folder / f"passes {size[0]}"

    def _passes(self, size: tuple[int, int]) -> str:
        """Passes of the plate, analysed where they are not there yet."""
        out = str(self._passes_folder(size) / "passes.%04d.exr")
        plate, title = self._plate(size, _MANY), f"passes at {size[0]}x{size[1]}"
        self._analyses.analyse(plate, out, title, frames=f"1-{_MANY}")
        return out

    def _plate(self, size: tuple[int, int], count: int) -> str:
        """A soundstage shot, enlarged, with grain so that it packs like footage."""
        pattern = str(self._folder / f"plate {size[0]}" / "plate.%04d.exr")
        if all(Path(pattern % number).is_file() for number in range(1, count + 1)):
            return pattern
        rng = np.random.default_rng(size[0])
        for number, scene in enumerate(relight_shot(VALIDATION_SEEDS[1], count), 1):
            large = cv2.resize(scene.pictures[0], size, interpolation=cv2.INTER_CUBIC)
            large += np.float32(_GRAIN) * rng.standard_normal(large.shape, dtype=np.float32)
            write_exr(pattern % number, Image(large, ("R", "G", "B")), "half")
        return pattern


def relight_seconds(progress: Progress, plate: Path, passes: Path, device: str) -> dict[str, Any]:
    """CPU- and wall seconds of one frame, median of five; the first run is not counted."""
    keep_freed_memory()
    pixels = read_image_file(plate).select(("R", "G", "B"))
    found = Passes.from_image(read_image_file(passes), pixels)
    lights = place_rig(rig_from(three_lights()), 1, ShotScale())
    view = View(found.width, found.height)
    cpu_s, wall_s = [], []
    for repeat in range(6):
        started = time.process_time(), time.perf_counter()
        relight(pixels, found, view, FrameLighting(lights), device=device)
        cpu_s.append(time.process_time() - started[0])
        wall_s.append(time.perf_counter() - started[1])
        progress.report("relighting", repeat + 1, 6)
    return {
        "cpu_seconds": statistics.median(cpu_s[1:]),
        "wall_seconds": statistics.median(wall_s[1:]),
        "all_cpu_seconds": cpu_s,
    }
