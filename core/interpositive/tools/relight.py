"""Light a plate again: its passes, artist lights, EXR in, EXR out.

Running it again continues: a frame that is there already, made with these lights from this plate, is kept.
Where nothing is added the plate stays bit for bit.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from .. import __version__
from ..errors import ChannelError, UsageError
from ..frames import FrameRange, SequencePath, compact_frames
from ..progress import Progress
from .footage_options import BitDepth, Compression, Frames, LimitingMatte, MemoryGb, Overwrite, Plate

if TYPE_CHECKING:
    from ..images.image import ImageFile
    from ..images.sequence import PlateSequence
    from ..inference.frame_lighter import FrameInputs, FrameLighter, LitFile, LitFootage
    from ..inference.frame_output import Tally
    from ..inference.render_stamp import RenderStamp
    from ..relight.environment import Environment
    from ..relight.lighting_file import ShotLighting
    from ..relight.lights import LightRig
    from ..relight.placement import ShotScale

_STAGE = "relight"
_FLOATS_PER_PIXEL = 40  # of a frame in flight: 19 channels of passes, plate, result, bands


class Params(BaseModel):
    """What to light, with what."""

    model_config = ConfigDict(extra="forbid")

    plate: Plate
    passes: str = Field(
        title="Passes",
        description="Sequence that `interpositive analyse` wrote, or your own normal, depth and albedo.",
        json_schema_extra={"unit": "path"},
    )
    lights: str | None = Field(
        default=None,
        title="Lights",
        description="Lights file (JSON), or the name of a preset such as golden_hour.",
        json_schema_extra={"unit": "path"},
    )
    match_lighting: str | None = Field(
        default=None,
        title="Match lighting",
        description="The .lighting.json of another shot, whose light then replaces this shot's.",
        json_schema_extra={"unit": "path"},
    )
    save_lights: str | None = Field(
        default=None,
        title="Save lights",
        description="Also write the lights of --match-lighting or a preset to this file, to edit.",
        json_schema_extra={"unit": "path"},
    )
    out: str = Field(title="Output", description="EXR pattern such as out/sh010.%04d.exr, or a folder.")
    frames: Frames = None
    strength: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        title="Strength",
        description="How much of all the changes to apply; 0 is the plate bit for bit.",
        json_schema_extra={"display_range": [0.0, 1.0]},
    )
    matte: LimitingMatte = None
    layers: bool = Field(
        default=False,
        title="Layers",
        description="Also write a layer for each light and `existing`; their sum is the picture.",
    )
    picture: Literal["result", "light-only"] = Field(
        default="result", title="Picture", description="What R, G, B hold; light-only is without the plate."
    )
    shot_lighting: str | None = Field(
        default=None,
        title="Shot lighting",
        description="The shot's own .lighting.json; without it, the one beside the passes.",
        json_schema_extra={"unit": "path"},
    )
    layer: str | None = Field(
        default=None,
        title="Layer",
        description="Layer of the plate to light, such as `right` of a stereo file.",
    )
    overwrite: Overwrite = False
    input_space: str | None = Field(
        default=None,
        title="Input colour space",
        description="Colour space of the plate, where its files do not say it.",
    )
    bit_depth: BitDepth = "as-plate"
    compression: Compression = "zip"
    shadow_px: int = Field(
        default=384,
        ge=16,
        le=8192,
        title="Shadow raster",
        description="Samples along the longer side that shadows are marched at; more is finer and slower.",
        json_schema_extra={"advanced": True},
    )
    focal: float | None = Field(
        default=None,
        ge=0,
        le=100,
        title="Focal length",
        description="In picture heights, where the shot's lighting does not say it (1.5); 0 is orthographic.",
        json_schema_extra={"advanced": True},
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="auto",
        title="Device",
        description="Where the light is computed; auto is the fastest that there is.",
        json_schema_extra={"advanced": True},
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        title="Threads",
        description="CPU threads; without it, all cores.",
        json_schema_extra={"advanced": True},
    )
    memory_gb: MemoryGb = None


class Result(BaseModel):
    """What was written."""

    out: str
    frames_rendered: int
    frames_kept: int
    lights: list[str]
    device: str
    seconds: float
    frames_per_second: float
    lighting_seconds_per_frame: float
    bad_pixels: int
    clamped_samples: int

    def lines(self) -> list[str]:
        kept = f", {self.frames_kept} were there already and kept" if self.frames_kept else ""
        noun = "frame" if self.frames_rendered == 1 else "frames"
        each = f"{self.lighting_seconds_per_frame:.2f} s a frame to light on {self.device}"
        speed = f" in {self.seconds:.1f} s ({each})"
        return [
            f"{self.frames_rendered} {noun} lit{speed if self.frames_rendered else ''}{kept}.",
            f"Lights: {', '.join(self.lights) or 'none'}.",
            self.out,
        ]


@dataclass(frozen=True)
class _Job:
    """What is settled before the first frame is lit."""

    lighter: FrameLighter
    rig_sha256: str
    out: SequencePath
    frames_in_flight: int
    params: Params

    @property
    def plate(self) -> PlateSequence:
        return self.lighter.footage.plate

    @property
    def rig(self) -> LightRig:
        return self.lighter.rig

    def stamp(self, frame: int) -> RenderStamp:
        from ..inference.render_stamp import RenderStamp, fingerprint, settings_text

        footage = self.lighter.footage
        inputs = [fingerprint(sequence.path(frame)) for sequence in footage.sequences]
        ignored = {"plate", "passes", "lights", "match_lighting", "save_lights", "out", "frames", "overwrite"}
        ignored |= {"threads", "memory_gb", "device", "matte", "shot_lighting"}
        settings = {name: value for name, value in self.params.model_dump().items() if name not in ignored}
        return RenderStamp(
            model=self.rig.name,
            weights_sha256=self.rig_sha256,
            version=__version__,
            settings=settings_text(matte=footage.matte is not None, **settings),
            inputs="; ".join([*inputs, str(frame)]),
            maker=("lights", "lights_sha256"),
        )


@dataclass
class _Lit:
    """Which lights added anything, and the time that lighting took."""

    lights: dict[str, bool] = field(default_factory=dict)
    seconds: float = 0.0

    def count(self, lit_file: LitFile, seconds: float) -> None:
        self.seconds += seconds
        for name, is_lit in lit_file.lit.items():
            self.lights[name] = self.lights.get(name, False) or is_lit


def run(params: Params, progress: Progress) -> Result:
    """Render what is missing. Raises an `InterpositiveError`; finished frames stay."""
    from ..folder_lock import lock_folder
    from ..images.writing import remove_unfinished
    from ..inference.frame_output import Tally, frames_to_render

    started = time.monotonic()
    job = _plan_job(params, progress)
    tally, lit = Tally(), _Lit()
    with lock_folder(job.out.directory, "relight"):
        remove_unfinished(job.out.directory)
        todo = frames_to_render(
            job.plate,
            job.out,
            job.stamp,
            params.overwrite,
            "relight",
            "with other lights or settings, or from another plate",
            progress,
        )
        if todo:
            _render(job, todo, tally, lit, progress)
    tally.warn(progress)
    _warn_about_dark_lights(lit, progress)
    seconds = time.monotonic() - started
    return Result(
        out=str(job.out),
        frames_rendered=len(todo),
        frames_kept=len(job.plate.frames) - len(todo),
        lights=[light.name for light in job.rig.lights],
        device=job.lighter.settings.device if todo else "",
        seconds=seconds,
        frames_per_second=len(todo) / seconds,
        lighting_seconds_per_frame=lit.seconds / max(len(todo), 1),
        bad_pixels=tally.bad,
        clamped_samples=tally.clamped,
    )


def _plan_job(params: Params, progress: Progress) -> _Job:
    from ..images.colour import plate_colour, primaries
    from ..images.pipeline import frames_in_flight
    from ..images.sequence import output_path
    from ..inference.frame_lighter import FrameLighter, LightSettings
    from ..inference.frame_output import refuse_overwriting
    from ..memory import budget_bytes

    rig, digest = _open_rig(params)
    footage = _find_footage(rig, params, progress)
    plate = footage.plate
    out = output_path(params.out)
    refuse_overwriting(out, plate, params.out, "plate")
    refuse_overwriting(out, footage.passes, params.out, "passes")
    first = plate.read(plate.frames[0])
    channels = _picture_channels(first, params.layer, progress)
    lighting = _shot_lighting(footage.passes, params, rig)
    scale = _shot_scale(params, lighting, tuple(primaries(plate_colour(first, params.input_space))), progress)
    layer_floats = 3 * len(rig.lights) if params.layers else 0
    frame_bytes = 4 * first.main.width * first.main.height * (_FLOATS_PER_PIXEL + layer_floats)
    settings = LightSettings(
        strength=params.strength,
        layers=params.layers,
        light_only=params.picture == "light-only",
        bit_depth=params.bit_depth,
        shadow_px=params.shadow_px,
        focal=params.focal,
        device=_device(params),
    )
    environments = _environments(rig, progress)
    return _Job(
        lighter=FrameLighter(footage, settings, rig, environments, lighting, scale, channels),
        rig_sha256=hashlib.sha256(f"{digest} {scale} {_light_text(lighting)}".encode()).hexdigest(),
        out=out,
        frames_in_flight=frames_in_flight(budget_bytes(params.memory_gb), frame_bytes, 3),
        params=params,
    )


def _find_footage(rig: LightRig, params: Params, progress: Progress) -> LitFootage:
    """All sequences, each with every frame of the plate's."""
    from ..images.sequence import find_sequence
    from ..inference.frame_lighter import LitFootage

    plate = _find_plate(params, progress)
    chosen = FrameRange.of(plate.frames)
    footage = LitFootage(
        plate=plate,
        passes=find_sequence(params.passes, chosen),
        matte=find_sequence(params.matte, chosen) if params.matte is not None else None,
        light_mattes=_light_mattes(rig, params, chosen),
        input_space=params.input_space,
        layer=params.layer,
    )
    for sequence in footage.sequences[1:]:
        sequence.require()
    return footage


