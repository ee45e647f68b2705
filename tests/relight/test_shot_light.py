from __future__ import annotations

import torch

from interpositive.relight.environment import latlong_directions, latlong_solid_angles, project_sh, sh_latlong
from interpositive.relight.reflection import normalise
from interpositive.relight.shot_light import SH_COUNT, ShotLight, sh_basis, sh_irradiance_basis


def normals(count: int = 40) -> torch.Tensor:
    torch.manual_seed(3)
    return normalise(torch.randn(count, 3))


def brute_force(radiance: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
    """Irradiance / pi (n, 3) by summing a lat-long picture."""
    directions = latlong_directions(*radiance.shape[:2]).reshape(-1, 3)
    weight = latlong_solid_angles(*radiance.shape[:2]).expand(radiance.shape[:2]).reshape(-1, 1)
    cosine = (normal @ directions.T).clamp_min(0)
    return cosine @ (radiance.reshape(-1, 3) * weight) / torch.pi


def test_the_basis_is_orthonormal() -> None:
    values = sh_basis(latlong_directions(128, 256))
    weight = latlong_solid_angles(128, 256)[..., None]
    product = torch.einsum("hwi,hwj->ij", values * weight, values)
    torch.testing.assert_close(product, torch.eye(SH_COUNT), atol=1e-3, rtol=0)


def test_an_even_environment_shades_a_white_ball_evenly() -> None:
    shading = sh_irradiance_basis(normals()) @ project_sh(torch.full((64, 128, 3), 0.7))
    torch.testing.assert_close(shading, torch.full((40, 3), 0.7), atol=1e-3, rtol=0)


def test_a_clamped_cosine_environment_gives_its_known_irradiance() -> None:
    """Radiance max(z, 0): facing it, the integral of cos^2 over pi is 2/3; order 2 is within 1 % of all."""
    radiance = latlong_directions(96, 192)[..., 2:].clamp_min(0).expand(96, 192, 3)
    coefficients = project_sh(radiance)
    ahead = sh_irradiance_basis(torch.tensor([0.0, 0.0, 1.0])) @ coefficients
    torch.testing.assert_close(ahead, torch.full((3,), 2 / 3), atol=7e-3, rtol=0)
    shading = sh_irradiance_basis(normals()) @ coefficients
    torch.testing.assert_close(shading, brute_force(radiance, normals()), atol=1e-2, rtol=0)


def test_a_picture_of_harmonics_projects_back_to_them() -> None:
    torch.manual_seed(4)
    coefficients = torch.randn(9, 3) * 0.1
    coefficients[0] += 3
    torch.testing.assert_close(project_sh(sh_latlong(coefficients, 128)), coefficients, atol=1e-3, rtol=0)


def test_a_shot_light_is_its_key_and_its_environment() -> None:
    light = ShotLight.of([0, 0, 2], [0.5, 0.4, 0.3], project_sh(torch.full((32, 64, 3), 0.2)).tolist())
    normal = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]])
    shading = light.shading(normal, torch.tensor([[0.5, 1.0]]))
    torch.testing.assert_close(shading[0, 0], torch.tensor([0.45, 0.4, 0.35]), atol=1e-3, rtol=0)
    torch.testing.assert_close(shading[0, 1], torch.full((3,), 0.2), atol=1e-3, rtol=0)
    assert abs(light.key_level - 0.4) < 1e-6
