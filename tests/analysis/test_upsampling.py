from __future__ import annotations

import cv2
import numpy as np
import pytest

from interpositive.analysis.prediction import WorkingPasses, shrunk, unit
from interpositive.analysis.upsampling import upsample

SIZE = (64, 32)  # working width, height; the plate is four times as large


def ball() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A striped ball in front of a grey wall: plate, normal, albedo, shading at the plate's size."""
    y, x = np.mgrid[:128, :256].astype(np.float32)
    dx, dy = (x - 128) / 50, (64 - y) / 50
    squared = dx * dx + dy * dy
    inside = squared < 1
    normal = np.zeros((128, 256, 3), np.float32)
    normal[..., 2] = 1
    normal[inside] = np.stack([dx, dy, np.sqrt(np.maximum(1 - squared, 0))], 2)[inside]
    light = unit(np.float32([[0.6, 0.4, 0.7]]))[0]
    shading = np.repeat((1.5 * np.maximum(normal @ light, 0) + 0.15)[..., None], 3, 2).astype(np.float32)
    albedo = np.full((128, 256, 3), 0.45, np.float32)
    albedo[inside & (np.floor(x / 6) % 2 == 0)] = (0.5, 0.2, 0.1)
    albedo[inside & (np.floor(x / 6) % 2 == 1)] = (0.3, 0.3, 0.35)
    return albedo * shading, normal, albedo, shading


def working(normal: np.ndarray, albedo: np.ndarray, shading: np.ndarray) -> WorkingPasses:
    one = np.ones((SIZE[1], SIZE[0]), np.float32)
    soft = [cv2.GaussianBlur(shrunk(values, SIZE), (0, 0), 0.8) for values in (normal, albedo, shading)]
    return WorkingPasses(unit(soft[0]), one, soft[1], soft[2], 0.5 * one, one, one)


def test_the_plate_comes_back_and_sizes_are_the_plates() -> None:
    plate, normal, albedo, shading = ball()
    passes = upsample(working(normal, albedo, shading), plate, 1.0)
    np.testing.assert_array_equal(passes.beauty(), plate)
    assert (passes.height, passes.width) == (128, 256)
    np.testing.assert_allclose(np.linalg.norm(passes.normal, axis=2), 1, atol=2e-3)


def test_passes_are_better_than_enlarging_alone() -> None:
    plate, normal, albedo, shading = ball()
    small = working(normal, albedo, shading)
    passes = upsample(small, plate, 1.0)
    plain = cv2.resize(small.albedo, (256, 128))
    assert np.abs(passes.albedo - albedo).mean() < 0.5 * np.abs(plain - albedo).mean()


def test_no_halo_beside_the_silhouette() -> None:
    plate, normal, albedo, shading = ball()
    passes = upsample(working(normal, albedo, shading), plate, 1.0)
    y, x = np.mgrid[:128, :256]
    distance = np.hypot(x - 128, y - 64) - 50
    wall = (distance > 3) & (distance < 16)
    assert np.abs(passes.albedo - 0.45)[wall].max() < 0.2
    assert np.abs(passes.albedo - 0.45)[wall].mean() < 0.035


def test_a_flat_black_plate_has_sane_passes() -> None:
    _, normal, albedo, shading = ball()
    passes = upsample(working(normal, albedo, shading), np.zeros((128, 256, 3), np.float32), 1.0)
    for values in (passes.normal, passes.depth, passes.albedo, passes.shading, passes.residual):
        assert np.isfinite(values).all()
    assert not passes.residual.any() and not passes.albedo.any()


def test_a_lamp_in_the_plate_does_not_run_away_in_the_shading() -> None:
    plate, normal, albedo, shading = ball()
    plate[10:14, 20:24] = 5000.0
    passes = upsample(working(normal, albedo, shading), plate, 1.0)
    assert passes.shading.max() < 5 * shading.max()
    np.testing.assert_array_equal(passes.beauty(), plate)


@pytest.mark.parametrize("kind", ["normal", "depth", "albedo"])
def test_a_pass_of_the_artists_own_is_taken_as_it_is(kind: str) -> None:
    plate, normal, albedo, shading = ball()
    own = {"normal": normal, "depth": np.full((128, 256), 3.7, np.float32), "albedo": albedo}[kind]
    passes = upsample(working(normal, albedo, shading), plate, 1.0, given={kind: own})
    np.testing.assert_allclose(getattr(passes, kind), own, atol=1e-3)
    np.testing.assert_array_equal(passes.beauty(), plate)
