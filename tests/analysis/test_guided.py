from __future__ import annotations

import cv2
import numpy as np

from interpositive.analysis.guided import GuidedFilter, enlarged


def step_guide(width: int, edge: float) -> np.ndarray:
    """(h, w, 3): dark left of `edge` (share of the width), bright right of it."""
    columns = (np.arange(width) + 0.5) / width
    row = np.where(columns < edge, -1.0, 1.0).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (width // 2, width, 3)))


def test_an_edge_of_the_values_becomes_as_sharp_as_the_guides() -> None:
    guide = step_guide(256, 0.5)
    small_guide = cv2.resize(guide, (32, 16), interpolation=cv2.INTER_AREA)
    values = cv2.GaussianBlur(small_guide[..., :1], (0, 0), 0.7)[..., None]
    large = enlarged(GuidedFilter.of(small_guide).fit(values), guide)[0][64]
    assert abs(large[127] - large[128]) > 1.2  # of 2, between neighbours
    assert np.abs(np.diff(large[:120])).max() < 0.03


def test_there_is_no_halo_beside_an_edge() -> None:
    guide = step_guide(256, 0.5)
    small_guide = cv2.resize(guide, (32, 16), interpolation=cv2.INTER_AREA)
    (large,) = enlarged(GuidedFilter.of(small_guide).fit(small_guide[..., :1].copy()), guide)
    assert large.max() < 1.05 and large.min() > -1.05


def test_a_flat_guide_gives_smooth_values_and_keeps_their_mean() -> None:
    values = np.random.default_rng(0).random((16, 32, 2), np.float32)
    flat = np.zeros((16, 32, 3), np.float32)
    large = np.stack(enlarged(GuidedFilter.of(flat).fit(values), np.zeros((64, 128, 3), np.float32)), 2)
    assert abs(float(large.mean() - values.mean())) < 0.03
    assert large.std() < 0.5 * values.std()


def test_texture_of_the_guide_that_the_values_lack_does_not_get_into_them() -> None:
    random = np.random.default_rng(1)
    guide = random.normal(0, 0.3, (16, 32, 3)).astype(np.float32)
    ramp = np.linspace(0, 1, 32, dtype=np.float32)[None, :, None] * np.ones((16, 1, 1), np.float32)
    (large,) = enlarged(GuidedFilter.of(guide).fit(ramp), guide)
    assert np.abs(large - ramp[..., 0]).max() < 0.15


def test_pixels_without_weight_do_not_count() -> None:
    guide = np.zeros((16, 16, 3), np.float32)
    values = np.full((16, 16, 1), 0.3, np.float32)
    values[8, 8] = 100.0
    weight = np.ones((16, 16), np.float32)
    weight[8, 8] = 0.0
    assert GuidedFilter.of(guide, weight).fit(values)[..., 3].max() < 0.35
