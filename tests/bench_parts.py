"""Functions that the bench's tests run in child processes: importable by name, unlike a test module."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from interpositive.errors import KeyframeError
from interpositive.progress import Progress


def report_and_double(progress: Progress, value: int) -> dict[str, Any]:
    progress.report("doubling", 1, 2)
    return {"value": 2 * value, "threads": os.environ["OMP_NUM_THREADS"]}


def fail_as_expected(progress: Progress) -> None:
    raise KeyframeError("Keyframe 7 does not fit. Pass another.")


def die(progress: Progress) -> None:
    os._exit(3)


def hold_memory(progress: Progress, megabytes: int) -> int:
    return len(bytearray(os.urandom(1024) * 1024 * megabytes))


def run_forever(progress: Progress) -> None:
    while True:
        progress.report("waiting", 0, 1)


def copy_target(progress: Progress, name: str, params: dict[str, Any]) -> dict[str, Any]:
    """A stand-in for the tools: training remembers the clip, applying gives its exact target."""
    if name == "suggest-keyframes":
        return {"frames": [1, 4, 7, 9, 12]}
    if name == "train":
        keyframes = Path(params["keyframes"]).parent
        model = Path(params["out"])
        model.mkdir(parents=True)
        (model / "seen.txt").write_text(" ".join(sorted(p.name for p in keyframes.iterdir())))
        return {"model": str(model), "cpu_seconds": params["cpu_budget"], "steps": 3}
    out = Path(params["out"])
    out.parent.mkdir(parents=True, exist_ok=True)
    target = Path(params["plate"].replace("plate", "relit"))
    for frame in map(int, params["frames"].split(",")):
        Path(str(out) % frame).write_bytes(Path(str(target) % frame).read_bytes())
    return {"seconds": 1.0}
