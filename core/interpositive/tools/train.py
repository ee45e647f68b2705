"""Train a shot model: a plate and a few frames that the artist has changed, in; a model of that change, out.

The same command continues a training that was stopped, and does nothing when the model is finished.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import DamagedModelError, KeyframeError, ModelError, UsageError
from ..frames import FrameRange, compact_frames
from ..progress import Progress
from .footage_options import Plate

if TYPE_CHECKING:
    from ..models.manifest import Manifest
    from ..models.network import ShotNetwork
    from ..project.model import ProjectModel
    from ..training.footage import Footage, Layer
    from ..training.loop import TrainedNetwork, TrainingPlan
    from ..training.processes import Processes
    from ..training.schedule import WorkClock

_LEAST_FOR_HOLDOUT = 3  # keyframes


class Params(BaseModel):
    """What to learn from, and for how long."""

    model_config = ConfigDict(extra="forbid")

    plate: Plate
    keyframes: str = Field(
        title="Keyframes",
        description="The frames that were changed, with the plate's frame numbers: a pattern or a folder.",
    )
    out: str = Field(title="Model", description="Model folder to write.")
    frames: str | None = Field(
        default=None, title="Frames", description="Frames of the shot such as 1001-1100; without it, all."
    )
    quality: Literal["draft", "standard", "fine"] = Field(
        default="standard",
        title="Quality",
        description="draft is for a first look, fine takes about five times as long as standard.",
    )
    time_budget: float | None = Field(
        default=None,
        gt=0,
        title="Time budget",
        description="Seconds that training may take, instead of the preset's length.",
        json_schema_extra={"unit": "s"},
    )
    cpu_budget: float | None = Field(
        default=None,
        gt=0,
        title="CPU budget",
        description="CPU-seconds that training may take, what is measured and drawn for you left out.",
        json_schema_extra={"unit": "s", "advanced": True},
    )
    steps: int | None = Field(
        default=None,
        ge=1,
        title="Steps",
        description="Training steps, instead of the preset's; repeats exactly, as budgets of seconds do not.",
        json_schema_extra={"advanced": True},
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
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        title="Precision",
        description="Of the network while training; auto is bfloat16 on CUDA and float32 elsewhere.",
        json_schema_extra={"advanced": True},
    )
    project: str | None = Field(
        default=None,
        title="Project",
        description="Folder of the project whose model training begins from; without it, "
        "$INTERPOSITIVE_PROJECT, or the one around this folder, if any.",
        json_schema_extra={"unit": "FOLDER"},
    )
    start: Literal["project", "base"] = Field(
        default="project",
        title="Start",
        description="Begin from the project's model where there is one, or from base as without a project.",
        json_schema_extra={"advanced": True},
    )
    input_space: str | None = Field(
        default=None,
        title="Input colour space",
        description="Colour space of the plate, and of keyframes in its format, where files do not say.",
    )
    keyframe_space: str | None = Field(
        default=None,
        title="Keyframe colour space",
        description="Colour space of the keyframes, where it is another than the plate's.",
        json_schema_extra={"advanced": True},
    )
    input_layers: list[str] = Field(
        default=[],
        title="Input layers",
        description="More layers of the plate's files that help: depth, normal, a matte.",
        json_schema_extra={"advanced": True},
    )
    output_layers: list[str] = Field(
        default=[],
        title="Output layers",
        description="Layers of the keyframes to learn (rgb, A, or names); without it, those that differ.",
        json_schema_extra={"advanced": True},
    )
    holdout: str = Field(
        default="auto",
        title="Held-out keyframe",
        description="Keyframe to measure with in the first half: auto, none or a frame number.",
        json_schema_extra={"advanced": True},
    )


class Result(BaseModel):
    """What was trained."""

    model: str
    steps: int
    cpu_seconds: float
    wall_seconds: float
    device: str
    holdout_frame: int | None
    measured: dict[str, float]
    contact_sheet: str

    def lines(self) -> list[str]:
        quality = (
            "too few keyframes to hold one out, so its quality is not measured: look at the contact sheet"
        )
        if self.holdout_frame is not None and self.measured:
            figures = []
            if "holdout_psnr_db" in self.measured:
                figures.append(
                    f"{self.measured['holdout_psnr_db']:.1f} dB (untouched plate "
                    f"{self.measured['untouched_psnr_db']:.1f} dB)"
                )
            if "holdout_matte_iou" in self.measured:
                figures.append(f"matte IoU {self.measured['holdout_matte_iou']:.3f}")
            quality = f"held-out keyframe {self.holdout_frame}, half way: " + ", ".join(figures)
        return [
            f"Trained {self.steps} steps in {self.wall_seconds:.0f} s ({self.cpu_seconds:.0f} CPU-s, "
            f"{self.device}); {quality}.",
            f"Model {self.model}, contact sheet {self.contact_sheet}",
        ]


def run(params: Params, progress: Progress) -> Result:
    """Train, or continue, or find the model finished. Raises an `InterpositiveError`."""
    from ..folder_lock import lock_folder
    from ..memory import keep_freed_memory
    from ..training import loop  # noqa: F401 - imported before the clock runs
    from ..training.processes import join_processes
    from ..training.schedule import WorkClock

    keep_freed_memory()
    clock = WorkClock()
    device = training_device(params.device)
    folder = Path(params.out).expanduser()
    with join_processes(device) as processes:
        if not processes.is_first:
            _train(params, folder, device, clock, Progress(), processes)
            return _result_of_follower(folder, device)
        with lock_folder(folder, "train"):
            return _train(params, folder, device, clock, progress, processes)


def _train(
    params: Params, folder: Path, device: str, clock: WorkClock, progress: Progress, processes: Processes
) -> Result:
    from ..images.sequence import find_sequence
    from ..images.writing import remove_unfinished
    from ..training.footage import read_footage
    from ..training.loop import ShotTrainer

    wanted = FrameRange.parse(params.frames) if params.frames is not None else None
    plate, keyframes = find_sequence(params.plate, wanted), find_sequence(params.keyframes)
    if wanted is not None:
        plate.require()
    footage = read_footage(
        plate,
        keyframes,
        params.input_space,
        params.keyframe_space,
        params.input_layers,
        params.output_layers,
        progress,
    )
    ancestor = _project_model(params, progress)
    plan = _plan(params, footage, folder, device, ancestor)
    finished = _finished(folder, plan, progress) if processes.is_first else None
    (is_finished,) = processes.from_first(float(finished is not None))
    if not processes.is_first:
        if not is_finished:
            ShotTrainer(footage, plan, clock, progress, processes, lambda network: None).run()
        return _result_of_follower(folder, device)
    if finished is not None:
        return finished
    for place in (folder, plan.checkpoint_folder):
        remove_unfinished(place)
    _say_what(footage, plan, progress)
    trained = ShotTrainer(footage, plan, clock, progress, processes, _Showing(footage, folder)).run()
    return _keep(params, footage, plan, trained, folder, clock, ancestor, progress)


def _project_model(params: Params, progress: Progress) -> ProjectModel | None:
    """The model that training begins from. Raises ModelError for a project's model that cannot be used."""
    if params.start == "base":
        return None
    from ..project.model import load_project_model
    from ..project.project_folder import optional_project
    from ..training.loop import QUALITIES

    project = optional_project(params.project)
    model = load_project_model(project) if project is not None else None
    if project is None or model is None:
        if params.project is not None:
            progress.log(
                f"{params.project} has no model yet (interpositive project train); starting from base."
            )
        return None
    quality = QUALITIES[params.quality]
    if not model.backbone().fits(quality.width, quality.hidden):
        progress.log(
            f"The project's model has another size than --quality {params.quality}; starting from base."
        )
        return None
    progress.log(f"Starting from the model of '{project.title}'.")
    return model


