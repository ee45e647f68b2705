"""Noise is bounded, smooth, centred and repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.soundstage.stacks.noise import STYLES, Style, fractal, gradient_noise, pebbled


def places(count: int = 20000) -> np.ndarray:
    return np.random.default_rng(3).uniform(-40, 40, (count, 3)).astype(np.float32)


def test_gradient_noise_is_centred_and_bounded() -> None:
    values = gradient_noise(places(), np.random.default_rng(0))
    assert abs(values.mean()) < 0.01
    assert 0.15 < values.std() < 0.35
    assert np.abs(values).max() < 1


def test_gradient_noise_vanishes_at_whole_numbers() -> None:
    corners = np.random.default_rng(1).integers(-9, 9, (50, 3)).astype(np.float32)
    np.testing.assert_allclose(gradient_noise(corners, np.random.default_rng(0)), 0, atol=1e-6)


def test_gradient_noise_has_no_steps() -> None:
    line = np.linspace(-3, 3, 6001)[:, None] * np.array([[1, 0.7, 0.3]])
    assert np.abs(np.diff(gradient_noise(line, np.random.default_rng(0)))).max() < 0.004


@pytest.mark.parametrize("style", STYLES)
def test_the_same_generator_state_gives_the_same_noise(style: Style) -> None:
    one = fractal(places(100), np.random.default_rng(5), 2, 3, 0.5, style)
    two = fractal(places(100), np.random.default_rng(5), 2, 3, 0.5, style)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, fractal(places(100), np.random.default_rng(6), 2, 3, 0.5, style))


def test_pebbles_lie_between_zero_and_one() -> None:
    values = pebbled(places(3000), np.random.default_rng(0), 1.0)
    assert values.min() >= 0
    assert values.max() <= 1
    assert values.std() > 0.1
