"""The scores of relighting: what they forgive and what they do not."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.bench.relight_scores import (
    gain_free_psnr,
    local_mean_squared_error,
    normal_error_deg,
    plain_psnr,
)
from interpositive.errors import SizeMismatchError

RNG = np.random.default_rng(0)
TARGET = RNG.uniform(0.1, 0.6, (40, 50, 3)).astype(np.float32)
MATTE = np.zeros((40, 50), bool)
MATTE[4:36, 6:44] = True


def test_one_gain_over_all_channels_is_forgiven() -> None:
    assert gain_free_psnr(TARGET * 0.3, TARGET, MATTE) > 80
    assert plain_psnr(TARGET * 0.3, TARGET, MATTE) < 15
    tinted = TARGET * np.float32([1, 1, 0.5])
    assert gain_free_psnr(tinted, TARGET, MATTE) < 25


def test_psnr_of_a_tenth_of_error_is_twenty_decibels() -> None:
    assert plain_psnr(TARGET + np.float32(0.1), TARGET, MATTE) == pytest.approx(20, abs=0.01)


def test_what_is_outside_the_matte_does_not_count() -> None:
    spoiled = TARGET.copy()
    spoiled[~MATTE] = 9
    assert gain_free_psnr(spoiled, TARGET, MATTE) > 80
    assert local_mean_squared_error(spoiled, TARGET, MATTE) < 1e-9


def test_results_are_held_to_the_measured_range() -> None:
    target = np.ones((8, 8, 3), np.float32)
    target[:4] = 0.5
    over = target.copy()
    over[:4] = 0.5
    over[4:] = 1.0
    assert plain_psnr(over * 1 + (over == 1) * 5, target, np.ones((8, 8), bool)) > 80


def test_normals_of_any_length_are_compared_by_angle() -> None:
    exact = np.zeros((6, 6, 3), np.float32)
    exact[..., 2] = 1
    tilted = np.zeros_like(exact)
    tilted[..., 0] = tilted[..., 2] = 7
    assert normal_error_deg(tilted, exact, np.ones((6, 6), bool)) == pytest.approx(45, abs=1e-4)


def test_albedo_is_compared_up_to_a_gain_of_each_window() -> None:
    ramp = TARGET * np.linspace(1, 3, 50, dtype=np.float32)[None, :, None]
    slow = local_mean_squared_error(ramp, TARGET, MATTE)
    shadowed = TARGET.copy()
    shadowed[:, 20:30] *= np.float32(0.2)
    assert slow < 0.02
    assert local_mean_squared_error(shadowed, TARGET, MATTE) > 5 * slow
    assert local_mean_squared_error(np.zeros_like(TARGET), TARGET, MATTE) == pytest.approx(1)


def test_a_matte_without_a_filled_window_has_no_albedo_score() -> None:
    speck = np.zeros_like(MATTE)
    speck[0, :5] = True
    assert np.isnan(local_mean_squared_error(TARGET, TARGET, speck))


def test_pictures_of_two_sizes_are_refused() -> None:
    with pytest.raises(SizeMismatchError, match="one size"):
        gain_free_psnr(TARGET[:20], TARGET, MATTE)
