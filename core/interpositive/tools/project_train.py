"""Train a production's own model on the dailies that its rights permit, without labels.

Shot models trained in the project then begin from it. The same command continues a training that was stopped,
and does nothing when the model is finished.
"""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import UsageError
from ..progress import Progress

if TYPE_CHECKING:
    from ..project.model import ProjectModelManifest
    from ..training.schedule import Length

STEPS = 1500
CHECKPOINT_EVERY_S = 20.0
_SHOWN = 10


class Params(BaseModel):
    """Which project, and for how long."""

    model_config = ConfigDict(extra="forbid")

    project: str | None = Field(
        default=None,
        title="Project",
        description="Folder of the project; without it, $INTERPOSITIVE_PROJECT, or the one around this "
        "folder.",
        json_schema_extra={"unit": "FOLDER"},
    )
    steps: int | None = Field(
        default=None,
        ge=1,
        title="Steps",
        description=f"Training steps, which repeat exactly as seconds do not; without both, {STEPS}.",
    )
    time_budget: float | None = Field(
        default=None,
        gt=0,
        title="Time budget",
        description="Seconds that training may take, instead of a number of steps.",
        json_schema_extra={"unit": "s"},
    )
    seed: int = Field(
        default=1, ge=0, le=2**31 - 1, title="Seed", description="Same seed, inputs and device, same model."
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="auto",
        title="Device",
        description="Where to train; auto is a graphics processor if there is one.",
        json_schema_extra={"advanced": True},
    )
    date: datetime.date | None = Field(
        default=None,
        title="Date",
        description="Day for which rights and consents are judged, such as 2027-01-31; without it, today.",
        json_schema_extra={"advanced": True},
    )
    prior_steps: int = Field(
        default=0,
        ge=0,
        title="Prior steps",
        description="Steps of fine-tuning the prior as well, for analyse; 0 leaves it as it is.",
        json_schema_extra={"advanced": True},
    )
    prior: str | None = Field(
        default=None,
        title="Prior",
        description="Folder of another base prior than the shipped one.",
        json_schema_extra={"advanced": True, "unit": "FOLDER"},
    )


class Refusal(BaseModel):
    """Why clips were left out, and how many."""

    reason: str
    clips: int


class Result(BaseModel):
    """What was trained, and on what."""

    model: str
    title: str
    is_new: bool
    clips: int
    frames: int
    consents: list[str]
    left_out: int
    refusals: list[Refusal]
    steps: int
    prior_steps: int
    cpu_seconds: float
    device: str
    backbone_sha256: str

    def lines(self) -> list[str]:
        told = [
            f"Model of '{self.title}': {self.steps} steps on {self.frames} frames of {self.clips} clips "
            f"({self.cpu_seconds:.0f} CPU-s, {self.device})."
        ]
        if self.prior_steps:
            told.append(
                f"The prior was fine-tuned for {self.prior_steps} steps; interpositive analyse uses it."
            )
        if self.consents:
            told.append(f"Consents that it rests on: {', '.join(self.consents)}.")
        told.append(f"{self.left_out} clips left out{':' if self.refusals else '.'}")
        told += [f"  {refusal.clips}  {refusal.reason}" for refusal in self.refusals[:_SHOWN]]
        if len(self.refusals) > _SHOWN:
            told.append(
                f"  and for {len(self.refusals) - _SHOWN} more reasons, in {self.model}/manifest.json"
            )
        return [*told, f"{self.model}; interpositive train in this project begins from it."]


def run(params: Params, progress: Progress) -> Result:
    """Train, or continue, or find the model finished. Raises an `InterpositiveError`."""
    from ..folder_lock import lock_folder
    from ..memory import keep_freed_memory
    from ..prior.predictor import load_prior
    from ..project.learning import LearningSettings, learn_project
    from ..project.project_folder import find_project
    from .train import training_device

    keep_freed_memory()
    project = find_project(params.project)
    settings = LearningSettings(
        _length(params),
        params.seed,
        training_device(params.device),
        prior_steps=params.prior_steps,
        checkpoint_every_s=CHECKPOINT_EVERY_S,
    )
    prior = load_prior(Path(params.prior).expanduser() if params.prior else None)
    day = params.date or datetime.date.today()
    project.model.mkdir(parents=True, exist_ok=True)
    with lock_folder(project.model, "project train"):
        learned = learn_project(project, prior, settings, day, progress)
    return _result(project.model, learned.model.manifest, learned.model.backbone_sha256, learned.is_new)


def _length(params: Params) -> Length:
    from ..training.schedule import Length

    if params.steps is not None and params.time_budget is not None:
        raise UsageError("--steps and --time-budget cannot be combined. Pass one of them.")
    if params.time_budget is not None:
        return Length(wall_seconds=params.time_budget)
    return Length(steps=params.steps or STEPS)


def _result(folder: Path, manifest: ProjectModelManifest, sha256: str, is_new: bool) -> Result:
    reasons = Counter(clip.reason for clip in manifest.left_out)
    part = manifest.parts["backbone"]
    return Result(
        model=str(folder),
        title=manifest.title,
        is_new=is_new,
        clips=len(manifest.footage),
        frames=sum(len(clip.frames) for clip in manifest.footage),
        consents=list(manifest.consent_ids),
        left_out=len(manifest.left_out),
        refusals=[Refusal(reason=reason, clips=clips) for reason, clips in reasons.most_common()],
        steps=part.steps,
        cpu_seconds=sum(part.cpu_seconds for part in manifest.parts.values()),
        prior_steps=manifest.parts["prior"].steps if "prior" in manifest.parts else 0,
        device=manifest.device,
        backbone_sha256=sha256,
    )
