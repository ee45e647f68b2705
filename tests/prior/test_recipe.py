from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from interpositive.errors import Cancelled, DamagedModelError
from interpositive.models.prior_network import PriorNetwork, PriorNetworkConfig
from interpositive.prior.predictor import load_prior
from interpositive.prior.recipe import LOG_FILE, Machine, PriorTrainer, Recipe, StartingPoint
from interpositive.progress import Progress, ProgressUpdate
from interpositive.training.schedule import Length
from prior.stack_samples import sphere_shard

STEPS = 6
RECIPE = Recipe(
    Length(steps=STEPS),
    batch=3,
    crops=((0.0, 32), (0.5, 64)),
    network=PriorNetworkConfig(widths=(8, 8, 8, 8), stem=8, hidden=8, light_units=8),
    validation_pictures=2,
    validation_px=64,
)


class StopsAt(Progress):
    """Cancels after so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    def show(self, update: ProgressUpdate) -> None:
        self._left -= 1
        if self._left == 0:
            self.cancel()


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    folder = tmp_path / "stacks"
    folder.mkdir()
    for number in range(2):
        sphere_shard(folder / f"stack_{number:05d}.safetensors", scenes=2, size=64, lights=5, seed=number)
    return folder


def train(stacks: Path, out: Path, recipe: Recipe = RECIPE, progress: Progress | None = None) -> Path:
    machine = Machine(workers=0, checkpoint_every_s=0.0)
    PriorTrainer(recipe, machine, stacks, out, progress or Progress()).run()
    return out


def trained_on(stacks: Path, start: Path, out: Path, steps: int) -> Path:
    """Training of `steps` that starts from the prior in `start`."""
    point = StartingPoint.of(start)
    recipe = replace(RECIPE, length=Length(steps=steps), start=point.sha256)
    PriorTrainer(recipe, Machine(workers=0), stacks, out, Progress(), point).run()
    return out


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "prior.safetensors")


def test_resumed_equals_uninterrupted(stacks: Path, tmp_path: Path) -> None:
    whole = weights(train(stacks, tmp_path / "whole"))
    with pytest.raises(Cancelled):
        train(stacks, tmp_path / "cut", progress=StopsAt(4))
    resumed = weights(train(stacks, tmp_path / "cut"))
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_what_was_trained_loads_and_says_how(stacks: Path, tmp_path: Path) -> None:
    prior = load_prior(train(stacks, tmp_path / "out"))
    training = prior.manifest["training"]
    assert training["steps"] == STEPS
    assert training["recipe"]["seed"] == 1
    assert training["is_finished"]
    assert set(prior.manifest["measured"]) >= {"known_normal_deg", "unknown_relit_db", "known_albedo_lmse"}
    lines = (tmp_path / "out" / LOG_FILE).read_text().splitlines()
    assert json.loads(lines[-1])["steps"] == STEPS


def test_another_recipes_checkpoint_is_not_gone_on_with(stacks: Path, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        train(stacks, tmp_path / "out", progress=StopsAt(3))
    other = Recipe(Length(steps=9), network=RECIPE.network, crops=((0.0, 32),))
    with pytest.raises(DamagedModelError, match="another recipe"):
        train(stacks, tmp_path / "out", other)


def test_a_damaged_checkpoint_is_told(stacks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "checkpoint.safetensors").write_bytes(b"broken")
    with pytest.raises(DamagedModelError, match="Delete it"):
        train(stacks, out)


def test_a_training_can_start_from_a_trained_prior_and_says_from_which(stacks: Path, tmp_path: Path) -> None:
    first = train(stacks, tmp_path / "first")
    second = trained_on(stacks, first, tmp_path / "second", steps=1)
    before, after, new = weights(first), weights(second), PriorNetwork(RECIPE.network).state_dict()
    near, far = (
        sum(float((after[name].float() - other[name].float()).square().sum()) for name in after)
        for other in (before, new)
    )
    assert 0 < near < 0.1 * far
    started = load_prior(second).manifest["training"]["started_from"]
    assert started["sha256"] == load_prior(first).manifest["files"]["prior.safetensors"]["sha256"]
    assert started["training"]["steps"] == STEPS


def test_a_training_from_other_weights_is_another_recipe(stacks: Path, tmp_path: Path) -> None:
    first = train(stacks, tmp_path / "first")
    second = trained_on(stacks, first, tmp_path / "second", steps=1)
    with pytest.raises(DamagedModelError, match="another recipe"):
        trained_on(stacks, second, second, steps=1)
