"""Find clips of a project: by their data, by look in stops and mireds, and by a picture they resemble.

By picture it finds other takes of a set-up, and clips in which coverage for a missing shot might be.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import UsageError
from ..progress import Progress

if TYPE_CHECKING:
    from ..frames import FrameRange
    from ..project.catalogue import Catalogue
    from ..project.clips import Clip, Record
    from ..project.looks import Look
    from ..project.project_folder import ProjectFolder
    from ..project.rights import Permission
    from ..project.search import Hit, Query

_Ends = Annotated[list[float], Field(min_length=2, max_length=2)]
_PLAIN = ("name", "camera", "lens", "colour_space", "reel", "scene", "take", "mhl", "problems")
_RANGES = {
    "exposure": "exposure_stops", "mireds": "mireds", "contrast": "contrast_stops", "iso": "iso",
    "focal": "focal_mm",
}  # fmt: skip


def _range(title: str, description: str) -> Any:
    return Field(default=None, title=title, description=description, json_schema_extra={"unit": "N"})


def _text(title: str, description: str) -> Any:
    return Field(default=None, title=title, description=description)


class Params(BaseModel):
    """What the clips must be. Texts ignore case and know * and ?."""

    model_config = ConfigDict(extra="forbid")

    text: list[str] = Field(
        default=[],
        title="Text",
        description="Words that begin a word of the clip's name, path, camera, lens, persons or problems.",
        json_schema_extra={"positional": True},
    )
    project: str | None = Field(
        default=None,
        title="Project",
        description="Folder of the project; without it, $INTERPOSITIVE_PROJECT, or the one around this "
        "folder.",
        json_schema_extra={"unit": "FOLDER"},
    )
    name: str | None = _text("Name", "Part of the clip's name.")
    camera: str | None = _text("Camera", "Part of the camera's name.")
    lens: str | None = _text("Lens", "Part of the lens's name.")
    scene: str | None = _text("Scene", "The scene.")
    take: str | None = _text("Take", "The take.")
    reel: str | None = _text("Reel", "The reel.")
    colour_space: str | None = _text("Colour space", "Part of the colour space's name.")
    timecode: str | None = Field(
        default=None,
        title="Timecode",
        description="Clips that have a frame between these timecodes: 10:04:00:00-10:06:00:00.",
        json_schema_extra={"unit": "FROM-TO"},
    )
    exposure: _Ends | None = _range("Exposure", "Lowest and highest exposure in stops over middle grey.")
    mireds: _Ends | None = _range("Mireds", "Lowest and highest correlated colour temperature in mireds.")
    contrast: _Ends | None = _range("Contrast", "Lowest and highest contrast in stops.")
    iso: _Ends | None = _range("ISO", "Lowest and highest ISO.")
    focal: _Ends | None = _range("Focal length", "Shortest and longest focal length in mm.")
    mhl: Literal["verified", "failed", "not listed"] | None = _text("Checksum", "What the MHL said.")
    rights: Literal["allowed", "denied"] | None = _text(
        "Rights", "Clips that may, or may not, be trained on today."
    )
    problems: bool | None = Field(default=None, title="Problems", description="Clips with, or without.")
    like: str | None = Field(
        default=None,
        title="Like",
        description="Picture to resemble: an image, a movie, or a frame such as sh010.%04d.exr:1001.",
        json_schema_extra={"unit": "FILE[:FRAME]"},
    )
    like_clip: str | None = Field(
        default=None,
        title="Like clip",
        description="Clip of the project to resemble, by name or path: finds other takes of its set-up.",
        json_schema_extra={"unit": "NAME"},
    )
    input_space: str | None = Field(
        default=None,
        title="Input space",
        description="Colour space of the --like picture where it does not say its own.",
    )
    limit: int = Field(default=20, ge=1, le=100_000, title="Limit", description="Most clips to list.")


class Found(BaseModel):
    """One clip. `similarity` is 1 for the same look; None where no picture was given."""

    similarity: float | None
    name: str
    path: str
    first_frame: int
    last_frame: int
    scene: str | None
    take: str | None
    reel: str | None
    timecode: str | None
    camera: str | None
    lens: str | None
    focal_mm: float | None
    colour_space: str | None
    exposure_stops: float | None
    mireds: float | None
    contrast_stops: float | None
    thumbnails: list[str]
    may_train: bool
    rights: str
    problems: list[str]


class Result(BaseModel):
    """The clips, best first. `more`: there are others beyond the limit."""

    project: str
    clips: list[Found]
    more: bool

    def lines(self) -> list[str]:
        if not self.clips:
            return ["No clip was found."]
        return [*_table(self.clips), *(["... and more: raise --limit."] if self.more else [])]


def run(params: Params, progress: Progress) -> Result:
    """Search. Raises ProjectError and its kinds, UsageError, PlateError, ColourSpaceError."""
    from ..project.project_folder import find_project
    from ..project.search import search

    project = find_project(params.project)
    query = _query(params)
    rights = project.rights()
    today = datetime.date.today()

    def has_rights(clip: Clip) -> bool:
        return rights.may_train(clip, today).allowed == (params.rights == "allowed")

    accept = has_rights if params.rights is not None else None
    with project.catalogue() as catalogue:
        like, itself = _like(params, project, catalogue, progress)
        hits = search(catalogue, query, like, params.limit + 1 + (itself is not None), accept)
    hits = [hit for hit in hits if hit.record.clip_id != itself]
    return Result(
        project=str(project.folder),
        clips=[_found(hit, rights.may_train(hit.record.clip, today)) for hit in hits[: params.limit]],
        more=len(hits) > params.limit,
    )


def _query(params: Params) -> Query:
    from ..project.search import Query

    plain: dict[str, Any] = {name: getattr(params, name) for name in _PLAIN}
    ranges: dict[str, Any] = {
        column: None if (ends := getattr(params, name)) is None else (min(ends), max(ends))
        for name, column in _RANGES.items()
    }
    return Query(text=" ".join(params.text), timecode=_timecodes(params.timecode), **plain, **ranges)


def _timecodes(text: str | None) -> tuple[float, float] | None:
    """The two ends of --timecode; one timecode alone is both."""
    from ..project.catalogue import timecode_label

    if text is None:
        return None
    first, _, last = text.partition("-")
    ends = timecode_label(first), timecode_label(last or first)
    if ends[0] is None or ends[1] is None:
        raise UsageError(f"--timecode {text} is not FROM-TO. Write it like 10:04:00:00-10:06:00:00.")
    return ends[0], ends[1]


def _like(
    params: Params, project: ProjectFolder, catalogue: Catalogue, progress: Progress
) -> tuple[Look | None, int | None]:
    """The look that was asked for, and the clip that it is of where that is one of the project."""
    if params.like is not None and params.like_clip is not None:
        raise UsageError("--like and --like-clip do not go together. Give one of them.")
    if params.like is not None:
        return _picture_look(params.like, params.input_space, project.input_space), None
    if params.like_clip is None:
        return None, None
    record = _named(catalogue, params.like_clip, progress)
    if record.measures is None or record.measures.look is None:
        raise UsageError(
            f"--like-clip {params.like_clip}: {record.clip.path} has not been measured. Run interpositive "
            "ingest on it, or give a picture with --like."
        )
    return record.measures.look, record.clip_id


def _named(catalogue: Catalogue, text: str, progress: Progress) -> Record:
    """The clip of that name or path; of several the first that was measured, with a word about it."""
    by_path = catalogue.by_path(Path(text).absolute().as_posix()) or catalogue.by_path(text)
    found = [by_path] if by_path is not None else catalogue.by_name(text)
    if not found:
        raise UsageError(f"--like-clip {text}: the project has no clip of that name or path.")
    chosen = next((record for record in found if record.measures is not None), found[0])
    if len(found) > 1:
        progress.log(
            f"{len(found)} clips are called {text}; taking {chosen.clip.path}. Give a path to choose."
        )
    return chosen


def _picture_look(text: str, declared: str | None, default_space: str | None) -> Look:
    """The look of FILE[:FRAME]; of a sequence or movie without frame, of the middle one.

    Raises PlateError, ColourSpaceError, FrameRangeError.
    """
    from ..images.sequence import find_sequence
    from ..project.measures import look, reduce
    from ..project.sampling import clip_colour

    path, frames = _path_and_frame(text)
    sequence = find_sequence(path, frames)
    sequence.require()
    frame = sequence.frames[len(sequence.frames) // 2]
    image_file = sequence.read(frame)
    return look(reduce(frame, image_file, clip_colour(image_file, declared, (default_space,))))


def _path_and_frame(text: str) -> tuple[str, FrameRange | None]:
    """sh010.%04d.exr:1001 in its two parts; a name that ends so and exists is a name."""
    from ..frames import FrameRange

    path, colon, frame = text.rpartition(":")
    if colon and frame.lstrip("-").isdigit() and not Path(text).exists():
        return path, FrameRange.of([int(frame)])
    return text, None


def _found(hit: Hit, permission: Permission) -> Found:
    record, clip, measures = hit.record, hit.record.clip, hit.record.measures
    names = (
        "name", "path", "first_frame", "last_frame", "scene", "take", "reel", "timecode", "camera", "lens",
        "focal_mm", "colour_space",
    )  # fmt: skip
    return Found(
        **{name: getattr(clip, name) for name in names},
        similarity=hit.similarity,
        exposure_stops=None if measures is None else measures.exposure_stops,
        mireds=None if measures is None else measures.mireds,
        contrast_stops=None if measures is None else measures.contrast_stops,
        thumbnails=list(record.thumbnails),
        may_train=permission.allowed,
        rights=permission.reason,
        problems=list(record.problems),
    )


def _table(clips: list[Found]) -> list[str]:
    """Aligned columns; those that are empty for every clip are left out."""
    columns = {
        "like": [_number(clip.similarity, "{:.2f}") for clip in clips],
        "clip": [clip.name for clip in clips],
        "scene/take": ["/".join(part for part in (clip.scene, clip.take) if part) for clip in clips],
        "reel": [clip.reel or "" for clip in clips],
        "frames": [f"{clip.first_frame}-{clip.last_frame}" for clip in clips],
        "timecode": [clip.timecode or "" for clip in clips],
        "camera": [clip.camera or "" for clip in clips],
        "lens": [clip.lens or _number(clip.focal_mm, "{:g}mm") for clip in clips],
        "stops": [_number(clip.exposure_stops, "{:+.1f}") for clip in clips],
        "mireds": [_number(clip.mireds, "{:.0f}") for clip in clips],
        "training": ["yes" if clip.may_train else "no" for clip in clips],
        "problems": [str(len(clip.problems)) if clip.problems else "" for clip in clips],
    }
    shown = [(title, cells) for title, cells in columns.items() if any(cells)]
    widths = [max(map(len, (title, *cells))) for title, cells in shown]
    lines = [[title for title, _ in shown], *zip(*(cells for _, cells in shown), strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _number(value: float | None, shape: str) -> str:
    return "" if value is None else shape.format(value)
