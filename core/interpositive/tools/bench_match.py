"""Measure matched and recovered grades against known ones, as one table of fixed marks.

About four minutes on one CPU core; `--only` runs some of the parts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ..progress import Progress
from .bench_shot import Line


class Params(BaseModel):
    """What to measure."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(
        default="../shared/data/fewshot",
        title="Data",
        description="Folder of real clips: car, bike; plates are looked for in exr_plates beside it.",
        json_schema_extra={"unit": "FOLDER"},
    )
    only: str = Field(
        default="",
        title="Only",
        description="Parts to run, with commas, of sets, real, unrelated, recovery; without it, all.",
        json_schema_extra={"unit": "PARTS"},
    )
    seed: int | None = Field(
        default=None,
        title="Seed",
        description="Of the soundstage production; without it the one that is scored, which no setting was "
        "chosen on.",
        json_schema_extra={"advanced": True},
    )


class Result(BaseModel):
    """The table, and the machine that it was measured on."""

    machine: dict[str, Any]
    rows: list[Line]
    table: list[str]

    def lines(self) -> list[str]:
        machine = self.machine
        return [f"{machine['cpu']}, {machine['cores']} cores, {machine['utc']}", "", *self.table]

    def problem(self) -> str | None:
        missed = [row.what for row in self.rows if row.passed is False]
        return f"Missed {len(missed)} of {len(self.rows)} rows: {'; '.join(missed)}." if missed else None


def run(params: Params, progress: Progress) -> Result:
    """Measure part by part. Raises UsageError, PlateError."""
    from ..bench.machine import machine_facts
    from ..bench.match import SCORED_SEED, MatchBench, run_parts
    from ..bench.table import table_lines

    seed = SCORED_SEED if params.seed is None else params.seed
    bench = MatchBench(Path(params.data).expanduser().absolute(), progress, seed)
    rows = run_parts(bench, [name.strip() for name in params.only.split(",") if name.strip()])
    return Result(
        machine=machine_facts(),
        rows=[
            Line(
                part=row.part, what=row.what, measured=row.measured, unit=row.unit, must=row.must,
                aim=row.aim, passed=row.passed, aimed=row.aimed, details=row.details,
            )
            for row in rows
        ],
        table=table_lines(rows),
    )  # fmt: skip
