"""A measurement in a fresh process of its own: honest CPU-seconds, threads and peak memory."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from ..errors import EngineDiedError, InterpositiveError
from ..progress import Progress, ProgressUpdate
from .machine import peak_memory_bytes

T = TypeVar("T")

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_POLL_S = 0.2


@dataclass(frozen=True)
class Measured(Generic[T]):
    """What a function returned and what it took: CPU-seconds of the whole process, its imports included."""

    value: T
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


def measure(
    function: Callable[..., T], *arguments: Any, threads: int | None, progress: Progress, title: str
) -> Measured[T]:
    """Run `function(progress, *arguments)` in a new process with `threads` threads (None: all cores) and
    wait.

    Function and arguments must be importable and picklable. Expected errors are raised here; a cancel of
    `progress` ends the process. Raises EngineDiedError when it ends without an answer.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(there, function, arguments), daemon=False)
    start = time.perf_counter()
    with _environment(threads):
        process.start()
    there.close()
    try:
        answer = _relay(here, progress, title)
        process.join()
    finally:
        if process.is_alive():
            process.terminate()
            process.join()
    if isinstance(answer, InterpositiveError):
        raise answer
    value, cpu_seconds, peak_bytes = answer
    return Measured(value, cpu_seconds, time.perf_counter() - start, peak_bytes)


class _RelayedProgress(Progress):
    """Sends what a tool reports to the parent."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def show(self, update: ProgressUpdate) -> None:
        self._connection.send(update)


def _serve(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        value = function(_RelayedProgress(connection), *arguments)
    except InterpositiveError as error:
        connection.send(error)
        return
    connection.send((value, time.process_time(), peak_memory_bytes()))


def _relay(connection: Connection, progress: Progress, title: str) -> Any:
    """Pass progress on until the answer comes."""
    while True:
        if not connection.poll(_POLL_S):
            progress.raise_if_cancelled()
            continue
        try:
            message = connection.recv()
        except EOFError:
            raise EngineDiedError(
                f"The measurement `{title}` ended without an answer; what it printed is above. Run "
                f"it alone with --only."
            ) from None
        if not isinstance(message, ProgressUpdate):
            return message
        progress.report(
            f"{title}: {message.stage}", message.done, message.total, message.note, message.seconds_left
        )


@contextmanager
def _environment(threads: int | None) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    for name in _THREAD_VARIABLES:
        os.environ.pop(name, None)
    if threads is not None:
        os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
