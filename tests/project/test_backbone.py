from __future__ import annotations

import numpy as np
import pytest
import torch

from interpositive.project import backbone
from interpositive.project.backbone import BackboneTrainer, LearningFrame
from interpositive.project.random_changes import GRID_PX, PLANES
from interpositive.training.loop import QUALITIES
from tiny_shot import HEIGHT, WIDTH, texture


@pytest.fixture(autouse=True)
def small_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone, "_CROP_PX", 64)


def a_frame(seed: int) -> LearningFrame:
    plate = texture(seed)
    random = np.random.default_rng(seed)
    known = random.standard_normal((PLANES, HEIGHT // GRID_PX, WIDTH // GRID_PX)).astype(np.float32)
    small = plate.reshape(HEIGHT // GRID_PX, GRID_PX, WIDTH // GRID_PX, GRID_PX, 3).mean((1, 3))
    known[:3] = np.log(small.transpose(2, 0, 1))
    known[3:] = 0  # the maps follow the colour alone
    return LearningFrame(
        torch.from_numpy(plate.transpose(2, 0, 1).copy()), torch.from_numpy(known), (0, 0), (WIDTH, HEIGHT)
    )


def trained(steps: int, seed: int = 1) -> BackboneTrainer:
    trainer = BackboneTrainer([a_frame(1), a_frame(2)], 4, seed)
    for step in range(steps):
        trainer.train_step(step / steps)
    return trainer


def test_loss_falls() -> None:
    trainer = BackboneTrainer([a_frame(1), a_frame(2)], 4, 1)
    losses = [trainer.train_step(step / 40) for step in range(40)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_same_seed_gives_the_same_backbone_to_the_bit() -> None:
    first, again = trained(3).result(), trained(3).result()
    assert all(torch.equal(first.tensors[name], again.tensors[name]) for name in first.tensors)
    other = trained(3, seed=2).result()
    assert any(not torch.equal(first.tensors[name], other.tensors[name]) for name in first.tensors)


def test_a_training_taken_up_again_ends_as_one_without_a_break() -> None:
    whole = trained(6).result()
    half = BackboneTrainer([a_frame(1), a_frame(2)], 4, 1)
    for step in range(3):
        half.train_step(step / 6)
    rest = BackboneTrainer([a_frame(1), a_frame(2)], 4, 1)
    rest.take(half.tensors(), 3)
    for step in range(3, 6):
        rest.train_step(step / 6)
    assert all(torch.equal(tensor, rest.result().tensors[name]) for name, tensor in whole.tensors.items())


def test_result_leaves_the_training_as_it_is() -> None:
    trainer = trained(2)
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    trainer.result()
    assert all(torch.equal(tensor, trainer.network.state_dict()[name]) for name, tensor in before.items())


def test_decay_keeps_layers_from_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    def norm_after(steps: int) -> float:
        trainer = BackboneTrainer([a_frame(1)], 4, 1)
        for _ in range(steps):
            trainer.train_step(0.1)
        return float(torch.linalg.matrix_norm(trainer.network.deep[0].weight.detach().flatten(1), 2))

    held = norm_after(30)
    monkeypatch.setattr(backbone, "_LARGEST_NORM", float("inf"))
    assert held < 0.9 * norm_after(30)


@pytest.mark.parametrize("quality", ["draft", "standard"])
def test_shot_models_of_the_usual_qualities_can_begin_from_it(quality: str) -> None:
    chosen = QUALITIES[quality]
    assert trained(1).result().fits(chosen.width, chosen.hidden)
