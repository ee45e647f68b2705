from __future__ import annotations

import numpy as np
import pytest

from interpositive.inference import mixing
from interpositive.inference.mixing import BadPixels, find_bad_pixels, keep_bad_pixels


@pytest.fixture(autouse=True)
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixing, "_BAND_ROWS", 2)


def mix(plate: np.ndarray, result: np.ndarray, strength: float, matte: np.ndarray | None) -> np.ndarray:
    """`mixing.mix` without changing its input."""
    mixed = result.copy()
    mixing.mix(plate, mixed, strength, matte)
    return mixed


def pictures() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    plate = random.uniform(-0.5, 60, (9, 7, 3)).astype(np.float32)
    plate[0, 0] = -0.0
    plate[1, 1] = np.nan, np.inf, -np.inf
    return plate, random.uniform(-0.5, 60, (9, 7, 3)).astype(np.float32)


def test_strength_zero_is_the_plate_bit_for_bit() -> None:
    plate, result = pictures()
    assert mix(plate, result, 0.0, None).tobytes() == plate.tobytes()


def test_strength_one_is_the_result_bit_for_bit() -> None:
    plate, result = pictures()
    expected = result.tobytes()
    assert mix(plate, result, 1.0, None).tobytes() == expected


def test_half_strength_is_half_way_in_scene_linear() -> None:
    plate, result = np.full((2, 2, 3), -0.5, np.float32), np.full((2, 2, 3), 60.0, np.float32)
    np.testing.assert_array_equal(mix(plate, result, 0.5, None), np.float32(29.75))


def test_the_matte_limits_the_change_and_outside_the_plate_keeps_its_bits() -> None:
    plate, result = pictures()
    plate[1, 1] = 1.0
    matte = np.zeros((9, 7), np.float32)
    matte[3:5], matte[5:] = 0.5, 1.0
    mixed = mix(plate, result, 1.0, matte)
    assert mixed[:3].tobytes() == plate[:3].tobytes()
    assert mixed[5:].tobytes() == result[5:].tobytes()
    np.testing.assert_allclose(mixed[3:5], (plate[3:5] + result[3:5]) / 2, rtol=1e-5, atol=1e-5)


def test_matte_values_outside_zero_to_one_do_not_push_past_plate_or_result() -> None:
    plate, result = pictures()
    matte = np.full((9, 7), -3.0, np.float32)
    matte[4], matte[5] = 7.0, np.nan
    mixed = mix(plate, result, 1.0, matte)
    assert mixed[:4].tobytes() == plate[:4].tobytes()
    assert mixed[4].tobytes() == result[4].tobytes()
    assert mixed[5].tobytes() == plate[5].tobytes()


def test_bad_pixels_of_the_plate_stay_and_are_counted() -> None:
    plate, result = pictures()
    plate[4, 2, 1] = np.nan
    before = result.copy()
    assert find_bad_pixels(plate) == BadPixels(count=2, first_x=1, first_y=1)
    keep_bad_pixels(plate, result)
    assert result[1, 1].tobytes() == plate[1, 1].tobytes()
    assert np.isnan(result[4, 2, 1]) and result[4, 2, 0] == before[4, 2, 0]


@pytest.mark.parametrize("value", [0.0, 3e38, -3e38])
def test_large_values_are_not_bad(value: float) -> None:
    plate = np.full((4, 4, 3), value, np.float32)
    assert find_bad_pixels(plate) is None
