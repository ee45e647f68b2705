"""A tool's `Result` for people and for files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from pydantic import BaseModel

from ..errors import OutputError, UsageError
from ..host_bridge.protocol import finite

STANDARD_OUTPUT = "-"


def result_lines(result: BaseModel) -> list[str]:
    """What the command line prints at the end: the Result's own `lines()`, or nothing."""
    lines = getattr(result, "lines", None)
    return list(lines()) if callable(lines) else []


def result_problem(result: BaseModel) -> str | None:
    """The one line that makes the command line exit 1 although the tool went through, or None."""
    problem = getattr(result, "problem", None)
    return problem() if callable(problem) else None


def check_json_target(target: str) -> None:
    """Raises UsageError when `target` cannot become a file; asked before the work rather than after it."""
    folder = Path(target).expanduser().absolute().parent
    if target != STANDARD_OUTPUT and not folder.is_dir():
        raise UsageError(
            f"--json {target}: the folder {folder} does not exist. Make it, or name another file."
        )


def write_json(result: BaseModel, target: str) -> None:
    """Write `result` as JSON, whole or not at all; `-` is standard output. NaN and infinity become null.

    Raises OutputError.
    """
    text = json.dumps(finite(result.model_dump(mode="json")), indent=2, allow_nan=False) + "\n"
    if target == STANDARD_OUTPUT:
        sys.stdout.write(text)
        return
    path = Path(target).expanduser()
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OutputError(
            f"Cannot write --json {path}: {error.strerror}. Name a file in another folder."
        ) from None
