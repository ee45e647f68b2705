from __future__ import annotations

import math

import pytest
import torch

from interpositive.models.prior_network import PriorNetwork, PriorNetworkConfig, expected_lambert

SMALL = PriorNetworkConfig(widths=(8, 8, 8, 8), stem=8, hidden=8, light_units=8)


def test_outputs_have_their_units() -> None:
    torch.manual_seed(1)
    output = PriorNetwork(SMALL)(torch.rand(2, 3, 64, 96), torch.ones(2, 1, 64, 96), torch.zeros(2, 4))
    torch.testing.assert_close(output.normal.norm(dim=1), torch.ones(2, 64, 96))
    torch.testing.assert_close(output.light[:, :3].norm(dim=1), torch.ones(2))
    assert (output.albedo > 0).all()
    assert (output.shading > 0).all()
    for plane in (output.roughness, output.visibility, output.confidence):
        assert plane.shape == (2, 1, 64, 96)
        assert ((plane >= 0) & (plane <= 1)).all()
    assert (output.light[:, 3:6] >= 0).all()


def test_negatives_super_whites_and_black_stay_finite() -> None:
    torch.manual_seed(1)
    picture = torch.tensor([-1.0, 0.0, 6e4]).reshape(1, 3, 1, 1).expand(1, 3, 32, 32)
    output = PriorNetwork(SMALL)(picture, torch.zeros(1, 1, 32, 32), torch.zeros(1, 4))
    assert all(torch.isfinite(values).all() for values in output)


def test_the_shipped_shape_fits_into_its_share_of_the_weights() -> None:
    count = sum(parameter.numel() for parameter in PriorNetwork().parameters())
    assert 2 * 2 * count < 19e6  # float16, as safetensors and as ONNX


@pytest.mark.parametrize("cosine", [-0.9, -0.2, 0.0, 0.4, 1.0])
def test_a_certain_normal_is_lit_by_lamberts_cosine(cosine: float) -> None:
    lit = expected_lambert(torch.tensor(cosine), torch.tensor(1.0))
    assert float(lit) == pytest.approx(max(cosine, 0), abs=2e-3)


def test_an_unknown_normal_is_lit_like_the_mean_over_the_sphere() -> None:
    """The mean of max(n.l, 0) over the sphere is 1/4; the normal distribution of that variance says 0.230."""
    lit = float(expected_lambert(torch.tensor(0.7), torch.tensor(0.0)))
    assert lit == pytest.approx(1 / math.sqrt(6 * math.pi), abs=1e-3)
    assert abs(lit - 0.25) < 0.025
