from __future__ import annotations

import cv2
import numpy as np

from interpositive.training.motion import FLOW_WIDTH_PX, carry_label, small_plate, warp

HEIGHT, WIDTH, TOE = 96, 160, 0.02
FRAMES = (1002, 1003, 1004)


def panned(frame: int, px: int = 3) -> np.ndarray:
    """A fixed, structured picture seen by a camera that moves `px` to the right each frame."""
    random = np.random.default_rng(1)
    wide = cv2.resize(
        random.random((24, 60, 3)).astype(np.float32), (400, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    left = 40 + px * (frame - 1001)
    return np.ascontiguousarray(np.clip(wide[:, left : left + WIDTH], 0.02, None))


def test_a_label_follows_the_picture_over_several_frames() -> None:
    plates = {frame: panned(frame) for frame in (1001, *FRAMES)}
    label = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    label[30:60, 60:100, 0], label[..., 1] = 1, 0.5
    carried = carry_label(1001, label, plates, FRAMES, TOE)
    assert [found.frame for found in carried] == list(FRAMES)
    for found in carried:
        expected = np.roll(label, -3 * (found.frame - 1001), axis=1)
        inner = (slice(8, -8), slice(24, -24))
        wrong = np.abs(found.planes[inner] - expected[inner]).mean()
        still = np.abs(label[inner] - expected[inner]).mean()
        assert wrong < 0.35 * still
        assert np.median(found.trust[inner]) > 0.5
        assert found.trust.min() >= 0 and found.trust.max() <= 1


def test_what_the_keyframe_does_not_show_is_not_trusted() -> None:
    plates = {frame: panned(frame, 8) for frame in (1001, *FRAMES)}
    last = carry_label(1001, np.ones((HEIGHT, WIDTH, 1), np.float32), plates, FRAMES, TOE)[-1]
    assert last.trust[8:-8, -16:].max() < 0.2  # came in at the right since then


def test_another_picture_is_not_trusted() -> None:
    plates = {1001: panned(1001), 1002: panned(1040)[::-1].copy()}
    found = carry_label(1001, np.ones((HEIGHT, WIDTH, 1), np.float32), plates, (1002,), TOE)[0]
    assert found.trust.mean() < 0.2


def test_labels_keep_their_size_when_plates_are_looked_at_smaller() -> None:
    large = cv2.resize(panned(1001), (2 * FLOW_WIDTH_PX, 2 * HEIGHT))
    small = small_plate(large)
    assert small.shape[1] == FLOW_WIDTH_PX
    label = np.ones((*large.shape[:2], 3), np.float32)
    found = carry_label(1001, label, {1001: small, 1002: small}, (1002,), TOE)[0]
    assert found.planes.shape == label.shape and found.trust.shape == label.shape[:2]
    assert np.median(found.trust) > 0.9


def test_small_plates_are_left_alone() -> None:
    assert small_plate(panned(1001)).shape == (HEIGHT, WIDTH, 3)


def test_warp_samples_at_the_pixel_plus_its_flow() -> None:
    picture = panned(1001)
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[..., 0], flow[..., 1] = 5, -2
    np.testing.assert_allclose(warp(picture, flow)[10:-10, 10:-10], picture[8:-12, 15:-5], atol=1e-6)
