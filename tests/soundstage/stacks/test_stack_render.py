"""What a stack says about light and shape agrees with forms whose answer is known."""

from __future__ import annotations

import sys
from dataclasses import fields

import numpy as np
import pytest

from interpositive.errors import EngineError
from interpositive.soundstage.stacks.meshes import (
    Mesh,
    grid_mesh,
    joined,
    rotation_about,
    sphere_mesh,
    transformed,
    with_part,
)
from interpositive.soundstage.stacks.stack_render import Stack, render_stack
from interpositive.soundstage.stacks.tracing import FIRST_OBJECT_PART, Lights, Scene

SIZE = 64
RADIUS = 0.4


def lights(*directions: tuple[float, float, float], radius: float = 0.005) -> Lights:
    unit = np.array(directions, np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return Lights(unit, np.full(len(unit), radius, np.float32))


def ball(cells: int = 24, place: tuple[float, float, float] = (0, 0, 0), radius: float = RADIUS) -> Mesh:
    return with_part(transformed(sphere_mesh(cells), np.eye(3), radius, place), FIRST_OBJECT_PART)


def wall(part: int, turn: np.ndarray, place: tuple[float, float, float]) -> Mesh:
    """A square of 20 x 20 that faces z, turned and moved."""
    x, y = np.meshgrid([-10.0, 10], [-10.0, 10], indexing="ij")
    return with_part(transformed(grid_mesh(np.stack([x, y, 0 * x], -1)), turn, 1, place), part)


def floor(height: float) -> Mesh:
    return wall(1, rotation_about(np.array([1, 0, 0]), -np.pi / 2), (0, height, 0))


def render(mesh: Mesh, of: Lights, focal: float | None = None, size: int = SIZE) -> Stack:
    return render_stack(Scene(mesh, of, focal), size, np.random.default_rng(1))


@pytest.fixture(scope="module")
def sphere() -> Stack:
    return render(ball(), lights((1, 0, 0.3), (-1, 0, 0.3), (0, 1, 0.3), (0.4, 0.5, 0.8)))


def whole(stack: Stack) -> np.ndarray:
    """Pixels that the object covers fully, away from the silhouette."""
    return (stack.matte == 1) & (stack.normal[..., 2] > 0.15)


def test_normals_of_the_right_point_right_and_of_the_top_up(sphere: Stack) -> None:
    half, quarter = SIZE // 2, SIZE // 4
    assert sphere.normal[half, SIZE - quarter, 0] > 0.4
    assert sphere.normal[half, quarter, 0] < -0.4
    assert sphere.normal[quarter, half, 1] > 0.4
    assert sphere.normal[half, half, 2] > 0.99


def test_normals_of_a_sphere_are_right_to_a_degree(sphere: Stack) -> None:
    line = (np.arange(SIZE) + 0.5) / SIZE - 0.5
    x, y = np.meshgrid(line, -line)
    true = np.stack([x, y, np.sqrt(np.maximum(RADIUS**2 - x * x - y * y, 0))], -1) / RADIUS
    cosine = np.einsum("yxc,yxc->yx", true, sphere.normal)[whole(sphere)]
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 1.5


def test_a_light_from_the_right_brightens_the_right(sphere: Stack) -> None:
    right, left, above = sphere.direct[:3]
    assert right[:, SIZE // 2 :].sum() > 10 * right[:, : SIZE // 2].sum()
    assert left[:, : SIZE // 2].sum() > 10 * left[:, SIZE // 2 :].sum()
    assert above[: SIZE // 2].sum() > 10 * above[SIZE // 2 :].sum()


def test_direct_light_on_a_coarse_convex_form_is_the_cosine_without_terminator_artefacts(
    sphere: Stack,
) -> None:
    inside = whole(sphere)
    for direction, direct in zip(sphere.light_direction, sphere.direct, strict=True):
        cosine = np.maximum(sphere.normal @ direction, 0)
        assert np.abs(direct - cosine)[inside].max() < 0.03


def test_a_lone_convex_form_sees_the_whole_sky_and_no_bounced_light(sphere: Stack) -> None:
    inside = whole(sphere)
    np.testing.assert_allclose(sphere.ambient[inside], 1, atol=1e-3)
    assert sphere.bounce.max() == 0


def test_the_open_sky_of_a_convex_form_lies_along_two_thirds_of_its_normal(sphere: Stack) -> None:
    inside = whole(sphere)
    gap = sphere.ambient_tilt - 2 / 3 * sphere.normal
    assert np.abs(gap[inside].mean(0)).max() < 0.02
    assert np.linalg.norm(gap[inside], axis=1).mean() < 0.1


def test_nothing_is_empty_in_every_array() -> None:
    stack = render(ball(radius=0.2), lights((0, 0, 1)))
    nothing = stack.part == 0
    assert nothing.any()
    for name in ("normal", "depth", "matte", "position", "ambient", "ambient_tilt"):
        assert not getattr(stack, name)[nothing].any(), name
    assert not stack.direct[:, nothing].any()


def test_the_matte_is_antialiased_and_leaves_the_background_out() -> None:
    stack = render(joined([ball(), wall(1, np.eye(3), (0, 0, -1))]), lights((0, 0, 1)))
    assert set(np.unique(stack.part).tolist()) == {1, FIRST_OBJECT_PART}
    assert ((stack.matte > 0) & (stack.matte < 1)).any()
    assert stack.matte[-1].max() == 0
    covered = float(stack.matte.sum()) / SIZE**2
    assert covered == pytest.approx(np.pi * RADIUS**2, rel=0.02)


@pytest.mark.parametrize("focal", [None, 1.2])
def test_depth_and_focal_give_the_positions_back(focal: float | None) -> None:
    stack = render(ball(48), lights((0, 0, 1)), focal)
    line = (np.arange(SIZE) + 0.5) / SIZE - 0.5
    x, y = np.meshgrid(line, -line)
    away = np.ones_like(stack.depth) if focal is None else (focal + stack.depth) / focal
    assert stack.focal == (focal or 0)
    place = np.stack([x * away, y * away, -stack.depth], -1)
    # At the silhouette a pixel's depth is the mean of a slope.
    radius = np.linalg.norm(place, axis=-1)[whole(stack)]
    assert np.abs(radius - RADIUS).max() < 0.01


def test_a_shadow_falls_away_from_the_light() -> None:
    view = rotation_about(np.array([1, 0, 0]), np.pi / 2)  # from above: the floor faces the camera
    scene = joined([ball(place=(0, 0.35, 0), radius=0.1), floor(0)])
    stack = render(transformed(scene, view, 1, (0, 0, 0)), lights((1, 0, 1)))
    half, shift = SIZE // 2, round(0.35 * SIZE)
    assert stack.direct[0, half, half - shift] == 0
    assert stack.direct[0, half, half + shift] == pytest.approx(np.sqrt(0.5), abs=0.01)


def test_a_larger_light_has_a_softer_shadow() -> None:
    view = rotation_about(np.array([1, 0, 0]), np.pi / 2)
    scene = transformed(joined([ball(place=(0, 0.35, 0), radius=0.1), floor(0)]), view, 1, (0, 0, 0))
    soft = []
    for radius in (0.002, 0.1):
        direct = render(scene, lights((1, 0, 1), radius=radius)).direct[0]
        soft.append(((direct > 0.05) & (direct < 0.65)).sum())
    assert soft[1] > 1.4 * soft[0]


@pytest.fixture(scope="module")
def corner() -> Stack:
    """A wall at the right that faces left, and one that faces the camera; lit along the camera axis."""
    left = rotation_about(np.array([0, 1, 0]), -np.pi / 2)
    mesh = joined([wall(1, np.eye(3), (-9.7, 0, 0)), wall(2, left, (0.3, 0, -9))])
    return render(transformed(mesh, rotation_about(np.array([0, 1, 0]), 0.4), 1, (0, 0, 0)), _turned_light())


def _turned_light() -> Lights:
    turn = rotation_about(np.array([0, 1, 0]), 0.4)
    return lights(tuple(turn @ [0, 0, 1]), tuple(turn @ [-1, 0, 0]))


def test_half_of_the_sky_is_seen_deep_in_a_right_angled_corner(corner: Stack) -> None:
    edge = int(np.flatnonzero(np.diff(corner.part[SIZE // 2].astype(int)))[0])
    near = corner.ambient[10:-10, edge - 2 : edge + 4]
    assert near.mean() == pytest.approx(0.5, abs=0.08)
    assert corner.ambient[10:-10, 0].mean() > near.mean() + 0.1


def test_a_lit_wall_lights_the_wall_beside_it(corner: Stack) -> None:
    """Near the corner half of what a wall sees is the other wall: 0.5 x albedo 0.5 x its light."""
    edge = int(np.flatnonzero(np.diff(corner.part[SIZE // 2].astype(int)))[0])
    facing, side = corner.direct[0], corner.bounce[0]
    assert facing[SIZE // 2, edge - 3] == pytest.approx(1, abs=0.01)
    assert side[10:-10, edge + 2 : edge + 4].mean() == pytest.approx(0.25, abs=0.05)
    assert side[10:-10, 0].mean() < 0.02


def test_the_same_seed_gives_the_same_stack() -> None:
    scene = Scene(joined([ball(), floor(-RADIUS)]), lights((1, 1, 1), (-1, 1, 0.5), radius=0.05), 1.5)
    one, two = (render_stack(scene, 32, np.random.default_rng(9)) for _ in range(2))
    for field in fields(Stack):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name))


def test_without_the_ray_tracer_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embreex", None)
    with pytest.raises(EngineError, match=r"interpositive\[soundstage\]"):
        render(ball(4), lights((0, 0, 1)), size=8)
