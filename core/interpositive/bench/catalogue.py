"""A catalogue of 100,000 clips: how long it takes to fill and to search, and what memory it needs.

The clips are made up: 250 reels of 400 takes with three cameras, four lenses and a random look each. Filling
and searching run in processes of their own, on one thread, with the imports in their memory. Of every query
the row takes the fastest of nine, by the clock: other programs on the same cores only ever add to it. The
median and the processor's time stand in the details.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CatalogueError
from ..progress import Progress
from ..project.catalogue import CATALOGUE_FILE, Catalogue, timecode_label
from ..project.clips import Clip, Measures
from ..project.looks import Look
from ..project.search import Hit, Query, search
from .children import measure
from .machine import peak_memory_bytes
from .table import Row

if TYPE_CHECKING:
    from .project import ProjectBench

CLIPS = 100_000
LOOK_LENGTH = 128
_MUST_MS = 50.0
_MUST_MB = 500.0
_REPEATS = 9
_MB = 1024.0**2
_TAKES_A_REEL = 400
_REPORT_EVERY = 1000
_CAMERAS = ("ARRI ALEXA 35", "Sony VENICE 2", "RED V-RAPTOR")
_LENSES = ("Cooke S4 25mm", "Cooke S4 32mm", "Cooke S4 50mm", "Fujinon Premista 28-100")
_SPACES = ("ARRI LogC4", "S-Log3 S-Gamut3.Cine", "Log3G10 REDWideGamutRGB")


def catalogue_rows(bench: ProjectBench, part: str, clips: int = CLIPS) -> list[Row]:
    """Fill a catalogue, then search it in a fresh process."""
    folder = bench.work / "catalogue"
    progress = bench.progress
    filled = measure(fill, folder, clips, threads=1, progress=progress, title="filling the catalogue")
    searched = measure(time_searches, folder, clips, threads=1, progress=progress, title="searching")
    found: dict[str, dict[str, dict[str, float]]] = searched.value["taken_ms"]
    rows = [
        Row(
            part, f"{clips} clips, slowest search by {kind}", _slowest(queries, "fastest"), "ms", _MUST_MS,
            None, False, {"taken_ms": queries},
        )
        for kind, queries in found.items()
    ]  # fmt: skip
    count = f"{clips} clips"
    return [
        *rows,
        Row(part, f"{count}, slowest search, processor time",
            max(_slowest(queries, "processor") for queries in found.values()), "ms"),
        Row(part, f"{count}, open and first search by picture", searched.value["first_ms"], "ms"),
        Row(part, f"{count}, memory while filling", filled.peak_bytes / _MB, "MB", _MUST_MB, None, False,
            {"growth_after_a_tenth_mb": filled.value["growth_mb"]}),
        Row(part, f"{count}, memory while searching", searched.peak_bytes / _MB, "MB", _MUST_MB, None, False),
        Row(part, f"{count} put, one transaction each", clips / filled.value["seconds"], "clips/s",
            details=filled.value),
        Row(part, f"{count}, read one after the other", searched.value["read_s"], "s"),
        Row(part, f"{count}, size of the file", filled.value["bytes"] / _MB, "MB"),
    ]  # fmt: skip


def fill(progress: Progress, folder: Path, clips: int) -> dict[str, float]:
    """Put `clips` made-up clips into a new catalogue; seconds, bytes and growth of memory."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / CATALOGUE_FILE).exists():
        raise CatalogueError(f"{folder} holds a catalogue of an earlier run. Name another --work folder.")
    start, cpu_start, early = time.perf_counter(), time.process_time(), 0
    with Catalogue.create(folder) as catalogue:
        for index in range(clips):
            if index % _REPORT_EVERY == 0:
                progress.report("clips", index, clips)
            if index == clips // 10:
                early = peak_memory_bytes()
            catalogue.put(made_up_clip(index), made_up_measures(index), [f"thumbnails/{index:06d}.jpg"])
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu_start,
        "growth_mb": (peak_memory_bytes() - early) / _MB,
        "bytes": float((folder / CATALOGUE_FILE).stat().st_size),
    }


