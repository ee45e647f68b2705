"""Say what is in a project: clips, cameras, colour, problems, and what a model may be trained on."""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from ..errors import ModelError
from ..progress import Progress

if TYPE_CHECKING:
    from ..project.catalogue import Catalogue
    from ..project.project_folder import ProjectFolder
    from ..project.rights import Rights

_SHOWN = 10
_NOT_KNOWN = "not known"
_Named = tuple[str, str | None, str | None]  # name, reel and scene, which is how a model names its clips


class Params(BaseModel):
    """Which project, and as of when."""

    model_config = ConfigDict(extra="forbid")

    project: str | None = Field(
        default=None,
        title="Project",
        description="Folder of the project; without it, $INTERPOSITIVE_PROJECT, or the one around this "
        "folder.",
        json_schema_extra={"unit": "FOLDER"},
    )
    date: datetime.date | None = Field(
        default=None,
        title="Date",
        description="Day for which rights and consents are judged, such as 2027-01-31; without it, today.",
    )


class Refusal(BaseModel):
    """Why clips may not be trained on, and how many."""

    reason: str
    clips: int


class Problem(BaseModel):
    """What is wrong with a clip."""

    clip: str
    problem: str


class RightsState(BaseModel):
    """What the rights file says about the material of today."""

    owner: str | None
    licence: str | None
    date: datetime.date
    allowed_clips: int
    allowed_frames: int
    consents: list[str]
    refusals: list[Refusal]


class Result(BaseModel):
    """The state of a project. `seconds` counts the clips whose frame rate is known."""

    folder: str
    title: str
    id: str
    created: str
    clips: int
    measured: int
    frames: int
    seconds: float
    events: int
    cameras: dict[str, int]
    colour_spaces: dict[str, int]
    checksums: dict[str, int]
    with_problems: int
    same_name: int
    first_problems: list[Problem]
    rights: RightsState
    model: str

    def lines(self) -> list[str]:
        shown = [
            f"{self.title} in {self.folder}, made {self.created[:10]}",
            f"Clips      {self.clips:,}, {self.measured:,} of them measured; {self.frames:,} frames, "
            f"{_duration(self.seconds)}",
        ]
        if self.clips:
            shown.append(f"Cameras    {_listed(self.cameras)}")
            shown.append(f"Colour     {_listed(self.colour_spaces)}")
            shown.append(f"Checksums  {_listed(self.checksums, unknown='no list')}")
        if self.events:
            shown.append(f"Timelines  {self.events:,} events")
        return [*shown, *self._problem_lines(), *self._rights_lines(), f"Model      {self.model}"]

    def _problem_lines(self) -> list[str]:
        if not self.with_problems and not self.same_name:
            return ["Problems   none"]
        twins = f"; {self.same_name:,} share name and timecode with another" if self.same_name else ""
        shown = [f"           {problem.clip}: {problem.problem}" for problem in self.first_problems]
        return [f"Problems   {self.with_problems:,} clips{twins}", *shown]

    def _rights_lines(self) -> list[str]:
        rights = self.rights
        if rights.owner is None:
            return ["Training   nothing: the project has no rights file (rights.json)"]
        first = (
            f"Training   {rights.allowed_clips:,} of {self.clips:,} clips, {rights.allowed_frames:,} frames, "
            f"on {rights.date}; rights of {rights.owner}, {rights.licence}"
        )
        refused = [f"           {item.clips:,} not: {item.reason}" for item in rights.refusals[:_SHOWN]]
        more = sum(item.clips for item in rights.refusals[_SHOWN:])
        return [first, *refused, *([f"           {more:,} not, for other reasons: --json"] if more else [])]


def run(params: Params, progress: Progress) -> Result:
    """Count and judge. Raises ProjectError and its kinds."""
    from ..project.project_folder import find_project

    project = find_project(params.project)
    rights = project.rights()
    day = params.date or datetime.date.today()
    with project.catalogue() as catalogue:
        counts = catalogue.counts()
        problems = _first_problems(catalogue)
        judged = _judge(catalogue, rights, day, counts.clips, progress)
    return Result(
        folder=str(project.folder), title=project.title, id=project.project_id, created=project.created,
        clips=counts.clips, measured=counts.measured, frames=counts.frames, seconds=counts.seconds,
        events=counts.events, cameras=counts.cameras, colour_spaces=counts.colour_spaces,
        checksums=counts.checksums, with_problems=counts.with_problems, same_name=counts.same_name,
        first_problems=problems, rights=_rights_state(rights, day, judged),
        model=_model_state(project, judged.denied),
    )  # fmt: skip


def _first_problems(catalogue: Catalogue) -> list[Problem]:
    from ..project.search import Query, search

    hits = search(catalogue, Query(problems=True), limit=_SHOWN)
    return [Problem(clip=hit.record.clip.name, problem=hit.record.clip.problems[0]) for hit in hits]


@dataclass
class _Judged:
    """What today's rights say of the clips; `denied` are the names, reels and scenes of those left out."""

    refusals: Counter[str] = field(default_factory=Counter)
    consents: set[str] = field(default_factory=set)
    denied: set[_Named] = field(default_factory=set)
    allowed: int = 0
    frames: int = 0


def _judge(
    catalogue: Catalogue, rights: Rights, day: datetime.date, clips: int, progress: Progress
) -> _Judged:
    judged = _Judged()
    for index, clip in enumerate(catalogue.clips()):
        if index % 1000 == 999:
            progress.report("rights", index, clips)
        permission = rights.may_train(clip, day)
        if permission.allowed:
            judged.allowed += 1
            judged.frames += clip.frame_count
            judged.consents.update(permission.consent_ids)
        else:
            judged.refusals[permission.reason] += 1
            judged.denied.add((clip.name, clip.reel, clip.scene))
    return judged


def _rights_state(rights: Rights, day: datetime.date, judged: _Judged) -> RightsState:
    refusals = [Refusal(reason=reason, clips=count) for reason, count in judged.refusals.most_common()]
    return RightsState(
        owner=rights.owner, licence=rights.licence, date=day, allowed_clips=judged.allowed,
        allowed_frames=judged.frames, consents=sorted(judged.consents), refusals=refusals,
    )  # fmt: skip


def _model_state(project: ProjectFolder, denied: set[_Named]) -> str:
    """One line about the project model; one that cannot be used is told and not raised."""
    if not (project.model / "manifest.json").exists():
        if project.model.is_dir() and any(project.model.iterdir()):
            return f"training has begun in {project.model}; interpositive project train continues it"
        return "none; interpositive project train makes one"
    from ..project.model import load_project_model

    try:
        model = load_project_model(project)
    except ModelError as error:
        return str(error)
    assert model is not None
    footage = model.manifest.footage
    told = f"trained {model.manifest.created_utc[:10]} on {len(footage):,} clips"
    lapsed = sum((clip.clip, clip.reel, clip.scene) in denied for clip in footage)
    if lapsed:
        return f"{told}, of which {lapsed:,} may not be trained on any more; run interpositive project train"
    return told


def _listed(numbers: dict[str, int], unknown: str = _NOT_KNOWN) -> str:
    """ "ARRI ALEXA 35 812, Sony VENICE 2 40, not known 3"."""
    listed = [f"{value or unknown} {count:,}" for value, count in list(numbers.items())[:_SHOWN]]
    more = len(numbers) - _SHOWN
    return ", ".join([*listed, *([f"and {more} more"] if more > 0 else [])])


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 3600 else f"{seconds / 3600:.1f} hours"
