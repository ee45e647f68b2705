"""Ingest: against merely reading the same frames with the same reader and threads, its memory, and kill -9.

The clips are made up: 1080p half EXRs of texture and grain, as the engine's own writer makes them. Reading
and ingesting run in processes of their own, three times in turn; the medians are compared.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..images.image import Image
from ..images.reading import io_threads
from ..images.writing import write_exr
from ..memory import keep_freed_memory
from ..progress import Progress
from ..project.catalogue import Catalogue
from ..project.discovery import Found, find_clips
from ..project.ingest import ingest
from ..project.lists import Lists
from ..project.project_folder import create_project, open_project
from ..project.sampling import Settings, sampled_frames
from .children import measure
from .machine import peak_memory_bytes
from .table import Row

if TYPE_CHECKING:
    from .project import ProjectBench

SIZE = (1920, 1080)
CLIPS, FRAMES = 24, 24
SMALL_CLIPS, MORE_CLIPS = 60, 600
KILLS, KILLED_CLIPS = 20, 300
_ROUNDS = 3
_MUST_RATIO, _AIM_RATIO = 1.2, 1.05
_MUST_GROWTH_MB = 20.0
_MB = 1024.0**2
_THREADS = 2
_LEAST_CLIPS_A_RUN, _MOST_CLIPS_A_RUN, _MOST_WAIT_S = 0, 12, 120.0
_POLL_S = 0.01


def ingest_rows(bench: ProjectBench, part: str) -> list[Row]:
    """Speed against reading, memory, and twenty kills."""
    folder = bench.work / "ingest"
    return [
        *_speed_rows(bench, part, folder / "speed"),
        *_memory_rows(bench, part, folder / "memory"),
        *_kill_rows(bench, part, folder / "kill"),
    ]


def _speed_rows(bench: ProjectBench, part: str, folder: Path) -> list[Row]:
    dailies = folder / "dailies"
    make_dailies(dailies, CLIPS, FRAMES, SIZE)
    read: list[dict[str, float]] = []
    ingested: list[dict[str, float]] = []
    again: dict[str, float] = {}
    for number in range(_ROUNDS):
        bench.progress.report("reading and ingesting", number, _ROUNDS)
        show = folder / f"show{number}"
        read.append(_child(bench, time_reading, dailies))
        ingested.append(_child(bench, time_ingest, dailies, show))
        again = _child(bench, time_ingest, dailies, show)
    ratios = {
        kind: statistics.median(done[kind] / plain[kind] for done, plain in zip(ingested, read, strict=True))
        for kind in ("cpu_s", "wall_s")
    }
    details = {"read": read, "ingested": ingested}
    frames = read[0]["frames"]
    return [
        Row(part, f"ingest, CPU against reading its {frames:.0f} frames (1080p)", ratios["cpu_s"], "x",
            _MUST_RATIO, _AIM_RATIO, False, details),
        Row(part, "ingest, wall time against reading them", ratios["wall_s"], "x", _MUST_RATIO, _AIM_RATIO,
            False),
        Row(part, "ingest, frames read and measured", frames / _median(ingested, "wall_s"), "frames/s"),
        Row(part, "ingest, first use of the display view", _median(ingested, "warm_s"), "s"),
        Row(part, "ingest, clips as catalogued", again["clips"] / again["wall_s"], "clips/s", details=again),
    ]  # fmt: skip


def _memory_rows(bench: ProjectBench, part: str, folder: Path) -> list[Row]:
    peaks = {}
    for count in (SMALL_CLIPS, MORE_CLIPS):
        make_dailies(folder / f"{count}", count, 3, (64, 36))
        peaks[count] = _child(bench, time_ingest, folder / f"{count}", folder / f"show{count}")["peak_mb"]
    growth = peaks[MORE_CLIPS] - peaks[SMALL_CLIPS]
    return [
        Row(part, f"ingest, memory of {MORE_CLIPS} clips less that of {SMALL_CLIPS}", growth, "MB",
            _MUST_GROWTH_MB, None, False, {"peak_mb": {str(count): peak for count, peak in peaks.items()}}),
    ]  # fmt: skip


def _kill_rows(bench: ProjectBench, part: str, folder: Path) -> list[Row]:
    make_dailies(folder / "dailies", KILLED_CLIPS, 2, (64, 36))
    create_project(folder / "show", "Killed")
    wrong, runs = kill_and_look(folder / "dailies", folder / "show", KILLS, bench.progress)
    _ingest_in_process(folder / "dailies", folder / "show")
    final = _catalogued(folder / "show")
    missing = KILLED_CLIPS - len(final)
    return [
        Row(part, f"ingest, clips lost, doubled or left half after {KILLS} times kill -9",
            float(wrong + missing), "", 0.0, None, False,
            {"clips_after_each_kill": runs, "clips_at_the_end": len(final)}),
    ]  # fmt: skip


def kill_and_look(dailies: Path, show: Path, kills: int, progress: Progress) -> tuple[int, list[int]]:
    """(clips that were wrong after a kill, number of clips after each kill) of `kills` ingests.

    Each is killed at a random moment after a random number of clips.
    """
    rng = random.Random(1)
    context = multiprocessing.get_context("spawn")
    known: dict[str, str] = {}
    wrong, counts = 0, []
    for number in range(kills):
        progress.report("kill -9", number, kills)
        process = context.Process(target=_ingest_in_process, args=(dailies, show))
        process.start()
        _wait_for(len(known) + rng.randint(_LEAST_CLIPS_A_RUN, _MOST_CLIPS_A_RUN), show, process)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.join()
        found = _catalogued(show)
        wrong += sum(found.get(path) != what for path, what in known.items())
        wrong += sum(what == "" for what in found.values())
        known = found
        counts.append(len(found))
    return wrong, counts


def _wait_for(clips: int, show: Path, process: multiprocessing.process.BaseProcess) -> None:
    until = time.monotonic() + _MOST_WAIT_S
    while process.is_alive() and time.monotonic() < until:
        with Catalogue.open(show) as catalogue:
            if catalogue.counts().clips >= clips:
                return
        time.sleep(_POLL_S)


def _catalogued(show: Path) -> dict[str, str]:
    """What is known of each clip by path, as text; empty where it is not whole or is there twice."""
    found: dict[str, str] = {}
    with Catalogue.open(show) as catalogue:
        for record in catalogue.records():
            is_whole = record.measures is not None and all(
                (show / name).is_file() for name in record.thumbnails
            )
            text = (
                f"{record.clip_id} {record.clip} {record.measures}" if is_whole and record.thumbnails else ""
            )
            found[record.clip.path] = text if record.clip.path not in found else ""
    return found


def _ingest_in_process(dailies: Path, show: Path) -> None:
    with Catalogue.open(show) as catalogue:
        ingest(catalogue, [dailies], Settings(show), Lists(), Progress(), _THREADS)


# in processes of their own


def time_reading(progress: Progress, dailies: Path) -> dict[str, float]:
    """Read the frames that ingest would sample, with its reader and its number of threads."""
    keep_freed_memory()
    cv2.setNumThreads(1)

    def read(found: Found) -> int:
        sequence = found.open()
        chosen, pair = sampled_frames(sequence.frames, Settings.frames_per_clip)
        frames = sorted({*chosen, *(pair or ())})
        for frame in frames:
            progress.raise_if_cancelled()
            sequence.read(frame)
        return len(frames)

    start, cpu = time.perf_counter(), time.process_time()
    with io_threads(1), ThreadPoolExecutor(_THREADS) as pool:
        frames = sum(pool.map(read, find_clips([dailies], lambda line: None)))
    return {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - start,
        "frames": float(frames),
    }


def time_ingest(progress: Progress, dailies: Path, show: Path) -> dict[str, float]:
    """Ingest into `show`, made where it is not there; the colour view is baked first and timed alone."""
    keep_freed_memory()
    warm = time.perf_counter()
    _bake_the_view()
    warm_s = time.perf_counter() - warm
    project = open_project(show) if (show / "project.json").exists() else create_project(show, "Bench")
    start, cpu = time.perf_counter(), time.process_time()
    with project.catalogue() as catalogue:
        tally = ingest(catalogue, [dailies], Settings(show), Lists(), progress, _THREADS)
    return {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - start,
        "warm_s": warm_s,
        "clips": float(tally.found),
        "frames": float(tally.frames_read),
        "peak_mb": peak_memory_bytes() / _MB,
    }


def _bake_the_view() -> None:
    from ..images.colour import display_view, plate_colour
    from ..images.image import ImageFile

    grey = np.full((4, 4, 3), 0.18, np.float32)
    display_view(grey, plate_colour(ImageFile((Image(grey, ("R", "G", "B")),))))


def _child(bench: ProjectBench, function: Callable[..., dict[str, float]], *paths: Path) -> dict[str, float]:
    return measure(function, *paths, threads=1, progress=bench.progress, title="ingest").value


def _median(rounds: list[dict[str, float]], name: str) -> float:
    return statistics.median(round_[name] for round_ in rounds)


# material


def make_dailies(folder: Path, clips: int, frames: int, size: tuple[int, int]) -> None:
    """Clips of texture and grain; a few files are written and linked under all the names."""
    if folder.exists():
        shutil.rmtree(folder)
    width, height = size
    folder.mkdir(parents=True)
    originals = []
    for number in range(min(4, frames)):
        rng = np.random.default_rng(number)
        coarse = rng.uniform(0.02, 0.9, (height // 18, width // 18, 3)).astype(np.float32)
        texture = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
        grain = 1 + 0.03 * rng.standard_normal((height, width, 1), dtype=np.float32)
        metadata = {"FramesPerSecond": (24, 1), "cameraModel": "Bench", "isoSpeed": 800.0}
        image = Image(
            np.maximum(texture, 0.002) * grain, ("R", "G", "B"), metadata=metadata,
            metadata_types={"FramesPerSecond": "rational"},
        )  # fmt: skip
        originals.append(folder.parent / f".{folder.name}.{number}.exr")
        write_exr(originals[-1], image)
    for clip in range(clips):
        name = f"A001C{clip:03d}"
        (folder / name).mkdir()
        for frame in range(frames):
            target = folder / name / f"{name}.{1001 + frame}.exr"
            os.link(originals[(clip + frame) % len(originals)], target)
    for original in originals:
        original.unlink()
