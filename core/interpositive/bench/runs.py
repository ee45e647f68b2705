"""Trainings and renderings of one bench run, each made once and shared by the rows that need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..progress import Progress
from .children import Measured, measure
from .clips import Clip, copy_frames, pattern

RunTool = Callable[[Progress, str, dict[str, Any]], dict[str, Any]]
SRGB = "sRGB - Texture"


@dataclass(frozen=True)
class Training:
    """A trained shot model and what the training took. `cpu_seconds` is the tool's own count."""

    model: Path
    clip: Clip
    layer: str
    keyframes: tuple[int, ...]
    cpu_seconds: float
    process_cpu_seconds: float
    wall_seconds: float
    steps: int


@dataclass
class Runs:
    """`run_tool(progress, tool, params)` runs a tool; it must be importable, for it runs in fresh
    processes."""

    run_tool: RunTool
    work: Path
    device: str
    progress: Progress
    _trainings: dict[tuple[Any, ...], Training] = field(default_factory=dict)
    _renderings: dict[tuple[Path, tuple[int, ...]], dict[int, Path]] = field(default_factory=dict)

    def train(
        self,
        clip: Clip,
        layer: str,
        cpu_seconds: float,
        seed: int,
        keyframes: list[int] | None = None,
        steps: int | None = None,
    ) -> Training:
        """Train on `keyframes` (default: the clip's five) for a budget of CPU-seconds on one thread.

        With `steps` for so many instead: what is compared then does not hang on the machine's speed.
        """
        chosen = tuple(keyframes or clip.keyframes)
        key = (clip.name, layer, steps or cpu_seconds, seed, chosen)
        if key not in self._trainings:
            length = f"{steps}steps" if steps else f"{cpu_seconds:g}s"
            name = f"{clip.name}-{layer}-{length}-seed{seed}" + (
                f"-{hash(chosen) & 0xFFFF:x}" if keyframes else ""
            )
            folder = self.work / name
            params = {
                "plate": pattern(clip.files["plate"]),
                "keyframes": copy_frames(clip.files[layer], list(chosen), folder / "keyframes"),
                "out": str(folder / "model"),
                **({"steps": steps} if steps else {"cpu_budget": cpu_seconds}),
                "seed": seed,
                "device": self.device,
                "input_space": SRGB,
            }
            done = self.tool("train", params, threads=1, title=name)
            self._trainings[key] = training_of(done, clip, layer, chosen)
        return self._trainings[key]

    def render(self, training: Training, frames: list[int]) -> dict[int, Path]:
        """Apply the model to `frames` of its clip; the files by frame."""
        key = (training.model, tuple(frames))
        if key not in self._renderings:
            out = str(training.model.parent / "out" / "result.%04d.exr")
            params = {
                "model": str(training.model),
                "plate": pattern(training.clip.files["plate"]),
                "out": out,
                "frames": ",".join(map(str, frames)),
                "bit_depth": "float",
                "device": self.device,
            }
            self.tool("apply", params, threads=1, title=f"rendering {training.model.parent.name}")
            self._renderings[key] = {f: Path(out % f) for f in frames}
        return self._renderings[key]

    def tool(
        self, name: str, params: dict[str, Any], threads: int | None, title: str
    ) -> Measured[dict[str, Any]]:
        """Run a tool in a fresh process; its Result as plain values."""
        return measure(self.run_tool, name, params, threads=threads, progress=self.progress, title=title)

    def measure(self, function: Callable[..., Any], *arguments: Any, threads: int | None, title: str) -> Any:
        """Run a measurement in a fresh process; its value."""
        return measure(function, *arguments, threads=threads, progress=self.progress, title=title).value


def training_of(
    done: Measured[dict[str, Any]], clip: Clip, layer: str, keyframes: tuple[int, ...]
) -> Training:
    """What a finished train tool reported."""
    result = done.value
    return Training(
        model=Path(result["model"]),
        clip=clip,
        layer=layer,
        keyframes=keyframes,
        cpu_seconds=float(result["cpu_seconds"]),
        process_cpu_seconds=done.cpu_seconds,
        wall_seconds=done.wall_seconds,
        steps=int(result["steps"]),
    )
