"""What hosts import runs on their Python: 3.9, with nothing installed."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "core" / "interpositive"
HOST_FILES = [
    *(
        path
        for name in ("__init__", "errors", "frames", "progress")
        if (path := PACKAGE / f"{name}.py").exists()
    ),
    *sorted((PACKAGE / "host_bridge").glob("*.py")),
]
IMPORT_ALL = "; ".join(
    ["import sys", f"sys.path.insert(0, {str(PACKAGE.parent)!r})"]
    + [
        "import interpositive." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in HOST_FILES[1:]
    ]
    + ["print([name for name in ('numpy', 'torch', 'pydantic') if name in sys.modules])"]
)


@pytest.mark.parametrize("path", HOST_FILES, ids=lambda path: path.stem)
def test_syntax_is_readable_by_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=(3, 9))


def test_imports_without_any_installed_package() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", "-c", IMPORT_ALL], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_imports_and_runs_on_a_real_python_3_9(tmp_path: Path, child_environment: dict[str, str]) -> None:
    old_python = find_python_3_9()
    if old_python is None:
        pytest.skip("no Python 3.9 on this machine; the syntax is checked by the other tests")
    code = IMPORT_ALL + (
        "; from interpositive.host_bridge import Engine; from pathlib import Path\n"
        f"with Engine({worker_command()!r}, log_folder=Path({str(tmp_path)!r})) as engine:\n"
        "    updates = []; result = engine.run('count', {'steps': 2}, updates.append)\n"
        "    assert result['steps'] == 2 and updates[-1].done == 2"
    )
    done = subprocess.run(
        [old_python, "-I", "-S", "-c", code], capture_output=True, text=True, env=child_environment
    )
    assert (done.returncode, done.stderr) == (0, "")


def worker_command() -> list[str]:
    from sample_tool import WORKER_COMMAND

    return WORKER_COMMAND


def find_python_3_9() -> str | None:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in [*sorted(map(str, pyenv.glob("3.9.*/bin/python"))), shutil.which("python3.9")]:
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return candidate
    return None
