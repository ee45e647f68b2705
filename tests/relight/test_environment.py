from __future__ import annotations

import math

import pytest
import torch

from interpositive.relight.environment import (
    Environment,
    harmonic_environment,
    latlong_directions,
    latlong_solid_angles,
    project_sh,
    repaired,
    rotated_sh,
    rotation_matrix,
)
from interpositive.relight.shading import look_up
from interpositive.relight.shot_light import sh_basis


def sky_with_sun(height: int = 128, azimuth_deg: float = 60.0) -> torch.Tensor:
    """An even sky of 0.3 with a sun of radiance 400, 3 degrees across, 30 degrees high."""
    turn, lift = math.radians(azimuth_deg), math.radians(30)
    towards = torch.tensor(
        [math.cos(lift) * math.sin(turn), math.sin(lift), -math.cos(lift) * math.cos(turn)]
    )
    angle = torch.acos((latlong_directions(height, 2 * height) @ towards).clamp(-1, 1))
    sun = (angle < math.radians(3)).float()[..., None] * 400
    return torch.full((height, 2 * height, 3), 0.3) + sun


def test_the_middle_is_ahead_the_right_is_right_and_the_top_is_up() -> None:
    directions = latlong_directions(180, 360)
    for (row, column), expected in {
        (90, 180): (0, 0, -1),
        (90, 270): (1, 0, 0),
        (90, 90): (-1, 0, 0),
        (0, 5): (0, 1, 0),
        (90, 0): (0, 0, 1),
    }.items():
        torch.testing.assert_close(directions[row, column], torch.tensor(expected).float(), atol=0.02, rtol=0)


def test_all_pixels_together_are_the_sphere() -> None:
    assert float(latlong_solid_angles(31, 64).sum() * 64) == pytest.approx(4 * math.pi, rel=1e-6)


def test_infinity_nan_and_negatives_of_a_picture_are_repaired_and_counted() -> None:
    radiance = torch.full((4, 8, 3), 2.0)
    radiance[0, 0, 0], radiance[0, 1, 1], radiance[0, 2, 2], radiance[0, 3, 0] = math.inf, math.nan, -1.0, 9.0
    found, bad = repaired(radiance)
    assert (bad.infinite, bad.nan, bad.negative, bad.count) == (1, 1, 1, 3)
    assert found.max() == 9.0 and found[0, 0, 0] == 9.0 and found[0, 1, 1] == 0 and found[0, 2, 2] == 0


def test_a_picture_of_nothing_but_nan_is_black() -> None:
    found, _ = repaired(torch.full((4, 8, 3), math.nan))
    environment = Environment.of(found)
    assert environment.level == pytest.approx(0.0, abs=1e-6) and environment.sun is None


def test_the_sun_is_taken_out_with_its_energy_and_its_place() -> None:
    radiance = sky_with_sun()
    environment = Environment.of(radiance)
    assert environment.sun is not None
    towards = torch.tensor(environment.sun.direction)
    expected = torch.tensor([math.cos(math.radians(30)) * math.sin(math.radians(60)), 0.5, -0.433])
    assert float(torch.rad2deg(torch.acos((towards * expected / expected.norm()).sum()))) < 1.5
    solid = 2 * math.pi * (1 - math.cos(math.radians(3)))
    assert environment.sun.colour[1] == pytest.approx(400 * solid / math.pi, rel=0.08)
    whole = project_sh(radiance)[0, 0] - environment.harmonics[0, 0]
    assert float(whole) * math.sqrt(4 * math.pi) / math.pi == pytest.approx(
        environment.sun.colour[0], rel=0.05
    )
    assert 0 < math.degrees(environment.sun.spread) < 6


def test_an_even_sky_has_no_sun_and_looks_even_at_every_roughness() -> None:
    environment = Environment.of(torch.full((32, 64, 3), 0.4))
    assert environment.sun is None and environment.level == pytest.approx(0.4, rel=1e-2)
    direction = latlong_directions(9, 16).movedim(-1, 0)
    for roughness in (0.0, 0.2, 0.5, 1.0):
        seen = look_up(direction, torch.full((9, 16), roughness), environment.blurred)
        torch.testing.assert_close(seen, torch.full((3, 9, 16), 0.4), atol=1e-3, rtol=0)


def test_the_seam_and_the_poles_are_continuous() -> None:
    radiance = (latlong_directions(64, 128) * 0.5 + 1).contiguous()
    blurred = Environment.of(radiance, split_sun=False).blurred
    for around in (0.0, 1e-4):  # on either side of straight behind the camera, and about the poles
        pair = torch.tensor([[math.sin(math.pi - 1e-4), 0.1, 1.0], [math.sin(-math.pi + 1e-4), 0.1, 1.0]])
        poles = torch.tensor([[1e-3, 1.0, around], [-1e-3, 1.0, around]])
        for directions in (pair, poles, -poles):
            unit = torch.nn.functional.normalize(directions, dim=-1).T[:, None]
            seen = look_up(unit, torch.zeros(1, 2), blurred)
            assert torch.isfinite(seen).all()
            assert float((seen[..., 0] - seen[..., 1]).abs().max()) < 0.03


def test_turning_harmonics_turns_the_light() -> None:
    torch.manual_seed(5)
    coefficients, turn = torch.randn(9, 3), rotation_matrix(35.0)
    direction = torch.nn.functional.normalize(torch.randn(20, 3), dim=-1)
    before = sh_basis(direction) @ coefficients
    after = sh_basis(direction @ turn.T) @ rotated_sh(coefficients, turn)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)


def test_a_positive_rotation_brings_what_was_ahead_to_the_right() -> None:
    ahead = torch.tensor([0.0, 0.0, -1.0])
    torch.testing.assert_close(rotation_matrix(90) @ ahead, torch.tensor([1.0, 0.0, 0.0]), atol=1e-6, rtol=0)


def test_harmonics_alone_are_an_environment() -> None:
    environment = harmonic_environment([(3.5449, 3.5449, 3.5449), *[(0.0, 0.0, 0.0)] * 8])
    assert environment.level == pytest.approx(1.0, rel=1e-3) and environment.blurred == ()
