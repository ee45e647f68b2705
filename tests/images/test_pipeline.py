"""Reading, computing and writing at once."""

from __future__ import annotations

import threading
import time

import pytest

from interpositive.errors import Cancelled, DamagedFrameError, OutputError
from interpositive.images.pipeline import frames_in_flight, stream
from interpositive.progress import Progress

OUR_THREADS = ("plate reader", "result writer")


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind() -> object:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name in OUR_THREADS]


def _ignore(item: int, value: int) -> None:
    del item, value


def test_every_item_is_written_in_order() -> None:
    written: list[tuple[int, int]] = []
    stream(range(20), lambda k: k * 2, lambda k, v: v + 1, lambda k, v: written.append((k, v)))
    assert written == [(k, 2 * k + 1) for k in range(20)]
    stream([], lambda k: k, lambda k, v: v, _ignore)


def test_the_three_stages_overlap() -> None:
    def slow(*values: int) -> int:
        time.sleep(0.02)
        return values[-1]

    start = time.monotonic()
    stream(range(12), slow, slow, lambda k, v: _ignore(k, slow(v)))
    assert time.monotonic() - start < 12 * 3 * 0.02 * 0.7


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_no_more_frames_are_alive_than_the_depth(depth: int) -> None:
    lock, alive, most = threading.Lock(), [0], [0]

    def read(item: int) -> int:
        with lock:
            alive[0] += 1
            most[0] = max(most[0], alive[0])
        return item

    def write(item: int, value: int) -> None:
        time.sleep(0.002)
        with lock:
            alive[0] -= 1

    stream(range(15), read, lambda k, v: v, write, depth=depth)
    assert most[0] <= depth


def test_a_damaged_frame_stops_all_after_the_earlier_ones_are_written() -> None:
    written: list[int] = []

    def read(item: int) -> int:
        if item == 5:
            raise DamagedFrameError("sh010.1005.exr is truncated")
        return item

    with pytest.raises(DamagedFrameError, match="1005"):
        stream(range(10), read, lambda k, v: v, lambda k, v: written.append(k))
    assert written == [0, 1, 2, 3, 4]


def test_an_error_while_computing_keeps_what_was_computed() -> None:
    written: list[int] = []

    def compute(item: int, value: int) -> int:
        if item == 3:
            raise ValueError("network")
        return value

    with pytest.raises(ValueError, match="network"):
        stream(range(10), lambda k: k, compute, lambda k, v: written.append(k))
    assert written == [0, 1, 2]


def test_a_full_disk_stops_reading_and_computing() -> None:
    computed: list[int] = []

    def write(item: int, value: int) -> None:
        if item == 2:
            raise OutputError("disk full")

    def compute(item: int, value: int) -> int:
        computed.append(item)
        return value

    with pytest.raises(OutputError, match="full"):
        stream(range(1000), lambda k: k, compute, write, depth=3)
    assert len(computed) < 10


def test_cancel_stops_within_one_step_even_while_a_read_hangs() -> None:
    progress, written = Progress(), []

    def compute(item: int, value: int) -> int:
        if item == 2:
            progress.cancel()
        return value

    with pytest.raises(Cancelled):
        stream(range(100), lambda k: k, compute, lambda k, v: written.append(k), progress=progress)
    assert written == [0, 1, 2]

    hanging = Progress()
    released = threading.Event()

    def read(item: int) -> int:
        hanging.cancel()
        released.wait(0.3)
        return item

    with pytest.raises(Cancelled):
        stream(range(100), read, lambda k, v: v, _ignore, progress=hanging)


def test_the_depth_follows_from_the_memory_budget() -> None:
    assert frames_in_flight(3_000, 1_000) == 3
    assert frames_in_flight(100, 1_000) == 1
    assert frames_in_flight(10**9, 1_000) == 4
