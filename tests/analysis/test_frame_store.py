from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interpositive.analysis.frame_store import FrameStore


@pytest.mark.parametrize("memory_bytes", [1 << 20, 0])
def test_what_was_put_is_got_from_memory_and_from_disk(tmp_path: Path, memory_bytes: int) -> None:
    with FrameStore(3, (4, 5, 2), tmp_path, memory_bytes, np.float32) as store:
        values = np.random.default_rng(0).random((4, 5, 2), np.float32)
        store.put(1, values)
        np.testing.assert_array_equal(store.get(1), values)
        assert not store.get(2).any() and len(store) == 3
    assert list(tmp_path.iterdir()) == []  # nothing is left, even when the process is killed


def test_half_holds_what_is_too_large_at_its_maximum(tmp_path: Path) -> None:
    with FrameStore(1, (1, 1, 1), tmp_path, 1 << 20) as store:
        store.put(0, np.full((1, 1, 1), 1e9, np.float32))
        assert store.get(0)[0, 0, 0] == 65504


def test_got_arrays_are_copies(tmp_path: Path) -> None:
    with FrameStore(1, (1, 1, 1), tmp_path, 1 << 20, np.float32) as store:
        store.get(0)[:] = 5
        assert store.get(0)[0, 0, 0] == 0
