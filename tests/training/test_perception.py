from __future__ import annotations

import numpy as np
import pytest
import torch

from interpositive.training.perception import perceived, perceived_psnr, perceived_slope

TOE = 0.02


def test_it_is_the_square_root_above_an_offset_and_odd() -> None:
    values = np.float32([-60, -0.5, 0, 1e-4, 0.18, 1, 60])
    expected = np.sign(values) * (np.sqrt(np.abs(values) + 0.03) - np.sqrt(0.03))
    np.testing.assert_allclose(perceived(values, TOE), expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(perceived(-values, TOE), -perceived(values, TOE))


def test_it_rises_everywhere_with_no_gap_at_black() -> None:
    values = np.linspace(-1, 1, 20001).astype(np.float32)
    steps = np.diff(perceived(values, TOE))
    assert (steps > 0).all() and steps.max() < 5e-4


def test_arrays_and_tensors_agree() -> None:
    values = np.random.default_rng(1).normal(0, 5, 100).astype(np.float32)
    np.testing.assert_allclose(
        perceived(torch.from_numpy(values), TOE).numpy(), perceived(values, TOE), rtol=1e-5
    )


def test_the_slope_is_the_derivative() -> None:
    values, step = np.asarray([-2.0, -0.1, 0.05, 0.5, 20.0]), 1e-3
    rise = perceived((values + step).astype(np.float64), TOE) - perceived(
        (values - step).astype(np.float64), TOE
    )
    np.testing.assert_allclose(perceived_slope(values, TOE), rise / (2 * step), rtol=2e-3)


def test_psnr_of_a_known_error_and_of_none() -> None:
    target = np.zeros((4, 4, 3), np.float32)
    white = float(perceived(np.ones(1, np.float32), TOE)[0])
    assert perceived_psnr(np.ones_like(target), target, TOE) == pytest.approx(0.0, abs=1e-5)
    tenth = np.full_like(target, (0.1 * white + 0.03**0.5) ** 2 - 0.03)
    assert perceived_psnr(tenth, target, TOE) == pytest.approx(20.0, abs=1e-3)
    assert 150 < perceived_psnr(target, target, TOE) < 200
