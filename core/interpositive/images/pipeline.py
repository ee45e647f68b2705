"""Reading, computing and writing at the same time, with a bound on the frames in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from ..progress import Progress

Item = TypeVar("Item")
Read = TypeVar("Read")
Computed = TypeVar("Computed")

_POLL_S = 0.05  # how soon a waiting stage notices a stop


def frames_in_flight(memory_budget_bytes: int, frame_bytes: int, most: int = 4) -> int:
    """How many frames may be alive at once: 1 to `most`; `frame_bytes` counts a frame with its result."""
    return max(1, min(most, memory_budget_bytes // max(frame_bytes, 1)))


def stream(
    items: Iterable[Item],
    read: Callable[[Item], Read],
    compute: Callable[[Item, Read], Computed],
    write: Callable[[Item, Computed], None],
    depth: int = 3,
    progress: Progress | None = None,
) -> None:
    """Run read -> compute -> write for each item, in order, the three stages side by side.

    `read` and `write` run in one thread each, `compute` in the caller's. At most `depth` items are alive
    between the start of their read and the end of their write (3: one in each stage; 1: one after the
    other). The first error of any stage stops all, is raised when the threads have ended, and what was
    computed before it is still written. A cancel of `progress` acts between items and while waiting.
    """
    _Stream(list(items), read, compute, write, depth, progress or Progress()).run()


class _Stream(Generic[Item, Read, Computed]):
    def __init__(
        self,
        items: list[Item],
        read: Callable[[Item], Read],
        compute: Callable[[Item, Read], Computed],
        write: Callable[[Item, Computed], None],
        depth: int,
        progress: Progress,
    ) -> None:
        self._items, self._progress = items, progress
        self._read, self._compute, self._write = read, compute, write
        self._free_places = threading.Semaphore(max(depth, 1))
        self._to_compute: SimpleQueue[tuple[Read] | BaseException] = SimpleQueue()
        self._to_write: SimpleQueue[tuple[Item, Computed] | None] = SimpleQueue()
        self._stop = threading.Event()
        self._write_error: BaseException | None = None

    def run(self) -> None:
        reader = threading.Thread(target=self._read_all, name="plate reader", daemon=True)
        writer = threading.Thread(target=self._write_all, name="result writer", daemon=True)
        reader.start()
        writer.start()
        try:
            for item in self._items:
                self._progress.raise_if_cancelled()
                if not self._compute_next(item):
                    break
        finally:
            self._stop.set()
            self._to_write.put(None)
            writer.join()
            reader.join()
        if self._write_error is not None:
            raise self._write_error

    def _compute_next(self, item: Item) -> bool:
        """False when the writer has failed."""
        arrived = self._wait_for_read()
        if arrived is None:
            return False
        if isinstance(arrived, BaseException):
            raise arrived
        computed = self._compute(item, arrived[0])
        del arrived
        self._to_write.put((item, computed))
        return True

    def _wait_for_read(self) -> tuple[Read] | BaseException | None:
        while not self._stop.is_set():
            self._progress.raise_if_cancelled()
            try:
                return self._to_compute.get(timeout=_POLL_S)
            except Empty:
                continue
        return None

    def _read_all(self) -> None:
        for item in self._items:
            while not self._free_places.acquire(timeout=_POLL_S):
                if self._stop.is_set():
                    return
            if self._stop.is_set():
                return
            try:
                self._to_compute.put((self._read(item),))
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
                self._to_compute.put(error)
                return

    def _write_all(self) -> None:
        while (pair := self._to_write.get()) is not None:
            try:
                self._write(*pair)
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
                self._write_error = error
                self._stop.set()
                return
            del pair
            self._free_places.release()
