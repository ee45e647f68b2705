"""Find what a plate is made of: normals, depth, albedo, shading, residual, and the shot's light.

The plate is read twice: once small, to understand the shot as a whole, and once to write each frame's passes
at its own size. Running it again continues: frames made from this very shot with these settings are kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from .. import __version__
from ..errors import UsageError
from ..frames import FrameRange, SequencePath
from ..progress import Progress
from .footage_options import Frames, MemoryGb, Overwrite, Plate

if TYPE_CHECKING:
    from ..analysis.frames import FullFrame, PlateFrames, SmallShot
    from ..analysis.prediction import Looks, Map
    from ..analysis.shot import Understanding
    from ..images.image import Image
    from ..inference.render_stamp import RenderStamp
    from ..prior.predictor import Prior

_STAGE = "writing passes"
_BYTES_PER_PIXEL = 220  # of one frame in flight: 19 float channels and what they are made from
_SHEET_FRAMES = 4
_LIGHTING, _ENVIRONMENT, _SHEET = ".lighting.json", ".environment.exr", ".contact_sheet.png"


class Params(BaseModel):
    """What to analyse, and what is known about it."""

    model_config = ConfigDict(extra="forbid")

    plate: Plate
    out: str = Field(
        title="Output",
        description="EXR pattern such as passes/sh010.%04d.exr, or a folder. The light goes beside it.",
    )
    frames: Frames = None
    matte: str | None = Field(
        default=None,
        title="Matte",
        description="Matte sequence of the subject, which is then looked at closely.",
    )
    layer: str | None = Field(
        default=None,
        title="Layer",
        description="Layer of the plate that holds the picture, such as `right` of a stereo file.",
    )
    adapt: str = Field(
        default="off",
        title="Adapt",
        description="Steps of adapting the prior to this shot, or off.",
    )
    steady: bool = Field(
        default=True,
        title="Hold still",
        description="Average passes along the motion of the shot; else every frame is on its own.",
    )
    key_direction: str | None = Field(
        default=None,
        title="Key direction",
        description="Where the key comes from: azimuth,elevation in degrees; 0,0 is from the camera, "
        "90,0 from "
        "the right.",
    )
    grey_ball: str | None = Field(
        default=None, title="Grey ball", description="Circle x,y,radius of a matte grey ball, in pixels."
    )
    chrome_ball: str | None = Field(
        default=None, title="Chrome ball", description="Circle x,y,radius of a mirroring ball, in pixels."
    )
    ball_frame: int | None = Field(
        default=None, title="Ball frame", description="Frame that shows the ball; without it, the first."
    )
    environment: str | None = Field(
        default=None,
        title="Environment",
        description="Lat-long .exr or .hdr of the set's light, its middle straight ahead of the camera.",
    )
    normal_layer: str | None = Field(
        default=None,
        title="Normal layer",
        description="Camera-space normals of your own: a layer of the plate, or the path of a sequence.",
    )
    depth_layer: str | None = Field(
        default=None, title="Depth layer", description="Depth of your own, likewise."
    )
    albedo_layer: str | None = Field(
        default=None, title="Albedo layer", description="Albedo of your own, likewise."
    )
    hints: str | None = Field(
        default=None,
        title="Hints",
        description="Painted normals with a matte, frames or a still: R, G, B = (n + 1) / 2, one "
        "channel for flat.",
    )
    input_space: str | None = Field(
        default=None,
        title="Input colour space",
        description="Colour space of the plate; scene-linear EXR need none.",
    )
    overwrite: Overwrite = False
    contact_sheet: bool = Field(
        default=True, title="Contact sheet", description="A PNG of some frames' passes beside them."
    )
    working_px: int = Field(
        default=384,
        ge=64,
        le=2048,
        title="Working size",
        description="Long side at which the shot is understood.",
        json_schema_extra={"advanced": True, "unit": "px"},
    )
    compression: Literal["none", "rle", "zips", "zip", "piz"] = Field(
        default="zip",
        title="Compression",
        description="Of the written EXR.",
        json_schema_extra={"advanced": True},
    )
    project: str | None = Field(
        default=None,
        title="Project",
        description="Folder of the project whose fine-tuned prior is used, if it has one; without it, "
        "$INTERPOSITIVE_PROJECT, or the one around this folder, if any.",
        json_schema_extra={"unit": "FOLDER"},
    )
    prior: str | None = Field(
        default=None,
        title="Prior",
        description="Folder of another prior than the shipped one, or the project's.",
        json_schema_extra={"advanced": True, "unit": "path"},
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="auto",
        title="Device",
        description="Where the prior runs; auto is the fastest that loads.",
        json_schema_extra={"advanced": True},
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        title="Threads",
        description="CPU threads for the prior; without it, all cores.",
        json_schema_extra={"advanced": True},
    )
    memory_gb: MemoryGb = None


class Result(BaseModel):
    """What was found and written."""

    out: str
    lighting: str
    environment: str
    contact_sheet: str | None
    frames_written: int
    frames_kept: int
    light_source: str
    key_azimuth_deg: float
    key_elevation_deg: float
    bad_pixels: int
    seconds: float

    def lines(self) -> list[str]:
        kept = f", {self.frames_kept} were there already and kept" if self.frames_kept else ""
        noun = "frame" if self.frames_written == 1 else "frames"
        return [
            f"{self.frames_written} {noun} analysed in {self.seconds:.1f} s{kept}.",
            f"Key light from azimuth {self.key_azimuth_deg:.0f}, elevation "
            f"{self.key_elevation_deg:.0f} degrees "
            f"({self.light_source}).",
            self.out,
            self.lighting,
        ]


@dataclass(frozen=True)
class _Job:
    """What is settled before the first frame is read."""

    frames: PlateFrames
    prior: Prior
    adapt_steps: int
    out: SequencePath
    params: Params

    @property
    def name(self) -> str:
        return self.out.prefix.rstrip("._- ") or self.out.directory.name

    def beside(self, suffix: str) -> Path:
        return self.out.directory / f"{self.name}{suffix}"

    def stamps(self) -> dict[int, RenderStamp]:
        """One for each frame. A frame depends on the whole shot, so all carry the shot's digest."""
        from ..inference.render_stamp import RenderStamp, fingerprint, settings_text
        from ..prior.weights_folder import WEIGHTS_FILE

        manifest = self.prior.manifest
        ignored = {"plate", "out", "overwrite", "contact_sheet", "threads", "memory_gb", "frames", "prior"}
        ignored |= {"device", "project"}
        settings = settings_text(
            shot=self.frames.digest(),
            **{k: v for k, v in self.params.model_dump().items() if k not in ignored},
        )
        return {
            frame: RenderStamp(
                model=str(manifest.get("name", "prior")),
                weights_sha256=str(manifest["files"][WEIGHTS_FILE]["sha256"]),
                version=__version__,
                settings=settings,
                inputs=f"{fingerprint(self.frames.plate.path(frame))} {frame}",
            )
            for frame in self.frames.plate.frames
        }


