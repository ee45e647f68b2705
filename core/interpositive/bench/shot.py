"""The acceptance table of a shot model: which parts there are, run one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..progress import Progress
from . import exactness, quality, speed
from .clips import KEYFRAME_COUNT, Clip, pattern, read_clips
from .runs import SRGB, Runs, RunTool
from .table import Row

# clip -> layer -> CPU-seconds of training that the table asks for
_ASKED: dict[str, dict[str, tuple[float, ...]]] = {
    "car": {"relit": (10, 30, 120), "matte": (75,)},
    "bike": {"graded": (20,)},
}
_OTHER_CPU_SECONDS = (30.0,)
_COMPARED_STEPS = 450  # of trainings that are compared with each other; about 30 CPU-s
_IDENTITY_CPU_SECONDS = 20.0
_SAME_SEED_STEPS = 40
_TRAINING_PART = re.compile(r"^(?P<clip>.+)-(?P<layer>[^-]+)-(?P<seconds>\d+(\.\d+)?)$")


@dataclass(frozen=True)
class Part:
    """One part that can be asked for by name."""

    name: str
    rows: Callable[[], list[Row]]


class ShotBench:
    """All parts for the clips of a data folder. `seeds`: how many seeds the spread is measured over."""

    def __init__(
        self, data: Path, work: Path, run_tool: RunTool, seeds: int, device: str, progress: Progress
    ) -> None:
        self.clips = read_clips(data)
        self._runs = Runs(run_tool, work, device, progress)
        self._seeds = list(range(seeds))
        self._progress = progress

    def parts(self) -> list[Part]:
        """Every part, in the order of the table."""
        trainings = [
            self._training_part(clip, layer, seconds)
            for clip in self.clips.values()
            for layer in clip.files
            if layer != "plate"
            for seconds in _ASKED.get(clip.name, {}).get(layer, _OTHER_CPU_SECONDS)
        ]
        return [*trainings, *self._clip_parts(), *self._exactness_parts()]

    def chosen(self, only: Sequence[str]) -> list[Part]:
        """The named parts, or all. `CLIP-LAYER-SECONDS` may name any budget. Raises UsageError."""
        known = {part.name: part for part in self.parts()}
        if not only:
            return list(known.values())
        return [known.get(name) or self._asked_training(name, known) for name in only]

    def run(self, parts: Sequence[Part]) -> list[Row]:
        """Run the parts; each part's rows are logged as they come."""
        rows: list[Row] = []
        for index, part in enumerate(parts):
            self._progress.log(f"{index + 1} of {len(parts)}: {part.name}")
            self._progress.raise_if_cancelled()
            rows += part.rows()
        return rows

    def _asked_training(self, name: str, known: dict[str, Part]) -> Part:
        match = _TRAINING_PART.match(name)
        clip = self.clips.get(match["clip"]) if match else None
        if match is None or clip is None or match["layer"] not in clip.files or match["layer"] == "plate":
            raise UsageError(
                f"--only {name} is no part of this bench. Parts: {', '.join(known)}; "
                "or CLIP-LAYER-SECONDS such as car-relit-60."
            )
        return self._training_part(clip, match["layer"], float(match["seconds"]))

    def _training_part(self, clip: Clip, layer: str, seconds: float) -> Part:
        name = f"{clip.name}-{layer}-{seconds:g}"

        def rows() -> list[Row]:
            found = quality.training_rows(self._runs, clip, layer, seconds, self._seeds[0], name)
            first = seconds == min(_ASKED.get(clip.name, {}).get(layer, _OTHER_CPU_SECONDS))
            if first and layer != quality.MATTE_LAYER:
                found = [*quality.baseline_rows(clip, layer, name), *found]
            return found

        return Part(name, rows)

    def _clip_parts(self) -> list[Part]:
        """Seeds, flicker, speed and memory on the first clip with a picture; suggestions on every one."""
        pictures = [
            (clip, layer) for clip in self.clips.values() if (layer := _picture_layer(clip)) is not None
        ]
        if not pictures:
            return []
        clip, layer = next(
            (pair for pair in pictures if pair[0].name in _ASKED and pair[1] == "relit"), pictures[0]
        )
        speeds = speed.SpeedParts(self._runs, clip, layer)
        runs, seeds = self._runs, self._seeds
        longest = max(_ASKED.get(clip.name, {}).get(layer, _OTHER_CPU_SECONDS))
        suggestions = [
            Part(f"suggested-{c.name}", partial(self._suggested_rows, c, name)) for c, name in pictures
        ]
        return [
            Part("seeds", lambda: quality.seed_rows(runs, clip, layer, _COMPARED_STEPS, seeds, "seeds")),
            Part("flicker", lambda: quality.flicker_rows(runs, clip, layer, longest, seeds[0], "flicker")),
            *suggestions,
            Part("inference-1080p", lambda: speeds.inference_rows("inference-1080p")),
            Part("overlap-1080p", lambda: speeds.overlap_rows("overlap-1080p", speed.HD, 6, 30)),
            Part("overlap-4k", lambda: speeds.overlap_rows("overlap-4k", speed.UHD, 3, 11)),
            Part("memory-4k", lambda: speeds.memory_rows("memory-4k", speed.UHD)),
            Part("memory-8k", lambda: speeds.memory_rows("memory-8k", speed.UHD2)),
            Part("tiles", lambda: speeds.tiling_rows("tiles")),
        ]

    def _exactness_parts(self) -> list[Part]:
        runs = self._runs
        return [
            Part("identity", lambda: exactness.identity_rows(runs, _IDENTITY_CPU_SECONDS, "identity")),
            Part("same-seed", lambda: exactness.same_seed_rows(runs, _SAME_SEED_STEPS, "same-seed")),
        ]

    def _suggested_rows(self, clip: Clip, layer: str) -> list[Row]:
        params: dict[str, Any] = {
            "plate": pattern(clip.files["plate"]), "count": KEYFRAME_COUNT, "input_space": SRGB,
        }  # fmt: skip
        done = self._runs.tool("suggest-keyframes", params, threads=1, title=f"suggesting for {clip.name}")
        suggested = sorted(int(f) for f in done.value["frames"])
        return quality.suggested_rows(
            self._runs, clip, layer, _COMPARED_STEPS, self._seeds[0], suggested, f"suggested-{clip.name}"
        )


def _picture_layer(clip: Clip) -> str | None:
    """The clip's first layer that is a picture of its own."""
    return next((name for name in clip.files if name not in ("plate", quality.MATTE_LAYER)), None)
