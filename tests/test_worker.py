"""The engine on its pipes: the real process, driven line by line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from interpositive import __version__
from interpositive.progress import ProgressUpdate
from interpositive.worker import SHORTEST_INTERVAL_S, Outbox, WireProgress
from sample_tool import WORKER_COMMAND

END_LIMIT_S = 10.0


class Host:
    """The other side of the pipes."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            WORKER_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def send(self, *lines: str | bytes | dict[str, Any]) -> None:
        assert self.process.stdin is not None
        for line in lines:
            text = json.dumps(line) if isinstance(line, dict) else line
            self.process.stdin.write((text if isinstance(text, bytes) else text.encode()) + b"\n")
        self.process.stdin.flush()

    def run(self, run_id: str, **params: Any) -> None:
        self.send({"type": "run", "id": run_id, "tool": "count", "params": params})

    def next(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the engine ended"
        return dict(json.loads(line))

    def until(self, *kinds: str) -> list[dict[str, Any]]:
        """Messages up to the first of one of `kinds`."""
        messages = [self.next()]
        while messages[-1]["type"] not in kinds:
            messages.append(self.next())
        return messages

    def end(self) -> str:
        """Close the pipe; returns what was written to stderr."""
        _, stderr = self.process.communicate(timeout=END_LIMIT_S)
        return stderr.decode()


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    try:
        assert host.next() == {
            "type": "hello",
            "protocol": 1,
            "version": __version__,
            "tools": ["count", "count down"],
            "pid": host.process.pid,
        }
        yield host
    finally:
        host.process.kill()
        host.process.communicate()


def test_run_ends_with_its_result_after_progress_and_log(host: Host) -> None:
    host.run("a", steps=4, plate="p.exr")
    messages = host.until("result", "failure")
    assert messages[0] == {"type": "log", "id": "a", "level": "info", "message": "starting"}
    assert [m["done"] for m in messages if m["type"] == "progress"][::3] == [0, 4] or len(messages) > 3
    assert messages[-2]["done"] == messages[-2]["total"] == 4
    assert messages[-1]["id"] == "a" and messages[-1]["result"]["plate"] == "p.exr"


def test_stray_prints_reach_stderr_and_never_the_stream(host: Host) -> None:
    host.run("a", steps=1, trouble="print")
    messages = host.until("result", "failure")
    assert messages[-1]["result"]["steps"] == 1
    noise = host.end()
    assert '"result":{}' in noise and "from a descriptor" in noise
    assert "from a C library" in noise or os.name != "posix"


def test_nan_is_null_on_the_wire(host: Host) -> None:
    host.run("a", trouble="nan")
    assert host.until("result", "failure")[-1]["result"]["value"] is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("not json", "Expected one JSON object"),
        ("[1, 2]", 'Expected a JSON object with a "type"'),
        ('{"type": 3}', 'Expected a JSON object with a "type"'),
        ('{"type":"run","id":"a","tool":"count","params":{"step_s":NaN}}', "NaN is not JSON"),
        (b"\xff\xfe{}", "Expected one JSON object"),
        ("[" * 100_000, "Expected one JSON object"),
        ("x" * 9_000_000, "Expected one JSON object"),
        ('{"type":"dance"}', "There is no message 'dance'"),
        ('{"type":"run","id":"a","tool":"count","params":[]}', '"params" as an object'),
        ('{"type":"run","tool":"count"}', 'needs "id" as text'),
        ('{"type":"cancel","id":7}', 'needs "id" as text'),
    ],
    ids=range(11),
)
def test_malformed_line_is_answered_and_the_engine_goes_on(host: Host, line: str | bytes, said: str) -> None:
    host.send(line)
    answer = host.next()
    assert (answer["type"], answer["kind"], answer["error"]) == ("failure", "expected", "ProtocolError")
    assert said in answer["message"] and "\n" not in answer["message"]
    host.run("after", steps=1)
    assert host.until("result", "failure")[-1]["type"] == "result"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"tool": "cuont", "params": {}}, "There is no tool 'cuont'"),
        ({"tool": "count", "params": {"steps": "many"}}, "steps is 'many' and should be a valid integer"),
        ({"tool": "count", "params": {"stesp": 3}}, "stesp is not a parameter of this tool"),
    ],
)
def test_wrong_tool_or_parameter_is_a_usage_error_that_names_it(
    host: Host, message: dict[str, Any], said: str
) -> None:
    host.send({"type": "run", "id": "a", **message})
    failure = host.until("failure")[-1]
    assert (failure["id"], failure["kind"], failure["error"]) == ("a", "expected", "UsageError")
    assert said in failure["message"]


