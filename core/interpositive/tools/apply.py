"""Apply a shot model to a plate: EXR in, EXR out.

Running it again continues: a frame that is there already, made by this model with these settings from this
plate, is kept. Frames of another model or other settings are rendered again, so a sequence is never a mix;
files that Interpositive did not make are never overwritten unless asked to.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from .. import __version__
from ..errors import ColourSpaceError
from ..frames import FrameRange, SequencePath, compact_frames
from ..progress import Progress
from .footage_options import BitDepth, Compression, Frames, LimitingMatte, MemoryGb, Overwrite, Plate

if TYPE_CHECKING:
    from ..images.image import Image, ImageFile
    from ..images.sequence import PlateSequence
    from ..inference.frame_output import Tally
    from ..inference.memory_plan import MemoryPlan
    from ..inference.render_stamp import RenderStamp
    from ..inference.session import Pixels
    from ..inference.tiles import FrameRunner
    from ..models.model_folder import LoadedModel

_STAGE = "apply"
_CARD_TILE_BYTES = 4 * 1024**3  # a 4K frame whole; a card with less gets smaller tiles when it says so


class Params(BaseModel):
    """What to apply to which frames, and how."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(
        title="Model",
        description="Model folder that `interpositive train` wrote.",
        json_schema_extra={"positional": True},
    )
    plate: Plate
    out: str = Field(
        title="Output",
        description="EXR pattern such as out/sh010.%04d.exr, or a folder.",
    )
    frames: Frames = None
    strength: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        title="Strength",
        description="How much of the change to apply, mixed in scene-linear; 0 is the plate bit for bit.",
        json_schema_extra={"display_range": [0.0, 1.0]},
    )
    matte: LimitingMatte = None
    overwrite: Overwrite = False
    input_space: str | None = Field(
        default=None,
        title="Input colour space",
        description="Colour space of the plate; without it, the one that the model was trained in.",
    )
    bit_depth: BitDepth = "as-plate"
    compression: Compression = "zip"
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="auto",
        title="Device",
        description="Where the model runs; auto is the fastest that loads.",
        json_schema_extra={"advanced": True},
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        title="Threads",
        description="CPU threads for the model; without it, half of the cores; files are packed meanwhile.",
        json_schema_extra={"advanced": True},
    )
    memory_gb: MemoryGb = None


class Result(BaseModel):
    """What was written."""

    out: str
    frames_rendered: int
    frames_kept: int
    device: str
    seconds: float
    frames_per_second: float
    bad_pixels: int
    clamped_samples: int

    def lines(self) -> list[str]:
        kept = f", {self.frames_kept} were there already and kept" if self.frames_kept else ""
        noun = "frame" if self.frames_rendered == 1 else "frames"
        speed = f" in {self.seconds:.1f} s ({self.frames_per_second:.2f} frames/s on {self.device})"
        return [
            f"{self.frames_rendered} {noun} rendered{speed if self.frames_rendered else ''}{kept}.",
            self.out,
        ]


@dataclass(frozen=True)
class _Job:
    """What is settled before the first frame is rendered."""

    model: LoadedModel
    plate: PlateSequence
    matte: PlateSequence | None
    out: SequencePath
    declared_space: str | None  # for `plate_colour`; None where the files say it themselves
    input_space: str  # what it came to
    memory: MemoryPlan
    params: Params

    def stamp(self, frame: int) -> RenderStamp:
        from ..inference.render_stamp import RenderStamp, fingerprint, settings_text

        inputs = [fingerprint(self.plate.path(frame))]
        if self.matte is not None:
            inputs.append(fingerprint(self.matte.path(frame)))
        params = self.params
        return RenderStamp(
            model=self.model.manifest.name,
            weights_sha256=self.model.weights_sha256,
            version=__version__,
            settings=settings_text(
                strength=params.strength,
                matte=self.matte is not None,
                input_space=self.input_space,
                bit_depth=params.bit_depth,
                compression=params.compression,
            ),
            inputs="; ".join([*inputs, str(frame)] if self.plate.is_video else inputs),
        )


def run(params: Params, progress: Progress) -> Result:
    """Render what is missing. Raises an `InterpositiveError`; finished frames stay."""
    from ..folder_lock import lock_folder
    from ..images.writing import remove_unfinished
    from ..inference.frame_output import Tally, frames_to_render

    started = time.monotonic()
    job = _plan_job(params, progress)
    tally = Tally()
    with lock_folder(job.out.directory, "apply"):
        remove_unfinished(job.out.directory)
        todo = frames_to_render(
            job.plate,
            job.out,
            job.stamp,
            params.overwrite,
            "apply",
            "by another model, with other settings or from another plate",
            progress,
        )
        device = _render(job, todo, tally, progress) if todo else ""
    tally.warn(progress)
    seconds = time.monotonic() - started
    return Result(
        out=str(job.out),
        frames_rendered=len(todo),
        frames_kept=len(job.plate.frames) - len(todo),
        device=device,
        seconds=seconds,
        frames_per_second=len(todo) / seconds,
        bad_pixels=tally.bad,
        clamped_samples=tally.clamped,
    )


