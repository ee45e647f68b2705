"""One engine process, from its start to its end: its pipes, its process group, its log file."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ..errors import EngineDiedError, EngineError, EngineNotFoundError, ProtocolError
from .environment import engine_environment
from .protocol import PROTOCOL_VERSION, decode, encode, one_line

KEPT_LOGS = 10
SHOWN_LOG_LINES = 3
_TERMINATE_GRACE_S = 2.0
_REAP_GRACE_S = 5.0
_log_numbers = itertools.count(1)

Receive = Callable[[Dict[str, Any]], None]
Ended = Callable[["EngineProcess", EngineError], None]


class EngineProcess:
    """A running engine that has said hello.

    `receive` gets every later message and `ended` this process with the one error that tells how it ended;
    both are called on the reader thread. Raises EngineNotFoundError, EngineDiedError, ProtocolError.
    """

    def __init__(
        self,
        command: Sequence[str],
        extra_environment: Mapping[str, str],
        log_folder: Path,
        start_timeout_s: float,
        receive: Receive,
        ended: Ended,
    ) -> None:
        self._receive, self._ended = receive, ended
        self._write_lock = threading.Lock()
        self._hello: queue.Queue[Optional[Dict[str, Any]]] = queue.Queue()
        self._end: Optional[EngineError] = None
        self.log_path, log_file = _open_log(log_folder)
        with log_file:
            started = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(command)}"
            log_file.write(one_line(started).encode() + b"\n")
            log_file.flush()
            self._process = _spawn(command, engine_environment(os.environ, extra_environment), log_file)
        self._reader = threading.Thread(target=self._read, name="interpositive-engine", daemon=True)
        self._reader.start()
        self.hello = self._wait_for_hello(start_timeout_s)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._end is None and self._process.poll() is None

    def send(self, message: Dict[str, Any]) -> None:
        """Send one message; raises EngineDiedError when nobody reads any more."""
        line = encode(message)
        try:
            with self._write_lock:
                self._pipes()[0].write(line)
                self._pipes()[0].flush()
        except (OSError, ValueError):
            self._reader.join(_REAP_GRACE_S)
            raise self._end or self._describe_end() from None

    def close(self, timeout_s: float) -> None:
        """Ask it to end, wait `timeout_s`, then make it."""
        with contextlib.suppress(EngineError):
            self.send({"type": "shutdown"})
        with contextlib.suppress(OSError):
            self._pipes()[0].close()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join(_REAP_GRACE_S)

    def kill(self) -> None:
        """End it and whatever it started: asked by the system first, forced after two seconds."""
        if os.name == "posix":
            for stop in (signal.SIGTERM, signal.SIGKILL):
                if self._process.poll() is None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(self._process.pid, stop)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self._process.wait(_TERMINATE_GRACE_S)
        elif self._process.poll() is None:
            taskkill = ["taskkill", "/F", "/T", "/PID", str(self._process.pid)]
            subprocess.run(taskkill, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_TERMINATE_GRACE_S)
        with contextlib.suppress(OSError):
            self._pipes()[0].close()
        self._reader.join(_REAP_GRACE_S)

    def log_tail(self) -> str:
        """The last lines of the engine's log, joined."""
        try:
            text = self.log_path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = [one_line(line) for line in text.splitlines()[1:] if line.strip()]
        return " | ".join(lines[-SHOWN_LOG_LINES:])

    def _wait_for_hello(self, timeout_s: float) -> Dict[str, Any]:
        try:
            hello = self._hello.get(timeout=timeout_s)
        except queue.Empty:
            self.kill()
            raise EngineDiedError(
                f"The engine did not start within {timeout_s:.0f} s. Log: {self.log_path}"
            ) from None
        if hello is None:
            raise self._end or self._describe_end()
        if hello.get("type") != "hello" or hello.get("protocol") != PROTOCOL_VERSION:
            self.kill()
            raise ProtocolError(
                f"The engine {hello.get('version', '')} speaks protocol {hello.get('protocol')} and this "
                f"plug-in {PROTOCOL_VERSION}. Install both anew: `python3 install/bootstrap.py setup`."
            )
        return hello

    def _read(self) -> None:
        said_hello = False
        stdout = self._pipes()[1]
        try:
            for line in stdout:
                message = decode(line)
                if said_hello:
                    self._receive(message)
                else:
                    said_hello = True
                    self._hello.put(message)
            end: EngineError = self._describe_end()
        except ProtocolError as error:
            end = ProtocolError(f"The engine said what is not in the protocol. {error} Log: {self.log_path}")
            threading.Thread(target=self.kill, daemon=True).start()
        finally:
            stdout.close()
        with contextlib.suppress(OSError):
            self._pipes()[0].close()
        self._end = end
        self._hello.put(None)
        self._ended(self, end)

    def _describe_end(self) -> EngineDiedError:
        try:
            status: Optional[int] = self._process.wait(_REAP_GRACE_S)
        except subprocess.TimeoutExpired:
            status = None
        tail = self.log_tail()
        said = f" Its last words: {tail}." if tail else ""
        return EngineDiedError(
            f"The engine ended {_in_words(status)}.{said} Run it again; its log: {self.log_path}"
        )

    def _pipes(self) -> Tuple[Any, Any]:
        return self._process.stdin, self._process.stdout


def _spawn(command: Sequence[str], environment: Mapping[str, str], log_file: Any) -> subprocess.Popen[bytes]:
    own_group: Dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            env=dict(environment),
            **own_group,
        )
    except OSError as error:
        raise EngineNotFoundError(
            f"The engine {command[0]} does not start: {error}. Run `python3 install/bootstrap.py setup`."
        ) from None


def _in_words(status: Optional[int]) -> str:
    if status is None:
        return "its messages but still runs"
    if status < 0:
        why = " (often: out of memory)" if -status == getattr(signal, "SIGKILL", None) else ""
        return f"by signal {-status}{why}"
    return f"with status {status}"


def _open_log(folder: Path) -> Tuple[Path, Any]:
    """A new log file, the oldest of earlier ones removed. Falls back to the temporary folder."""
    name = f"engine-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{next(_log_numbers)}.log"
    for candidate in (folder, Path(tempfile.gettempdir()) / "interpositive-logs"):
        try:
            candidate.mkdir(parents=True, exist_ok=True)
            log_file = open(candidate / name, "ab")
        except OSError:
            continue
        _remove_old_logs(candidate)
        return candidate / name, log_file
    raise EngineError(f"No log can be written in {folder} nor {tempfile.gettempdir()}. Free some disk space.")


def _remove_old_logs(folder: Path) -> None:
    logs: List[Path] = sorted(folder.glob("engine-*.log"), key=_modified)
    for old in logs[:-KEPT_LOGS]:
        with contextlib.suppress(OSError):  # another host may hold it or be quicker
            old.unlink()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
