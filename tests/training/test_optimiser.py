from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from interpositive.models.network import ShotNetwork, ShotNetworkConfig
from interpositive.training.optimiser import ADAM_RATE, DRIFT_RATE, ShotOptimiser, orthogonalised


@pytest.mark.parametrize("shape", [(32, 192), (96, 32), (64, 288), (16, 16), (96, 192)])
def test_singular_values_come_close_to_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
    assert 0.6 < values.min() and values.max() < 1.25


def test_directions_are_kept_and_only_lengths_change() -> None:
    torch.manual_seed(2)
    matrix = torch.randn(24, 80)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    turned = left.T @ orthogonalised(matrix) @ right.T
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 1e-3
    assert (turned.diagonal() > 0).all()


def test_the_scale_of_a_gradient_does_not_matter_and_none_stays_none() -> None:
    torch.manual_seed(3)
    matrix = torch.randn(12, 30)
    torch.testing.assert_close(orthogonalised(matrix), orthogonalised(1e-3 * matrix), rtol=1e-3, atol=1e-3)
    assert not orthogonalised(torch.zeros(4, 9)).any()


def small_network() -> ShotNetwork:
    torch.manual_seed(4)
    return ShotNetwork(ShotNetworkConfig(width=8, hidden=16, levels=2, curve_units=4))


def learn(network: ShotNetwork, optimiser: ShotOptimiser, steps: int, first: int = 0) -> list[float]:
    losses = []
    for step in range(first, first + steps):
        random = torch.Generator().manual_seed(step)
        plate = torch.rand((2, 3, 32, 48), generator=random)
        gain, _ = network.raw(plate, torch.zeros(2), torch.tensor([48.0, 32.0]))
        target = torch.linspace(-1, 1, 48).expand_as(gain)  # a change by place
        loss = F.mse_loss(gain, target)
        for weight in network.parameters():
            weight.grad = None
        loss.backward()
        optimiser.step(1.0)
        losses.append(float(loss.detach()))
    return losses


def test_the_loss_falls() -> None:
    network = small_network()
    losses = learn(network, ShotOptimiser(network), 25)
    assert losses[-1] < 0.5 * losses[0]


def test_a_state_taken_back_goes_on_to_the_bit() -> None:
    straight, broken = small_network(), small_network()
    learn(straight, ShotOptimiser(straight), 6)
    first = ShotOptimiser(broken)
    learn(broken, first, 3)
    state = {name: tensor.clone() for name, tensor in first.state().items()}
    second = ShotOptimiser(broken)
    second.load(state)
    learn(broken, second, 3, first=3)
    for one, other in zip(straight.parameters(), broken.parameters(), strict=True):
        assert torch.equal(one, other)


def test_frozen_weights_and_weights_without_gradients_stay() -> None:
    network = small_network()
    network.curves_in.requires_grad_(False)
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    network.first.weight.grad = torch.ones_like(network.first.weight)
    ShotOptimiser(network).step(1.0)
    moved = {name for name, weight in network.named_parameters() if not torch.equal(weight, before[name])}
    assert moved == {"first.weight"}


def test_the_last_layer_and_drift_take_adams_first_step_and_slower_is_slower() -> None:
    for slower in (1.0, 0.5):
        network, drift = small_network(), nn.Parameter(torch.zeros(3))
        for weight in (network.out.weight, drift):
            weight.grad = torch.full_like(weight, 7.0)
        before = network.out.weight.clone()
        ShotOptimiser(network, [drift], slower).step(0.5)
        torch.testing.assert_close(drift.detach(), torch.full((3,), -0.5 * slower * DRIFT_RATE))
        moved = network.out.weight - before
        torch.testing.assert_close(
            moved, torch.full_like(moved, -0.5 * slower * ADAM_RATE), rtol=1e-3, atol=0
        )
