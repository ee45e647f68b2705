"""The acceptance table of understanding and relighting: which parts there are, run one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from ..errors import UsageError
from ..progress import Progress
from ..soundstage.relight_scenes import TEST_SEEDS, VALIDATION_SEEDS, RelightScene, relight_scene
from .analyses import Analyses
from .real_objects import KnownLight, LitObject
from .relight_exactness import exactness_rows, sum_rows
from .relight_quality import Item, RelightQuality, Understand
from .relight_shots import adaptation_rows, steadiness_rows
from .relight_speed import RelightSpeed
from .runs import Runs, RunTool
from .shot import Part
from .speed import HD, UHD
from .table import Row


@dataclass(frozen=True)
class RelightData:
    """Where the real pictures are: the folder of objects, and a moving plate or None."""

    objects: Path
    plate: Path | None


class RelightBench:
    """All parts. `validation`: exact scenes and shots of the seeds from which settings may be chosen."""

    def __init__(
        self,
        data: RelightData,
        work: Path,
        run_tool: RunTool,
        understand: Understand,
        progress: Progress,
        device: str = "cpu",
        predictions: Path | None = None,
        validation: bool = False,
        prior: Path | None = None,
    ) -> None:
        self._data = data
        self._prior = prior
        self._progress = progress
        self._runs = Runs(run_tool, work, device, progress)
        self._seeds = VALIDATION_SEEDS if validation else TEST_SEEDS
        self._quality = RelightQuality(understand, data.objects, lambda: self._scenes, predictions, progress)

    def parts(self) -> list[Part]:
        """Every part, in the order of the table."""
        quality, runs = self._quality, self._runs
        analyses = Analyses(runs, self._prior)
        speed = RelightSpeed(analyses)
        made: dict[str, Callable[[str], list[Row]]] = {
            "objects-known": quality.known_rows,
            "objects-unknown": quality.unknown_rows,
            "albedo": quality.albedo_rows,
            "scenes": quality.scene_rows,
            "adaptation": partial(adaptation_rows, analyses, self._seeds),
            "exactness": partial(exactness_rows, runs),
            "sums": partial(sum_rows, runs),
            "analyse-1080p": partial(speed.analyse_rows, HD),
            "relight-1080p": partial(speed.relight_rows, HD),
            "memory-4k": partial(speed.memory_rows, UHD),
        }
        if self._data.plate is not None:
            made["steadiness"] = partial(steadiness_rows, analyses, self._data.plate)
        if speed.has_gpu:
            made["relight-gpu"] = partial(speed.relight_gpu_rows, UHD)
        return [Part(name, partial(rows, name)) for name, rows in made.items()]

    def chosen(self, only: Sequence[str]) -> list[Part]:
        """The named parts, or all. Raises UsageError."""
        known = {part.name: part for part in self.parts()}
        for name in only:
            if name not in known:
                raise UsageError(f"--only {name} is no part of this bench. Parts: {', '.join(known)}.")
        return [known[name] for name in only] if only else list(known.values())

    @cached_property
    def _scenes(self) -> list[Item]:
        scenes = []
        for done, seed in enumerate(self._seeds):
            self._progress.report("rendering scenes", done, len(self._seeds))
            scenes.append(scene_item(relight_scene(seed)))
        return scenes


def scene_item(scene: RelightScene) -> Item:
    """A scene as the quality rows judge it: shown with grain, its exact pictures held to 1 as a camera's."""
    lights = tuple(
        KnownLight(*light) for light in zip(scene.directions, scene.colours, scene.ambients, strict=True)
    )
    truth = LitObject(
        scene.name, scene.pictures.clip(0, 1), scene.matte, lights, scene.normals, scene.albedo, True
    )
    return Item(truth, scene.plate)
