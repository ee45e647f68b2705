"""The engine as a host runs it: `interpositive worker`, the protocol of `host_bridge.protocol` on its pipes.

One tool runs at a time, on a thread of its own; further runs wait in the order of their arrival. A closed
pipe or SIGTERM cancels the one that runs, at its next step, and those that wait. Whatever is printed, by
Python or by a C library, goes to stderr, which the host keeps as the engine's log.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any, BinaryIO

from . import __version__
from .errors import Cancelled, InterpositiveError, ProtocolError, UsageError
from .host_bridge.protocol import LONGEST_LINE_BYTES, PROTOCOL_VERSION, decode, encode, one_line
from .progress import Progress, ProgressUpdate
from .tools import TOOLS, Tool

SHORTEST_INTERVAL_S = 0.1  # ten progress messages a second at most
END_GRACE_S = 5.0


class Outbox:
    """Writes whole messages, from any thread. Once the host has stopped reading, messages go nowhere."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self.host_gone = threading.Event()

    def send(self, message: Mapping[str, Any]) -> None:
        line = encode(dict(message))
        try:
            with self._lock:
                self._stream.write(line)
                self._stream.flush()
        except (OSError, ValueError):
            self.host_gone.set()


class WireProgress(Progress):
    """Progress as messages. The first and the last update of a stage are always sent, those between at most
    ten times a second."""

    def __init__(self, outbox: Outbox, run_id: str) -> None:
        super().__init__()
        self._outbox, self.run_id = outbox, run_id
        self._held: ProgressUpdate | None = None
        self._shown_stage: str | None = None
        self._sent_at = float("-inf")

    def show(self, update: ProgressUpdate) -> None:
        if self._outbox.host_gone.is_set():
            self.cancel()
        if update.stage != self._shown_stage:
            self.flush()
            self._send(update)
        elif update.done >= update.total or time.monotonic() - self._sent_at >= SHORTEST_INTERVAL_S:
            self._send(update)
        else:
            self._held = update

    def show_log(self, message: str, level: str) -> None:
        self._outbox.send({"type": "log", "id": self.run_id, "level": level, "message": message})

    def flush(self) -> None:
        """Send the update that was held back, if there is one."""
        if self._held is not None:
            self._send(self._held)

    def _send(self, update: ProgressUpdate) -> None:
        self._held, self._shown_stage, self._sent_at = None, update.stage, time.monotonic()
        self._outbox.send({"type": "progress", "id": self.run_id, **vars(update)})


