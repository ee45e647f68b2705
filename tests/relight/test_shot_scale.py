from __future__ import annotations

import numpy as np
import pytest

from interpositive.relight.colour_temperature import REC709
from interpositive.relight.shot_light import ShotLight
from interpositive.relight.shot_scale import light_level, measure_scale
from lit_scene import wall


def test_without_a_light_the_level_is_that_of_well_lit_surfaces() -> None:
    passes = wall(depth=2.5, albedo=0.4)
    plate = np.full((60, 80, 3), 0.2, np.float32)
    scale = measure_scale(plate, passes, None, None, REC709)
    assert scale is not None and scale.level == pytest.approx(0.5) and scale.depth == pytest.approx(2.5)


def test_what_the_shots_light_says_comes_first() -> None:
    light = ShotLight.of([0, 0, 1], [0.9, 0.9, 0.9], [[0.0] * 3] * 9)
    scale = measure_scale(np.zeros((60, 80, 3), np.float32), wall(), light, 3.0, REC709)
    assert scale is not None and (scale.level, scale.depth) == (pytest.approx(0.9), 3.0)


def test_a_shot_without_a_key_still_has_a_level() -> None:
    light = ShotLight.of([0, 0, 1], [0, 0, 0], [[3.5449] * 3, *[[0.0] * 3] * 8])
    assert light_level(light) == pytest.approx(0.5, rel=0.01)


def test_a_black_shot_has_no_scale() -> None:
    assert measure_scale(np.zeros((60, 80, 3), np.float32), wall(), None, None, REC709) is None


def test_holes_do_not_count() -> None:
    passes = wall(depth=2.0)
    passes.depth[:40] = np.inf
    plate = np.full((60, 80, 3), np.nan, np.float32)
    plate[30:] = 0.25
    scale = measure_scale(plate, passes, None, None, REC709)
    assert scale is not None and (scale.depth, scale.level) == (2.0, pytest.approx(0.5))
