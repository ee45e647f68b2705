"""Textures neither alias nor leave their range."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.soundstage.materials import MATERIALS
from interpositive.soundstage.textures import checker, disc, noise, stripes

X = np.linspace(-3, 3, 4001, dtype=np.float32)
FINE, COARSE = np.full_like(X, 1e-4), np.full_like(X, 8.0)


def test_stripes_are_sharp_when_seen_close() -> None:
    pulse = stripes(X, 1.0, 0.3, FINE)
    assert pulse[np.isclose(X, 0.15, atol=1e-3)].min() > 0.999
    assert pulse[np.isclose(X, 0.65, atol=1e-3)].max() < 0.001


def test_stripes_fade_to_their_mean_when_seen_from_far() -> None:
    assert stripes(X, 1.0, 0.3, COARSE) == pytest.approx(np.full_like(X, 0.3), abs=0.04)


def test_a_checker_covers_half() -> None:
    assert checker(X, X * 0.7 + 0.2, 0.5, COARSE).mean() == pytest.approx(0.5, abs=0.02)


def test_a_disc_covers_its_area() -> None:
    grid = np.linspace(-1, 1, 400, dtype=np.float32)
    u, v = (a.ravel() for a in np.meshgrid(grid, grid))
    assert disc(u, v, 0.5, np.full_like(u, 0.01)).mean() * 4 == pytest.approx(np.pi * 0.25, rel=0.01)


def test_noise_is_continuous_across_its_lattice() -> None:
    v = np.full_like(X, 0.37)
    assert np.abs(np.diff(noise(X, v))).max() < 0.005
    assert 0 <= noise(X, v).min() <= noise(X, v).max() <= 1


@pytest.mark.parametrize("name", MATERIALS)
def test_every_material_is_a_possible_surface(name: str) -> None:
    rng = np.random.default_rng(4)
    local = rng.uniform(-0.5, 0.5, (3, 3000)).astype(np.float32)
    finish = MATERIALS[name](local, np.full(3000, 0.01, np.float32))
    assert finish.albedo.shape == (3, 3000)
    assert finish.albedo.dtype == finish.roughness.dtype == finish.coat.dtype == np.float32
    assert 0.003 < finish.albedo.min() and finish.albedo.max() < 0.9
    assert 0.15 <= finish.roughness.min() and finish.roughness.max() <= 1
