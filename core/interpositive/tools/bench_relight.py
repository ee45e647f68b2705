"""Measure understanding and relighting on real objects, exact scenes and plates, as one table of fixed marks.

The default parts take about half an hour on two CPU cores; `--only` runs some of them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..progress import Progress
from .bench_shot import Line, run_tool

if TYPE_CHECKING:
    from ..bench.relight_method import Engine

_PLATE_BESIDE = Path("fewshot", "car", "plate")  # beside the folder of objects


class Params(BaseModel):
    """What to measure."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(
        default="../shared/data/relight_real",
        title="Data",
        description="Folder of objects under known lights: .npz with imgs, mask, dirs, rgb, amb, normals, "
        "albedo.",
        json_schema_extra={"unit": "FOLDER"},
    )
    plate: str | None = Field(
        default=None,
        title="Plate",
        description="Moving plate for the steadiness row; without it, fewshot/car/plate beside the data.",
    )
    only: str = Field(
        default="",
        title="Only",
        description="Parts to run, with commas, such as objects-known,scenes; without it, all.",
        json_schema_extra={"unit": "PARTS"},
    )
    predictions: str | None = Field(
        default=None,
        title="Predictions",
        description="Write what was made of the objects here: OBJECT_sI_tJ.npy, OBJECT_sI_normals.npy and "
        "OBJECT_sI_albedo.npy; those without the source light into the folder light_unknown below it.",
        json_schema_extra={"unit": "FOLDER"},
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="cpu", title="Device", description="Where the prior runs."
    )
    validation: bool = Field(
        default=False,
        title="Validation",
        description="Use the scenes from which settings may be chosen instead of those that judge.",
        json_schema_extra={"advanced": True},
    )
    prior: str | None = Field(
        default=None,
        title="Prior",
        description="Folder of another prior than the shipped one.",
        json_schema_extra={"advanced": True, "unit": "FOLDER"},
    )
    work: str | None = Field(
        default=None,
        title="Work folder",
        description="Keep plates and passes here; without it, in a temporary folder that is removed.",
        json_schema_extra={"advanced": True, "unit": "FOLDER"},
    )


class Result(BaseModel):
    """The table, and the machine and prior that it was measured with."""

    machine: dict[str, Any]
    prior: str
    rows: list[Line]
    table: list[str]

    def lines(self) -> list[str]:
        machine = self.machine
        prior = self.prior[:12] or "none"
        return [
            f"{machine['cpu']}, {machine['cores']} cores, {machine['utc']}, prior {prior}",
            "",
            *self.table,
        ]

    def problem(self) -> str | None:
        missed = [row.what for row in self.rows if row.passed is False]
        return f"Missed {len(missed)} of {len(self.rows)} rows: {'; '.join(missed)}." if missed else None


def run(params: Params, progress: Progress) -> Result:
    """Measure part by part. Raises UsageError, PlateError and what the measured tools raise."""
    from ..bench.machine import machine_facts
    from ..bench.relight import RelightBench, RelightData
    from ..bench.relight_method import Engine
    from ..bench.table import table_lines

    objects = Path(params.data).expanduser()
    prior = None if params.prior is None else Path(params.prior).expanduser()
    engine = Engine(prior=prior)
    with tempfile.TemporaryDirectory(prefix="interpositive-bench-") as temporary:
        bench = RelightBench(
            RelightData(objects, _plate(params, objects, progress)),
            Path(params.work).expanduser() if params.work is not None else Path(temporary),
            run_tool,
            engine.understand,
            progress,
            params.device,
            None if params.predictions is None else Path(params.predictions).expanduser(),
            params.validation,
            prior,
        )
        rows = []
        parts = bench.chosen([name.strip() for name in params.only.split(",") if name.strip()])
        for index, part in enumerate(parts):
            progress.log(f"{index + 1} of {len(parts)}: {part.name}")
            progress.raise_if_cancelled()
            rows += part.rows()
    return Result(
        machine=machine_facts(),
        prior=_prior_sha256(engine),
        rows=[
            Line(
                part=row.part, what=row.what, measured=row.measured, unit=row.unit, must=row.must,
                aim=row.aim, passed=row.passed, aimed=row.aimed, details=row.details,
            )
            for row in rows
        ],
        table=table_lines(rows),
    )  # fmt: skip


def _prior_sha256(engine: Engine) -> str:
    """Of the prior's weights; empty where none is installed, for some rows need none."""
    from ..errors import ModelError

    try:
        return engine.prior_sha256
    except ModelError:
        return ""


def _plate(params: Params, objects: Path, progress: Progress) -> Path | None:
    """The moving plate's folder or pattern; None, with a word about it, where there is none."""
    if params.plate is not None:
        return Path(params.plate).expanduser()
    beside = objects.absolute().parent / _PLATE_BESIDE
    if beside.is_dir():
        return beside
    progress.log(f"No plate in {beside}: the steadiness row is left out. Name one with --plate.", "warning")
    return None
