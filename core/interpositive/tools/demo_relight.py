"""Understand a shot and light it again: the sample shot, and your own plate if you name one.

Every stage keeps what is finished, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from ..progress import Progress

if TYPE_CHECKING:
    from ..images.image import Pixels

PRESETS = ("key_fill_rim", "golden_hour", "moonlight", "practical_lamp", "window")
_SHEET_ROWS = 4
_SHEET_WIDTH_PX = 288


class Params(BaseModel):
    """Where the demo goes, and what it lights."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(
        default="interpositive_demo",
        title="Folder",
        description="Where the shot, the passes and the results go; the shot of `interpositive demo` is used "
        "where it is there.",
        json_schema_extra={"positional": True},
    )
    plate: str | None = Field(
        default=None,
        title="Plate",
        description="Your own plate as well: a pattern (%04d or ####), a folder, one frame or a movie.",
    )
    frames: str | None = Field(
        default=None, title="Frames", description="Frames of your own plate; without it, all that exist."
    )
    input_space: str | None = Field(
        default=None,
        title="Input colour space",
        description="Colour space of your own plate; scene-linear EXR need none.",
    )
    presets: list[str] = Field(
        default=list(PRESETS), min_length=1, max_length=8, title="Presets", description="Lights to try."
    )
    sample_frames: int = Field(
        default=8, ge=1, le=240, title="Sample frames",
        description="Frames of the sample shot to analyse and light.",
        json_schema_extra={"advanced": True, "unit": "FRAMES"},
    )  # fmt: skip
    frame_count: int = Field(
        default=24, ge=4, le=240, title="Length", description="Of the sample shot.",
        json_schema_extra={"advanced": True, "unit": "FRAMES"},
    )  # fmt: skip
    width: int = Field(
        default=576, ge=64, le=2048, title="Width", description="Of the sample shot; its height is 9/16.",
        json_schema_extra={"advanced": True, "unit": "PX"},
    )  # fmt: skip
    prior: str | None = Field(
        default=None,
        title="Prior",
        description="Folder of another prior than the shipped one.",
        json_schema_extra={"advanced": True, "unit": "FOLDER"},
    )
    seed: int = Field(
        default=7, ge=0, title="Seed", description="Of the sample shot's grain.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip


class Lit(BaseModel):
    """One shot: what it is made of, and its results by preset."""

    name: str
    plate: str
    passes: str
    lighting: str
    results: dict[str, str]
    passes_sheet: str
    presets_sheet: str
    seconds: float


class Result(BaseModel):
    """What was made, and what to look at."""

    folder: str
    shots: list[Lit]

    def lines(self) -> list[str]:
        """What a person reads at the end."""
        told: list[str] = []
        for shot in self.shots:
            told += [
                "",
                f"{shot.name}: {len(shot.results)} presets in {shot.seconds:.0f} s",
                f"Look at   {shot.presets_sheet}",
                f"          {shot.passes_sheet}",
                f"Passes    {shot.passes}",
                f"Light     {shot.lighting}",
                *(f"Result    {path}" for path in shot.results.values()),
            ]
        return told


@dataclass(frozen=True)
class _Source:
    """One plate of the demo; `input_space` None: as its files say."""

    name: str
    plate: str
    frames: str | None
    input_space: str | None


def run(params: Params, progress: Progress) -> Result:
    """Render, analyse, relight. Raises what those raise; finished stages stay."""
    from ..folder_lock import lock_folder

    folder = Path(params.folder).expanduser()
    with lock_folder(folder, "demo relight"):
        sources = [_sample(params, folder, progress)]
        if params.plate is not None:
            sources.append(_Source("plate", params.plate, params.frames, params.input_space))
        shots = [_light(source, folder / "relight" / source.name, params, progress) for source in sources]
    return Result(folder=str(folder), shots=shots)


def _sample(params: Params, folder: Path, progress: Progress) -> _Source:
    """The rendered shot that every installation can make."""
    from ..soundstage.footage import render_footage
    from ..soundstage.sample_shot import FIRST_FRAME, SampleSettings

    settings = SampleSettings(params.width, params.width * 9 // 16, params.frame_count, params.seed)
    progress.log(f"The sample shot, {settings.frame_count} frames, in {folder / 'shot'}")
    footage = render_footage(folder / "shot", settings, progress)
    last = FIRST_FRAME + min(params.sample_frames, settings.frame_count) - 1
    return _Source("sample", footage.pattern("plate"), f"{FIRST_FRAME}-{last}", None)


def _light(source: _Source, folder: Path, params: Params, progress: Progress) -> Lit:
    """Analyse one plate, light it by every preset, and make the sheets."""
    import time

    from . import analyse, relight

    started = time.monotonic()
    passes = str(folder / "passes" / f"{source.name}.%04d.exr")
    progress.log(f"Analysing {source.plate}")
    analysed = analyse.run(
        analyse.Params(
            plate=source.plate, out=passes, frames=source.frames, input_space=source.input_space,
            contact_sheet=False, prior=params.prior,
        ),
        progress,
    )  # fmt: skip
    results = {}
    for number, preset in enumerate(params.presets, 1):
        name = Path(preset).stem
        progress.log(f"Light {number} of {len(params.presets)}: {name}")
        results[name] = str(folder / name / f"{source.name}_{name}.%04d.exr")
        relight.run(
            relight.Params(
                plate=source.plate, passes=passes, lights=preset, out=results[name],
                frames=source.frames, input_space=source.input_space,
            ),
            progress,
        )  # fmt: skip
    return Lit(
        name=source.name,
        plate=source.plate,
        passes=passes,
        lighting=analysed.lighting,
        results=results,
        passes_sheet=str(_passes_sheet(folder, source, passes)),
        presets_sheet=str(_presets_sheet(folder, source, results)),
        seconds=time.monotonic() - started,
    )


def _shown_frames(source: _Source) -> list[int]:
    """A few frames, the first and the last among them."""
    from ..frames import FrameRange
    from ..images.sequence import find_sequence

    wanted = FrameRange.parse(source.frames) if source.frames is not None else None
    frames = list(find_sequence(source.plate, wanted).frames)
    count = min(_SHEET_ROWS, len(frames))
    return sorted({frames[round(k * (len(frames) - 1) / max(count - 1, 1))] for k in range(count)})


def _presets_sheet(folder: Path, source: _Source, results: dict[str, str]) -> Path:
    """The plate and every preset's result."""
    from ..images.contact_sheet import contact_sheet

    rows = []
    for frame in _shown_frames(source):
        pictures = [_plate_view(source, frame)]
        pictures += [_view(Path(pattern % frame)) for pattern in results.values()]
        rows.append((str(frame), pictures))
    path = folder / "presets.png"
    titles = ("plate", *(name.replace("_", " ") for name in results))
    contact_sheet(path, rows, titles, picture_width_px=_SHEET_WIDTH_PX)
    return path


def _passes_sheet(folder: Path, source: _Source, passes: str) -> Path:
    """The plate and what it is made of."""
    import numpy as np

    from ..images.contact_sheet import contact_sheet
    from ..images.reading import read_image_file
    from ..relight.passes import Passes

    rows: list[tuple[str, list[Pixels]]] = []
    for frame in _shown_frames(source):
        found = Passes.from_image(read_image_file(Path(passes % frame)))
        nearness = np.median(found.depth) / np.maximum(found.depth, 1e-6) / 2
        light = found.shading / max(float(np.quantile(found.shading, 0.98)), 1e-6)
        pictures = [
            _plate_view(source, frame),
            (found.normal * 0.5 + 0.5).astype(np.float32),
            np.repeat(nearness[..., None], 3, axis=2).astype(np.float32),
            *(np.clip(p, 0, 1).astype(np.float32) ** np.float32(1 / 2.2) for p in (found.albedo, light)),
            np.repeat(found.visibility[..., None], 3, axis=2),
        ]
        rows.append((str(frame), pictures))
    path = folder / "passes.png"
    titles = ("plate", "normal", "nearness", "albedo", "shading", "key visibility")
    contact_sheet(path, rows, titles, picture_width_px=_SHEET_WIDTH_PX)
    return path


def _plate_view(source: _Source, frame: int) -> Pixels:
    from ..frames import FrameRange
    from ..images.colour import display_view, in_working_space, plate_colour
    from ..images.sequence import find_sequence

    image_file = find_sequence(source.plate, FrameRange.parse(str(frame))).read(frame)
    colour = plate_colour(image_file, source.input_space)
    return display_view(in_working_space(image_file, colour).select(["R", "G", "B"]), colour)


def _view(path: Path) -> Pixels:
    from ..images.colour import display_view, plate_colour
    from ..images.reading import read_image_file

    image_file = read_image_file(path)
    return display_view(image_file.select(["R", "G", "B"]), plate_colour(image_file))
