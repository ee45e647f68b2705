from __future__ import annotations

import numpy as np
import pytest

from interpositive.analysis.split import exact_split, fine_albedo, rounded, split, split_by_albedo


def wild_plate(seed: int, is_half: bool) -> np.ndarray:
    """From black and negative to super-white, with NaN, infinity and minus zero."""
    random = np.random.default_rng(seed)
    plate = np.exp(random.normal(-1, 3, (40, 50, 3))).astype(np.float32)
    plate[:4] *= -1
    plate[5], plate[6], plate[7] = 0, -0.0, 60
    plate[8, :5], plate[8, 5:9], plate[8, 9:12] = np.nan, np.inf, -np.inf
    return plate.astype(np.float16).astype(np.float32) if is_half else plate


def guesses(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    albedo = np.exp(random.normal(-2, 2, (40, 50, 3))).astype(np.float32)
    shading = np.exp(random.normal(0, 3, (40, 50, 3))).astype(np.float32)
    return albedo, shading


def same_bits(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one.view(np.uint32) == other.view(np.uint32)) | (np.isnan(one) & np.isnan(other))


@pytest.mark.parametrize("seed", range(3))
def test_a_float_plate_comes_back_bit_for_bit(seed: int) -> None:
    plate = wild_plate(seed, is_half=False)
    parts = split(plate, *guesses(seed))
    assert same_bits(parts.albedo * parts.shading + parts.residual, plate).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_half_plate_comes_back_bit_for_bit_at_its_depth(seed: int) -> None:
    plate = wild_plate(seed, is_half=True)
    parts = split(plate, *guesses(seed), is_half=True)
    back = (parts.albedo * parts.shading + parts.residual).astype(np.float16).astype(np.float32)
    assert same_bits(back, plate).all()


def test_albedo_and_shading_are_finite_and_not_negative_whatever_the_plate() -> None:
    parts = split(wild_plate(1, False), *guesses(2))
    for values in (parts.albedo, parts.shading):
        assert np.isfinite(values).all() and (values >= 0).all()


def test_texture_within_the_headroom_is_albedo_and_leaves_no_residual() -> None:
    plate = np.float32([0.2, 0.22, 0.1]) * np.ones((2, 2, 3), np.float32)
    parts = split(plate, np.full((2, 2, 3), 0.4, np.float32), np.full((2, 2, 3), 0.5, np.float32))
    np.testing.assert_allclose(parts.albedo, plate / 0.5, rtol=1e-3)
    assert np.abs(parts.residual).max() < 1e-3


def test_a_highlight_goes_to_the_residual() -> None:
    plate = np.full((2, 2, 3), 9.0, np.float32)
    parts = split(plate, np.full((2, 2, 3), 0.3, np.float32), np.full((2, 2, 3), 1.0, np.float32))
    assert parts.albedo.max() < 0.3 * 2.41
    assert parts.residual.min() > 8


def test_the_fine_albedo_grows_with_the_plate_and_never_jumps() -> None:
    plate = np.linspace(0, 5, 2000, dtype=np.float32)[None, :, None].repeat(3, 2)
    expected, light = np.full_like(plate, 0.2), np.ones_like(plate)
    albedo = fine_albedo(plate, expected, light)[0, :, 0]
    assert (np.diff(albedo) >= 0).all() and np.diff(albedo).max() < 0.0026


def test_a_known_albedo_stays_and_the_light_takes_the_rest() -> None:
    albedo = np.full((3, 3, 3), 0.25, np.float32)
    plate = np.full((3, 3, 3), 0.2, np.float32)
    parts = split_by_albedo(plate, albedo, np.full((3, 3, 3), 0.7, np.float32))
    np.testing.assert_array_equal(parts.albedo, albedo)
    np.testing.assert_allclose(parts.shading, 0.8, rtol=1e-3)


def test_rounded_values_have_few_bits_so_that_products_are_exact() -> None:
    values = rounded(np.random.default_rng(0).random((50, 50, 3), np.float32))
    exact = values.astype(np.float64) * values[::-1].astype(np.float64)
    assert (exact == values * values[::-1]).all()


def test_a_black_plate_is_black_in_all_parts_but_shading() -> None:
    black = np.zeros((4, 4, 3), np.float32)
    parts = exact_split(black, np.ones_like(black), np.ones_like(black))
    assert not parts.albedo.any() and not parts.residual.any()


def test_an_albedo_that_is_too_bright_for_a_dark_pixel_leaves_no_hole() -> None:
    plate = np.full((2, 2, 3), 0.01, np.float32)
    parts = exact_split(plate, np.full_like(plate, 0.5), np.ones_like(plate))
    assert parts.albedo.min() > 0.01 and parts.albedo.max() < 0.02
    np.testing.assert_array_equal(parts.albedo * parts.shading + parts.residual, plate)


def test_a_half_plate_that_the_albedo_explains_leaves_a_residual_of_exactly_zero() -> None:
    random = np.random.default_rng(5)
    plate = random.uniform(0.1, 0.4, (40, 50, 3)).astype(np.float16).astype(np.float32)
    ones = np.ones_like(plate)
    parts = split(plate, 0.5 * ones, 0.6 * ones, is_half=True)
    explained = plate < 0.28  # within the headroom
    assert np.mean(parts.residual[explained] == 0) > 0.95
