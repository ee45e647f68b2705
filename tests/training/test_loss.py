from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from interpositive.models.network import ShotNetwork, ShotNetworkConfig
from interpositive.training.crops import Batch
from interpositive.training.loss import KeyframeDrift, ShotLoss


def batch_of(outputs: int, keyframe: tuple[int, int] = (0, 1)) -> Batch:
    random = torch.Generator().manual_seed(1)
    plate = torch.rand((2, 3, 8, 8), generator=random) * 2 - 0.5
    target = torch.rand((2, outputs, 8, 8), generator=random)
    ones = torch.ones(2, 1, 8, 8)
    return Batch(plate, target, ones.clone(), ones.clone(), torch.zeros(2, 2), torch.tensor(keyframe))


def network_of(**shape: object) -> ShotNetwork:
    return ShotNetwork(ShotNetworkConfig(width=8, hidden=8, **shape))  # type: ignore[arg-type]


def test_the_gain_that_is_needed_has_no_loss() -> None:
    network, batch = network_of(), batch_of(3)
    needed = (batch.target - batch.plate) / (batch.plate.abs() + network.config.toe)
    loss = ShotLoss(network, None, True)
    assert float(loss(batch, needed, None)) < 1e-6
    assert float(loss(batch, needed + 0.1, None)) > 1e-3


def test_pixels_of_no_weight_do_not_count() -> None:
    network, batch = network_of(), batch_of(3)
    loss = ShotLoss(network, None, True)
    batch.weight[:, :, :, 4:] = 0
    before = loss(batch, torch.zeros(2, 3, 8, 8), None)
    batch.target[..., 4:] = 1e6
    torch.testing.assert_close(loss(batch, torch.zeros(2, 3, 8, 8), None), before)


def test_mattes_are_judged_by_cross_entropy_and_data_by_distance() -> None:
    network, batch = network_of(changes_rgb=False, matte_outputs=1, data_outputs=2), batch_of(3)
    heads = torch.randn((2, 3, 8, 8), generator=torch.Generator().manual_seed(2))
    heads[:, 1:] = batch.target[:, 1:]
    expected = F.binary_cross_entropy_with_logits(heads[:, :1], batch.target[:, :1])
    torch.testing.assert_close(ShotLoss(network, None, True)(batch, heads, None), expected)
    heads[:, 1:] += 1.0
    distance = float(ShotLoss(network, None, True)(batch, heads, None) - expected)
    assert distance == pytest.approx(2**0 * 0.99, abs=0.01)


def test_the_region_is_learned_beside_and_colour_not_when_nothing_is_left() -> None:
    network, batch = network_of(has_region=True), batch_of(3)
    gain = torch.zeros(2, 3, 8, 8, requires_grad=True)
    right, wrong = torch.full((2, 1, 8, 8), 9.0), torch.full((2, 1, 8, 8), -9.0)
    loss = ShotLoss(network, None, False)
    assert float(loss(batch, gain, right)) < 1e-3 < float(loss(batch, gain, wrong))
    assert not loss(batch, gain, right).requires_grad


def test_drift_is_zero_in_the_mean_of_the_keyframes() -> None:
    drift = KeyframeDrift(3)
    with torch.no_grad():
        drift.terms.normal_(generator=torch.Generator().manual_seed(3))
    shaped = torch.randn((1, 3, 4, 4), generator=torch.Generator().manual_seed(4))
    same = shaped.expand(3, -1, -1, -1)
    each = drift(torch.tensor([0, 1, 2]), same)
    torch.testing.assert_close(each.mean(0), torch.zeros(3, 4, 4), rtol=0, atol=1e-6)
    assert each.abs().max() > 0.1


def test_a_grade_of_one_keyframe_alone_can_be_taken_up_by_its_drift() -> None:
    network, batch = network_of(), batch_of(3)
    scale = batch.plate.abs() + network.config.toe
    batch.target[:] = batch.plate
    batch.target[0] += scale[0] * 0.2
    batch.target[1] -= scale[1] * 0.2
    drift = KeyframeDrift(2)
    loss = ShotLoss(network, drift, True)
    with torch.no_grad():
        before = loss(batch, torch.zeros(2, 3, 8, 8), None)
        drift.terms[0, 0], drift.terms[1, 0] = 0.2, -0.2
        assert loss(batch, torch.zeros(2, 3, 8, 8), None) < 0.01 * before


def test_an_error_that_steps_from_cell_to_cell_costs_more_than_an_even_one() -> None:
    network = network_of()
    ones = torch.ones(1, 1, 32, 32)
    plate = 0.2 * torch.ones(1, 3, 32, 32)
    batch = Batch(plate, plate.clone(), ones, ones, torch.zeros(1, 2), torch.tensor([0]))
    even = torch.full((1, 3, 32, 32), 0.05)
    stepped = even.clone()
    stepped[..., 8:16] *= -1
    stepped[..., 24:] *= -1
    loss = ShotLoss(network, None, True)
    assert float(loss(batch, stepped, None)) > 2 * float(loss(batch, even, None))
