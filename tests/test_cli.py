"""The command line, started as a person starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interpositive import __version__
from interpositive.cli import main
from interpositive.tools import TOOLS
from sample_tool import CLI_COMMAND
from sample_tool import TOOLS as SAMPLE_TOOLS

HELP_LIMIT_S = 0.3  # CPU-seconds
HEAVY_LIBRARIES = ("torch", "OpenImageIO", "PyOpenColorIO", "cv2", "onnxruntime", "av", "matplotlib")


def run_main(*words: str) -> int:
    return main(words, SAMPLE_TOOLS)


def test_help_imports_the_standard_library_and_nothing_else(child_environment: dict[str, str]) -> None:
    code = (
        "import sys; before = set(sys.modules); from interpositive.cli import main; main(['--help'])\n"
        "roots = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(roots - set(sys.stdlib_module_names) - {'interpositive'}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=child_environment, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    assert all(name in done.stdout for name in TOOLS)


def test_help_starts_within_its_limit(child_environment: dict[str, str]) -> None:
    code = (
        "import sys, time; from interpositive.cli import main; main(['--help'])\n"
        "print(time.process_time(), file=sys.stderr)"  # CPU time from the start of Python: others may be busy
    )
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, env=child_environment, capture_output=True, text=True) for _ in range(5)]
    assert min(float(done.stderr) for done in runs) < HELP_LIMIT_S


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_has_the_four_parts_and_shows_its_options(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = TOOLS[name].load()
    assert module.Params.model_config.get("extra") == "forbid"
    assert "json" not in module.Params.model_fields, "--json is the command line's own"
    assert callable(module.run) and module.Result.model_fields
    with pytest.raises(SystemExit) as ended:
        main([*name.split(), "--help"])
    assert ended.value.code == 0
    assert TOOLS[name].summary in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", TOOLS)
def test_importing_a_tool_imports_no_heavy_library(name: str, child_environment: dict[str, str]) -> None:
    code = (
        f"import sys; from interpositive.tools import TOOLS; TOOLS[{name!r}].load()\n"
        f"print([name for name in {HEAVY_LIBRARIES} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=child_environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("--version") == 0
    assert capsys.readouterr().out == f"interpositive {__version__}\n"


def test_options_reach_the_tool_and_its_lines_reach_stdout(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "result.json"
    assert (
        run_main("count", "sh010.exr", "--steps", "2", "--layers", "depth", "matte", "--json", str(target))
        == 0
    )
    captured = capsys.readouterr()
    assert captured.out == "counted 2 of sh010.exr\n"
    assert "counting" in captured.err and "100%" in captured.err and "starting" in captured.err
    written = json.loads(target.read_text())
    assert (written["steps"], written["plate"], written["layers"]) == (2, "sh010.exr", ["depth", "matte"])
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_nan_becomes_null_in_the_json_file(tmp_path: Path) -> None:
    assert run_main("count", "--trouble", "nan", "--json", str(tmp_path / "r.json")) == 0
    assert json.loads((tmp_path / "r.json").read_text())["value"] is None


def test_json_to_standard_output_prints_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("count", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 3


def test_name_of_two_words_comes_before_its_first_word(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_main("count", "down", "--help")
    assert "other direction" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cuont"], "There is no tool 'cuont'. Did you mean count?"),
        (["count", "--stesp", "3"], "--stesp is not an option. Did you mean --steps?"),
        (["count", "--steps", "many"], "--steps is 'many' and should be a valid integer"),
        (["count", "--steps", "0"], "--steps is '0' and should be greater than or equal to 1"),
        (["count", "--quality", "best"], "--quality: invalid choice: 'best'"),
        (["count", "--step-s"], "--step-s: expected one argument"),
        (["count", "--json", "/nowhere/at/all.json"], "does not exist"),
    ],
)
def test_wrong_usage_exits_2_with_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(*words) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1 and captured.out == ""


def test_help_shows_units_choices_defaults_and_percent_signs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_main("count", "--help")
    shown = capsys.readouterr().out
    for part in ("[PLATE]", "100% yours", "--step-s SECONDS", "{draft,fine}", "--no-loud", "(default: 3)"):
        assert part in shown
    assert shown.index("advanced options") < shown.rindex("--trouble")


def test_expected_error_exits_1_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("count", "--trouble", "expected") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "interpositive: Plate a.exr is 4x2 but b.exr is 2x2. Render it again."


def test_problem_in_a_result_exits_1_after_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("count", "--trouble", "problem") == 1
    captured = capsys.readouterr()
    assert captured.out == "counted 3 of plate.%04d.exr\n"
    assert captured.err.endswith("interpositive: The count is not what it should be.\n")


def test_bug_exits_70_and_keeps_its_traceback_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("count", "--trouble", "bug") == 70
    said = capsys.readouterr().err.splitlines()[-1]
    log = Path(said.split("traceback is in ")[1].split(";")[0])
    assert "nobody thought of this" in said
    assert "in _make_trouble" in log.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process on Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_ctrl_c_cancels_within_a_step(
    number: signal.Signals, child_environment: dict[str, str]
) -> None:
    with start_counting("--step-s", "0.05", "--steps", "2000", environment=child_environment) as child:
        child.send_signal(number)
        out, err = child.communicate(timeout=10)
    assert child.returncode == 130
    assert "Stopping after this step" in err
    assert err.splitlines()[-1].startswith("interpositive: Stopped as asked.") and out == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process on Windows")
def test_second_ctrl_c_ends_a_stuck_step_at_once(child_environment: dict[str, str]) -> None:
    with start_counting("--trouble", "stuck", environment=child_environment) as child:
        child.send_signal(signal.SIGINT)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=10)
    assert child.returncode == 130
    assert err.splitlines()[-1] == "Stopped at once."


def start_counting(*options: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """The command line in a process of its own, returned once its first step has been shown."""
    child = subprocess.Popen(
        [*CLI_COMMAND, "count", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert child.stderr is not None
    while "counting" not in child.stderr.readline():
        assert child.poll() is None
    return child


@pytest.mark.parametrize(("chosen", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_sleep_unless_the_user_chose_otherwise(
    chosen: str | None, expected: str, child_environment: dict[str, str]
) -> None:
    environment = {name: value for name, value in child_environment.items() if name != "OMP_WAIT_POLICY"}
    if chosen is not None:
        environment["OMP_WAIT_POLICY"] = chosen
    code = (
        "import os; from interpositive.cli import main; main(['--version'])\n"
        "print(os.environ['OMP_WAIT_POLICY'])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split()[-1] == expected
