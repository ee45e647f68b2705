"""Meshes are closed, face outwards and keep what their docstrings say."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.soundstage.stacks.meshes import (
    Mesh,
    cube_grid,
    displaced,
    grid_mesh,
    joined,
    random_rotation,
    rotation_about,
    smooth_normals,
    sphere_mesh,
    transformed,
    with_part,
)
from interpositive.soundstage.stacks.solids import rounded_box
from interpositive.soundstage.stacks.turned import rounded_line, tube, turned


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def is_closed(mesh: Mesh) -> bool:
    """Every edge is shared by two triangles that run along it in opposite directions."""
    edges = np.concatenate([mesh.faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    return {tuple(edge) for edge in edges} == {tuple(edge) for edge in edges[:, ::-1]}


def ring() -> Mesh:
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    line = np.stack([np.cos(turn), np.sin(turn), 0.2 * np.sin(3 * turn)], -1)
    return tube(line, np.full(60, 0.2), 16, closed=True)


def bent_tube() -> Mesh:
    along = np.linspace(0, 1, 20)
    return tube(np.stack([along, along**2, 0 * along], -1), np.full(20, 0.1), 12)


def bottle() -> Mesh:
    return turned(rounded_line(np.array([[0, 1], [0.4, 1], [0.5, 0], [0, 0.0]]), 40), 32)


@pytest.mark.parametrize(
    "mesh",
    [sphere_mesh(8), rounded_box(np.array([1, 0.5, 0.2]), 0.05, 16), ring(), bent_tube(), bottle()],
    ids=["sphere", "box", "ring", "tube", "bottle"],
)
def test_closed_forms_are_closed_and_face_outwards(mesh: Mesh) -> None:
    assert is_closed(mesh)
    assert volume(mesh) > 0


def test_volume_of_a_sphere_and_a_box_are_those_of_the_textbook() -> None:
    assert volume(sphere_mesh(40)) == pytest.approx(4 / 3 * np.pi, rel=2e-3)
    assert volume(rounded_box(np.array([1, 0.5, 0.25]), 0.001, 20)) == pytest.approx(1.0, rel=5e-3)


def test_normals_of_a_sphere_are_its_points() -> None:
    mesh = sphere_mesh(30)
    assert np.einsum("ij,ij->i", smooth_normals(mesh.vertices, mesh.faces), mesh.vertices).min() > 0.9995


def test_normals_across_a_tube_seam_are_smooth() -> None:
    mesh = ring()
    across = np.einsum("fij,fij->fi", mesh.normals[mesh.faces], mesh.normals[mesh.faces][:, [1, 2, 0]])
    assert across.min() > 0.7


def test_a_grid_faces_rows_cross_columns() -> None:
    x, y = np.meshgrid([0, 1, 2], [0, 1], indexing="ij")
    mesh = grid_mesh(np.stack([x, y, 0 * x], -1))
    np.testing.assert_allclose(mesh.normals, np.tile([0, 0, 1], (6, 1)))


def test_vertices_at_one_place_become_one() -> None:
    points, faces = cube_grid(4)
    assert len(points) == 6 * 4**2 + 2
    assert faces.max() == len(points) - 1


def test_moving_a_mesh_leaves_its_rest_position_and_unit_normals() -> None:
    mesh = sphere_mesh(6)
    moved = transformed(mesh, rotation_about(np.array([0, 0, 1]), np.pi / 2), 2.0, (1, 0, 0))
    np.testing.assert_array_equal(moved.rest, mesh.vertices)
    right = int(mesh.vertices[:, 0].argmax())
    np.testing.assert_allclose(moved.vertices[right], [1, 2, 0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(moved.normals, axis=1), 1, atol=1e-5)


def test_displacing_a_sphere_outwards_makes_it_larger() -> None:
    mesh = sphere_mesh(10)
    grown = displaced(mesh, np.full(len(mesh.vertices), 0.5))
    np.testing.assert_allclose(np.linalg.norm(grown.vertices, axis=1), 1.5, atol=1e-5)


def test_joined_meshes_keep_their_parts_and_triangles() -> None:
    one, two = with_part(sphere_mesh(3), 4), with_part(sphere_mesh(5), 9)
    both = joined([one, two])
    assert sorted(set(both.parts.tolist())) == [4, 9]
    np.testing.assert_array_equal(both.vertices[both.faces[both.parts == 9]], two.vertices[two.faces])


def test_random_rotations_turn_and_never_mirror() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        turn = random_rotation(rng)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1)