def _plan_job(params: Params, progress: Progress) -> _Job:
    from ..images.sequence import find_sequence, output_path
    from ..inference.frame_output import refuse_overwriting
    from ..inference.memory_plan import plan_memory
    from ..memory import budget_bytes
    from ..models.model_folder import load_model

    model = load_model(Path(params.model).expanduser())
    wanted = FrameRange.parse(params.frames) if params.frames is not None else None
    plate = find_sequence(params.plate, wanted)
    missing = plate.missing()
    if wanted is not None:
        plate.require()
    elif missing:
        progress.log(
            f"{plate.name} lacks frames {compact_frames(missing)}; the others are rendered.", "warning"
        )
    matte = None
    if params.matte is not None:
        matte = find_sequence(params.matte, FrameRange.of(plate.frames))
        matte.require()
    out = output_path(params.out)
    refuse_overwriting(out, plate, params.out, "plate")
    first = plate.read(plate.frames[0])
    declared, input_space = _validated_space(first, model, params.input_space)
    _warn_about_size(first.main, model, progress)
    plan = plan_memory(budget_bytes(params.memory_gb), first, model.manifest, matte is not None)
    return _Job(model, plate, matte, out, declared, input_space, plan, params)


def _validated_space(first: ImageFile, model: LoadedModel, asked: str | None) -> tuple[str | None, str]:
    """The colour space to declare for every frame (None: the files say it), and its name in the config.

    Raises `ColourSpaceError` when the plate is in another space than the model was trained in.
    """
    from ..images.colour import plate_colour

    trained = model.manifest.colour
    declared = asked or (trained.input_space if trained.source == "declared" else None)
    found = plate_colour(first, declared)
    if (found.input_space, found.working_space) != (trained.input_space, trained.working_space):
        raise ColourSpaceError(
            f"{first.path} is in {found.input_space} (worked on in {found.working_space}), the model was "
            f"trained in {trained.input_space} ({trained.working_space}). "
            "Give a plate in that space, or train a model in this one."
        )
    return declared, found.input_space


def _warn_about_size(first: Image, model: LoadedModel, progress: Progress) -> None:
    found = (first.display_window.width, first.display_window.height)
    trained = model.manifest.display_size
    if found != trained:
        progress.log(
            f"The plate is {found[0]}x{found[1]}, the model was trained at {trained[0]}x{trained[1]}. "
            "It is applied all the same; look at the first frames.",
            "warning",
        )


def _render(job: _Job, frames: list[int], tally: Tally, progress: Progress) -> str:
    """Render `frames`; returns the device."""
    from ..images.colour import in_working_space, plate_colour
    from ..images.pipeline import stream
    from ..images.writing import write_exr
    from ..inference.frame_renderer import FrameRenderer, matte_on

    params = job.params
    runner = _runner(job, progress)
    renderer = FrameRenderer(job.model.manifest, runner, params.strength)

    def read(frame: int) -> tuple[RenderStamp, ImageFile, Pixels | None]:
        stamp = job.stamp(frame)
        image_file = job.plate.read(frame)
        image_file = in_working_space(image_file, plate_colour(image_file, job.declared_space))
        matte = matte_on(job.matte.read(frame), image_file.main) if job.matte is not None else None
        return stamp, image_file, matte

    def compute(frame: int, inputs: tuple[RenderStamp, ImageFile, Pixels | None]) -> ImageFile:
        progress.report(_STAGE, tally.written, len(frames), f"frame {frame}")
        stamp, image_file, matte = inputs
        rendered = renderer.render(image_file, matte, progress.raise_if_cancelled)
        if rendered.bad_pixels is not None:
            tally.count_bad(frame, rendered.bad_pixels)
        main = rendered.image_file.main.with_metadata(stamp.attributes())
        return rendered.image_file.with_main(main)

    def write(frame: int, image_file: ImageFile) -> None:
        path = job.out.frame_path(frame)
        tally.count_written(write_exr(path, image_file, params.bit_depth, params.compression))

    stream(frames, read, compute, write, job.memory.frames_in_flight, progress)
    progress.report(_STAGE, len(frames), len(frames))
    return runner.session.device if runner is not None else "cpu"


def _runner(job: _Job, progress: Progress) -> FrameRunner | None:
    """None where the strength is zero, which needs no model."""
    from ..inference.session import InferenceSession
    from ..inference.tiles import FrameRunner
    from ..memory import usable_cores

    params, model = job.params, job.model
    if params.strength == 0.0:
        return None
    threads = params.threads or max(usable_cores() // 2, 1)  # files are packed meanwhile
    session = InferenceSession(model.onnx_path, model.manifest.tiling, params.device, threads)
    # A graphics card has memory of its own, of which frames in flight take nothing.
    own_memory = session.device == "cuda" and params.memory_gb is None
    tile_bytes = max(job.memory.tile_bytes, _CARD_TILE_BYTES) if own_memory else job.memory.tile_bytes
    return FrameRunner(session, tile_bytes, lambda line: progress.log(line, "warning"))
