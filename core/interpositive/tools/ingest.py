"""Dailies into a project's catalogue. Running it again goes on: what has not changed is not opened.

Nothing is ever written into the folders of the dailies.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import UsageError
from ..progress import Progress

if TYPE_CHECKING:
    from ..project.lists import Lists
    from ..project.project_folder import ProjectFolder
    from ..project.tally import Tally

_SHOWN_PROBLEMS = 20


class Params(BaseModel):
    """What to take in, and what came with it."""

    model_config = ConfigDict(extra="forbid")

    folders: list[str] = Field(
        min_length=1,
        title="Folders",
        description="Folders of dailies: image sequences, stills, mov, mp4 and mxf, however deep.",
        json_schema_extra={"positional": True, "unit": "FOLDER"},
    )
    project: str | None = Field(
        default=None,
        title="Project",
        description="Project folder; without it $INTERPOSITIVE_PROJECT, or the one around this folder.",
        json_schema_extra={"unit": "FOLDER"},
    )
    timeline: list[str] = Field(
        default=[],
        title="Timelines",
        description="Cuts of these dailies: .otio, .edl (CMX3600 with CDLs) or .xml (FCP7).",
        json_schema_extra={"unit": "FILE"},
    )
    timeline_fps: float | None = Field(
        default=None,
        ge=1,
        le=1000,
        title="Timeline frame rate",
        description="Frame rate of an EDL, which does not hold it; without it, the one that all clips have.",
    )
    ale: list[str] = Field(
        default=[],
        title="ALE",
        description="Avid logs with scene, take, lens and CDL of the clips.",
        json_schema_extra={"unit": "FILE"},
    )
    mhl: list[str] = Field(
        default=[],
        title="MHL",
        description="Checksums to verify: folders with an ascmhl folder, or .mhl files. Reads every byte.",
        json_schema_extra={"unit": "PATH"},
    )
    input_space: str | None = Field(
        default=None,
        title="Input colour space",
        description="Colour space of the clips: an encoding (log, video) for all but EXR, a scene-linear "
        "space for EXR that does not name its primaries. Without it, what each header says.",
    )
    frames_per_clip: int = Field(
        default=3, ge=1, le=100, title="Frames per clip", description="How many frames are read and measured."
    )
    cuts: Literal["off", "sampled", "every-frame"] = Field(
        default="sampled",
        title="Cuts",
        description="Shot boundaries inside a clip: where samples of a movie differ, in every frame of every "
        "clip (slow), or not at all.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=64,
        title="Threads",
        description="Clips read at a time; without it, one a core, at most 8.",
        json_schema_extra={"advanced": True},
    )


class Result(BaseModel):
    """What was found, and what a person has to see to."""

    project: str
    clips: int
    new: int
    changed: int
    unchanged: int
    measured: int
    vanished: int
    open_clips: int
    same_name: int
    verified: int
    failed_checksums: int
    events: int
    events_joined: int
    ale_rows_without_clip: int
    frames_read: int
    seconds: float
    problems: list[str]
    problem_count: int
    needs_a_person: int

    def lines(self) -> list[str]:
        rate = f"{self.clips / max(self.seconds, 1e-3):.1f} clips/s"
        text = [
            f"{self.clips} clips in {self.seconds:.1f} s ({rate}, {self.frames_read} frames read): "
            f"{self.new} new, {self.changed} read again, {self.unchanged} as catalogued; "
            f"{self.measured} measured."
        ]
        if self.verified or self.failed_checksums:
            text.append(f"Checksums: {self.verified} clips verified, {self.failed_checksums} failed.")
        if self.events:
            text.append(f"Events: {self.events}, of which {self.events_joined} have a clip here.")
        if self.ale_rows_without_clip:
            text.append(f"ALE: {self.ale_rows_without_clip} rows have no clip here.")
        if self.same_name:
            text.append(f"{self.same_name} clips share name and timecode with another; all are kept.")
        text += self.problems[:_SHOWN_PROBLEMS]
        if self.problem_count > _SHOWN_PROBLEMS:
            more = self.problem_count - _SHOWN_PROBLEMS
            text.append(f"... and {more} more; see `interpositive project status`.")
        return text

    def problem(self) -> str | None:
        if not self.needs_a_person:
            return None
        count = self.needs_a_person
        some = "1 clip or folder needs" if count == 1 else f"{count} clips or folders need"
        return f"{some} attention, see `interpositive project status`; the rest is catalogued."


def run(params: Params, progress: Progress) -> Result:
    """Catalogue what is new. Raises an `InterpositiveError`; what was catalogued stays."""
    from ..folder_lock import lock_folder
    from ..images.colour import space_name
    from ..memory import keep_freed_memory
    from ..project.ingest import ingest
    from ..project.project_folder import find_project
    from ..project.sampling import Settings

    started = time.monotonic()
    keep_freed_memory()
    project = find_project(params.project)
    roots = [Path(folder).expanduser().absolute() for folder in params.folders]
    _refuse_project_folder(project, roots)
    settings = Settings(
        project_folder=project.folder,
        input_space=space_name(params.input_space) if params.input_space else None,
        default_space=project.input_space,
        frames_per_clip=params.frames_per_clip,
        cuts=params.cuts,
    )
    lists = _read_lists(params)
    with lock_folder(project.folder, "ingest"), project.catalogue() as catalogue:
        tally = ingest(catalogue, roots, settings, lists, progress, params.threads)
        same_name = catalogue.counts().same_name
    return _result(project, tally, same_name, time.monotonic() - started)


def _refuse_project_folder(project: ProjectFolder, roots: list[Path]) -> None:
    for root in roots:
        if root == project.folder or project.folder in root.parents:
            raise UsageError(f"{root} is the project's own folder. Pass the folder of the dailies.")


def _read_lists(params: Params) -> Lists:
    """ALE and checksum lists are read first, so that a wrong one is told before any clip is opened."""
    from ..project.ale import read_ale
    from ..project.lists import Lists
    from ..project.mhl import read_checksums
    from ..project.timeline import SUFFIXES

    timelines = [Path(text).expanduser().absolute() for text in params.timeline]
    for path in timelines:
        if not path.is_file() or path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"--timeline {path}: no such {', '.join(SUFFIXES)} file. Check the path.")
    ales, lists = (
        [Path(text).expanduser().absolute() for text in texts] for texts in (params.ale, params.mhl)
    )
    return Lists(
        ale=read_ale(ales) if ales else None,
        checksums=read_checksums(lists) if lists else None,
        timelines=timelines,
        timeline_fps=params.timeline_fps,
    )


def _result(project: ProjectFolder, tally: Tally, same_name: int, seconds: float) -> Result:
    return Result(
        project=str(project.folder),
        clips=tally.found,
        new=tally.new,
        changed=tally.changed,
        unchanged=tally.unchanged,
        measured=tally.measured,
        vanished=tally.vanished,
        open_clips=tally.open_clips,
        same_name=same_name,
        verified=tally.verified,
        failed_checksums=tally.failed_checksums,
        events=tally.events,
        events_joined=tally.events_joined,
        ale_rows_without_clip=tally.unlisted_rows,
        frames_read=tally.frames_read,
        seconds=seconds,
        problems=tally.problems,
        problem_count=tally.problem_count,
        needs_a_person=tally.needs_a_person,
    )
