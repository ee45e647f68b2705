"""A tool for tests: counts steps, and misbehaves on request. Started in processes of its own as well."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from interpositive.errors import SizeMismatchError
from interpositive.progress import Progress
from interpositive.tools import Tool

HERE = Path(__file__).resolve().parent
TOOLS = {
    "count": Tool("sample_tool", "Count some steps."),
    "count down": Tool("sample_tool", "Count them in the other direction."),
}
WORKER_COMMAND = [
    sys.executable,
    "-c",
    f"import sys; sys.path[:0] = [{str(HERE.parent / 'core')!r}, {str(HERE)!r}]\n"
    "from interpositive.worker import main; from sample_tool import TOOLS; sys.exit(main(TOOLS))",
]
CLI_COMMAND = [
    sys.executable,
    "-c",
    "import sys; from interpositive.cli import main; from sample_tool import TOOLS\n"
    "sys.exit(main(sys.argv[1:], TOOLS))",
]


class Params(BaseModel):
    model_config = ConfigDict(extra="forbid")

    plate: str = Field(
        "plate.%04d.exr", description="The plate: 100% yours", json_schema_extra={"positional": True}
    )
    steps: int = Field(3, ge=1, le=100_000, description="How many")
    step_s: float = Field(0.0, ge=0, json_schema_extra={"unit": "seconds"})
    layers: list[str] = []
    quality: Literal["draft", "fine"] = "draft"
    loud: bool = False
    trouble: Literal["", "expected", "bug", "print", "die", "stuck", "nan", "problem"] = Field(
        "", json_schema_extra={"advanced": True}
    )


class Result(BaseModel):
    steps: int
    plate: str
    layers: list[str]
    value: float = 0.5
    trouble: str = ""
    variables: list[str] = []

    def lines(self) -> list[str]:
        return [f"counted {self.steps} of {self.plate}"]

    def problem(self) -> str | None:
        return "The count is not what it should be." if self.trouble == "problem" else None


def run(params: Params, progress: Progress) -> Result:
    progress.log("starting")
    for step in range(params.steps):
        progress.report("counting", step, params.steps)
        _make_trouble(params.trouble)
        time.sleep(params.step_s)
    progress.report("counting", params.steps, params.steps)
    return Result(
        steps=params.steps,
        plate=params.plate,
        layers=params.layers,
        value=float("nan") if params.trouble == "nan" else 0.5,
        trouble=params.trouble,
        variables=sorted(os.environ),
    )


def _make_trouble(kind: str) -> None:
    if kind == "expected":
        raise SizeMismatchError("Plate a.exr is 4x2 but b.exr is 2x2.\nRender it again.")
    if kind == "bug":
        raise ZeroDivisionError("nobody thought of this")
    if kind == "print":
        print('{"type":"result","id":"r1","result":{}}', flush=True)
        os.write(1, b"from a descriptor\n")
        if os.name == "posix":
            ctypes.CDLL(None).puts(b"from a C library")
        assert sys.stdin.read() == ""
    if kind == "die":
        print("last words of the engine", file=sys.stderr, flush=True)
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    if kind == "stuck":
        time.sleep(600)
