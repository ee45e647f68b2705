"""Measure the engine on footage with known answers, as one table against fixed marks.

The default parts take about half an hour on two CPU cores; `--only` runs some of them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..progress import Progress


class Params(BaseModel):
    """What to measure."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(
        default="../shared/data/fewshot",
        title="Data",
        description="Folder with one folder a clip: plate, and one or more of relit, graded, matte.",
        json_schema_extra={"unit": "FOLDER"},
    )
    only: str = Field(
        default="",
        title="Only",
        description="Parts to run, with commas, such as car-relit-10,flicker; without it, all.",
        json_schema_extra={"unit": "PARTS"},
    )
    seeds: int = Field(default=3, ge=1, le=20, title="Seeds", description="Seeds to measure the spread over.")
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="cpu", title="Device", description="Where models train and run."
    )
    work: str | None = Field(
        default=None,
        title="Work folder",
        description="Keep models and pictures here; without it, in a temporary folder that is removed.",
        json_schema_extra={"advanced": True, "unit": "FOLDER"},
    )


class Line(BaseModel):
    """One row of the table."""

    part: str
    what: str
    measured: float
    unit: str
    must: float | None
    aim: float | None
    passed: bool | None
    aimed: bool | None
    details: dict[str, Any]


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
    """Measure part by part. Raises UsageError, PlateError and what the measured tools raise."""
    from ..bench.machine import machine_facts
    from ..bench.shot import ShotBench
    from ..bench.table import table_lines

    with tempfile.TemporaryDirectory(prefix="interpositive-bench-") as temporary:
        work = Path(params.work).expanduser() if params.work is not None else Path(temporary)
        bench = ShotBench(
            Path(params.data).expanduser(), work, run_tool, params.seeds, params.device, progress
        )
        parts = bench.chosen([name.strip() for name in params.only.split(",") if name.strip()])
        rows = bench.run(parts)
    return Result(
        machine=machine_facts(),
        rows=[
            Line(
                part=row.part, what=row.what, measured=row.measured, unit=row.unit, must=row.must,
                aim=row.aim,
                passed=row.passed, aimed=row.aimed, details=row.details,
            )
            for row in rows
        ],
        table=table_lines(rows),
    )  # fmt: skip


def run_tool(progress: Progress, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Run a tool in this process; its Result as plain values. The bench calls it in fresh processes."""
    from . import TOOLS

    module = TOOLS[name].load()
    return module.run(module.Params.model_validate(values), progress).model_dump(mode="json")
