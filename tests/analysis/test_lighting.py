from __future__ import annotations

import numpy as np
import pytest

from interpositive.analysis.lighting import (
    LightSamples,
    azimuth_elevation,
    direction_of,
    fit_light,
    non_negative,
    shading_of,
    sphere_directions,
)
from interpositive.relight.shot_light import ShotLight


def dome(count: int = 4000) -> np.ndarray:
    """Normals that face the camera."""
    normals = sphere_directions(2 * count)
    return normals[normals[:, 2] > 0.05]


def light(azimuth: float, elevation: float, ambient: float = 0.15) -> ShotLight:
    environment = np.zeros((9, 3), np.float32)
    environment[0] = ambient * 3.5449077
    return ShotLight.of(direction_of(azimuth, elevation).tolist(), [1.2, 1.0, 0.7], environment.tolist())


def samples(truth: ShotLight, shadows: bool = True) -> LightSamples:
    normal = dome()
    random = np.random.default_rng(0)
    lit = (
        (random.random(len(normal)) > 0.3).astype(np.float32) if shadows else np.ones(len(normal), np.float32)
    )
    return LightSamples(normal, shading_of(truth, normal, lit), lit, np.ones(len(normal), np.float32))


def angle(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(one @ other, -1, 1))))


@pytest.mark.parametrize(("azimuth", "elevation"), [(40, 30), (-70, 10), (0, 60), (100, 20)])
def test_the_key_is_found_by_shading_and_shadows(azimuth: float, elevation: float) -> None:
    truth = light(azimuth, elevation)
    found = fit_light(samples(truth))
    assert angle(found.direction.numpy(), truth.direction.numpy()) < 6
    np.testing.assert_allclose(found.colour.numpy(), truth.colour.numpy(), rtol=0.12)


def test_the_fit_explains_the_shading() -> None:
    truth = light(30, 40)
    given = samples(truth)
    made = shading_of(fit_light(given), given.normal, given.visibility)
    assert np.abs(made - given.shading).mean() < 0.02


def test_outliers_do_not_turn_the_light() -> None:
    truth = light(-40, 30)
    given = samples(truth)
    shading = given.shading.copy()
    shading[::7] = 8.0  # highlights that were taken for shading
    found = fit_light(LightSamples(given.normal, shading, given.visibility, given.weight))
    assert angle(found.direction.numpy(), truth.direction.numpy()) < 10


def test_neither_key_nor_environment_takes_light_away() -> None:
    random = np.random.default_rng(3)
    normal = dome(800)
    noise = LightSamples(
        normal, random.random((len(normal), 3), np.float32), np.ones(len(normal), np.float32),
        np.ones(len(normal), np.float32),
    )  # fmt: skip
    found = fit_light(noise)
    assert (found.colour.numpy() >= 0).all()
    assert (found.environment_shading(found.direction.new_tensor(sphere_directions(200))).numpy() >= 0).all()


def test_a_direction_that_is_known_is_kept() -> None:
    wanted = direction_of(80, 5)
    found = fit_light(samples(light(-30, 30)), wanted, keep_direction=True)
    assert angle(found.direction.numpy(), wanted) < 0.1


def test_no_light_at_all_gives_a_black_light_from_where_it_was_expected() -> None:
    normal = dome(300)
    nothing = LightSamples(normal, np.zeros_like(normal), np.ones(len(normal), np.float32),
                           np.ones(len(normal), np.float32))  # fmt: skip
    found = fit_light(nothing, direction_of(20, 20))
    assert float(found.colour.abs().sum() + found.environment_sh.abs().sum()) == 0


def test_directions_follow_the_documented_axes() -> None:
    np.testing.assert_allclose(direction_of(0, 0), [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(direction_of(90, 0), [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(direction_of(17, 90), [0, 1, 0], atol=1e-6)
    assert azimuth_elevation(direction_of(-35, 22).tolist()) == pytest.approx((-35, 22), abs=1e-3)


def test_non_negative_least_squares_meets_its_conditions() -> None:
    random = np.random.default_rng(0)
    matrix = random.random((40, 6))
    target = random.normal(size=(40, 2))
    gram, right = matrix.T @ matrix, matrix.T @ target
    solution = non_negative(gram, right)
    slope = gram @ solution - right  # Karush-Kuhn-Tucker: no slope where above zero, none downhill at zero
    assert (solution >= 0).all()
    assert np.abs(slope[solution > 1e-9]).max() < 1e-4 and slope[solution <= 1e-9].min() > -1e-4
