from __future__ import annotations

import math

import pytest
import torch

from interpositive.relight.reflection import normalise
from interpositive.relight.shading import (
    AreaLight,
    DirectionalLight,
    EnvironmentLight,
    LocalLight,
    Surface,
    light_radiance,
)


def surface_of(points: list, normals: list, albedo: float = 1.0, roughness: float = 0.6) -> Surface:
    """A row of points: planes (3, 1, n)."""
    position = torch.tensor(points, dtype=torch.float32).T[:, None]
    normal = normalise(torch.tensor(normals, dtype=torch.float32)).T[:, None]
    size = position.shape[1:]
    return Surface.of(position, normal, torch.full((3, *size), albedo), torch.full(size, roughness))


def ball(count: int = 41) -> tuple[Surface, torch.Tensor]:
    """A unit ball far from an orthographic camera, and which pixels it covers."""
    axis = torch.linspace(-1, 1, count)
    y, x = torch.meshgrid(-axis, axis, indexing="ij")
    inside = x * x + y * y < 0.99
    z = torch.sqrt((1 - x * x - y * y).clamp_min(0))
    normal = torch.stack([x, y, z]) * inside
    flat = torch.full_like(x, 0.6)
    return Surface.of(
        normal - torch.tensor([0, 0, 5.0])[:, None, None], normal, torch.full_like(normal, 0.5), flat, True
    ), inside


def test_a_lambert_ball_under_a_directional_light_is_the_cosine() -> None:
    surface, inside = ball()
    direction = normalise(torch.tensor([0.6, 0.5, 0.4]))
    light = DirectionalLight(tuple(direction.tolist()), (2.0, 1.0, 0.5), specular=0.0)
    found = light_radiance(surface, light)
    cosine = (surface.normal * direction[:, None, None]).sum(0).clamp_min(0)
    for channel, colour in enumerate(light.colour):
        torch.testing.assert_close(found[channel][inside], (0.5 * colour * cosine)[inside])


def test_a_point_light_falls_off_with_the_square_of_its_distance() -> None:
    surface = surface_of([[0, 0, -1], [0, 0, -2], [0, 0, -4]], [[0, 0, 1]] * 3)
    light = LocalLight((0.0, 0.0, 0.0), (3.0, 3.0, 3.0), reference=1.0, specular=0.0)
    torch.testing.assert_close(light_radiance(surface, light)[0, 0], torch.tensor([3.0, 0.75, 0.1875]))


