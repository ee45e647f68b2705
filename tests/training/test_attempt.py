from __future__ import annotations

import pytest
import torch

from interpositive.models.network import ShotNetwork, ShotNetworkConfig
from interpositive.training.attempt import Attempt
from interpositive.training.loss import KeyframeDrift
from interpositive.training.schedule import Schedule


def attempt_of(number: int = 1, seed: int = 1) -> Attempt:
    torch.manual_seed(seed)
    network = ShotNetwork(ShotNetworkConfig(width=8, hidden=8, levels=2))
    return Attempt(network, KeyframeDrift(3), Schedule(0.1, 0.8), number)


def step(attempt: Attempt, steps: int = 1, factor: float = 1.0) -> None:
    for _ in range(steps):
        random = torch.Generator().manual_seed(attempt.step)
        for weight in attempt.weights():
            weight.grad = torch.randn(weight.shape, generator=random)
        attempt.update(factor)


def assert_same(one: Attempt, other: Attempt) -> None:
    ours, theirs = one.tensors(), other.tensors()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_an_attempt_taken_from_its_tensors_goes_on_to_the_bit() -> None:
    straight, first = attempt_of(), attempt_of()
    step(straight, 5)
    step(first, 2)
    kept = {name: tensor.clone() for name, tensor in first.tensors().items()}
    second = attempt_of(seed=9)
    second.take(kept, first.step, first.first_step)
    step(second, 3)
    assert_same(straight, second)
    assert (second.schedule.start, second.schedule.end) == (0.1, 0.8)


def test_later_attempts_step_half_as_far() -> None:
    moved = []
    for number in (1, 2, 3):
        attempt = attempt_of(number)
        before = attempt.network.first.weight.clone()
        step(attempt)
        moved.append(float((attempt.network.first.weight - before).norm().detach()))
    assert moved == pytest.approx([moved[0], moved[0] / 2, moved[0] / 4], rel=1e-3)


def test_the_result_is_a_mean_of_late_weights_and_a_network_of_its_own() -> None:
    attempt = attempt_of()
    start = attempt.network.first.weight.clone()
    step(attempt, 40)
    network = attempt.result()
    kept, now = network.first.weight, attempt.network.first.weight
    assert 0 < (kept - now).norm() < 0.5 * (start - now).norm()
    before = kept.clone()
    step(attempt)
    assert torch.equal(network.first.weight, before)
    assert not network.training


def test_a_step_of_rate_zero_moves_nothing() -> None:
    attempt = attempt_of()
    before = {name: weight.clone() for name, weight in attempt.network.state_dict().items()}
    step(attempt, factor=0.0)
    assert all(torch.equal(weight, before[name]) for name, weight in attempt.network.state_dict().items())