def _open_rig(params: Params) -> tuple[LightRig, str]:
    """The lights and their digest; saves them where asked to."""
    from ..relight.rig_files import match_rig, open_rig

    if (params.lights is None) == (params.match_lighting is None):
        raise UsageError("Pass either --lights or --match-lighting.")
    source = (
        match_rig(params.match_lighting)
        if params.match_lighting is not None
        else open_rig(str(params.lights))
    )
    if params.save_lights is not None:
        source.save(Path(params.save_lights).expanduser())
    return source.rig, source.sha256


def _find_plate(params: Params, progress: Progress) -> PlateSequence:
    from ..images.sequence import find_sequence

    wanted = FrameRange.parse(params.frames) if params.frames is not None else None
    plate = find_sequence(params.plate, wanted)
    missing = plate.missing()
    if wanted is not None:
        plate.require()
    elif missing:
        progress.log(f"{plate.name} lacks frames {compact_frames(missing)}; the others are lit.", "warning")
    return plate


def _light_mattes(rig: LightRig, params: Params, chosen: FrameRange) -> dict[str, PlateSequence]:
    """Mattes of lights that are files; found from the folder of the lights file."""
    from ..images.sequence import find_sequence

    folder = Path(params.lights).expanduser().parent if params.lights is not None else Path(".")
    return {
        light.name: find_sequence(folder / Path(light.matte).expanduser(), chosen)
        for light in rig.lights
        if light.matte is not None and _is_file(light.matte)
    }