@pytest.mark.parametrize(("falloff", "far"), [(0.0, 1.0), (1.0, 0.5), (3.0, 0.125)])
def test_the_falloff_is_the_power_of_the_distance(falloff: float, far: float) -> None:
    surface = surface_of([[0, 0, -2]], [[0, 0, 1]])
    light = LocalLight((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1.0, falloff, specular=0.0)
    assert float(light_radiance(surface, light)[0, 0, 0]) == pytest.approx(far)


def test_a_light_behind_the_surface_adds_exactly_nothing() -> None:
    surface = surface_of([[0, 0, -1]], [[0, 0, 1]], roughness=0.1)
    behind = [
        DirectionalLight((0.0, 0.0, -1.0), (5.0, 5.0, 5.0)),
        LocalLight((0.0, 0.0, -3.0), (5.0, 5.0, 5.0)),
        AreaLight((0.0, 0.0, -3.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (5.0, 5.0, 5.0)),
        # in front, but it shines away
        AreaLight((0.0, 0.0, 3.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (5.0, 5.0, 5.0)),
    ]
    for light in behind:
        assert not light_radiance(surface, light).any(), light


def test_a_light_within_the_surface_stays_finite() -> None:
    surface = surface_of([[0, 0, -1]], [[0, 0, 1]])
    for light in (
        LocalLight((0.0, 0.0, -1.0), (1.0, 1.0, 1.0)),
        AreaLight((0.0, 0.0, -1.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0, 1.0)),
    ):
        assert torch.isfinite(light_radiance(surface, light)).all()


def test_a_spot_is_full_inside_nothing_outside_and_smooth_between() -> None:
    angles = [0.0, 9.0, 15.0, 20.5, 40.0]
    points = [[math.tan(math.radians(angle)), 0, -1] for angle in angles]
    surface = surface_of(points, [[0, 0, 1]] * len(points))
    inner, outer = math.cos(math.radians(10)), math.cos(math.radians(20))
    spot = LocalLight(
        (0.0, 0.0, 0.0), (1.0,) * 3, axis=(0.0, 0.0, -1.0), inner=inner, outer=outer, specular=0.0
    )
    point = LocalLight((0.0, 0.0, 0.0), (1.0,) * 3, specular=0.0)
    share = (light_radiance(surface, spot) / light_radiance(surface, point))[0, 0]
    torch.testing.assert_close(share[:2], torch.ones(2))
    assert 0.2 < float(share[2]) < 0.8 and float(share[3]) == 0 and float(share[4]) == 0


@pytest.mark.parametrize("turned", [0.0, 0.5])
def test_a_rectangle_gives_what_many_points_on_it_give(turned: float) -> None:
    surface = surface_of(
        [[0, 0, -1], [0.7, 0.2, -1.2], [-0.5, 0.4, -0.8]], [[0, 0, 1], [-0.3, 0.2, 1], [0.4, -0.3, 1]]
    )
    axis = (math.sin(turned), 0.0, -math.cos(turned))
    right = (0.4 * math.cos(turned), 0.0, 0.4 * math.sin(turned))
    light = AreaLight((-0.2, 0.1, 0.3), axis, right, (0.0, 0.3, 0.0), (1.0,) * 3, 1.0, specular=0.0)
    steps = torch.linspace(-1, 1, 121)[1::2]
    total, facing = torch.zeros(3), 0.0
    for u in steps:
        for v in steps:
            spot = torch.tensor(light.position) + u * torch.tensor(right) + v * torch.tensor(light.up)
            offset = spot[:, None] - surface.position[:, 0]
            squared = (offset**2).sum(0)
            towards = offset / squared.sqrt()
            emitted = -(torch.tensor(axis)[:, None] * towards).sum(0)
            total += (surface.normal[:, 0] * towards).sum(0).clamp_min(0) * emitted.clamp_min(0) / squared
            away = torch.tensor([float(u) * 0.4, float(v) * 0.3, 1.0])
            facing += float((1 / away.square().sum()) ** 2)
    torch.testing.assert_close(light_radiance(surface, light)[0, 0], total / facing, rtol=0.03, atol=1e-3)


def test_a_rectangle_is_as_bright_as_it_says_at_its_reference() -> None:
    surface = surface_of([[0, 0, -2]], [[0, 0, 1]])
    light = AreaLight(
        (0.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.7,) * 3, 2.0, specular=0.0
    )
    assert float(light_radiance(surface, light)[0, 0, 0]) == pytest.approx(0.7, rel=0.02)


def test_an_even_environment_lights_white_evenly_and_no_more_than_itself() -> None:
    surface, inside = ball()
    harmonics = torch.zeros(9, 3)
    harmonics[0] = math.sqrt(4 * math.pi)
    diffuse = light_radiance(surface, EnvironmentLight(harmonics, specular=0.0))
    torch.testing.assert_close(
        diffuse[:, inside], torch.full_like(diffuse[:, inside], 0.5), atol=1e-4, rtol=0
    )
    both = light_radiance(surface, EnvironmentLight(harmonics))
    middle = both[:, 20, 20] - 0.5
    assert (middle > 0.01).all() and (middle < 0.06).all()


def test_a_larger_light_has_a_wider_and_dimmer_highlight() -> None:
    surface, _ = ball(161)
    towards = tuple(normalise(torch.tensor([0.3, 0.3, 1.0])).tolist())
    small, large = (
        light_radiance(surface, DirectionalLight(towards, (1.0,) * 3, spread, diffuse=0.0))[0]
        for spread in (0.0, 0.3)
    )
    assert float(large.max()) < float(small.max())
    assert int((large > large.max() / 2).sum()) > int((small > small.max() / 2).sum())


def test_brightness_is_differentiable_in_normals_albedo_and_roughness() -> None:
    surface = surface_of([[0.1, 0, -1], [0.2, 0.3, -1.4]], [[0.2, 0.1, 1], [-0.2, 0.3, 1]])
    lights = [
        DirectionalLight((0.0, 0.6, 0.8), (1.0, 0.9, 0.8), 0.05),
        LocalLight((0.5, 0.5, 0.0), (1.0, 0.9, 0.8)),
        AreaLight((0.5, 0.5, 0.0), (0.0, 0.0, -1.0), (0.2, 0.0, 0.0), (0.0, 0.2, 0.0), (1.0,) * 3),
        EnvironmentLight(torch.rand(9, 3)),
    ]
    position = surface.position.double()

    for light in lights:

        def radiance(
            normal: torch.Tensor, albedo: torch.Tensor, rough: torch.Tensor, light=light
        ) -> torch.Tensor:
            if isinstance(light, EnvironmentLight):
                light = EnvironmentLight(light.harmonics.double())
            return light_radiance(Surface.of(position, normal, albedo, rough), light)

        inputs = (surface.normal.double(), surface.albedo.double() * 0.5, surface.roughness.double())
        assert torch.autograd.gradcheck(radiance, [value.requires_grad_() for value in inputs])
