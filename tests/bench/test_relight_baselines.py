"""What the answers are compared with."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.bench.real_objects import KnownLight
from interpositive.bench.relight_baselines import flat_normals, inflated_normals, ratio_image
from lit_objects import ball


def light(*direction: float) -> KnownLight:
    towards = np.asarray(direction, np.float32)
    return KnownLight(towards / np.linalg.norm(towards), np.ones(3, np.float32), np.full(3, 0.1, np.float32))


def test_the_ratio_image_of_the_same_light_is_the_plate() -> None:
    plate = np.random.default_rng(0).random((48, 48, 3), dtype=np.float32)
    same = ratio_image(plate, ball()[1], light(1, 1, 1), light(1, 1, 1))
    np.testing.assert_allclose(same, plate, rtol=1e-6)


def test_the_ratio_image_of_exact_normals_relights_a_ball() -> None:
    matte, normals = ball()
    old, new = light(-1, 1, 2), light(1, 0, 2)
    relit = ratio_image(old.shading(normals), normals, old, new)
    lit = matte & (normals @ old.direction > 0.5) & (normals @ new.direction > 0.5)
    np.testing.assert_allclose(relit[lit], new.shading(normals)[lit], rtol=0.08)


def test_where_there_was_no_light_the_gain_stays_bounded() -> None:
    normals = np.tile(np.float32([0, 0, -1]), (2, 2, 1))
    dark = KnownLight(np.float32([0, 0, 1]), np.ones(3, np.float32), np.zeros(3, np.float32))
    behind = KnownLight(np.float32([0, 0, -1]), np.ones(3, np.float32) * 90, np.zeros(3, np.float32))
    assert ratio_image(np.ones((2, 2, 3), np.float32), normals, dark, behind).max() == 6


def test_an_inflated_ball_is_nearly_a_ball() -> None:
    matte, exact = ball()
    normals = inflated_normals(matte)
    cosine = (normals * exact).sum(-1)[matte]
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() < 15


@pytest.mark.parametrize("full", [np.ones((20, 30), bool), np.zeros((20, 30), bool)])
def test_mattes_that_are_all_or_nothing_have_unit_normals(full: np.ndarray) -> None:
    for normals in (inflated_normals(full), flat_normals(full)):
        np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, rtol=1e-5)
