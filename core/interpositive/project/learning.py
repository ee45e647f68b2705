"""A production's model, from what it may be learned from to the folder: read, train, checkpoint, save.

The same command continues a training that was stopped or killed, and finds a finished one finished.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from .. import __version__
from ..errors import Cancelled, ModelError, NothingToLearnError, TrainingError
from ..images.writing import remove_unfinished, whole_file
from ..models.manifest import Ancestor, who_and_when
from ..prior.predictor import Prior
from ..prior.weights_folder import WEIGHTS_FILE, save_prior
from ..progress import Progress
from ..training.schedule import Length, WorkClock
from .backbone import BackboneTrainer
from .material import Permitted, chosen_frames, frame_hashes, permitted_clips, read_frames, read_runs
from .model import (
    LearnedClip,
    LeftOut,
    PartRecord,
    ProjectModel,
    load_project_model,
    save_project_model,
)
from .prior_tuning import PriorTuner
from .project_folder import ProjectFolder

CHECKPOINT_FOLDER = "checkpoint"
Part = Literal["backbone", "prior"]

_STAGES: Mapping[Part, str] = {"backbone": "training the backbone", "prior": "fine-tuning the prior"}
_CHECKPOINT_VERSION = 1


@dataclass(frozen=True)
class LearningSettings:
    """What decides the result, beside the footage and the base prior. `changes`: how many random changes the
    backbone learns to tell."""

    length: Length  # of the backbone's training
    seed: int = 1
    device: str = "cpu"
    changes: int = 32
    prior_steps: int = 0  # of fine-tuning the prior; 0: it stays as it is
    checkpoint_every_s: float = 20.0


@dataclass(frozen=True, eq=False)
class Learned:
    """A finished training; `is_new` is False where it was finished before."""

    model: ProjectModel
    is_new: bool


@dataclass(frozen=True, eq=False)
class _Material:
    """What a training reads, settled before it begins."""

    chosen: Sequence[Permitted]
    footage: tuple[LearnedClip, ...]
    left_out: tuple[LeftOut, ...]


def learn_project(
    project: ProjectFolder, prior: Prior, settings: LearningSettings, day: datetime.date, progress: Progress
) -> Learned:
    """Train the model of a production on what its rights permit on that day.

    The caller holds the lock of the model's folder. Raises NothingToLearnError where nothing may be learned
    from, Cancelled after saving, PlateError and ModelError.
    """
    clock = WorkClock()
    material = _material(project, day, progress)
    fingerprint = _fingerprint(project, prior, settings, material)
    finished = _finished(project, fingerprint, progress)
    if finished is not None:
        return Learned(finished, is_new=False)
    folder = project.model
    folder.mkdir(parents=True, exist_ok=True)
    for place in (folder, folder / CHECKPOINT_FOLDER):
        remove_unfinished(place)
    frames = read_frames(
        material.chosen,
        project.input_space,
        prior,
        lambda done, total, name: progress.report("reading plates", done, total, name),
    )
    checkpoints = _Checkpoints(folder / CHECKPOINT_FOLDER, fingerprint, progress)
    every_s = settings.checkpoint_every_s
    backbone = BackboneTrainer(frames, settings.changes, settings.seed, settings.device)
    parts: dict[Part, PartRecord] = {}
    parts["backbone"] = _train("backbone", backbone, settings.length, clock, checkpoints, every_s, progress)
    with tempfile.TemporaryDirectory(prefix="interpositive-prior-") as temporary:
        tuned = None
        if settings.prior_steps:
            tuner = PriorTuner(prior, read_runs(material.chosen, project.input_space), settings.seed)
            length, clock = Length(steps=settings.prior_steps), WorkClock()
            parts["prior"] = _train("prior", tuner, length, clock, checkpoints, every_s, progress)
            tuned = Path(temporary)
            save_prior(tuned, tuner.network, {"started_from": prior.manifest["files"][WEIGHTS_FILE]}, {})
        described = _description(project, prior, settings, day, material, fingerprint, parts)
        save_project_model(folder, described, backbone.result(), tuned)
    checkpoints.forget()
    model = load_project_model(project)
    if model is None:
        raise TrainingError(f"The model that was just written is no longer in {folder}. Train again.")
    return Learned(model, is_new=True)


def _material(project: ProjectFolder, day: datetime.date, progress: Progress) -> _Material:
    rights = project.rights()
    with project.catalogue() as catalogue:
        allowed, left_out = permitted_clips(catalogue.clips(), rights, day)
    if not allowed:
        reason = left_out[0].reason if left_out else "It has no clips: run interpositive ingest first."
        raise NothingToLearnError(
            f"Project '{project.title}' has nothing that may be learned from; {len(left_out)} clips are left "
            f"out. The first reason: {reason}"
        )
    chosen, footage, unreadable = frame_hashes(
        chosen_frames(allowed),
        project.input_space,
        lambda done, total, name: progress.report("looking at clips", done, total, name),
    )
    for clip in unreadable:
        progress.log(f"{clip.clip} is left out: {clip.reason}", "warning")
    if not chosen:
        raise NothingToLearnError(
            f"No clip of '{project.title}' that may be learned from can be read. The first reason: "
            f"{unreadable[0].reason}"
        )
    return _Material(chosen, tuple(footage), (*left_out, *unreadable))


def _fingerprint(
    project: ProjectFolder, prior: Prior, settings: LearningSettings, material: _Material
) -> str:
    decided = {
        "project": project.project_id,
        "prior": prior.manifest["files"][WEIGHTS_FILE]["sha256"],
        "settings": {**asdict(settings), "checkpoint_every_s": None},
        "frames": [[clip.clip, clip.frames] for clip in material.footage],
        # The record of permissions is part of the model: with other rights it is made anew.
        "rights": [[clip.permission, clip.consent_ids] for clip in material.footage],
        "left out": [[clip.clip, clip.reason] for clip in material.left_out],
        "software": __version__,
    }
    return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()


def _finished(project: ProjectFolder, fingerprint: str, progress: Progress) -> ProjectModel | None:
    try:
        model = load_project_model(project)
    except ModelError as error:
        progress.log(f"{error} It is replaced when this training is finished.", "warning")
        return None
    if model is None:
        return None
    if model.manifest.fingerprint == fingerprint:
        progress.log("This training is finished already; nothing to do.")
        return model
    progress.log(
        "The project has a model of other footage or settings; it is replaced when this is finished."
    )
    return None


class _Trainer(Protocol):
    """`BackboneTrainer` or `PriorTuner`."""

    step: int

    def train_step(self, share: float) -> float: ...

    def tensors(self) -> dict[str, Tensor]: ...

    def take(self, tensors: Mapping[str, Tensor], step: int) -> None: ...


def _train(
    part: Part,
    trainer: _Trainer,
    length: Length,
    clock: WorkClock,
    checkpoints: _Checkpoints,
    every_s: float,
    progress: Progress,
) -> PartRecord:
    """One part, from its checkpoint if there is one, to the end of `length`: step, report, checkpoint.

    Raises Cancelled after saving.
    """
    checkpoints.resume(part, trainer, clock)
    stage, saved_at, loss = _STAGES[part], time.monotonic(), 0.0
    try:
        while (share := length.done(trainer.step, clock)) < 1.0:
            now = trainer.train_step(share)
            loss = now if loss == 0.0 else loss + 0.03 * (now - loss)
            if time.monotonic() - saved_at > every_s:
                checkpoints.save(part, trainer, clock)
                saved_at = time.monotonic()
            steps = length.steps or max(round(trainer.step / max(share, 1e-3)), trainer.step)
            progress.report(stage, trainer.step, steps, f"loss {loss:.3f}", length.seconds_left(clock))
    except Cancelled:
        checkpoints.save(part, trainer, clock)
        raise Cancelled(
            "Stopped as asked. The training is kept; the same command continues from there."
        ) from None
    checkpoints.save(part, trainer, clock)  # the other part may take long
    return PartRecord(steps=trainer.step, cpu_seconds=round(clock.cpu_seconds, 3))


class _Checkpoints:
    """The running training's files, one a part, each whole or absent; only the same training resumes."""

    def __init__(self, folder: Path, fingerprint: str, progress: Progress) -> None:
        self._folder, self._fingerprint, self._progress = folder, fingerprint, progress

    def save(self, part: Part, trainer: _Trainer, clock: WorkClock) -> None:
        state = {
            "version": _CHECKPOINT_VERSION,
            "fingerprint": self._fingerprint,
            "step": trainer.step,
            "cpu_seconds": clock.cpu_seconds,
            "wall_seconds": clock.wall_seconds,
        }
        tensors = {name: tensor.contiguous() for name, tensor in trainer.tensors().items()}
        data = safetensors.torch.save(tensors, {"state": json.dumps(state)})
        self._folder.mkdir(parents=True, exist_ok=True)
        with whole_file(self._path(part)) as unfinished:
            unfinished.write_bytes(data)

    def resume(self, part: Part, trainer: _Trainer, clock: WorkClock) -> None:
        path = self._path(part)
        found = _read_checkpoint(path)
        if found is None or found[0]["fingerprint"] != self._fingerprint:
            if path.exists():
                self._progress.log(
                    f"{path} is damaged, or of other footage or settings: this training starts from the "
                    "beginning."
                )
            return
        state, tensors = found
        trainer.take(tensors, state["step"])
        clock.add(state["cpu_seconds"], state["wall_seconds"])
        self._progress.log(f"{_STAGES[part]}: continuing what stopped at step {state['step']}.")

    def forget(self) -> None:
        """Remove the checkpoints of a training that is finished."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, part: Part) -> Path:
        return self._folder / f"{part}.safetensors"


def checkpointed_step(folder: Path) -> int:
    """The step that the training of a project model's folder would continue from; 0 without one."""
    found = _read_checkpoint(folder / CHECKPOINT_FOLDER / "backbone.safetensors")
    return 0 if found is None else int(found[0]["step"])


