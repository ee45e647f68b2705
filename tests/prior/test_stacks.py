from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interpositive.errors import TrainingError
from interpositive.prior.stacks import StackFolder
from prior.stack_samples import sphere_shard


def test_scenes_are_read_as_stored(tmp_path: Path) -> None:
    sphere_shard(tmp_path / "stack_00000.safetensors", scenes=3, size=32, lights=4)
    stack = StackFolder(tmp_path).shard("stack_00000.safetensors").read(2)
    assert stack.size_px == 32
    assert stack.lights == 4
    normal = stack.normal.astype(np.float32) / 127
    lit = np.maximum(np.einsum("hwc,lc->lhw", normal, stack.light_direction), 0)
    np.testing.assert_allclose(stack.direct, lit, atol=0.02)


def test_a_growing_folder_never_trains_on_what_was_held_out(tmp_path: Path) -> None:
    held: set[str] = set()
    trained: set[str] = set()
    for number in range(9):
        sphere_shard(tmp_path / f"stack_{number:05d}.safetensors", scenes=1, size=16, lights=3)
        if number:
            names, held_now = StackFolder(tmp_path, held_out_every=4).split()
            held |= set(held_now)
            trained |= set(names)
    assert not held & trained
    assert len(held) == 3


def test_an_empty_folder_and_a_damaged_shard_are_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="prior render"):
        StackFolder(tmp_path).names()
    (tmp_path / "stack_00000.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(TrainingError, match="stack_00000"):
        StackFolder(tmp_path).shard("stack_00000.safetensors").read(0)