@dataclass
class _Tally:
    bad: int = 0
    written: int = 0
    sheet: dict[int, list[Map]] = field(default_factory=dict)


def run(params: Params, progress: Progress) -> Result:
    """Write what is missing. Raises an `InterpositiveError`; finished frames stay."""
    from ..folder_lock import lock_folder
    from ..images.writing import remove_unfinished

    started = time.monotonic()
    job = _plan_job(params, progress)
    tally = _Tally()
    with lock_folder(job.out.directory, "analyse"):
        remove_unfinished(job.out.directory)
        stamps = job.stamps()
        todo = _frames_to_write(job, stamps, progress)
        if todo:
            _analyse(job, todo, stamps, tally, progress)
    return _result(job, todo, tally, time.monotonic() - started)


def _plan_job(params: Params, progress: Progress) -> _Job:
    from ..analysis.frames import open_frames
    from ..images.sequence import output_path
    from ..inference.frame_output import refuse_overwriting
    from ..prior.predictor import load_prior

    out = output_path(params.out)
    frames = open_frames(
        params.plate,
        FrameRange.parse(params.frames) if params.frames is not None else None,
        params.layer,
        params.input_space,
        {"normal": params.normal_layer, "depth": params.depth_layer, "albedo": params.albedo_layer},
        params.matte,
        params.hints,
        progress,
    )
    refuse_overwriting(out, frames.plate, params.out, "plate")
    prior = load_prior(_prior_folder(params, progress), params.threads, params.device)
    return _Job(frames, prior, _adapt_steps(params.adapt), out, params)


def _prior_folder(params: Params, progress: Progress) -> Path | None:
    """The prior that was asked for, the project's, or None for the shipped one. Raises ModelError."""
    if params.prior is not None:
        return Path(params.prior).expanduser()
    from ..project.model import load_project_model
    from ..project.project_folder import optional_project

    project = optional_project(params.project)
    model = load_project_model(project) if project is not None else None
    if project is None or model is None or model.prior_folder is None:
        return None
    progress.log(f"Using the prior of '{project.title}'.")
    return model.prior_folder


def _adapt_steps(text: str) -> int:
    if text.strip().lower() == "off":
        return 0
    if text.strip().isdigit():
        return int(text)
    raise UsageError(f"--adapt {text}: pass a number of steps, or off.")


def _frames_to_write(job: _Job, stamps: dict[int, RenderStamp], progress: Progress) -> list[int]:
    """Frames without whole passes of this very shot. Raises `OutputError` for files that are not ours."""
    from ..inference.frame_output import frames_to_render

    todo = frames_to_render(
        job.frames.plate, job.out, stamps.__getitem__, job.params.overwrite, "analyse",
        "from another plate or with other settings", progress,
    )  # fmt: skip
    has_light = job.beside(_LIGHTING).is_file() and job.beside(_ENVIRONMENT).is_file()
    return todo if has_light else list(job.frames.plate.frames)


