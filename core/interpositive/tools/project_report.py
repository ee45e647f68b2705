"""Continuity of a project, scene by scene: a page to look at, and the same as JSON and CSV."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from ..progress import Progress

if TYPE_CHECKING:
    from ..prior.predictor import Prior

_SHOWN = 12


class Params(BaseModel):
    """Which project, where to, and how far a shot may be from its scene."""

    model_config = ConfigDict(extra="forbid")

    project: str | None = Field(
        default=None,
        title="Project",
        description="Project folder; without it $INTERPOSITIVE_PROJECT, or the one around this folder.",
        json_schema_extra={"unit": "FOLDER"},
    )
    out: str | None = Field(
        default=None,
        title="Out",
        description="Folder to write; without it, report in the project folder.",
        json_schema_extra={"unit": "FOLDER"},
    )
    hero: list[str] = Field(
        default=[],
        title="Heroes",
        description="Clips (name or path) that scenes are compared with; without one, the scene's median.",
        json_schema_extra={"unit": "CLIP"},
    )
    exposure: float = Field(
        default=0.3,
        gt=0,
        le=10,
        title="Exposure limit",
        description="Difference in exposure that is out of line.",
        json_schema_extra={"unit": "STOPS", "display_range": [0.1, 1.0]},
    )
    white_balance: float = Field(
        default=12.0,
        gt=0,
        le=500,
        title="White balance limit",
        description="Difference in colour temperature that is out of line.",
        json_schema_extra={"unit": "MIREDS", "display_range": [5.0, 50.0]},
    )
    tint: float = Field(
        default=0.006,
        gt=0,
        le=0.1,
        title="Tint limit",
        description="Difference towards green or magenta that is out of line, as Duv.",
        json_schema_extra={"unit": "DUV", "display_range": [0.002, 0.02]},
    )
    contrast: float = Field(
        default=1.0,
        gt=0,
        le=10,
        title="Contrast limit",
        description="Difference in contrast that is out of line.",
        json_schema_extra={"unit": "STOPS", "display_range": [0.3, 2.0]},
    )
    lens: float = Field(
        default=2.5,
        gt=1,
        le=50,
        title="Lens limit",
        description="How many times longer or shorter than its scene's lenses is out of line.",
        json_schema_extra={"unit": "TIMES", "display_range": [1.2, 4.0]},
    )
    key: float = Field(
        default=35.0,
        gt=0,
        le=180,
        title="Key light limit",
        description="Angle between directions of the key light, as the camera sees it, that is out of line.",
        json_schema_extra={"unit": "DEGREES", "display_range": [20.0, 90.0]},
    )
    key_light: bool = Field(
        default=True,
        title="Key light",
        description="Estimate where the key light comes from, with the base prior.",
    )
    date: datetime.date | None = Field(
        default=None,
        title="Date",
        description="Day for which rights and consents are judged, such as 2027-01-31; without it, today.",
    )


class OutOfLine(BaseModel):
    """A shot that is out of line: amounts by quantity, in the units of the report."""

    scene: str
    shot: str
    amounts: dict[str, float]


class Result(BaseModel):
    """What was found; everything is in `page`, `json_file` and `csv_file`."""

    page: str
    json_file: str
    csv_file: str
    scenes: int
    shots: int
    compared: int
    with_cdl: int
    out_of_line: list[OutOfLine]

    def lines(self) -> list[str]:
        found = [f"{shot.scene}  {shot.shot}  {_told(shot.amounts)}" for shot in self.out_of_line[:_SHOWN]]
        more = len(self.out_of_line) - _SHOWN
        return [
            f"{_counted(self.scenes, 'scene')}, {_counted(self.shots, 'shot')}: {self.compared:,} compared, "
            f"{_counted(self.with_cdl, 'proposed CDL')}, {len(self.out_of_line):,} out of line",
            *found,
            *([f"and {more:,} more"] if more > 0 else []),
            f"Page  {self.page}",
        ]


def run(params: Params, progress: Progress) -> Result:
    """Compare, draw, write. Raises ProjectError and its kinds, UsageError, OutputError, Cancelled."""
    from ..project.continuity import Limits
    from ..project.project_folder import find_project
    from ..project.report import CSV_FILE, JSON_FILE, Request, write_report

    project = find_project(params.project)
    out = Path(params.out).expanduser().absolute() if params.out is not None else project.report
    limits = Limits(
        params.exposure, params.white_balance, params.tint, params.contrast, params.lens, params.key
    )
    request = Request(
        out, limits, params.hero, _prior() if params.key_light else None, params.date or datetime.date.today()
    )
    with project.catalogue() as catalogue:
        report = write_report(project, catalogue, request, progress)
    shots = report.data["shots"]
    return Result(
        page=str(report.page), json_file=str(out / JSON_FILE), csv_file=str(out / CSV_FILE),
        scenes=len(report.data["scenes"]), shots=len(shots),
        compared=sum(bool(shot["differences"]) for shot in shots),
        with_cdl=sum(shot["cdl"] is not None for shot in shots),
        out_of_line=[_out_of_line(shot, report.data) for shot in report.out_of_line()],
    )  # fmt: skip


def _prior() -> Prior:
    from ..prior.predictor import load_prior

    return load_prior(threads=1)


def _out_of_line(shot: dict[str, Any], data: dict[str, Any]) -> OutOfLine:
    amounts = {name: shot["differences"][name]["amount"] for name in shot["out"]}
    return OutOfLine(scene=data["scenes"][shot["scene"]]["name"], shot=shot["name"], amounts=amounts)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _told(amounts: dict[str, float]) -> str:
    from ..project.continuity import UNITS

    digits = {"stops": 2, "Duv": 4}
    units: dict[str, str] = {name: unit for name, unit in UNITS.items()}
    return ", ".join(
        f"{name} {value:+.{digits.get(units[name], 0)}f} {units[name]}" for name, value in amounts.items()
    )
