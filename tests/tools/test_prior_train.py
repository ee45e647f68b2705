from __future__ import annotations

from pathlib import Path

import pytest

from interpositive.errors import TrainingError, UsageError
from interpositive.prior.predictor import load_prior
from interpositive.progress import Progress
from interpositive.tools.prior_train import Params, run
from prior.stack_samples import sphere_shard


def test_the_tool_writes_a_prior_that_loads(tmp_path: Path) -> None:
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    sphere_shard(stacks / "stack_00001.safetensors", scenes=2, size=64, lights=5)
    params = Params(stacks=str(stacks), out=str(tmp_path / "out"), steps=1, batch=2, workers=0, device="cpu")
    result = run(params, Progress())
    assert result.steps == 1
    assert load_prior(tmp_path / "out").manifest["training"]["pictures"] == 2
    assert "held out" in result.lines()[0]


def test_length_is_either_steps_or_seconds(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--time-budget"):
        run(Params(stacks=str(tmp_path), out=str(tmp_path / "out")), Progress())


def test_no_stacks_no_training(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="prior render"):
        run(Params(stacks=str(tmp_path), out=str(tmp_path / "out"), steps=1, device="cpu"), Progress())
