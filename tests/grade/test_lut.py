from __future__ import annotations

from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio
import pytest

from grade_samples import SPACE
from interpositive.errors import GradeError
from interpositive.grade.lut import Lut, fit_lut, identity_table, write_clf, write_cube

SMOOTHNESS, RESTRAINT = 1e-5, 1e-3


def colours(count: int = 3000) -> np.ndarray:
    return np.random.default_rng(5).uniform(0.15, 0.55, (count, 3))


def bent(source: np.ndarray) -> np.ndarray:
    """A change that no CDL can make: hues turn with lightness."""
    return source + 0.03 * np.sin(9 * source[:, [1, 2, 0]]) * (source - source.mean(axis=1, keepdims=True))


def fitted() -> Lut:
    source = colours()
    return fit_lut(source, bent(source), np.ones(len(source)), SPACE, SMOOTHNESS, RESTRAINT)


def test_it_learns_a_change_and_says_it_of_colours_not_seen() -> None:
    other = np.random.default_rng(6).uniform(0.2, 0.5, (500, 3))
    reached = fitted().apply(other[None].astype(np.float32))[0]
    assert np.abs(reached - bent(other)).mean() < 0.2 * np.abs(bent(other) - other).mean()


def test_far_from_the_colours_seen_it_does_nothing() -> None:
    lut = fitted()
    far = np.float32([[[0.95, 0.95, 0.95], [1.0, 0.0, 0.0]]])
    np.testing.assert_allclose(lut.apply(far), far, atol=1e-3)


def test_the_change_fades_without_a_step() -> None:
    t = np.linspace(0.45, 0.95, 400, dtype=np.float32)
    ramp = np.stack([t, 0.85 * t, 0.7 * t], -1)
    change = fitted().apply(ramp[None])[0] - ramp
    assert np.abs(change[0]).max() > 1e-3 > np.abs(change[-1]).max()
    assert np.abs(np.diff(change, axis=0)).max() < 8e-5


def test_it_neither_bands_nor_folds() -> None:
    """Along a grey ramp and a hue ramp the steps change slowly, and never turn round, seen or not."""
    t = np.linspace(0.1, 0.6, 400, dtype=np.float32)
    seen = (t[1:-1] > 0.18) & (t[1:-1] < 0.52)
    for ramp, signs in (
        (np.stack([t, t, t], -1), (1, 1, 1)),
        (np.stack([t, 0.7 - t, np.full_like(t, 0.3)], -1), (1, -1, 0)),
    ):
        steps = np.diff(fitted().apply(ramp[None])[0], axis=0) / (t[1] - t[0])
        assert np.abs(np.diff(steps, axis=0))[seen].max() < 0.15
        assert (steps * signs >= 0).all()


def test_noise_makes_no_lut() -> None:
    source = colours()
    noisy = source + 0.01 * np.random.default_rng(7).standard_normal(source.shape)
    lut = fit_lut(source, noisy, np.ones(len(source)), SPACE, 1e-3, 1e-1)
    grid = np.random.default_rng(8).uniform(0.2, 0.5, (1, 300, 3)).astype(np.float32)
    assert np.abs(lut.apply(grid) - grid).mean() < 2e-3


def test_values_outside_of_the_table_stay_apart() -> None:
    lut = Lut(identity_table(9) * np.float32(0.9), "ACEScct")
    reached = lut.apply(np.float32([[[-0.2, -0.1, 0.5], [1.1, 1.3, 0.5]]]))
    np.testing.assert_allclose(reached, [[[-0.2, -0.1, 0.45], [1.0, 1.2, 0.45]]], atol=1e-6)


@pytest.mark.parametrize("suffix", [".cube", ".clf"])
def test_hosts_read_the_same_table(tmp_path: Path, suffix: str) -> None:
    lut = fitted()
    write = write_cube if suffix == ".cube" else write_clf
    write(tmp_path / f"rest{suffix}", lut, "for a test, in and out ACEScct")
    transform = ocio.FileTransform(str(tmp_path / f"rest{suffix}"), interpolation=ocio.INTERP_TETRAHEDRAL)
    processor = ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor()
    pixels = np.random.default_rng(9).uniform(0, 1, (20, 20, 3)).astype(np.float32)
    theirs = pixels.copy()
    processor.applyRGB(theirs)
    np.testing.assert_allclose(lut.apply(pixels), theirs, atol=2e-6)


def test_tables_that_are_none_are_refused() -> None:
    with pytest.raises(GradeError, match="cube"):
        Lut(np.zeros((3, 4, 3, 3), np.float32), "ACEScct")
    with pytest.raises(GradeError, match="not finite"):
        Lut(np.full((2, 2, 2, 3), np.nan, np.float32), "ACEScct")
    with pytest.raises(GradeError, match="no colours"):
        fit_lut(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), SPACE, 1.0, 1.0)