def test_expected_error_keeps_its_kind_in_one_line(host: Host) -> None:
    host.run("a", trouble="expected")
    failure = host.until("failure")[-1]
    assert (failure["kind"], failure["error"]) == ("expected", "SizeMismatchError")
    assert failure["message"] == "Plate a.exr is 4x2 but b.exr is 2x2. Render it again."


def test_bug_is_reported_and_its_traceback_goes_to_stderr(host: Host) -> None:
    host.run("a", trouble="bug")
    failure = host.until("failure")[-1]
    assert (failure["kind"], failure["message"]) == ("bug", "ZeroDivisionError: nobody thought of this")
    assert "in _make_trouble" in host.end()


def test_cancel_takes_effect_within_one_step(host: Host) -> None:
    host.run("a", steps=1000, step_s=0.05)
    host.until("progress")
    start = time.monotonic()
    host.send({"type": "cancel", "id": "a"})
    failure = host.until("failure")[-1]
    assert (failure["kind"], failure["error"]) == ("cancelled", "Cancelled")
    assert time.monotonic() - start < 0.5


def test_runs_wait_for_each_other_and_a_waiting_one_can_be_cancelled(host: Host) -> None:
    host.run("a", steps=10, step_s=0.03)
    host.run("b", steps=1)
    host.run("c", steps=1)
    host.send({"type": "cancel", "id": "b"})
    ends = [host.until("result", "failure")[-1] for _ in range(3)]
    assert [(end["id"], end["type"]) for end in ends] == [("a", "result"), ("b", "failure"), ("c", "result")]


def test_id_of_a_run_that_is_not_finished_is_refused(host: Host) -> None:
    host.run("a", steps=100, step_s=0.05)
    host.run("a", steps=1)
    refused = host.until("failure")[-1]
    assert refused["error"] == "ProtocolError" and "'a' is not finished" in refused["message"]


def test_cancel_of_a_run_that_has_ended_is_no_error(host: Host) -> None:
    host.run("a", steps=1)
    host.until("result")
    host.send({"type": "cancel", "id": "a"})
    host.run("b", steps=1)
    assert host.until("result", "failure")[-1]["type"] == "result"


def test_closed_pipe_cancels_and_ends_the_engine(host: Host) -> None:
    host.run("a", steps=100_000, step_s=0.05)
    host.until("progress")
    assert host.end() == "", "the tool was left behind"
    assert host.process.returncode == 0


def test_shutdown_ends_the_engine(host: Host) -> None:
    host.send({"type": "shutdown"})
    assert host.process.wait(END_LIMIT_S) == 0


def test_stuck_tool_does_not_keep_the_engine_alive(host: Host) -> None:
    host.run("a", trouble="stuck")
    host.until("progress")
    assert "did not stop in time" in host.end()
    assert host.process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
def test_sigterm_cancels_and_ends_the_engine(host: Host) -> None:
    host.run("a", steps=100_000, step_s=0.05)
    host.until("progress")
    host.process.send_signal(signal.SIGTERM)
    assert host.until("failure")[-1]["kind"] == "cancelled"
    assert host.process.wait(END_LIMIT_S) == 0


def test_progress_is_throttled_and_the_last_update_of_each_stage_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("interpositive.worker.time.monotonic", lambda: now[0])
    stream = io.BytesIO()
    progress = WireProgress(Outbox(stream), "a")
    for step in range(995):
        now[0] += 1 / 128
        progress.show(ProgressUpdate("training", step, 1000, 1.0))
    for step in range(3):
        progress.show(ProgressUpdate("writing", step, 3, float("inf")))
    progress.flush()
    sent = [json.loads(line) for line in stream.getvalue().splitlines()]
    training = [message["done"] for message in sent if message["stage"] == "training"]
    assert len(training) <= 995 / 128 / SHORTEST_INTERVAL_S + 2
    assert training[0] == 0 and training[-1] == 994
    assert [message["done"] for message in sent if message["stage"] == "writing"] == [0, 2]
    assert sent[-1]["seconds_left"] is None


def test_host_that_stopped_reading_cancels_the_run() -> None:
    stream = io.BytesIO()
    progress = WireProgress(Outbox(stream), "a")
    stream.close()
    progress.show(ProgressUpdate("training", 0, 9, None))
    progress.show(ProgressUpdate("training", 1, 9, None))
    assert progress.cancelled