def _read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """State and tensors; None: absent, damaged or of another version."""
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            state: dict[str, Any] = json.loads((file.metadata() or {}).get("state", "{}"))
            if state.get("version") != _CHECKPOINT_VERSION:
                return None
            return state, {name: file.get_tensor(name) for name in file.keys()}
    except (safetensors.SafetensorError, OSError, ValueError):
        return None


def _description(
    project: ProjectFolder,
    prior: Prior,
    settings: LearningSettings,
    day: datetime.date,
    material: _Material,
    fingerprint: str,
    parts: Mapping[Part, PartRecord],
) -> Mapping[str, Any]:
    """The fields of the manifest that are known before the weights are written."""
    created_by, created_utc = who_and_when()
    rights = project.rights()
    base = Ancestor(
        name="base prior", kind="base", weights_sha256=prior.manifest["files"][WEIGHTS_FILE]["sha256"]
    )
    return {
        "title": project.title,
        "project_id": project.project_id,
        "created_utc": created_utc,
        "created_by": created_by,
        "software": {"interpositive": __version__, "torch": str(torch.__version__)},
        "device": settings.device,
        "seed": settings.seed,
        "lineage": (base,),
        "owner": rights.owner,
        "licence": rights.licence,
        "rights_sha256": rights.sha256,
        "rights_judged_on": day.isoformat(),
        "footage": material.footage,
        "left_out": material.left_out,
        "parts": parts,
        "fingerprint": fingerprint,
    }
