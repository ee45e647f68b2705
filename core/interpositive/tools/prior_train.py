"""Train a base prior on light stacks. The same command continues a training that was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import UsageError
from ..progress import Progress


class Params(BaseModel):
    """What to learn from, and for how long."""

    model_config = ConfigDict(extra="forbid")

    stacks: str = Field(
        title="Light stacks", description="Folder of shards that `interpositive prior render` wrote."
    )
    out: str = Field(title="Prior", description="Folder to write weights, manifest, log and checkpoint to.")
    steps: int | None = Field(
        default=None, ge=1, title="Steps", description="Training steps; repeats exactly for the same shards."
    )
    time_budget: float | None = Field(
        default=None,
        gt=0,
        title="Time budget",
        description="Seconds that the training may take, instead of steps.",
        json_schema_extra={"unit": "s"},
    )
    start: str | None = Field(
        default=None,
        title="Start",
        description="Folder of a trained prior to train on from, instead of from nothing.",
    )
    seed: int = Field(default=1, ge=0, le=2**31 - 1, title="Seed", description="Of weights and pictures.")
    batch: int = Field(default=16, ge=1, le=4096, title="Batch", description="Pictures a step.")
    rate: float = Field(
        default=1.0,
        gt=0,
        title="Rate",
        description="Factor on the learning rates.",
        json_schema_extra={"advanced": True},
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="auto", title="Device", description="Where to train; auto is a graphics processor if any."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        title="Precision",
        description="Of the network; auto is bfloat16 on CUDA and float32 elsewhere.",
        json_schema_extra={"advanced": True},
    )
    threads: int | None = Field(
        default=None, ge=1, title="Threads", description="CPU threads of the step; without it, all cores."
    )
    workers: int = Field(
        default=1, ge=0, le=256, title="Workers", description="Processes that make training pictures."
    )


class Result(BaseModel):
    """What was trained."""

    prior: str
    steps: int
    measured: dict[str, float]

    def lines(self) -> list[str]:
        told = ", ".join(f"{name} {value:.3f}" for name, value in self.measured.items())
        return [f"Trained {self.steps} steps; on scenes held out: {told}.", f"Prior {self.prior}"]


def run(params: Params, progress: Progress) -> Result:
    """Train, or continue. Raises an `InterpositiveError`."""
    import torch

    from ..folder_lock import lock_folder
    from ..memory import keep_freed_memory
    from ..prior.recipe import Machine, PriorTrainer, Recipe, StartingPoint
    from ..training.schedule import Length

    if (params.steps is None) == (params.time_budget is None):
        raise UsageError("Pass either --steps or --time-budget.")
    keep_freed_memory()
    if params.threads is not None:
        torch.set_num_threads(params.threads)
    device = params.device
    if device == "auto":
        there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
        device = next(name for name in ("cuda", "mps", "cpu") if there[name])  # type: ignore[assignment]
    precision = params.precision
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" else "float32"
    length = Length(steps=params.steps, wall_seconds=params.time_budget)
    start = StartingPoint.of(Path(params.start).expanduser()) if params.start is not None else None
    recipe = Recipe(length, seed=params.seed, batch=params.batch, rate=params.rate)
    if start is not None:
        recipe = replace(recipe, start=start.sha256, network=start.network.config)
    machine = Machine(device, precision, params.workers)
    out = Path(params.out).expanduser()
    with lock_folder(out, "prior train"):
        trainer = PriorTrainer(recipe, machine, Path(params.stacks).expanduser(), out, progress, start)
        measured = trainer.run()
    return Result(prior=str(out), steps=trainer.step, measured=measured)
