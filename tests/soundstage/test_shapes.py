"""Distances, hits and normals against geometry done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.soundstage.shapes import Bundle, Shape, Solid, normalise, rotation_xyz

SHAPES = [
    Shape("ball", (0.5, 0, 0)),
    Shape("box", (0.6, 0.4, 0.3), 0.1),
    Shape("cylinder", (0.4, 0.6, 0), 0.05),
    Shape("torus", (0.5, 0.2, 0)),
    Shape("capsule", (0.2, 0.4, 0)),
]


def points(*columns: tuple[float, float, float]) -> np.ndarray:
    return np.array(columns, np.float32).T


@pytest.mark.parametrize(
    ("shape", "point", "distance"),
    [
        (SHAPES[0], (0, 2, 0), 1.5),
        (SHAPES[1], (1.6, 0, 0), 1.0),
        (SHAPES[1], (0, 0, 0), -0.3),
        (SHAPES[2], (0, 1.6, 0), 1.0),
        (SHAPES[2], (0, 0, 0), -0.4),
        (SHAPES[3], (0.5, 0, 0), -0.2),
        (SHAPES[3], (0, 0, 0), 0.3),
        (SHAPES[4], (0, 1.6, 0), 1.0),
    ],
)
def test_signed_distance(shape: Shape, point: tuple[float, float, float], distance: float) -> None:
    assert shape.distance(points(point))[0] == pytest.approx(distance, abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.kind)
def test_hits_lie_on_the_surface_and_normals_face_the_ray(shape: Shape) -> None:
    rng = np.random.default_rng(1)
    solid = Solid("s", shape, (0.3, -0.2, 0.1), "steel", rotation=rotation_xyz(20, 40, 10))
    origin = normalise(rng.standard_normal((3, 400)).astype(np.float32)) * np.float32(3)
    aim = rng.uniform(-0.4, 0.4, (3, 400)).astype(np.float32) + points(solid.position)
    direction = normalise(aim - origin)
    rays, t = solid.hit(origin, direction, np.full(400, np.inf, np.float32))
    assert rays.size > 60
    met = origin[:, rays] + direction[:, rays] * t
    local = solid.to_local(met)
    assert np.abs(shape.distance(local)).max() < 2e-3
    normal = solid.normal(local)
    assert np.allclose(np.linalg.norm(normal, axis=0), 1, atol=1e-4)
    assert (np.sum(normal * direction[:, rays], axis=0) < 0.1).all()


def test_a_ray_through_the_hole_of_the_torus_passes() -> None:
    solid = Solid("ring", SHAPES[3], (0, 0, 0), "steel")
    far = np.full(1, np.inf, np.float32)
    assert solid.hit(points((0, 0, 2)), points((0, 0, -1)), far)[0].size == 0
    assert solid.hit(points((0.5, 0, 2)), points((0, 0, -1)), far)[1][0] == pytest.approx(1.8, abs=2e-3)


def test_nothing_is_hit_beyond_the_nearest_known_surface() -> None:
    solid = Solid("ball", SHAPES[0], (0, 0, 0), "steel")
    near = np.array([1.0], np.float32)
    assert solid.hit(points((0, 0, 2)), points((0, 0, -1)), near)[0].size == 0


def test_a_bundle_never_drops_a_solid_that_a_ray_meets() -> None:
    rng = np.random.default_rng(5)
    dropped = 0
    for _ in range(300):
        starts = (rng.standard_normal((3, 1)) * 3 + rng.uniform(-0.6, 0.6, (3, 40))).astype(np.float32)
        ends = (rng.standard_normal((3, 1)) * 3 + rng.uniform(-1.2, 1.2, (3, 40))).astype(np.float32)
        place = tuple(float(v) for v in rng.uniform(-2, 2, 3))
        solid = Solid("ball", Shape("ball", (0.3, 0, 0)), place, "steel")
        reach = np.linalg.norm(ends - starts, axis=0).astype(np.float32)
        met = solid.hit(starts, (ends - starts) / reach, reach)[0].size > 0
        kept = Bundle.between(starts, ends).meets(solid)
        assert kept or not met
        dropped += not kept
    assert dropped > 60  # and it is of use


def test_rotation_turns_x_into_y_about_z() -> None:
    assert rotation_xyz(0, 0, 90) @ np.array([1, 0, 0]) == pytest.approx([0, 1, 0], abs=1e-6)