def training_device(asked: str) -> str:
    """Raises `UsageError` for a device that torch does not have here."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[asked]:
        raise UsageError(
            f"--device {asked}: torch {torch.__version__} finds no such device here. "
            "`interpositive doctor` says what it finds; --device auto takes the best."
        )
    return asked


def _plan(
    params: Params, footage: Footage, folder: Path, device: str, ancestor: ProjectModel | None
) -> TrainingPlan:
    from ..models.model_folder import CHECKPOINT_FOLDER, LOG_FILE
    from ..training.loop import QUALITIES, TrainingPlan
    from ..training.schedule import Length

    given = [name for name in ("time_budget", "cpu_budget", "steps") if getattr(params, name) is not None]
    if len(given) > 1:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"{options} cannot be combined. Pass one of them.")
    quality = QUALITIES[params.quality]
    length = Length(steps=quality.steps)
    if given:
        length = Length(params.steps, params.cpu_budget, params.time_budget)
    precision = params.precision
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" else "float32"
    holdout = _holdout(params.holdout, [keyframe.frame for keyframe in footage.keyframes])
    settings = {
        **params.model_dump(exclude={"out", "plate", "keyframes", "project", "start"}),
        "backbone": ancestor.backbone_sha256 if ancestor is not None else None,
        "device": device,
        "frames": list(footage.plate.frames),
        "pairs": [(k.frame, k.plate_sha256, k.keyframe_sha256) for k in footage.keyframes],
    }
    fingerprint = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return TrainingPlan(
        quality,
        length,
        params.seed,
        device,
        precision,
        holdout,
        fingerprint,
        folder / CHECKPOINT_FOLDER,
        folder / LOG_FILE,
        ancestor.backbone() if ancestor is not None else None,
    )


def _holdout(asked: str, frames: list[int]) -> int | None:
    """The middle keyframe: the model never has to guess past the ends to be measured."""
    if asked == "none":
        return None
    if asked == "auto":
        return frames[len(frames) // 2] if len(frames) >= _LEAST_FOR_HOLDOUT else None
    if asked not in map(str, frames):
        raise KeyframeError(
            f"--holdout {asked}: the keyframes are {compact_frames(frames)}. Pass one of them, auto or none."
        )
    if len(frames) < 2:
        raise KeyframeError(
            f"--holdout {asked} is the only keyframe, which leaves none to train on. Add one."
        )
    return int(asked)


def _say_what(footage: Footage, plan: TrainingPlan, progress: Progress) -> None:
    frames = [keyframe.frame for keyframe in footage.keyframes]
    layers = ", ".join(f"{layer.name} ({' '.join(layer.channels)})" for layer in footage.outputs)
    held = f", {plan.holdout} held out in the first half" if plan.holdout is not None else ""
    where = "in a region, the rest stays as it is" if footage.has_region else "everywhere"
    progress.log(f"Plate {footage.plate.describe()}")
    colour = footage.colour
    working = "as it is" if colour.working_space == colour.input_space else f"in {colour.working_space}"
    progress.log(f"Colour: {colour.input_space} ({colour.source}), worked on {working}.")
    progress.log(
        f"Keyframes {compact_frames(frames)}{held}; learning {layers}, changed {where}; on {plan.device}."
    )
    if len(frames) == 1:
        progress.log(
            "One keyframe: the model knows the change in that frame only. "
            "`interpositive suggest-keyframes` says which frame to add.",
            "warning",
        )


class _Showing:
    """Redraws the contact sheet and the loss plot while training."""

    def __init__(self, footage: Footage, folder: Path) -> None:
        self._footage, self._folder = footage, folder

    def __call__(self, network: ShotNetwork) -> None:
        from ..models.model_folder import CONTACT_SHEET_FILE
        from ..training.report import sheet_rows, write_contact_sheet

        rows = sheet_rows(self._footage, network)
        colour = self._footage.colour
        write_contact_sheet(self._folder / CONTACT_SHEET_FILE, rows, colour, self._footage.changes_rgb)


def _finished(folder: Path, plan: TrainingPlan, progress: Progress) -> Result | None:
    """The result of this very training, when the folder has it already."""
    from ..models.manifest import MANIFEST_FILE
    from ..models.model_folder import load_model

    try:
        model = load_model(folder)
    except DamagedModelError as error:
        progress.log(f"{error} It is replaced when this training is finished.", "warning")
        return None
    except ModelError:
        if (folder / MANIFEST_FILE).exists():  # another program's, or a newer version's: not ours to replace
            raise
        return None
    if model.manifest.training.fingerprint != plan.fingerprint:
        progress.log(f"{folder} has a model of another training; it is replaced when this one is finished.")
        return None
    progress.log("This training is finished already; nothing to do.")
    return _result(folder, model.manifest)


def _result(folder: Path, manifest: Manifest) -> Result:
    from ..models.model_folder import CONTACT_SHEET_FILE

    training = manifest.training
    return Result(
        model=str(folder),
        steps=training.steps,
        cpu_seconds=training.cpu_seconds,
        wall_seconds=training.wall_seconds,
        device=manifest.device,
        holdout_frame=training.holdout[0] if training.holdout else None,
        measured=manifest.measured,
        contact_sheet=str(folder / CONTACT_SHEET_FILE),
    )


def _result_of_follower(folder: Path, device: str) -> Result:
    """What a process that is not the first returns: nothing that anyone reads."""
    return Result(
        model=str(folder),
        steps=0,
        cpu_seconds=0,
        wall_seconds=0,
        device=device,
        holdout_frame=None,
        measured={},
        contact_sheet="",
    )


def _keep(
    params: Params,
    footage: Footage,
    plan: TrainingPlan,
    trained: TrainedNetwork,
    folder: Path,
    clock: WorkClock,
    ancestor: ProjectModel | None,
    progress: Progress,
) -> Result:
    """Write the model folder, whole, and forget the checkpoint."""
    import safetensors.torch

    from ..models.model_folder import LOSS_PLOT_FILE, ONNX_FILE, WEIGHTS_FILE, save_model
    from ..models.onnx_export import onnx_bytes
    from ..training.checkpoint import remove_checkpoint

    progress.report("writing the model", 0, 1)
    manifest = _manifest(params, footage, plan, trained, folder, clock)
    if ancestor is not None:
        manifest = manifest.model_copy(update={"lineage": ancestor.lineage()})
    weights = {name: tensor.contiguous() for name, tensor in trained.network.state_dict().items()}
    _Showing(footage, folder)(trained.network)
    trained.log.plot(folder / LOSS_PLOT_FILE)
    files = {WEIGHTS_FILE: safetensors.torch.save(weights), ONNX_FILE: onnx_bytes(trained.network)}
    model = save_model(folder, manifest, files)
    remove_checkpoint(plan.checkpoint_folder)
    progress.report("writing the model", 1, 1)
    return _result(folder, model.manifest)


def _manifest(
    params: Params,
    footage: Footage,
    plan: TrainingPlan,
    trained: TrainedNetwork,
    folder: Path,
    clock: WorkClock,
) -> Manifest:
    import numpy
    import torch

    from .. import __version__
    from ..models import manifest as m

    created_by, created_utc = m.who_and_when()
    config = trained.network.config
    frames = tuple(
        m.TrainingFrame(
            frame=k.frame,
            plate_file=k.plate_file,
            plate_sha256=k.plate_sha256,
            keyframe_file=k.keyframe_file,
            keyframe_sha256=k.keyframe_sha256,
        )
        for k in footage.keyframes
    )
    return m.Manifest(
        name=folder.resolve().name,
        created_utc=created_utc,
        created_by=created_by,
        software={"interpositive": __version__, "torch": torch.__version__, "numpy": numpy.__version__},
        device=plan.device,
        seed=plan.seed,
        colour=m.ColourRecord(**asdict(footage.colour)),
        inputs=tuple(m.LayerRecord(**asdict(layer)) for layer in footage.inputs),
        outputs=tuple(m.LayerRecord(**asdict(layer)) for layer in _written_layers(footage)),
        network=config.to_json(),
        tiling=m.TilingRecord(
            stride=config.stride, receptive_px=config.receptive_px, bytes_per_pixel=config.bytes_per_pixel
        ),
        display_size=footage.extent,
        training=m.TrainingRecord(
            frames=frames,
            holdout=(plan.holdout,) if plan.holdout is not None else (),
            quality=params.quality,
            steps=trained.steps,
            cpu_seconds=round(clock.cpu_seconds, 3),
            wall_seconds=round(clock.wall_seconds, 3),
            fingerprint=plan.fingerprint,
        ),
        measured=trained.measured,
    )


def _written_layers(footage: Footage) -> tuple[Layer, ...]:
    """The layers as `apply` writes them: a lone matte is the alpha, or matte.A where the plate has one."""
    from dataclasses import replace

    has_alpha = "A" in footage.plate.read(footage.plate.frames[0]).main.channels
    return tuple(
        replace(layer, channels=("matte.A" if has_alpha else "A",)) if layer.name == "matte" else layer
        for layer in footage.outputs
    )