class Runner:
    """Runs what is asked for, in order, on one thread."""

    def __init__(self, tools: Mapping[str, Tool], outbox: Outbox) -> None:
        self._tools, self._outbox = tools, outbox
        self._waiting: queue.Queue[tuple[WireProgress, str, Mapping[str, Any]] | None] = queue.Queue()
        self._open: dict[str, WireProgress] = {}
        self._thread = threading.Thread(target=self._work, name="tool", daemon=True)
        self._thread.start()

    def submit(self, run_id: str, tool: str, params: Mapping[str, Any]) -> None:
        if run_id in self._open:
            raise ProtocolError(f"Run {run_id!r} is not finished yet. Give each run an id of its own.")
        progress = WireProgress(self._outbox, run_id)
        self._open[run_id] = progress
        self._waiting.put((progress, tool, params))

    def cancel(self, run_id: str) -> None:
        """Cancel a run that runs or waits; one that has ended meanwhile is no error."""
        progress = self._open.get(run_id)
        if progress is not None:
            progress.cancel()

    def end(self, grace_s: float) -> bool:
        """Cancel everything. Returns whether the running tool stopped within `grace_s`."""
        for progress in list(self._open.values()):
            progress.cancel()
        self._waiting.put(None)
        self._thread.join(grace_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (asked := self._waiting.get()) is not None:
            progress, tool, params = asked
            answer = self._answer(progress, tool, params)
            progress.flush()
            del self._open[progress.run_id]
            self._outbox.send({**answer, "id": progress.run_id})

    def _answer(self, progress: WireProgress, tool: str, params: Mapping[str, Any]) -> dict[str, Any]:
        try:
            progress.raise_if_cancelled()
            return {"type": "result", "result": self._run(progress, tool, params)}
        except Cancelled as cancelled:
            return failure("cancelled", cancelled)
        except InterpositiveError as error:
            return failure("expected", error)
        except BaseException as bug:  # noqa: BLE001 - the engine outlives a bug in a tool
            traceback.print_exc(file=sys.stderr)
            sys.stderr.flush()
            return failure("bug", bug)

    def _run(self, progress: WireProgress, tool: str, params: Mapping[str, Any]) -> dict[str, Any]:
        if tool not in self._tools:
            raise UsageError(f"There is no tool {tool!r}; there are: {', '.join(self._tools)}.")
        from .tools.parameters import validate  # not before the first run: it imports pydantic

        module = self._tools[tool].load()
        result = module.run(validate(module.Params, params, as_options=False), progress)
        return result.model_dump(mode="json")


def failure(kind: str, error: BaseException) -> dict[str, Any]:
    """The failure message for `error`, without an id."""
    text = one_line(str(error)) or type(error).__name__
    if kind == "bug":
        text = f"{type(error).__name__}: {text}"
    return {"type": "failure", "kind": kind, "error": type(error).__name__, "message": text}


def serve(tools: Mapping[str, Tool], stdin: BinaryIO, stdout: BinaryIO, grace_s: float = END_GRACE_S) -> bool:
    """Answer messages until the host shuts down or goes away. Returns whether every tool has stopped."""
    outbox = Outbox(stdout)
    hello = {"type": "hello", "protocol": PROTOCOL_VERSION, "version": __version__, "tools": list(tools)}
    outbox.send({**hello, "pid": os.getpid()})
    runner = Runner(tools, outbox)
    with contextlib.suppress(_Stop, KeyboardInterrupt):
        while (line := _read_line(stdin)) is not None and not outbox.host_gone.is_set():
            if line.strip() and not _obey(line, runner, outbox):
                break
    return runner.end(grace_s)


def main(tools: Mapping[str, Tool] = TOOLS) -> int:
    """Take the pipes away from everything else in the process, serve, and end the process."""
    stdin, stdout = _private_pipes()
    with contextlib.suppress(ValueError):  # not on the main thread: the caller has the signals
        for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), _raise_stop)
    if not serve(tools, stdin, stdout):
        sys.stderr.write("A tool did not stop in time; the engine ends without it.\n")
    _end_process()
    return 0


class _Stop(BaseException):
    """The system asks the engine to end."""


def _raise_stop(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise _Stop


def _obey(line: bytes, runner: Runner, outbox: Outbox) -> bool:
    """Do what one line asks; False when it asks to end."""
    message: dict[str, Any] = {}
    try:
        message = decode(line)
        kind = message["type"]
        if kind == "shutdown":
            return False
        if kind == "run":
            runner.submit(_text(message, "id"), _text(message, "tool"), _mapping(message, "params"))
        elif kind == "cancel":
            runner.cancel(_text(message, "id"))
        else:
            raise ProtocolError(f'There is no message {kind!r}. Send "run", "cancel" or "shutdown".')
    except ProtocolError as error:
        outbox.send({**failure("expected", error), "id": message.get("id")})
    return True


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f'A "{message["type"]}" message needs "{name}" as text; found {value!r}.')
    return value


def _mapping(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = message.get(name, {})
    if not isinstance(value, dict):
        raise ProtocolError(f'A "{message["type"]}" message needs "{name}" as an object; found {value!r}.')
    return value


def _read_line(stdin: BinaryIO) -> bytes | None:
    """The next line; None at the end of the stream. What is too long for a message is cut and read past."""
    line = stdin.readline(LONGEST_LINE_BYTES)
    rest = line
    while len(rest) == LONGEST_LINE_BYTES and not rest.endswith(b"\n"):
        rest = stdin.readline(LONGEST_LINE_BYTES)
    return line or None


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The process's stdin and stdout under new numbers; 0 then reads nothing and 1 writes to stderr."""
    stdin, stdout = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        for stream in (stdin, stdout):
            msvcrt.setmode(stream.fileno(), os.O_BINARY)
    return stdin, stdout


def _end_process() -> None:
    """End at once: with the threads of libraries, and with the processes of tools when, as a host starts it,
    the engine leads a session of its own."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    if os.name == "posix" and os.getsid(0) == os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
    os._exit(0)
