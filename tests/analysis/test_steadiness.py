from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np

from interpositive.analysis.frame_store import FrameStore
from interpositive.analysis.prediction import PACKED_PLANES, WorkingPasses, unit
from interpositive.analysis.steadiness import SteadinessSettings, motion_between, steady, warped

HEIGHT, WIDTH, STEP = 48, 80, 2


def scene() -> np.ndarray:
    random = np.random.default_rng(0)
    soft = cv2.resize(random.random((12, 40, 3)).astype(np.float32), (240, HEIGHT))
    return np.ascontiguousarray(soft + 0.05)


def view(picture: np.ndarray, k: int) -> np.ndarray:
    """Frame `k` of a camera that pans over a wide picture."""
    return np.ascontiguousarray(picture[:, STEP * k : STEP * k + WIDTH])


def stores(tmp_path: Path, count: int, noise: float) -> tuple[FrameStore, FrameStore, list[WorkingPasses]]:
    picture, random = scene(), np.random.default_rng(1)
    slope = cv2.GaussianBlur(picture[..., :2], (0, 0), 3)
    normals = unit(np.concatenate([slope - 0.5, np.ones_like(slope[..., :1])], 2))
    plates = FrameStore(count, (HEIGHT, WIDTH, 3), tmp_path, 1 << 26, np.float32)
    passes = FrameStore(count, (HEIGHT, WIDTH, PACKED_PLANES), tmp_path, 1 << 26)
    truth = []
    for k in range(count):
        one = np.ones((HEIGHT, WIDTH), np.float32)
        albedo = view(picture, k)
        true = WorkingPasses(view(normals, k), one, albedo, 2 * np.ones_like(albedo), one, one, one)
        truth.append(true)
        noisy = true.packed()
        noisy += (noise * random.standard_normal(noisy.shape)).astype(np.float32)
        noisy[..., 10:13] = 1
        plates.put(k, albedo * 0.4)
        passes.put(k, noisy)
    return plates, passes, truth


def change(passes: FrameStore, plane: slice) -> float:
    """Mean change from frame to frame where the pan takes it."""
    frames = [passes.get(k)[..., plane] for k in range(len(passes))]
    pairs = itertools.pairwise(frames)
    return float(np.mean([np.abs(a[:, STEP:] - b[:, :-STEP])[:, 8:-8].mean() for a, b in pairs]))


def test_normals_and_albedo_change_at_most_a_quarter_along_the_motion(tmp_path: Path) -> None:
    plates, passes, _ = stores(tmp_path, 12, 0.1)
    before = [change(passes, plane) for plane in (slice(0, 3), slice(4, 7))]
    steady(plates, passes, 1.0)
    after = [change(passes, plane) for plane in (slice(0, 3), slice(4, 7))]
    assert after[0] < 0.25 * before[0] and after[1] < 0.25 * before[1]


def test_what_is_averaged_comes_nearer_the_truth(tmp_path: Path) -> None:
    plates, passes, truth = stores(tmp_path, 12, 0.1)
    steady(plates, passes, 1.0)
    error = np.abs(passes.get(6) - truth[6].packed())[:, 8:-8, :3].mean()
    assert error < 0.5 * 0.1 * 0.8


def test_a_cut_is_not_averaged_over(tmp_path: Path) -> None:
    plates, passes, _ = stores(tmp_path, 6, 0.0)
    for k in (3, 4, 5):
        plates.put(k, plates.get(k)[::-1, ::-1] * 3 + 0.2)
        passes.put(k, np.full((HEIGHT, WIDTH, PACKED_PLANES), 0.7, np.float32))
    before = passes.get(2)
    steady(plates, passes, 1.0)
    assert np.abs(passes.get(2) - before).mean() < 0.02


def test_one_frame_stays_as_it_is(tmp_path: Path) -> None:
    plates, passes, _ = stores(tmp_path, 1, 0.1)
    before = passes.get(0)
    steady(plates, passes, 1.0)
    np.testing.assert_array_equal(passes.get(0), before)


def test_no_memory_leaves_every_frame_as_it_is(tmp_path: Path) -> None:
    plates, passes, _ = stores(tmp_path, 3, 0.1)
    before = passes.get(1)
    steady(plates, passes, 1.0, SteadinessSettings(memory=0.0))
    np.testing.assert_array_equal(passes.get(1), before)


def test_motion_is_trusted_where_it_is_seen_and_not_where_something_was_uncovered() -> None:
    picture = scene()
    here, there = view(picture, 0), view(picture, 1)
    flow, trust = motion_between(here, there)
    assert abs(float(np.median(flow[8:-8, 12:-12, 0])) + STEP) < 0.3
    assert trust[8:-8, 12:-12].mean() > 0.8
    covered = there.copy()
    covered[10:38, 30:60] = 2.0
    assert motion_between(here, covered)[1][14:34, 36:52].mean() < 0.1


def test_values_move_as_the_flow_says() -> None:
    values = np.random.default_rng(0).random((10, 12, 5), np.float32)
    flow = np.zeros((10, 12, 2), np.float32)
    flow[..., 0] = 2
    np.testing.assert_allclose(warped(values, flow)[:, :8], values[:, 2:10], atol=1e-4)
