from __future__ import annotations

import numpy as np
import pytest

from interpositive.analysis.hints import Hint, corrected, edge_aware_blur, read_hint, shrunk_hint
from interpositive.errors import ChannelError
from interpositive.images.image import Image, ImageFile, Window

SIZE = Window(0, 0, 80, 40)


def camera_facing() -> np.ndarray:
    normal = np.zeros((40, 80, 3), np.float32)
    normal[..., 2] = 1
    return normal


def painted(colour: tuple[float, float, float] | None) -> Hint:
    """The middle of the left half, painted with a colour or said to be flat."""
    matte = np.zeros((40, 80), np.float32)
    matte[10:30, 10:25] = 1
    pixels = np.zeros((40, 80, 4), np.float32)
    pixels[matte > 0] = (*(colour or (0, 0, 0)), 1)
    return read_hint(ImageFile((Image(pixels, ("R", "G", "B", "A")),)), SIZE, SIZE)


def test_a_painted_region_faces_where_the_paint_says() -> None:
    left = (0.5 - 0.5 * 0.8, 0.5, 0.5 + 0.5 * 0.6)
    result = corrected(camera_facing(), np.zeros((40, 80, 3), np.float32), painted(left))
    np.testing.assert_allclose(result[15:25, 14:21], np.broadcast_to([-0.8, 0, 0.6], (10, 7, 3)), atol=0.02)


def test_the_turn_fades_with_distance_and_stops_at_an_edge_of_the_plate() -> None:
    guide = np.zeros((40, 80, 3), np.float32)
    guide[:, 28:] = 2.0  # an edge just right of the paint
    open_surface = corrected(camera_facing(), np.zeros_like(guide), painted((0.1, 0.5, 0.8)))
    stopped = corrected(camera_facing(), guide, painted((0.1, 0.5, 0.8)))
    beside, far = open_surface[20, 26:28, 0].mean(), open_surface[20, 70:, 0].mean()
    assert beside < -0.15 and abs(far) < 0.02
    assert abs(stopped[20, 30, 0]) < 0.2 * abs(open_surface[20, 30, 0])


def test_a_flat_region_gets_one_normal() -> None:
    normal = camera_facing()
    normal[..., 0] = np.random.default_rng(0).normal(0.2, 0.3, (40, 80))
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    result = corrected(normal.astype(np.float32), np.zeros((40, 80, 3), np.float32), painted(None))
    region = result[12:28, 12:23].reshape(-1, 3)
    assert region.std(0).max() < 0.01 and region[0, 0] > 0.1


def test_an_empty_hint_changes_nothing() -> None:
    hint = Hint(np.zeros((40, 80), np.float32), camera_facing(), np.zeros((40, 80), bool))
    normal = camera_facing()
    np.testing.assert_array_equal(corrected(normal, np.zeros((40, 80, 3), np.float32), hint), normal)


def test_results_are_unit_vectors() -> None:
    result = corrected(camera_facing(), np.zeros((40, 80, 3), np.float32), painted((0.0, 1.0, 0.5)))
    np.testing.assert_allclose(np.linalg.norm(result, axis=2), 1, atol=1e-5)


def test_a_single_channel_says_flat_and_other_pictures_are_refused() -> None:
    one = ImageFile((Image(np.ones((40, 80, 1), np.float32), ("A",)),))
    assert read_hint(one, SIZE, SIZE).is_flat.all()
    with pytest.raises(ChannelError, match="R, G, B, A"):
        read_hint(ImageFile((Image(np.ones((40, 80, 3), np.float32), ("R", "G", "B")),)), SIZE, SIZE)


def test_a_hint_keeps_its_meaning_at_the_working_size() -> None:
    small = shrunk_hint(painted((0.1, 0.5, 0.8)), (20, 10))
    assert small.matte.shape == (10, 20) and small.matte[5, 4] == 1
    assert not small.is_flat[5, 4] and small.normal[5, 4, 0] < -0.6


def test_the_blur_keeps_even_values_and_does_not_cross_edges() -> None:
    guide = np.zeros((20, 40, 3), np.float32)
    guide[:, 20:] = 3.0
    values = np.zeros((20, 40, 1), np.float32)
    values[:, :20] = 1
    blurred = edge_aware_blur(values, guide, 6.0)
    assert blurred[:, :19].min() > 0.95 and blurred[:, 21:].max() < 0.05
