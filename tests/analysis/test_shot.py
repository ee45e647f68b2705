from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from interpositive.analysis.frame_store import FrameStore
from interpositive.analysis.hints import Hint
from interpositive.analysis.lighting import direction_of
from interpositive.analysis.prediction import PACKED_PLANES, WorkingPasses
from interpositive.analysis.reconcile import reconciled
from interpositive.analysis.shot import Knowledge, ShotSettings, spread_over, understand
from interpositive.progress import Progress
from interpositive.relight.shot_light import ShotLight
from stand_in_prior import StandInPrior

HEIGHT, WIDTH = 32, 64


def shot(tmp_path: Path, count: int) -> tuple[FrameStore, FrameStore]:
    wide = cv2.resize(np.random.default_rng(0).random((8, 24, 3)).astype(np.float32), (WIDTH + 24, HEIGHT))
    plates = FrameStore(count, (HEIGHT, WIDTH, 3), tmp_path, 1 << 26, np.float32)
    for k in range(count):
        plates.put(k, wide[:, k : k + WIDTH] + 0.1)
    return plates, FrameStore(count, (HEIGHT, WIDTH, PACKED_PLANES), tmp_path, 1 << 26)


def run(tmp_path: Path, count: int = 4, knowledge: Knowledge | None = None, **settings: Any) -> Any:
    plates, passes = shot(tmp_path, count)
    prior = StandInPrior(noise=0.05)
    found = understand(
        prior, plates, None, passes, knowledge or Knowledge(), ShotSettings(**settings), Progress()
    )
    return found, passes, prior


def test_one_exposure_and_one_key_for_all_frames(tmp_path: Path) -> None:
    found, _, prior = run(tmp_path)
    known = [look for look in prior.looks if look.light[0, 3]]
    assert {round(look.gain, 6) for look in known} == {round(found.gain, 6)}
    assert len({tuple(np.abs(look.light[0]).round(5)) for look in known}) == 1


def test_singly_every_frame_has_its_own_exposure(tmp_path: Path) -> None:
    _, _, prior = run(tmp_path, together=False)
    assert len({look.gain for look in prior.looks if look.light[0, 3]}) > 1


def test_singly_a_known_key_is_known_all_the_same(tmp_path: Path) -> None:
    known = Knowledge(key_direction=direction_of(50, 10))
    _, _, prior = run(tmp_path, knowledge=known, together=False)
    assert all(look.light[0, 3] for look in prior.looks)


def test_one_frame_is_a_shot(tmp_path: Path) -> None:
    found, passes, _ = run(tmp_path, count=1)
    assert np.isfinite(passes.get(0)).all() and float(found.light.colour.min()) >= 0


def test_a_given_key_direction_is_what_the_prior_is_told_and_what_comes_back(tmp_path: Path) -> None:
    wanted = direction_of(-60, 20)
    found, _, prior = run(tmp_path, knowledge=Knowledge(key_direction=wanted))
    assert all(look.light[0, 3] for look in prior.looks)
    np.testing.assert_allclose(found.light.direction.numpy(), wanted, atol=1e-4)


def test_a_measured_light_sets_the_level_of_the_albedo(tmp_path: Path) -> None:
    light = ShotLight.of(direction_of(30, 20).tolist(), [2.0] * 3, np.full((9, 3), 0.0).tolist())
    twice = replace(light, colour=light.colour * 2)
    results = [run(tmp_path, knowledge=Knowledge(light=each))[1] for each in (light, twice)]
    albedo = [np.exp(passes.get(1)[..., 4:7]).mean() for passes in results]
    assert abs(albedo[0] / albedo[1] - 2) < 0.1


def test_a_probe_in_other_units_is_scaled_and_the_albedo_stays(tmp_path: Path) -> None:
    light = ShotLight.of(direction_of(30, 20).tolist(), [2000.0] * 3, np.full((9, 3), 0.0).tolist())
    known = Knowledge(light=light, light_is_calibrated=False)
    found, passes, _ = run(tmp_path, knowledge=known)
    estimated = run(tmp_path, knowledge=Knowledge(key_direction=direction_of(30, 20)))[1]
    assert 0.1 < float(found.light.colour.mean()) < 20
    assert abs(np.exp(passes.get(1)[..., 4:7]).mean() / np.exp(estimated.get(1)[..., 4:7]).mean() - 1) < 0.05


def test_given_passes_take_the_place_of_estimated_ones(tmp_path: Path) -> None:
    normal = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    normal[..., 1] = 1
    _, passes, _ = run(tmp_path, knowledge=Knowledge(given=lambda k: {"normal": normal}))
    np.testing.assert_allclose(passes.get(2)[..., :3], normal, atol=1e-3)


def test_a_hint_on_one_frame_reaches_the_others(tmp_path: Path) -> None:
    matte = np.zeros((HEIGHT, WIDTH), np.float32)
    matte[8:24, 20:44] = 1
    left = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    left[..., 0] = -1
    hint = Hint(matte, left, np.zeros((HEIGHT, WIDTH), bool))
    plain = run(tmp_path, steadiness=ShotSettings().steadiness)[1]
    _, passes, _ = run(tmp_path, knowledge=Knowledge(hints={0: hint}))
    for k in (0, 3):
        assert WorkingPasses.unpacked(passes.get(k)).normal[16, 30, 0] < -0.6
        assert WorkingPasses.unpacked(plain.get(k)).normal[16, 30, 0] > -0.5


def test_frames_are_chosen_evenly_with_both_ends() -> None:
    assert spread_over(100, 3) == [0, 50, 99] or spread_over(100, 3) == [0, 49, 99]
    assert spread_over(2, 12) == [0, 1] and spread_over(1, 5) == [0]


def test_reconciled_albedo_times_shading_is_the_plate() -> None:
    plate = (0.2 + np.random.default_rng(0).random((6, 8, 3))).astype(np.float32)
    one = np.ones((6, 8), np.float32)
    passes = WorkingPasses(
        np.zeros((6, 8, 3), np.float32), one, 0.8 * plate, np.ones_like(plate), one, one, one
    )
    made = reconciled(passes, plate)
    np.testing.assert_allclose(made.albedo * made.shading, plate, rtol=0.02)