def time_searches(progress: Progress, folder: Path, clips: int) -> dict[str, Any]:
    """Milliseconds of every query; first the time from opening to the first answer."""
    start = time.perf_counter()
    with Catalogue.open(folder) as catalogue:
        _must_find(search(catalogue, Query(), like=made_up_look(clips // 2)), clips // 2)
        first_ms = (time.perf_counter() - start) * 1000
        taken: dict[str, dict[str, dict[str, float]]] = {}
        for kind, name, ask in _questions(catalogue, clips):
            progress.raise_if_cancelled()
            taken.setdefault(kind, {})[name] = _taken_ms(ask)
        start = time.perf_counter()
        read = sum(1 for _ in catalogue.records())
        read_s = time.perf_counter() - start
        if read != clips:
            raise CatalogueError(f"{read} of {clips} clips came back.")
    return {"first_ms": first_ms, "taken_ms": taken, "read_s": read_s}


def _questions(catalogue: Catalogue, clips: int) -> Iterator[tuple[str, str, Callable[[], list[Hit]]]]:
    middle, last = made_up_clip(clips // 2), made_up_clip(clips - 1)
    texts = {
        "one clip": last.name, "a word of every clip": "dailies", "camera": "alexa",
        "two words": "venice 50mm", "reel and camera": f"{middle.reel} venice", "nothing": "no-such-word",
    }  # fmt: skip
    for name, text in texts.items():
        yield "text", name, partial(search, catalogue, Query(text))
    morning = (timecode_label("07:00:00:00") or 0.0, timecode_label("07:01:00:00") or 0.0)
    filters = {
        "camera and lens": Query(camera="raptor", lens="25mm"),
        "scene and take": Query(scene=middle.scene, take=middle.take),
        "pattern of the name": Query(name="*C399*"),
        "timecode": Query(timecode=morning),
        "look in stops and mireds": Query(exposure_stops=(1.9, 2.0), mireds=(160, 165)),
        "contrast, nothing found": Query(contrast_stops=(40, 50)),
        "text, camera and exposure": Query("dailies", camera="sony", exposure_stops=(-2, -1.9)),
        "no such lens": Query(lens="anamorphic"),
    }
    for name, query in filters.items():
        yield "metadata and look", name, partial(search, catalogue, query)
    like = made_up_look(clips // 3)
    pictures = {
        "all clips": Query(), "one camera": Query(camera="venice"), "one scene": Query(scene=last.scene),
        "text of every clip": Query("dailies"), "text and exposure": Query("alexa", exposure_stops=(1, 1.1)),
    }  # fmt: skip
    for name, query in pictures.items():
        yield "picture", name, partial(search, catalogue, query, like=like)


def _taken_ms(ask: Callable[[], object]) -> dict[str, float]:
    """Fastest and median by the clock, and the least processor time."""
    by_clock, by_processor = [], []
    for _ in range(_REPEATS):
        start, processor_start = time.perf_counter(), time.process_time()
        ask()
        by_processor.append((time.process_time() - processor_start) * 1000)
        by_clock.append((time.perf_counter() - start) * 1000)
    return {
        "fastest": min(by_clock),
        "median": statistics.median(by_clock),
        "processor": min(by_processor),
    }


def _slowest(queries: Mapping[str, Mapping[str, float]], how: str) -> float:
    return max(taken[how] for taken in queries.values())


def _must_find(hits: list[Hit], index: int) -> None:
    if not hits or hits[0].record.clip != made_up_clip(index):
        raise CatalogueError("Search by picture did not put the clip first whose picture was given.")


def made_up_clip(index: int) -> Clip:
    """The clip of that number, always the same."""
    reel, take = divmod(index, _TAKES_A_REEL)
    camera = reel % 3
    second = (index * 37) % 86400
    timecode = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}:{index % 24:02d}"
    name = f"{'ABC'[camera]}{reel:03d}_C{take:03d}_0115QX"
    return Clip(
        name=name,
        path=f"/mnt/show/dailies/day{reel // 5:02d}/{'ABC'[camera]}{reel:03d}/{name}/{name}.%07d.exr",
        kind="images",
        first_frame=1, last_frame=100 + index % 400, fps=24.0, timecode=timecode,
        reel=f"{'ABC'[camera]}{reel:03d}", scene=str(index // 300 + 1), take=str(index % 9 + 1),
        camera=_CAMERAS[camera], lens=_LENSES[index // 5 % 4],
        focal_mm=(25.0, 32.0, 50.0, 40.0)[index // 5 % 4],
        iso=800.0, white_balance_k=5600.0, colour_space=_SPACES[camera], width=4608, height=3164,
        bit_depth="half", sources={"timecode": "header", "scene": "ale", "take": "ale"},
        stamp=f"{index:032x}", mhl="verified",
    )  # fmt: skip


def made_up_measures(index: int) -> Measures:
    """The measures of that clip, always the same."""
    rng = np.random.default_rng(index)
    exposure, mireds, contrast = float(rng.normal()), float(rng.uniform(150, 350)), float(rng.uniform(4, 12))
    palette = tuple((50.0 + k, 3.0 * k, -2.0 * k, 0.2) for k in range(5))
    plain = Measures((1, 50, 100), exposure, (1.1, 1.0, 0.8), mireds, contrast, palette, 0.4, 0.002, 1.5)
    return replace(plain, look=made_up_look(index))


def made_up_look(index: int) -> Look:
    """Unit length, float32 (LOOK_LENGTH,)."""
    look = np.random.default_rng((index, 1)).standard_normal(LOOK_LENGTH).astype(np.float32)
    return look / np.linalg.norm(look)
