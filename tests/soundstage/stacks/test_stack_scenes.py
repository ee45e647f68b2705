"""Every form is a sane mesh, and the scenes made of them are framed and lit as promised."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.soundstage.stacks import structures
from interpositive.soundstage.stacks.sheets import rough
from interpositive.soundstage.stacks.stack_scenes import FORMS, draw_form, draw_lights, draw_scene
from interpositive.soundstage.stacks.tracing import FIRST_OBJECT_PART
from soundstage.stacks.test_meshes import volume

SHEETS = {
    "crumpled sheet",
    "crumpled ball",
    "folded card",
    "hanging cloth",
    "draped cloth",
    "relief",
    "structure",
}
STRUCTURES = [structures.steps, structures.column, structures.arch, structures.pile, structures.furniture]


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_finite_and_has_unit_normals(name: str) -> None:
    for seed in range(4):
        mesh = FORMS[name][0](np.random.default_rng(seed), 24)
        assert len(mesh.faces) > 100
        assert np.isfinite(mesh.vertices).all()
        assert mesh.faces.max() < len(mesh.vertices)
        assert len(mesh.parts) == len(mesh.faces)
        np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("name", sorted(set(FORMS) - SHEETS))
def test_every_solid_form_faces_outwards(name: str) -> None:
    for seed in range(4):
        assert volume(FORMS[name][0](np.random.default_rng(seed), 24)) > 0.05


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_structure_faces_outwards(structure: object) -> None:
    for seed in range(6):
        assert volume(structure(np.random.default_rng(seed), 20)) > 0.05  # type: ignore[operator]


def test_the_same_seed_draws_the_same_scene() -> None:
    one, two = (draw_scene(np.random.default_rng([4, 2]), 5) for _ in range(2))
    np.testing.assert_array_equal(one.mesh.vertices, two.mesh.vertices)
    np.testing.assert_array_equal(one.lights.direction, two.lights.direction)
    assert one.focal == two.focal


def test_roughness_moves_the_surface_by_about_the_amount_asked_for() -> None:
    mesh, _ = draw_form(np.random.default_rng(5), 0.5)
    for seed in range(8):
        moved = np.linalg.norm(
            rough(mesh, np.random.default_rng(seed), 0.01).vertices - mesh.vertices, axis=1
        )
        assert 0.0003 < moved.mean() < 0.02


def test_most_scenes_are_one_form_that_fills_the_picture_before_nothing() -> None:
    alone = 0
    scenes = [draw_scene(np.random.default_rng([8, seed]), 4) for seed in range(14)]
    for scene in scenes:
        if scene.mesh.parts.min() < FIRST_OBJECT_PART:
            continue
        alone += 1
        points = scene.mesh.vertices
        if scene.focal is not None:
            points = points * (scene.focal / (scene.focal - points[:, 2:]))
        extent = np.ptp(points[:, :2], axis=0).max()
        assert 0.55 < extent < 1.05
        assert np.abs(points[:, :2]).max() < 0.65
    assert 5 <= alone <= 12
    assert {scene.focal is None for scene in scenes} == {True, False}


def test_nothing_is_nearer_than_half_the_distance_of_a_scene_s_centre() -> None:
    for seed in range(6):
        scene = draw_scene(np.random.default_rng([8, seed]), 4)
        objects = np.unique(scene.mesh.faces[scene.mesh.parts >= FIRST_OBJECT_PART])
        if scene.focal is not None:
            assert scene.mesh.vertices[objects, 2].max() < 0.6 * scene.focal


def test_lights_are_unit_vectors_mostly_before_the_subject() -> None:
    heights = []
    for seed in range(20):
        lights = draw_lights(np.random.default_rng(seed), 12, None)
        np.testing.assert_allclose(np.linalg.norm(lights.direction, axis=1), 1, atol=1e-5)
        assert (lights.radius > 0.003).all()
        assert (lights.radius < 0.07).all()
        heights.append(lights.direction[:, 2])
    assert 0.7 < (np.array(heights) > 0.1).mean() < 0.95


def test_lights_of_a_scene_with_a_floor_are_mostly_above_it() -> None:
    up = np.array([0, 0.8, 0.6], np.float32)
    above = [draw_lights(np.random.default_rng(seed), 12, up).direction @ up for seed in range(20)]
    assert (np.array(above) > 0).mean() > 0.9
