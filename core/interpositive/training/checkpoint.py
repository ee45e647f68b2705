"""Checkpoints of a running training: one safetensors file, whole or absent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from .. import __version__
from ..images.writing import remove_unfinished, whole_file

CHECKPOINT_FILE = "training.safetensors"
_VERSION = 1


@dataclass(frozen=True)
class TrainingState:
    """Where a training is. `fingerprint` says what it is a training of: another one never resumes from it."""

    fingerprint: str
    step: int
    first_step: int  # of this attempt; above zero after a restart
    attempt: int
    restart_asked: bool  # the next step begins another attempt
    cpu_seconds: float
    wall_seconds: float
    losses: tuple[int, float, float, float]  # the fields of `LossWatch`
    holdout_history: tuple[tuple[int, float], ...]  # (step, error)
    measured: dict[str, float]


def save_checkpoint(folder: Path, state: TrainingState, tensors: Mapping[str, Tensor]) -> None:
    """Replace the checkpoint in `folder`. Raises `OutputError`; the old one then stays."""
    metadata = {
        "schema": "interpositive.checkpoint",
        "version": str(_VERSION),
        "software": __version__,
        "state": json.dumps(asdict(state)),
    }
    data = safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata)
    with whole_file(folder / CHECKPOINT_FILE) as unfinished:
        unfinished.write_bytes(data)


def load_checkpoint(folder: Path, fingerprint: str) -> tuple[TrainingState, dict[str, Tensor]] | None:
    """The checkpoint of this very training, or None: absent, damaged, of another version or training."""
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            state = _state(metadata)
            if state is None or state.fingerprint != fingerprint:
                return None
            return state, {name: file.get_tensor(name) for name in file.keys()}
    except (safetensors.SafetensorError, OSError):
        return None


def remove_checkpoint(folder: Path) -> None:
    """Forget a training that is finished."""
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)
    remove_unfinished(folder)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _state(metadata: Mapping[str, str]) -> TrainingState | None:
    if (metadata.get("version"), metadata.get("software")) != (str(_VERSION), __version__):
        return None
    try:
        fields: dict[str, Any] = json.loads(metadata.get("state", ""))
        history = tuple((int(step), float(error)) for step, error in fields.pop("holdout_history"))
        losses = fields.pop("losses")
        return TrainingState(**fields, losses=tuple(losses), holdout_history=history)
    except (ValueError, TypeError, KeyError):
        return None
