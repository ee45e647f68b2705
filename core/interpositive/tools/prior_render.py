"""Render light stacks, the scenes that the base prior learns from: the same seed gives the same files.

The same command goes on where it was stopped: shards that are in the folder stay as they are.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing.synchronize import Event
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ..errors import Cancelled, OutputError, UsageError
from ..progress import Progress

_STAGE = "rendering"


class Params(BaseModel):
    """How many scenes, of which size, where to."""

    model_config = ConfigDict(extra="forbid")

    out: str = Field(
        title="Folder", description="Folder for the shards.", json_schema_extra={"positional": True}
    )
    scenes: int = Field(default=4096, ge=1, title="Scenes", description="How many scenes to render.")
    size: int = Field(
        default=160,
        ge=32,
        le=1024,
        title="Size",
        description="Width and height of a scene.",
        json_schema_extra={"unit": "px"},
    )
    lights: int = Field(
        default=12, ge=1, le=64, title="Lights", description="Lights a scene, each rendered alone."
    )
    seed: int = Field(default=1, ge=0, le=2**31 - 1, title="Seed", description="Same seed, same scenes.")
    workers: int = Field(
        default=1, ge=1, le=256, title="Workers", description="Processes that render side by side."
    )


class Result(BaseModel):
    """What is in the folder now."""

    folder: str
    shards: int
    scenes: int
    rendered_scenes: int
    seconds: float

    def lines(self) -> list[str]:
        speed = f", {60 * self.rendered_scenes / self.seconds:.0f} a minute" if self.rendered_scenes else ""
        return [
            f"{self.folder}: {self.scenes} scenes in {self.shards} shards "
            f"({self.rendered_scenes} rendered now{speed})."
        ]


def run(params: Params, progress: Progress) -> Result:
    """Render the shards that the folder lacks."""
    from ..soundstage.stacks.shards import shard_path, shard_sizes

    started = time.monotonic()
    folder = Path(params.out)
    _claim(folder, params)
    sizes = shard_sizes(params.scenes)
    missing = [number for number in range(len(sizes)) if not shard_path(folder, number).exists()]
    done = params.scenes - sum(sizes[number] for number in missing)
    if params.workers == 1:
        for number in missing:
            _render(params, number, sizes[number], _Steps(progress, done, params.scenes))
            done += sizes[number]
    else:
        _render_side_by_side(params, {number: sizes[number] for number in missing}, done, progress)
    return Result(
        folder=str(folder),
        shards=len(sizes),
        scenes=params.scenes,
        rendered_scenes=sum(sizes[number] for number in missing),
        seconds=round(time.monotonic() - started, 3),
    )


def _claim(folder: Path, params: Params) -> None:
    """Make the folder and note what its shards are of; shards of other settings are not mixed in."""
    about = {"seed": params.seed, "size": params.size, "lights": params.lights}
    note = folder / "stacks.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not note.exists():
            temporary = folder / f".stacks.{os.getpid()}"
            temporary.write_text(
                json.dumps({"schema": "interpositive.light-stacks", "version": 1, **about}) + "\n"
            )
            os.replace(temporary, note)
        found = json.loads(note.read_text())
    except OSError as error:
        raise OutputError(f"Cannot write into {folder}: {error}. Choose another folder.") from error
    except ValueError as error:
        raise OutputError(f"{note} is damaged ({error}). Remove it, or choose another folder.") from error
    other = {name: found.get(name) for name, value in about.items() if found.get(name) != value}
    if other:
        wanted = ", ".join(f"{name} {about[name]}" for name in other)
        there = ", ".join(f"{name} {value}" for name, value in other.items())
        raise UsageError(f"{folder} holds stacks of {there}, not {wanted}. Choose another folder.")


def _render(params: Params, number: int, scenes: int, step: Callable[[int], None]) -> None:
    """Render and write one shard; `step` is told of each scene and may raise Cancelled."""
    from ..soundstage.stacks.shards import pack, render_shard, shard_path, write_shard

    stacks = []
    for stack in render_shard(params.seed, number, scenes, params.size, params.lights):
        stacks.append(stack)
        step(len(stacks))
    about = {
        "seed": params.seed,
        "shard": number,
        "scenes": scenes,
        "size": params.size,
        "lights": params.lights,
    }
    write_shard(shard_path(Path(params.out), number), pack(stacks), about)


class _Steps:
    """Tells the progress of scenes after those that were done before."""

    def __init__(self, progress: Progress, before: int, total: int) -> None:
        self._progress, self._before, self._total = progress, before, total

    def __call__(self, scenes: int) -> None:
        self._progress.report(_STAGE, self._before + scenes, self._total)


_stop: Event | None = None


def _start_worker(stop: Event) -> None:
    """In a new process: keep the event that ends it; Ctrl-C is the first process's to handle."""
    import signal

    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _render_in_worker(params: Params, number: int, scenes: int) -> None:
    def step(_: int) -> None:
        if _stop is not None and _stop.is_set():
            raise Cancelled("Stopped as asked.")

    _render(params, number, scenes, step)


def _render_side_by_side(params: Params, missing: dict[int, int], done: int, progress: Progress) -> None:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(params.workers, context, _start_worker, (stop,)) as pool:
        waiting = {
            pool.submit(_render_in_worker, params, number, scenes): scenes
            for number, scenes in missing.items()
        }
        try:
            while waiting:
                finished, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                    done += waiting.pop(future)
                progress.report(_STAGE, done, params.scenes)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