def _is_file(matte: str) -> bool:
    """Whether a light's matte is footage rather than a layer."""
    return any(mark in matte for mark in ("/", "\\", "%", "#")) or Path(matte).suffix.lower() in (
        ".exr", ".png", ".tif", ".tiff", ".dpx", ".jpg",
    )  # fmt: skip


def _picture_channels(first: ImageFile, layer: str | None, progress: Progress) -> tuple[str, str, str]:
    known = {name for channels in first.layers().values() for name in channels}
    prefix = f"{layer}." if layer else ""
    red, green, blue = (f"{prefix}{name}" for name in "RGB")
    if not known.issuperset((red, green, blue)):
        with_colour = [
            name or "the main one"
            for name, have in first.layers().items()
            if any(c.endswith("G") for c in have)
        ]
        raise ChannelError(
            f"{first.path} has no {'layer ' + layer if layer else 'channels R, G, B'}; it has "
            f"{', '.join(sorted(known)[:24])}. Pass --layer with one of {', '.join(with_colour) or 'none'}."
        )
    views = _views(first)
    if len(views) > 1 and layer is None:
        progress.log(
            f"{first.path.name} holds the views {' and '.join(views)}. Its main picture is lit; for the "
            "other "
            f"pass --layer {views[-1]} with its own passes and another --out.",
            "warning",
        )
    return red, green, blue


def _views(first: ImageFile) -> list[str]:
    told = [str(part.metadata["view"]) for part in first.parts if part.metadata.get("view")]
    several = first.main.metadata.get("multiView")
    told += [str(view) for view in several] if isinstance(several, list | tuple) else []
    names = {name.lower() for name in first.layers()} | {part.part_name.lower() for part in first.parts}
    told += [view for view in ("left", "right") if any(view in name.split(".") for name in names)]
    return list(dict.fromkeys(told))


