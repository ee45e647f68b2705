from __future__ import annotations

import cv2
import numpy as np

from interpositive.analysis.fine_detail import FineFrame, grey_of, held_still
from interpositive.analysis.prediction import unit

HEIGHT, WIDTH = 64, 96


def texture() -> np.ndarray:
    soft = cv2.resize(np.random.default_rng(0).random((16, 30, 3)).astype(np.float32), (WIDTH + 12, HEIGHT))
    return 0.2 + 0.6 * soft


def frame_at(shift: int, noise: float = 0.0, seed: int = 0) -> FineFrame:
    clean = np.ascontiguousarray(texture()[:, shift : shift + WIDTH])
    grain = noise * np.random.default_rng(seed).standard_normal(clean.shape)
    albedo = (clean + grain).astype(np.float32)
    normal = unit(np.concatenate([albedo[..., :2] - 0.5, np.ones_like(albedo[..., :1])], 2))
    return FineFrame(albedo, normal, np.ones_like(albedo), grey_of(np.log(albedo.clip(0.01))))


def test_grain_is_averaged_along_the_motion_and_texture_stays() -> None:
    frames = [frame_at(shift, 0.02, seed) for seed, shift in enumerate((2, 4, 6))]
    clean = frame_at(4).albedo
    held = held_still(frames[1], [frames[0], frames[2]])
    still = held.albedo
    inside = np.s_[6:-6, 8:-8]
    assert np.abs(still - clean)[inside].mean() < 0.75 * np.abs(frames[1].albedo - clean)[inside].mean()
    assert still[inside].std() > 0.95 * clean[inside].std()
    true = frame_at(4).normal
    turned = [np.abs(normal - true)[inside].mean() for normal in (held.normal, frames[1].normal)]
    assert turned[0] < 0.75 * turned[1]
    np.testing.assert_allclose(np.linalg.norm(held.normal, axis=2), 1, atol=1e-5)


def test_what_the_neighbours_do_not_show_stays_as_it_is() -> None:
    changed = frame_at(4)
    changed.albedo[20:44, 30:60] = (0.9, 0.1, 0.1)
    still = held_still(changed, [frame_at(2), frame_at(6)]).albedo
    assert np.abs(still - changed.albedo)[24:40, 34:56].max() < 0.02


def test_without_neighbours_nothing_changes() -> None:
    frame = frame_at(0)
    np.testing.assert_array_equal(held_still(frame, []).albedo, frame.albedo)


def test_a_black_frame_has_a_picture_to_search_in() -> None:
    grey = grey_of(np.full((HEIGHT, WIDTH, 3), -4.6, np.float32))
    assert grey.dtype == np.uint8 and grey.shape == (HEIGHT, WIDTH)
