"""The rules that keep the code as it is: style, types, who may import whom, what is declared."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
CORE = CHECKOUT / "core"
LONGEST_FUNCTION_LINES = 60
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))

# What a package is called in an import, where that differs.
IMPORT_NAMES = {
    "fileseq": "fileseq",
    "onnxruntime-gpu": "onnxruntime",
    "opencolorio": "PyOpenColorIO",
    "opencv-python-headless": "cv2",
}
# torch.onnx imports onnxscript when it exports, OpenTimelineIO its adapters; our own code never does.
ONLY_THROUGH_OTHERS = {"onnxscript", "otio-cmx3600-adapter", "otio-fcp-adapter"}
# pydantic's own parts and torch's.
PARTS = {"pydantic_core": "pydantic"}


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "ruff", "check", "--no-cache", "--output-format", "concise", "."],
        ["-m", "mypy"],
        ["-c", "from importlinter.cli import lint_imports_command as main; main()"],
    ],
    ids=["ruff", "mypy", "lint-imports"],
)
def test_linter_has_nothing_to_say(command: list[str], child_environment: dict[str, str]) -> None:
    environment = {name: value for name, value in child_environment.items() if name != "PYTHONWARNINGS"}
    environment["PYTHONPATH"] = str(CORE)
    done = subprocess.run(
        [sys.executable, *command], cwd=CHECKOUT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_function_is_longer_than_a_screen() -> None:
    long = []
    for path in [*CORE.rglob("*.py"), *(CHECKOUT / "install").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > LONGEST_FUNCTION_LINES:
                    long.append(f"{path.relative_to(CHECKOUT)}:{node.lineno} {node.name} has {lines} lines")
    assert long == []


def test_every_import_is_declared_and_every_declared_package_is_imported() -> None:
    project = PROJECT["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["soundstage"]]
    declared = {re.split(r"[<>=;\[ ]", line)[0] for line in asked}
    declared_imports = {IMPORT_NAMES.get(name, name) for name in declared} - ONLY_THROUGH_OTHERS
    imported = {PARTS.get(name, name) for path in CORE.rglob("*.py") for name in imported_roots(path)}
    third_party = imported - sys.stdlib_module_names - {"interpositive"}
    assert third_party == declared_imports


def test_every_pinned_package_is_one_that_the_project_declares() -> None:
    lines = (CHECKOUT / "install" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line}
    project = PROJECT["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    assert pinned <= {re.split(r"[<>=;\[ ]", line)[0].lower() for line in asked}


def imported_roots(path: Path) -> set[str]:
    """First names of the absolute imports of a file, those inside functions included."""
    roots = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            roots |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            roots.add(node.module.split(".")[0])
    return roots
