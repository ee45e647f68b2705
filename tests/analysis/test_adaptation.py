from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from interpositive.analysis.adaptation import AdaptationSettings, AdaptedPrior, adapted
from interpositive.analysis.frame_store import FrameStore
from interpositive.analysis.lighting import direction_of
from interpositive.analysis.prediction import predict
from interpositive.analysis.shot import Knowledge
from interpositive.errors import Cancelled, TrainingError
from interpositive.models.prior_network import PriorNetwork, PriorNetworkConfig
from interpositive.prior.predictor import Prepared
from interpositive.progress import Progress

KNOWN = Knowledge(key_direction=direction_of(40, 30))
SMALL = PriorNetworkConfig(widths=(8, 8, 8, 8), stem=8, hidden=8, light_units=8)


class TinyPrior:
    """A small network with random weights in the place of a trained one."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        self._weights = PriorNetwork(SMALL).state_dict()

    def network(self) -> PriorNetwork:
        network = PriorNetwork(SMALL)
        network.load_state_dict(self._weights)
        return network

    def run(self, look: Prepared) -> Mapping[str, np.ndarray]:
        return AdaptedPrior(self.network()).run(look)


def shot(tmp_path: Path, count: int) -> FrameStore:
    wide = cv2.resize(np.random.default_rng(0).random((8, 20, 3)).astype(np.float32), (80, 32))
    plates = FrameStore(count, (32, 64, 3), tmp_path, 1 << 26, np.float32)
    for k in range(count):
        plates.put(k, 0.1 + 0.4 * wide[:, 2 * k : 2 * k + 64])
    return plates


def adapt(
    plates: FrameStore, steps: int, progress: Progress | None = None, **settings: float
) -> AdaptedPrior:
    chosen = AdaptationSettings(**settings)
    tiny: Any = TinyPrior()
    return adapted(tiny, plates, None, 0.8, KNOWN, steps, progress or Progress(), chosen)


def flicker_of_albedo(prior: AdaptedPrior | TinyPrior, plates: FrameStore) -> float:
    albedo = [np.log(predict(prior, plates.get(k), 0.8, None, KNOWN.key_direction)[0].albedo) for k in (0, 1)]
    return float(np.abs(albedo[0][:, 2:] - albedo[1][:, :-2])[4:-4, 4:-4].mean())


def test_albedo_becomes_steadier_along_the_motion(tmp_path: Path) -> None:
    plates = shot(tmp_path, 4)
    after = adapt(plates, 40, memory=0.1, rate=3e-3)
    assert flicker_of_albedo(after, plates) < 0.8 * flicker_of_albedo(TinyPrior(), plates)


def test_no_steps_leave_the_prior_as_it_is(tmp_path: Path) -> None:
    plates = shot(tmp_path, 2)
    assert flicker_of_albedo(adapt(plates, 0), plates) == flicker_of_albedo(TinyPrior(), plates)


def test_the_same_shot_twice_gives_the_same_network(tmp_path: Path) -> None:
    plates = shot(tmp_path, 3)
    assert flicker_of_albedo(adapt(plates, 3), plates) == flicker_of_albedo(adapt(plates, 3), plates)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_one_flat_frame_is_no_reason_to_fail(tmp_path: Path, level: float) -> None:
    plates = FrameStore(1, (32, 48, 3), tmp_path, 1 << 26, np.float32)
    plates.put(0, np.full((32, 48, 3), level, np.float32))
    passes, _ = predict(adapt(plates, 2), plates.get(0), 1.0, None, KNOWN.key_direction)
    assert np.isfinite(passes.albedo).all()


def test_steps_that_run_away_are_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--adapt off"):
        adapt(shot(tmp_path, 2), 6, rate=float("inf"))


def test_a_cancel_stops_within_one_step(tmp_path: Path) -> None:
    class Stopped(Progress):
        steps = 0

        def show(self, update: object) -> None:
            self.steps += 1
            self.cancel()

    progress = Stopped()
    with pytest.raises(Cancelled):
        adapt(shot(tmp_path, 2), 50, progress)
    assert progress.steps == 1
