from __future__ import annotations

import math

import pytest
import torch

from interpositive.relight.reflection import (
    alpha_of,
    coat_albedo,
    fresnel,
    ggx_distribution,
    ggx_reflectance,
    ggx_specular,
    lambert,
    normalise,
    schlick,
    smith_visibility,
)


def hemisphere(count: int = 200, turns: int = 200) -> tuple[torch.Tensor, float]:
    """Directions (count, turns, 3) about +z and the steradians of each."""
    cosine = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    around = (torch.arange(turns, dtype=torch.float64) + 0.5) * 2 * math.pi / turns
    sine = torch.sqrt(1 - cosine * cosine)
    grid = torch.stack(
        [
            sine[:, None] * torch.cos(around),
            sine[:, None] * torch.sin(around),
            cosine[:, None].expand(count, turns),
        ],
        -1,
    )
    return grid, 2 * math.pi / (count * turns)


def view_at(cosine: float) -> torch.Tensor:
    return torch.tensor([math.sqrt(1 - cosine * cosine), 0.0, cosine], dtype=torch.float64)


NORMAL = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)


def test_lambert_is_the_cosine_and_nothing_from_behind() -> None:
    direction = normalise(torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, -1.0], [0.0, 0.0, 1.0]]))
    normal = torch.tensor([0.0, 0.0, 1.0]).expand(3, 3)
    torch.testing.assert_close(lambert(normal, direction), torch.tensor([math.sqrt(0.5), 0.0, 1.0]))


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0])
def test_microfacet_normals_cover_the_surface_once(alpha: float) -> None:
    half, step = hemisphere(20000, 2)
    density = ggx_distribution(half[..., 2], torch.tensor(alpha, dtype=torch.float64))
    assert float((density * half[..., 2]).sum() * step) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("roughness", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("cosine", [0.2, 0.6, 1.0])
def test_a_white_coat_in_a_white_furnace_never_gains_energy(roughness: float, cosine: float) -> None:
    light, step = hemisphere()
    rough = torch.tensor(roughness, dtype=torch.float64)
    reflected = ggx_specular(NORMAL, view_at(cosine), light, rough, f0=1.0)
    albedo = float(reflected.sum() * step / math.pi)
    assert albedo <= 1.0 + 2e-3
    assert albedo >= {0.3: 0.9, 0.6: 0.75, 1.0: 0.3}[roughness]  # single scattering loses light when rough


def test_light_and_view_can_change_places() -> None:
    light, view = view_at(0.3), normalise(torch.tensor([-0.2, 0.5, 0.6], dtype=torch.float64))
    rough = torch.tensor(0.4, dtype=torch.float64)
    there = ggx_specular(NORMAL, view, light, rough) / lambert(NORMAL, light)
    back = ggx_specular(NORMAL, light, view, rough) / lambert(NORMAL, view)
    torch.testing.assert_close(there, back)


def test_the_short_form_is_the_product_of_its_terms() -> None:
    torch.manual_seed(1)
    light, view = (normalise(torch.rand(500, 3, dtype=torch.float64) + 0.05) for _ in range(2))
    rough = torch.rand(500, dtype=torch.float64) * 0.8 + 0.2
    half = normalise(light + view)
    alpha = alpha_of(rough)
    product = (
        math.pi
        * ggx_distribution(half[:, 2], alpha)
        * smith_visibility(light[:, 2], view[:, 2], alpha)
        * fresnel(view, half)
        * light[:, 2]
    )
    short = ggx_reflectance(light[:, 2], view[:, 2], (light * view).sum(-1), alpha)
    torch.testing.assert_close(short, product)


def test_schlick_ends_at_normal_incidence_and_at_grazing() -> None:
    torch.testing.assert_close(schlick(torch.tensor([1.0, 0.0])), torch.tensor([0.04, 1.0]))


def test_the_environment_share_of_the_coat_is_what_the_furnace_gives() -> None:
    light, step = hemisphere()
    for roughness, cosine in ((0.4, 0.7), (0.8, 0.5), (0.3, 1.0)):
        rough = torch.tensor(roughness, dtype=torch.float64)
        furnace = float(ggx_specular(NORMAL, view_at(cosine), light, rough).sum() * step / math.pi)
        fitted = float(coat_albedo(torch.tensor(cosine), torch.tensor(roughness)))
        assert fitted == pytest.approx(furnace, abs=0.02)


def test_the_highlight_has_right_gradients() -> None:
    torch.manual_seed(2)
    n_l, n_v, l_v = (torch.rand(6, dtype=torch.float64) * 0.6 + 0.2 for _ in range(3))
    alpha = torch.rand(6, dtype=torch.float64) * 0.5 + 0.2
    inputs = [value.requires_grad_() for value in (n_l, n_v, l_v, alpha)]
    assert torch.autograd.gradcheck(ggx_reflectance, inputs)
