"""The bridge against the real engine process, and against engines that misbehave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from interpositive.errors import (
    Cancelled,
    EngineDiedError,
    EngineError,
    EngineNotFoundError,
    ProtocolError,
    SizeMismatchError,
    UsageError,
)
from interpositive.host_bridge import Engine
from interpositive.host_bridge.engine_process import KEPT_LOGS
from interpositive.progress import ProgressUpdate
from sample_tool import WORKER_COMMAND


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(WORKER_COMMAND, log_folder=tmp_path / "logs") as engine:
        yield engine


def scripted(tmp_path: Path, code: str, **options: float) -> Engine:
    """An engine that is a few lines of Python."""
    command = [sys.executable, "-I", "-c", f"import json, os, sys, time\n{code}"]
    return Engine(command, log_folder=tmp_path / "logs", **options)


HELLO = "print(json.dumps(dict(type='hello', protocol=1, version='0', tools=[])), flush=True)\n"


def test_run_returns_the_result_and_calls_back_on_the_calling_thread(engine: Engine) -> None:
    updates: list[ProgressUpdate] = []
    logs: list[tuple[str, str]] = []
    threads: set[int] = set()

    def show(update: ProgressUpdate) -> None:
        updates.append(update)
        threads.add(threading.get_ident())

    result = engine.run("count", {"steps": 4, "plate": "é.exr"}, show, lambda *line: logs.append(line))
    assert (result["steps"], result["plate"]) == (4, "é.exr")
    assert updates[-1].stage == "counting" and updates[-1].done == updates[-1].total == 4
    assert logs == [("starting", "info")]
    assert threads == {threading.get_ident()}


def test_one_engine_serves_many_runs(engine: Engine) -> None:
    first = engine.start().pid
    for steps in (1, 2, 3):
        assert engine.run("count", {"steps": steps})["steps"] == steps
    assert engine.start().pid == first
    assert engine.tools == ["count", "count down"]


def test_submitted_runs_can_be_waited_for_in_any_order(engine: Engine) -> None:
    runs = [engine.submit("count", {"steps": steps}) for steps in (1, 2)]
    assert [run.wait()["steps"] for run in reversed(runs)] == [2, 1]


def test_errors_arrive_as_the_class_that_the_tool_raised(engine: Engine) -> None:
    with pytest.raises(SizeMismatchError, match=r"^Plate a.exr is 4x2 but b.exr is 2x2. Render it again.$"):
        engine.run("count", {"trouble": "expected"})
    with pytest.raises(UsageError, match="stesp is not a parameter"):
        engine.run("count", {"stesp": 1})


def test_bug_in_a_tool_names_the_log_that_has_its_traceback(engine: Engine) -> None:
    with pytest.raises(EngineError, match="ZeroDivisionError: nobody thought of this"):
        engine.run("count", {"trouble": "bug"})
    assert engine.log_path is not None
    assert "in _make_trouble" in engine.log_path.read_text(encoding="utf-8")
    assert engine.run("count", {"steps": 1})["steps"] == 1


def test_cancel_from_another_thread_raises_cancelled(engine: Engine) -> None:
    run = engine.submit("count", {"steps": 10_000, "step_s": 0.05})
    timer = threading.Timer(0.5, run.cancel)
    timer.start()
    with pytest.raises(Cancelled):
        run.wait()
    timer.join()


def test_exception_in_a_callback_cancels_the_run_and_goes_on(engine: Engine) -> None:
    def show(update: ProgressUpdate) -> None:
        raise RuntimeError("the panel was closed")

    with pytest.raises(RuntimeError, match="the panel was closed"):
        engine.run("count", {"steps": 10_000, "step_s": 0.05}, show)
    assert engine.run("count", {"steps": 1})["steps"] == 1


def test_run_that_takes_too_long_is_stopped(engine: Engine) -> None:
    with pytest.raises(EngineError, match=r"count was not finished after 0\.5 s"):
        engine.run("count", {"steps": 10_000, "step_s": 0.05}, timeout_s=0.5)
    assert engine.run("count", {"steps": 1})["steps"] == 1


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
def test_engine_killed_in_the_middle_says_so_with_its_last_words_and_starts_again(engine: Engine) -> None:
    with pytest.raises(EngineDiedError) as died:
        engine.run("count", {"trouble": "die"})
    assert "by signal 9" in str(died.value)
    assert "last words of the engine" in str(died.value)
    assert str(engine.log_path) in str(died.value)
    assert engine.run("count", {"steps": 1})["steps"] == 1


def test_kill_ends_the_runs_that_wait(engine: Engine) -> None:
    run = engine.submit("count", {"steps": 10_000, "step_s": 0.05})
    engine.kill()
    with pytest.raises(EngineDiedError):
        run.wait()


def test_close_leaves_no_process_behind(engine: Engine) -> None:
    pid = engine.start().pid
    engine.submit("count", {"steps": 10_000, "step_s": 0.05})
    engine.close()
    assert not psutil.pid_exists(pid)


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
def test_engine_that_ignores_every_request_to_end_is_killed_with_its_children(tmp_path: Path) -> None:
    deaf = scripted(
        tmp_path,
        "import signal, subprocess\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(json.dumps(dict(type='hello', protocol=1, tools=[str(child.pid)])), flush=True)\n"
        "time.sleep(600)",
    )
    child = psutil.Process(int(deaf.tools[0]))
    pid = deaf.start().pid
    deaf.close(timeout_s=0.2)
    assert not psutil.pid_exists(pid)
    assert child.wait(5) is None


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
def test_engine_ends_when_its_host_is_killed(tmp_path: Path, child_environment: dict[str, str]) -> None:
    code = (
        "import time; from sample_tool import WORKER_COMMAND; from interpositive.host_bridge import Engine\n"
        f"engine = Engine(WORKER_COMMAND, log_folder=__import__('pathlib').Path({str(tmp_path)!r}))\n"
        "engine.submit('count', {'steps': 100000, 'step_s': 0.05}); print(engine.start().pid, flush=True)\n"
        "time.sleep(600)"
    )
    host = psutil.Popen([sys.executable, "-c", code], env=child_environment, stdout=subprocess.PIPE)
    with host.stdout:
        engine_pid = int(host.stdout.readline())
    host.send_signal(signal.SIGKILL)
    host.wait()
    deadline = time.monotonic() + 10
    while _is_running(engine_pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(engine_pid)


def _is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_engine_of_another_protocol_is_refused(tmp_path: Path) -> None:
    newer = scripted(
        tmp_path,
        "print(json.dumps(dict(type='hello', protocol=2, version='9.0')), flush=True)\ntime.sleep(9)",
    )
    with pytest.raises(ProtocolError, match=r"9.0 speaks protocol 2 and this plug-in 1. Install both anew"):
        newer.start()


def test_engine_that_ends_at_once_shows_its_last_words(tmp_path: Path) -> None:
    broken = scripted(tmp_path, "sys.exit('No module named torch')")
    with pytest.raises(EngineDiedError, match=r"ended with status 1. Its last words: No module named torch"):
        broken.start()


def test_engine_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    silent = scripted(tmp_path, "time.sleep(600)", start_timeout_s=0.5)
    with pytest.raises(EngineDiedError, match="did not start within"):
        silent.start()


def test_engine_that_says_something_else_is_given_up(tmp_path: Path) -> None:
    chatty = scripted(
        tmp_path, HELLO + "sys.stdin.readline(); print('hello again', flush=True); time.sleep(600)"
    )
    run = chatty.submit("count", {})
    with pytest.raises(ProtocolError, match="hello again"):
        run.wait()
    chatty.close()


def test_engine_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(EngineNotFoundError, match=r"bootstrap\.py setup"):
        Engine([str(tmp_path / "python")], log_folder=tmp_path).start()


def test_variables_of_the_host_do_not_reach_the_engine(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "QT_PLUGIN_PATH", "NUKE_PATH"):
        monkeypatch.setenv(name, "/from/the/host")
    monkeypatch.setenv("OCIO", "/show/config.ocio")
    variables = engine.run("count", {})["variables"]
    assert "OCIO" in variables and "PATH" in variables
    assert not {"PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "QT_PLUGIN_PATH", "NUKE_PATH"} & set(variables)


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    for number in range(KEPT_LOGS + 3):
        (tmp_path / f"engine-old-{number}.log").write_text("old")
        os.utime(tmp_path / f"engine-old-{number}.log", (number, number))
    with Engine(WORKER_COMMAND, log_folder=tmp_path) as engine:
        engine.start()
    names = {path.name for path in tmp_path.iterdir()}
    assert len(names) == KEPT_LOGS
    assert engine.log_path is not None and engine.log_path.name in names
    assert "engine-old-3.log" not in names
