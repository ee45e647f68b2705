"""The engine as a host sees it: run a tool, follow it, cancel it."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Type

from .. import errors
from ..errors import EngineError, InterpositiveError
from ..progress import ProgressUpdate
from .engine_process import EngineProcess
from .folders import state_folder
from .locating import find_engine

START_TIMEOUT_S = 60.0
CANCEL_GRACE_S = 10.0

OnProgress = Callable[[ProgressUpdate], None]
OnLog = Callable[[str, str], None]


class Engine:
    """Starts the engine when it is first needed, and again after it died.

    `command` replaces the installed engine (tests). `environment` is added to the few variables that the
    engine is started with: {"OCIO": show_config}. May be used from any thread; a `with` closes it.
    """

    def __init__(
        self,
        command: Optional[Sequence[str]] = None,
        environment: Optional[Mapping[str, str]] = None,
        log_folder: Optional[Path] = None,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self._command = None if command is None else list(command)
        self._environment = dict(environment or {})
        self._log_folder = log_folder or state_folder()
        self._start_timeout_s = start_timeout_s
        self._lock = threading.Lock()
        self._process: Optional[EngineProcess] = None
        self._runs: Dict[str, EngineRun] = {}
        self._numbers = itertools.count(1)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def tools(self) -> List[str]:
        """Names of the tools that the engine has; starts it."""
        return [str(name) for name in self.start().hello.get("tools", ())]

    @property
    def log_path(self) -> Optional[Path]:
        """Where the newest engine process writes what it has to say; None before the first start."""
        return None if self._process is None else self._process.log_path

    def start(self) -> EngineProcess:
        """The running engine, started if there is none. Raises EngineError with what to do."""
        with self._lock:
            if self._process is None or not self._process.alive:
                command = self._command or _installed_command()
                self._process = EngineProcess(
                    command,
                    self._environment,
                    self._log_folder,
                    self._start_timeout_s,
                    receive=self._dispatch,
                    ended=self._end_all,
                )
            return self._process

    def submit(self, tool: str, params: Mapping[str, Any]) -> EngineRun:
        """Ask for a run and return at once; `wait` on what comes back. Runs go one by one."""
        process = self.start()
        run = EngineRun(self, process, f"r{next(self._numbers)}", tool)
        self._runs[run.run_id] = run
        try:
            process.send({"type": "run", "id": run.run_id, "tool": tool, "params": dict(params)})
        except EngineError:
            self._runs.pop(run.run_id, None)
            raise
        return run

    def run(
        self,
        tool: str,
        params: Mapping[str, Any],
        on_progress: Optional[OnProgress] = None,
        on_log: Optional[OnLog] = None,
        timeout_s: Optional[float] = None,
    ) -> Dict[str, Any]:
        """Run `tool` and return its result; see `EngineRun.wait`."""
        return self.submit(tool, params).wait(on_progress, on_log, timeout_s)

    def cancel(self) -> None:
        """Cancel every run of this engine. May be called from any thread."""
        for run in list(self._runs.values()):
            run.cancel()

    def kill(self) -> None:
        """End the engine now; runs that wait get EngineDiedError."""
        if self._process is not None:
            self._process.kill()

    def close(self, timeout_s: float = 5.0) -> None:
        """Cancel, end the engine, and make sure that it has ended."""
        if self._process is not None:
            self._process.close(timeout_s)

    def is_running(self, run: EngineRun) -> bool:
        """Whether the end of `run` has not arrived yet."""
        return run.run_id in self._runs

    def _dispatch(self, message: Dict[str, Any]) -> None:
        run_id = message.get("id")
        final = message["type"] in ("result", "failure")
        run = self._runs.pop(run_id, None) if final else self._runs.get(run_id)  # type: ignore[arg-type]
        if run is not None:
            run.messages.put(message)

    def _end_all(self, process: EngineProcess, error: EngineError) -> None:
        for run in list(self._runs.values()):
            if run.process is process and self._runs.pop(run.run_id, None) is not None:
                run.messages.put({"type": "ended", "error": error})


class EngineRun:
    """One run that was asked for."""

    def __init__(self, engine: Engine, process: EngineProcess, run_id: str, tool: str) -> None:
        self._engine, self.process = engine, process
        self.run_id, self.tool = run_id, tool
        self.messages: queue.Queue[Dict[str, Any]] = queue.Queue()

    def cancel(self) -> None:
        """Ask it to stop at its next step; `wait` then raises Cancelled. May be called from any thread."""
        try:
            self.process.send({"type": "cancel", "id": self.run_id})
        except EngineError:
            return  # it has ended already, and `wait` says how

    def wait(
        self,
        on_progress: Optional[OnProgress] = None,
        on_log: Optional[OnLog] = None,
        timeout_s: Optional[float] = None,
    ) -> Dict[str, Any]:
        """Wait for the result, calling back on this thread.

        Raises the error that the tool raised (any of errors.py), EngineDiedError when the engine ended,
        EngineError for a bug in it or after `timeout_s`. A callback may raise: the run is then cancelled
        and the exception goes on once the run has ended.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            return self._follow(on_progress, on_log, deadline)
        except queue.Empty:
            self._stop()
            raise EngineError(
                f"{self.tool} was not finished after {timeout_s:g} s and was stopped. "
                f"Log: {self.process.log_path}"
            ) from None
        except InterpositiveError:
            if self._engine.is_running(self):  # raised by a callback
                self._stop()
            raise
        except BaseException:
            self._stop()
            raise

    def _follow(
        self, on_progress: Optional[OnProgress], on_log: Optional[OnLog], deadline: Optional[float]
    ) -> Dict[str, Any]:
        while True:
            remaining = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            message = self.messages.get(timeout=remaining)
            kind = message["type"]
            if kind == "result":
                return dict(message["result"])
            if kind == "failure":
                raise self._failure(message)
            if kind == "ended":
                raise message["error"]
            if kind == "progress" and on_progress is not None:
                names = ("stage", "done", "total", "seconds_left", "note")
                on_progress(ProgressUpdate(*(message.get(name) for name in names)))  # type: ignore[arg-type]
            elif kind == "log" and on_log is not None:
                on_log(str(message.get("message")), str(message.get("level")))

    def _stop(self) -> None:
        """Cancel and wait for the end; an engine that does not come to it is killed."""
        self.cancel()
        deadline = time.monotonic() + CANCEL_GRACE_S
        try:
            self._follow(None, None, deadline)
        except queue.Empty:
            self.process.kill()
        except InterpositiveError:
            return

    def _failure(self, message: Dict[str, Any]) -> InterpositiveError:
        text = str(message.get("message"))
        if message.get("kind") == "bug":
            return EngineError(f"{self.tool} failed inside the engine: {text} Log: {self.process.log_path}")
        kind: Optional[Type[Any]] = getattr(errors, str(message.get("error")), None)
        if isinstance(kind, type) and issubclass(kind, InterpositiveError):
            return kind(text)
        return EngineError(text)


def _installed_command() -> List[str]:
    return [str(find_engine()), "-I", "-X", "utf8", "-m", "interpositive", "worker"]
