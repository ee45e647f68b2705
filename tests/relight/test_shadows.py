from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from interpositive.relight.passes import Passes
from interpositive.relight.placement import direction_of
from interpositive.relight.shadows import DepthField, ShadowSettings, cast_shadow
from interpositive.relight.view import View
from lit_scene import BALL_CENTRE, BALL_RADIUS, FOCAL, WALL_DEPTH, ball_and_wall, tilted_plane, wall


def field_of(passes: Passes, focal: float | None = FOCAL) -> DepthField:
    normal = torch.from_numpy(np.moveaxis(passes.normal, -1, 0).copy())
    return DepthField(torch.from_numpy(passes.depth), normal, View(passes.width, passes.height, focal))


def towards(azimuth: float, elevation: float) -> torch.Tensor:
    return torch.tensor(direction_of(azimuth, elevation)).reshape(3, 1, 1)


def true_shadow(passes: Passes, light: tuple[float, float, float]) -> np.ndarray:
    """Where the wall does not see a directional light for the ball; False on the ball."""
    row, column = np.mgrid[: passes.height, : passes.width] + 0.5
    x = (column - passes.width / 2) / passes.height / FOCAL * passes.depth
    y = (passes.height / 2 - row) / passes.height / FOCAL * passes.depth
    offset = np.asarray(BALL_CENTRE) - np.stack([x, y, -passes.depth], -1)
    along = offset @ np.asarray(light)
    distance = np.linalg.norm(offset - along[..., None] * np.asarray(light), axis=-1)
    return (distance < BALL_RADIUS) & (along > 0) & (passes.depth > WALL_DEPTH - 1e-3)


def test_the_shadow_of_a_ball_lies_where_geometry_puts_it() -> None:
    passes = ball_and_wall(180, 320)
    for azimuth, elevation in ((-45, 20), (40, 45), (30, -30)):
        light = direction_of(azimuth, elevation)
        settings = ShadowSettings(0.005, thickness=BALL_RADIUS / 2)
        found = cast_shadow(field_of(passes), towards(azimuth, elevation), None, settings)
        expected, on_wall = true_shadow(passes, light), passes.depth > WALL_DEPTH - 1e-3
        dark = (found.numpy() < 0.5) & on_wall
        # The camera sees only the front of the ball, so how its back ends is a guess.
        assert (dark & expected).sum() > 0.7 * expected.sum(), (azimuth, elevation)
        assert (dark & ~expected).sum() < 0.15 * expected.sum(), (azimuth, elevation)


@pytest.mark.parametrize("elevation", [10, 35, 60])
def test_a_ball_has_no_specks_where_the_light_reaches_it(elevation: float) -> None:
    passes = ball_and_wall(180, 320)
    direction = direction_of(-50, elevation)
    lit = (passes.depth < WALL_DEPTH - 1e-3) & (passes.normal @ np.asarray(direction) > 0.12)
    found = cast_shadow(field_of(passes), towards(-50, elevation), None, ShadowSettings(0.02)).numpy()
    assert found[lit].min() > 0.9


@pytest.mark.parametrize("slope", [0.0, 0.6, 1.2])
def test_a_plane_casts_no_shadow_on_itself(slope: float) -> None:
    passes = tilted_plane(slope=slope)
    for azimuth, elevation in ((0, 60), (80, 30), (170, 70), (-100, 50)):
        if passes.normal[0, 0] @ np.asarray(direction_of(azimuth, elevation)) < 0.15:
            continue
        for softness in (0.0, 0.1):
            settings = ShadowSettings(softness)
            found = cast_shadow(field_of(passes), towards(azimuth, elevation), None, settings)
            assert float(found.min()) > 0.97, (azimuth, elevation, softness)


def test_softness_widens_the_edge_of_a_shadow() -> None:
    passes = ball_and_wall(180, 320)
    widths = []
    for softness in (0.0, 0.05, 0.15):
        found = cast_shadow(field_of(passes), towards(-45, 0), None, ShadowSettings(softness))[90]
        widths.append(int(((found > 0.05) & (found < 0.95)).sum()))
    assert widths[0] < 6 and widths[0] + 2 <= widths[1] <= widths[2] - 4, widths


def test_a_thin_thing_shadows_only_what_is_close_behind_it() -> None:
    passes = wall(90, 160)
    passes.depth[30:60, 70:90] = 0.7
    for thickness, expected in ((1.0, 0.0), (0.005, 1.0)):
        settings = ShadowSettings(0.01, thickness=thickness)
        found = cast_shadow(field_of(passes, None), towards(-45, 0), None, settings)
        assert float(found[45, 93]) == pytest.approx(expected, abs=0.05)  # seen by the light behind it
        assert float(found[45, 105]) == pytest.approx(0.0, abs=0.05)  # seen by the light through it


def test_a_lamp_in_front_of_the_wall_shadows_only_beyond_the_ball() -> None:
    passes = ball_and_wall(180, 320)
    field = field_of(passes)
    lamp = torch.tensor([0.35, 0.0, -0.9]).reshape(3, 1, 1) - field.position
    distance = lamp.square().sum(0).sqrt()
    found = cast_shadow(field, lamp / distance, distance, ShadowSettings(0.02)).numpy()
    middle = found[90]
    assert middle[20:60].min() < 0.2  # the wall to the left, behind the ball as the lamp sees it
    assert middle[250:310].min() > 0.95  # the wall on the lamp's side
    assert middle[175:190].min() > 0.9  # the ball's lit side


def test_holes_in_the_depth_neither_cast_nor_receive() -> None:
    passes = ball_and_wall(90, 160)
    depth = passes.depth.copy()
    depth[passes.depth < WALL_DEPTH - 1e-3] = np.inf
    depth[:10] = np.nan
    depth[10:20] = 0.0
    normal = torch.from_numpy(np.moveaxis(passes.normal, -1, 0).copy())
    field = DepthField(torch.from_numpy(depth), normal, View(160, 90, FOCAL))
    found = cast_shadow(field, towards(-45, 10), None, ShadowSettings(0.02))
    assert torch.isfinite(found).all() and float(found.min()) > 0.97


def test_a_picture_of_holes_is_open() -> None:
    field = DepthField(torch.full((8, 9), math.inf), torch.zeros(3, 8, 9), View(9, 8, FOCAL))
    assert (cast_shadow(field, towards(0, 0), None, ShadowSettings()) == 1).all()


def test_an_orthographic_view_shadows_too() -> None:
    passes = wall(90, 160)
    passes.depth[30:60, 70:90] = 0.7
    found = cast_shadow(
        field_of(passes, None), towards(-45, 0), None, ShadowSettings(0.01, thickness=1.0)
    ).numpy()
    # 0.3 in front of the wall at 45 degrees: the shadow lies 0.3 picture heights to the right
    assert found[45, 93:112].max() < 0.2 and found[45, 122:].min() > 0.95 and found[45, :65].min() > 0.95


def test_visibility_has_gradients_in_the_depth() -> None:
    passes = ball_and_wall(45, 80)
    depth = torch.from_numpy(passes.depth).requires_grad_()
    normal = torch.from_numpy(np.moveaxis(passes.normal, -1, 0).copy())
    found = cast_shadow(
        DepthField(depth, normal, View(80, 45, FOCAL)), towards(-45, 10), None, ShadowSettings(0.1)
    )
    (gradient,) = torch.autograd.grad(found.sum(), depth)
    assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0