def _shot_lighting(passes: PlateSequence, params: Params, rig: LightRig) -> ShotLighting | None:
    """The shot's own light. Raises `UsageError` where it is needed and absent."""
    from ..relight.lighting_file import SUFFIX, read_lighting

    if params.shot_lighting is not None:
        return read_lighting(Path(params.shot_lighting).expanduser())
    location = passes.location
    folder = location.parent if isinstance(location, Path) else location.directory
    name = location.stem if isinstance(location, Path) else location.prefix.rstrip("._- ") or folder.name
    found = folder / f"{name}{SUFFIX}"
    if found.is_file():
        return read_lighting(found)
    others = sorted(folder.glob(f"*{SUFFIX}"))
    if len(others) == 1:
        return read_lighting(others[0])
    if rig.existing.needs_shot_light:
        raise UsageError(
            "The lights change the shot's key and the rest of its light by different amounts, which "
            "needs the "
            f"shot's own light, and there is no {found}. Run interpositive analyse, or pass --shot-lighting."
        )
    return None


def _light_text(lighting: ShotLighting | None) -> str:
    if lighting is None:
        return "none"
    light = lighting.light
    return (
        f"{light.direction.tolist()} {light.colour.tolist()} {light.environment_sh.tolist()} {lighting.focal}"
    )


def _shot_scale(
    params: Params, lighting: ShotLighting | None, chromaticities: tuple[float, ...], progress: Progress
) -> ShotScale:
    """From the first frame that there is, whatever frames are rendered, so that all are lit alike."""
    from ..images.sequence import find_sequence
    from ..inference.frame_lighter import LitFootage
    from ..relight.placement import ShotScale
    from ..relight.shot_scale import measure_scale

    passes = find_sequence(params.passes)
    plate = find_sequence(params.plate, FrameRange.of(passes.frames))
    footage = LitFootage(plate, passes, input_space=params.input_space, layer=params.layer)
    frame = plate.frames[0]
    image_file, plate_rgb = footage.read_picture(frame)
    scale = measure_scale(
        plate_rgb,
        footage.read_passes(frame, image_file.main, plate_rgb),
        lighting.at(frame) if lighting is not None else None,
        lighting.subject_depth if lighting is not None else None,
        chromaticities,
    )
    if scale is None:
        progress.log(
            f"{plate.path(frame).name} is black, so the shot has no key to be as bright as; "
            "lights are relative to 1.0.",
            "warning",
        )
        return ShotScale(chromaticities=chromaticities)
    return scale


def _environments(rig: LightRig, progress: Progress) -> dict[str, Environment]:
    from ..relight.rig_files import open_environments

    found, repairs = open_environments(rig)
    for name, bad in repairs.items():
        progress.log(
            f"The environment of light {name} has {bad.infinite} infinite samples, held at its brightest "
            "finite one, "
            f"and {bad.nan + bad.negative} that are NaN or negative, taken as black.",
            "warning",
        )
    for light in rig.lights:
        if light.takes_light:
            progress.log(f"Light {light.name} is negative: it takes light away.", "warning")
    return found


def _device(params: Params) -> str:
    import torch

    if params.threads is not None:
        torch.set_num_threads(params.threads)
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if params.device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if usable[name])
    if not usable[params.device]:
        raise UsageError(
            f"--device {params.device} is not there on this machine. `interpositive doctor` says why."
        )
    return params.device


def _render(job: _Job, frames: list[int], tally: Tally, lit: _Lit, progress: Progress) -> None:
    from ..images.pipeline import stream
    from ..images.writing import write_exr

    params = job.params

    def read(frame: int) -> tuple[RenderStamp, FrameInputs]:
        return job.stamp(frame), job.lighter.read(frame)  # first: a file may change meanwhile

    def compute(frame: int, read: tuple[RenderStamp, FrameInputs]) -> ImageFile:
        progress.report(_STAGE, tally.written, len(frames), f"frame {frame}")
        started = time.monotonic()
        stamp, inputs = read
        done = job.lighter.lit_file(inputs, progress.raise_if_cancelled)
        lit.count(done, time.monotonic() - started)
        if done.bad is not None:
            tally.count_bad(frame, done.bad)
        return done.image_file.with_main(done.image_file.main.with_metadata(stamp.attributes()))

    def write(frame: int, image_file: ImageFile) -> None:
        depth = "as-plate" if params.layers else params.bit_depth
        tally.count_written(write_exr(job.out.frame_path(frame), image_file, depth, params.compression))

    stream(frames, read, compute, write, job.frames_in_flight, progress)
    progress.report(_STAGE, len(frames), len(frames))


def _warn_about_dark_lights(lit: _Lit, progress: Progress) -> None:
    dark = [name for name, is_lit in lit.lights.items() if not is_lit]
    if dark:
        noun = "Light" if len(dark) == 1 else "Lights"
        progress.log(
            f"{noun} {', '.join(dark)} added nothing: behind every surface in view, switched to zero, or "
            "outside "
            "of the matte.",
            "warning",
        )
