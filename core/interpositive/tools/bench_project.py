"""Measure a production's tools - catalogue, ingest, project model - as one table of fixed marks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..progress import Progress
from .bench_shot import Line, run_tool


class Params(BaseModel):
    """What to measure."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(
        default="../shared/data/fewshot",
        title="Data",
        description="Folder with one folder a clip, for the parts that need real footage.",
        json_schema_extra={"unit": "FOLDER"},
    )
    only: str = Field(
        default="",
        title="Only",
        description="Parts to run, with commas, such as catalogue; without it, all.",
        json_schema_extra={"unit": "PARTS"},
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="cpu", title="Device", description="Where models train and run."
    )
    work: str | None = Field(
        default=None,
        title="Work folder",
        description="Keep catalogues and models here; without it, in a temporary folder that is removed.",
        json_schema_extra={"advanced": True, "unit": "FOLDER"},
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
    """Measure part by part. Raises UsageError and what the measured tools raise."""
    from ..bench.machine import machine_facts
    from ..bench.project import ProjectBench, run_parts
    from ..bench.table import table_lines

    with tempfile.TemporaryDirectory(prefix="interpositive-bench-") as temporary:
        work = Path(params.work).expanduser() if params.work is not None else Path(temporary)
        bench = ProjectBench(Path(params.data).expanduser(), work, run_tool, params.device, progress)
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