def _analyse(
    job: _Job, todo: list[int], stamps: dict[int, RenderStamp], tally: _Tally, progress: Progress
) -> None:
    from ..analysis.frames import read_small
    from ..memory import budget_bytes

    budget = budget_bytes(job.params.memory_gb)
    shot = read_small(job.frames, job.params.working_px, job.out.directory, budget // 6, progress)
    with shot:
        understanding, source = _understand(job, shot, progress)
        _write_light(job, understanding, source)
        _write_frames(job, todo, stamps, shot, understanding.gain, budget, tally, progress)
    _warn_about_pixels(tally, progress)
    if job.params.contact_sheet and tally.sheet:
        _write_sheet(job, tally)


def _understand(job: _Job, shot: SmallShot, progress: Progress) -> tuple[Understanding, str]:
    """What the shot is made of, and where its light is from."""
    from ..analysis.adaptation import adapted
    from ..analysis.known_light import known_light
    from ..analysis.shot import ShotSettings, exposure_of, understand

    params = job.params
    known = known_light(
        job.frames, params.grey_ball, params.chrome_ball, params.ball_frame, params.environment,
        params.key_direction,
    )  # fmt: skip
    knowledge = replace(
        shot.knowledge(),
        light=known.light,
        light_is_calibrated=known.is_calibrated,
        key_direction=known.direction,
    )
    gain = exposure_of(shot.plates, shot.mattes)
    looks: Looks = job.prior
    if job.adapt_steps:
        looks = adapted(job.prior, shot.plates, shot.mattes, gain, knowledge, job.adapt_steps, progress)
    settings = ShotSettings(together=params.steady)
    understanding = understand(
        looks, shot.plates, shot.mattes, shot.passes, knowledge, settings, progress, gain
    )
    return understanding, known.source


def _write_light(job: _Job, understanding: Understanding, source: str) -> None:
    from ..analysis.output import write_light
    from ..relight.lighting_file import ShotLighting

    lighting = ShotLighting(
        understanding.light, subject_depth=understanding.subject_depth, name=job.name, source=source
    )
    first = job.frames.read(job.frames.plate.frames[0]).image_file.main
    write_light(job.beside(_LIGHTING), job.beside(_ENVIRONMENT), lighting, first)


def _write_frames(
    job: _Job,
    todo: list[int],
    stamps: dict[int, RenderStamp],
    shot: SmallShot,
    gain: float,
    budget: int,
    tally: _Tally,
    progress: Progress,
) -> None:
    from ..analysis.full_size import FrameWindow
    from ..analysis.output import passes_image, sheet_pictures
    from ..images.pipeline import frames_in_flight, stream
    from ..images.writing import write_exr

    frames = job.frames
    chosen = {todo[round(k * (len(todo) - 1) / max(_SHEET_FRAMES - 1, 1))] for k in range(_SHEET_FRAMES)}

    window = FrameWindow(frames, shot.passes, gain, neighbours=1 if job.params.steady else 0)

    def compute(frame: int, around: dict[int, FullFrame]) -> Image:
        progress.report(_STAGE, tally.written, len(todo), f"frame {frame}")
        full = around[frame]
        tally.bad += full.bad_pixels
        passes = window.passes(frame, around)
        if job.params.contact_sheet and frame in chosen:
            tally.sheet[frame] = sheet_pictures(passes, full.plate, frames.colour, gain)
        image = passes_image(passes, full.image_file.main, frames.canvas)
        return image.with_metadata(stamps[frame].attributes())

    def write(frame: int, image: Image) -> None:
        write_exr(job.out.frame_path(frame), image, "float", job.params.compression)
        tally.written += 1

    area = frames.canvas.width * frames.canvas.height
    stream(todo, window.read, compute, write, frames_in_flight(budget, area * _BYTES_PER_PIXEL, 3), progress)
    progress.report(_STAGE, len(todo), len(todo))


def _write_sheet(job: _Job, tally: _Tally) -> None:
    from ..analysis.output import write_sheet

    legend = f"{job.name}: shading and residual at their own exposures"
    write_sheet(job.beside(_SHEET), tally.sheet, legend)


def _warn_about_pixels(tally: _Tally, progress: Progress) -> None:
    if tally.bad:
        progress.log(
            f"The plate has {tally.bad} NaN or infinite pixels; they are kept in the residual and "
            "count as black.",
            "warning",
        )


def _result(job: _Job, todo: list[int], tally: _Tally, seconds: float) -> Result:
    from ..analysis.lighting import azimuth_elevation
    from ..relight.lighting_file import read_lighting

    lighting = read_lighting(job.beside(_LIGHTING))
    azimuth, elevation = azimuth_elevation(lighting.light.direction.tolist())
    sheet = job.beside(_SHEET)
    return Result(
        out=str(job.out),
        lighting=str(job.beside(_LIGHTING)),
        environment=str(job.beside(_ENVIRONMENT)),
        contact_sheet=str(sheet) if sheet.is_file() else None,
        frames_written=len(todo),
        frames_kept=len(job.frames.plate.frames) - len(todo),
        light_source=lighting.source,
        key_azimuth_deg=azimuth,
        key_elevation_deg=elevation,
        bad_pixels=tally.bad,
        seconds=seconds,
    )
