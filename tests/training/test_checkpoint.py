from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from interpositive.errors import OutputError
from interpositive.training.checkpoint import (
    CHECKPOINT_FILE,
    TrainingState,
    load_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)

STATE = TrainingState(
    fingerprint="a" * 64,
    step=40,
    first_step=3,
    attempt=2,
    restart_asked=True,
    cpu_seconds=12.5,
    wall_seconds=7.25,
    losses=(37, 0.5, 0.25, 0.125),
    holdout_history=((10, 0.5), (20, 0.25)),
    measured={"holdout_psnr_db": 31.5},
)
TENSORS = {
    "network.a": torch.arange(6.0).view(2, 3),
    "schedule": torch.tensor([0.1, 0.9], dtype=torch.float64),
}


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint", STATE, TENSORS)
    found = load_checkpoint(tmp_path / "checkpoint", STATE.fingerprint)
    assert found is not None
    state, tensors = found
    assert state == STATE
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_a_checkpoint_of_another_training_is_not_taken(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, STATE, TENSORS)
    assert load_checkpoint(tmp_path, "b" * 64) is None


def test_none_and_nothing_are_no_checkpoint(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "absent", STATE.fingerprint) is None


@pytest.mark.parametrize("kept", [0, 5, 60, 0.5, 0.99])
def test_a_truncated_checkpoint_is_none(tmp_path: Path, kept: float) -> None:
    save_checkpoint(tmp_path, STATE, TENSORS)
    path = tmp_path / CHECKPOINT_FILE
    data = path.read_bytes()
    path.write_bytes(data[: int(kept if kept > 1 else kept * len(data))])
    assert load_checkpoint(tmp_path, STATE.fingerprint) is None


def test_a_checkpoint_of_another_release_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from interpositive.training import checkpoint

    save_checkpoint(tmp_path, STATE, TENSORS)
    monkeypatch.setattr(checkpoint, "__version__", "99.0")
    assert load_checkpoint(tmp_path, STATE.fingerprint) is None


def test_a_full_disk_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, STATE, TENSORS)

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="full"):
        save_checkpoint(tmp_path, dataclasses.replace(STATE, step=50), TENSORS)
    found = load_checkpoint(tmp_path, STATE.fingerprint)
    assert found is not None and found[0].step == 40
    assert os.listdir(tmp_path) == [CHECKPOINT_FILE]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text("a file is in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="checkpoint"):
        save_checkpoint(tmp_path / "checkpoint", STATE, TENSORS)


_DYING = """
import os, signal
from pathlib import Path
import test_checkpoint as here
from interpositive.training.checkpoint import save_checkpoint
def killed(source, target):
    os.kill(os.getpid(), signal.SIGKILL)
os.replace = killed
save_checkpoint(Path({folder!r}), here.STATE, here.TENSORS)
"""


def test_a_kill_while_saving_leaves_the_old_one_and_its_remains_are_removed(
    tmp_path: Path, child_environment: dict[str, Any], python: str
) -> None:
    save_checkpoint(tmp_path, dataclasses.replace(STATE, step=1), TENSORS)
    paths = os.pathsep.join([child_environment["PYTHONPATH"], str(Path(__file__).parent)])
    environment = {**child_environment, "PYTHONPATH": paths, "PYTHONWARNINGS": "default"}
    done = subprocess.run([python, "-c", _DYING.format(folder=str(tmp_path))], env=environment, check=False)
    assert done.returncode == -9
    found = load_checkpoint(tmp_path, STATE.fingerprint)
    assert found is not None and found[0].step == 1
    assert len(os.listdir(tmp_path)) == 2
    remove_checkpoint(tmp_path)
    assert not tmp_path.exists()
