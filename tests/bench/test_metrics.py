"""Each measure against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.bench.metrics import (
    flicker_ratio,
    identical_share,
    iou,
    motion_between,
    psnr_8bit,
    sad,
    ssim,
    warped_difference,
)
from interpositive.errors import SizeMismatchError


def textured(height: int = 96, width: int = 128, seed: int = 3) -> np.ndarray:
    import cv2

    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.random((height, width, 3)), (0, 0), 2.0)
    noise = (noise - noise.min()) / (noise.max() - noise.min())
    return np.round(30 + 180 * noise).astype(np.uint8)


def test_psnr_of_a_constant_offset_of_ten_is_28_13_db() -> None:
    a = np.full((20, 30, 3), 100, np.uint8)
    assert psnr_8bit(a, a + np.uint8(10)) == pytest.approx(20 * np.log10(25.5), abs=1e-9)  # 28.1308 dB


def test_psnr_does_not_wrap_around_in_8_bit() -> None:
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert psnr_8bit(black, white) == pytest.approx(0.0)
    assert psnr_8bit(white, black) == pytest.approx(0.0)


def test_psnr_of_equal_pictures_is_infinite() -> None:
    assert psnr_8bit(textured(), textured()) == float("inf")


def test_ssim_of_equal_pictures_is_one() -> None:
    assert ssim(textured(), textured()) == pytest.approx(1.0, abs=1e-12)


def test_ssim_of_two_flat_pictures_is_the_luminance_term() -> None:
    a, b = np.full((24, 24, 3), 50, np.uint8), np.full((24, 24, 3), 100, np.uint8)
    c1 = 2.55**2
    assert ssim(a, b) == pytest.approx((2 * 50 * 100 + c1) / (50**2 + 100**2 + c1), rel=1e-6)


def test_ssim_matches_a_window_summed_by_hand() -> None:
    a, b = textured(11, 11, 1), textured(11, 11, 2)
    taps = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    weight = np.outer(taps, taps) / taps.sum() ** 2
    scores = []
    for c in range(3):
        x, y = a[..., c].astype(float), b[..., c].astype(float)
        mx, my = (weight * x).sum(), (weight * y).sum()
        vx, vy = (weight * (x - mx) ** 2).sum(), (weight * (y - my) ** 2).sum()
        cov = (weight * (x - mx) * (y - my)).sum()
        scores.append(
            (2 * mx * my + 6.5025) * (2 * cov + 58.5225) / ((mx**2 + my**2 + 6.5025) * (vx + vy + 58.5225))
        )
    assert ssim(a, b) == pytest.approx(
        np.mean(scores), rel=1e-6
    )  # 11 x 11 less 5 px leaves the one middle pixel


def test_iou_of_two_squares_that_share_a_third() -> None:
    a, b = np.zeros((10, 10), np.float32), np.zeros((10, 10), np.float32)
    a[:, 0:4], b[:, 2:6] = 1.0, 0.9
    assert iou(a, b) == pytest.approx(20 / 60)


def test_iou_of_empty_mattes_is_one() -> None:
    assert iou(np.zeros((3, 3), np.float32), np.zeros((3, 3), np.float32)) == 1.0


def test_sad_counts_in_thousands() -> None:
    a = np.zeros((40, 50), np.float32)
    assert sad(a, a + np.float32(0.5)) == pytest.approx(1.0)


def test_motion_of_a_shifted_picture_is_the_shift() -> None:
    wide = textured(96, 160)
    motion = motion_between(wide[:, 6:134], wide[:, 3:131])  # content moves 3 px to the right
    x = np.mgrid[0:96, 0:128][1]
    shift = (motion.sources[..., 0] - x)[motion.certain]
    assert np.median(shift) == pytest.approx(-3.0, abs=0.1)
    assert motion.certain.mean() > 0.8


def test_warped_difference_of_pure_motion_is_small_against_plain_difference() -> None:
    wide = textured(96, 160)
    earlier, later = wide[:, 6:134], wide[:, 3:131]
    plain = np.abs(earlier.astype(float) - later).mean()
    assert warped_difference(earlier, later, motion_between(earlier, later)) < 0.2 * plain


def test_flicker_ratio_of_the_exact_result_is_one_and_of_a_blinking_one_is_more() -> None:
    wide = textured(64, 140)
    plates = [wide[:, k : k + 96] for k in (0, 2, 4, 6)]
    blinking = [p + np.uint8(12 * (i % 2)) for i, p in enumerate(plates)]
    assert flicker_ratio(plates, plates, plates) == 1.0
    assert flicker_ratio(blinking, plates, plates) > 3


def test_flicker_of_a_single_frame_is_refused() -> None:
    with pytest.raises(SizeMismatchError, match="two frames"):
        flicker_ratio([textured()], [textured()], [textured()])


def test_identical_share_sees_a_change_of_one_bit() -> None:
    plate = np.full((4, 5, 3), 0.25, np.float32)
    target, result = plate.copy(), plate.copy()
    target[0], result[0] = 1.0, 0.9
    assert identical_share(result, plate, target) == 1.0
    result[3, 4, 2] = np.nextafter(np.float32(0.25), np.float32(1))
    assert identical_share(result, plate, target) == pytest.approx(14 / 15)


def test_pictures_of_two_sizes_are_refused() -> None:
    with pytest.raises(SizeMismatchError, match="one size"):
        psnr_8bit(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3, 3), np.uint8))
