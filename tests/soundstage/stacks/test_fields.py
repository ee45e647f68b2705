"""Surfaces of distance fields lie where the distance is zero."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.soundstage.stacks.fields import Field, smooth_minimum
from soundstage.stacks.test_meshes import is_closed, volume


def test_the_surface_of_a_ball_is_a_sphere() -> None:
    field = Field(48)
    field.ball([0.1, 0, -0.1], 0.8, 0.0)
    mesh = field.mesh()
    radius = np.linalg.norm(mesh.vertices - [0.1, 0, -0.1], axis=1)
    assert np.abs(radius - 0.8).max() < 0.2 * field.spacing
    assert is_closed(mesh)
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi * 0.8**3, rel=0.01)


def test_normals_point_away_from_the_inside() -> None:
    field = Field(40)
    field.ball([0, 0, 0], [0.9, 0.6, 0.7], 0.0)
    mesh = field.mesh()
    outwards = mesh.vertices / np.array([0.9, 0.6, 0.7]) ** 2
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", mesh.normals, outwards).min() > 0.97


def test_a_cut_takes_away_and_leaves_a_closed_surface() -> None:
    field = Field(40)
    field.ball([0, 0, 0], 0.9, 0.0)
    whole = volume(field.mesh())
    field.cut_ball([0, 0, 0.9], 0.5, 0.0)
    mesh = field.mesh()
    assert is_closed(mesh)
    assert volume(mesh) < whole - 0.1


def test_a_form_near_the_edge_of_the_grid_stays_closed_off_but_whole_inside() -> None:
    field = Field(32, 1.0)
    field.ball([0, 0, 0], 0.5, 0.0)
    field.ball([5, 5, 5], 0.5, 0.0)
    assert volume(field.mesh()) == pytest.approx(4 / 3 * np.pi * 0.125, rel=0.03)


def test_each_triangle_is_of_the_form_that_is_nearest() -> None:
    field = Field(40)
    field.ball([-0.6, 0, 0], 0.4, 0.1, part=3)
    field.limb([[0.3, 0, 0], [0.8, 0, 0]], [0.3, 0.2], 0.1, part=5)
    mesh = field.mesh()
    middle = mesh.vertices[mesh.faces].mean(1)
    assert set(mesh.parts[middle[:, 0] < -0.3].tolist()) == {3}
    assert set(mesh.parts[middle[:, 0] > 0.3].tolist()) == {5}


def test_the_smooth_minimum_is_the_minimum_away_from_the_joint() -> None:
    a, b = np.float32([0.0, 0.5, 2.0]), np.float32([1.0, 0.5, 0.0])
    np.testing.assert_allclose(smooth_minimum(a, b, 0.4), [0.0, 0.4, 0.0])
    np.testing.assert_array_equal(smooth_minimum(a, b, 0), np.minimum(a, b))
