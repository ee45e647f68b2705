from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from interpositive.errors import Cancelled, TrainingError
from interpositive.models.network import ShotNetwork, ShotNetworkConfig
from interpositive.training import closed_form, loop, optimiser
from interpositive.training.backbone import Backbone
from interpositive.training.checkpoint import CHECKPOINT_FILE, load_checkpoint
from interpositive.training.footage import Footage
from interpositive.training.loop import Quality, ShotTrainer, TrainedNetwork, TrainingPlan
from interpositive.training.loss import ShotLoss
from interpositive.training.perception import perceived_psnr
from interpositive.training.processes import Processes
from interpositive.training.schedule import Length, WorkClock
from interpositive.training.validation import run_frame
from tiny_shot import (
    FRAMES,
    Recorder,
    footage_of,
    graded,
    plate_of,
    relit_unevenly,
    rgb_image,
    texture,
    write_frames,
    write_shot,
)

SMALL = Quality(steps=0, width=8, hidden=16, carried_share=0.0)


@pytest.fixture(autouse=True)
def quick_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "_SAMPLES_PER_KEYFRAME", 1000)


@pytest.fixture
def footage(tmp_path: Path) -> Footage:
    return footage_of(write_shot(tmp_path))


def plan_of(folder: Path, steps: int = 20, **changes: Any) -> TrainingPlan:
    fields: dict[str, Any] = {
        "quality": SMALL,
        "length": Length(steps=steps),
        "seed": 1,
        "device": "cpu",
        "precision": "float32",
        "holdout": 1004,
        "fingerprint": "f" * 64,
        "checkpoint_folder": folder / "checkpoint",
        "log_path": folder / "training.jsonl",
        **changes,
    }
    return TrainingPlan(**fields)


def train(
    footage: Footage,
    plan: TrainingPlan,
    progress: Recorder | None = None,
    show: Callable[[ShotNetwork], None] = lambda network: None,
) -> TrainedNetwork:
    return ShotTrainer(footage, plan, WorkClock(), progress or Recorder(), Processes(), show).run()


def weights(trained: TrainedNetwork) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in trained.network.state_dict().values())


def psnr(footage: Footage, network: ShotNetwork, frame: int, target: np.ndarray) -> float:
    result = run_frame(network, plate_of(frame), (0, 0), footage.extent)
    return perceived_psnr(result[..., :3], target, footage.toe)


def test_training_goes_well_beyond_the_closed_form_on_a_frame_it_never_saw(
    footage: Footage, tmp_path: Path
) -> None:
    start = train(footage, plan_of(tmp_path / "none", 1, holdout=None)).network
    quality = Quality(steps=0, width=16, hidden=32, carried_share=0.0)
    trained = train(footage, plan_of(tmp_path, 150, quality=quality, holdout=None)).network
    before, after = (psnr(footage, network, 1003, relit_unevenly(1003)) for network in (start, trained))
    assert after > before + 4


def test_the_same_seed_repeats_to_the_bit_and_another_does_not(footage: Footage, tmp_path: Path) -> None:
    one, same = (weights(train(footage, plan_of(tmp_path / name))) for name in ("a", "b"))
    other = weights(train(footage, plan_of(tmp_path / "c", seed=2)))
    assert one == same != other


def test_cancel_stops_within_one_step_and_keeps_it(footage: Footage, tmp_path: Path) -> None:
    progress = Recorder("training", 7)
    with pytest.raises(Cancelled, match="same command continues"):
        train(footage, plan_of(tmp_path), progress)
    assert progress.steps() == list(range(1, 8))
    found = load_checkpoint(tmp_path / "checkpoint", "f" * 64)
    assert found is not None and found[0].step == 7


@pytest.mark.parametrize("step", [1, 10, 19])
def test_a_training_that_was_stopped_ends_as_if_it_had_not_been(
    footage: Footage, tmp_path: Path, step: int
) -> None:
    straight = train(footage, plan_of(tmp_path / "a"))
    with pytest.raises(Cancelled):
        train(footage, plan_of(tmp_path / "b"), Recorder("training", step))
    progress = Recorder()
    resumed = train(footage, plan_of(tmp_path / "b"), progress)
    assert progress.steps()[0] == step + 1
    assert any(f"stopped at step {step}" in line for line in progress.lines)
    assert weights(resumed) == weights(straight)
    assert (resumed.measured, resumed.steps) == (straight.measured, straight.steps)
    logs = [(tmp_path / name / "training.jsonl").read_text().splitlines() for name in "ab"]
    without_times = [[{**json.loads(line), "cpu_seconds": 0} for line in log] for log in logs]
    assert without_times[0] == without_times[1]


def test_a_stop_while_the_model_is_written_loses_nothing(footage: Footage, tmp_path: Path) -> None:
    first = train(footage, plan_of(tmp_path))
    progress = Recorder()
    again = train(footage, plan_of(tmp_path), progress)
    assert progress.steps() == []
    assert weights(again) == weights(first)


def test_a_damaged_checkpoint_starts_over_and_says_so(footage: Footage, tmp_path: Path) -> None:
    straight = train(footage, plan_of(tmp_path / "a"))
    with pytest.raises(Cancelled):
        train(footage, plan_of(tmp_path / "b"), Recorder("training", 8))
    path = tmp_path / "b" / "checkpoint" / CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:-100])
    progress = Recorder()
    assert weights(train(footage, plan_of(tmp_path / "b"), progress)) == weights(straight)
    assert any("damaged" in line for line in progress.lines) and progress.steps()[0] == 1


def test_checkpoints_are_saved_while_it_runs(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_CHECKPOINT_EVERY_S", 0.0)
    seen: list[int] = []

    class Looking(Recorder):
        def show(self, update: Any) -> None:
            found = load_checkpoint(tmp_path / "checkpoint", "f" * 64)
            seen.append(found[0].step if found else 0)

    train(footage, plan_of(tmp_path, 5), Looking())
    assert seen == [1, 2, 3, 4, 5]


def test_rates_beyond_reason_are_noticed_and_end_in_a_clear_error(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimiser, "MUON_RATE", 1e5)
    monkeypatch.setattr(optimiser, "ADAM_RATE", 1e5)
    progress = Recorder()
    with pytest.raises(TrainingError, match=r"attempt 3 of 3.*--seed"):
        train(footage, plan_of(tmp_path, 60), progress)
    assert len([line for line in progress.warnings if "half the learning rate" in line]) == 2
    lines = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert [line["restart"] for line in lines if "restart" in line] == ["diverged"] * 2


class _BadOnce:
    """A loss that is no number at one of its calls."""

    def __init__(self, at: int) -> None:
        self.calls, self.at = 0, at
        self._judge = ShotLoss.__call__

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def judged(loss: ShotLoss, *arguments: Any) -> torch.Tensor:
            self.calls += 1
            return self._judge(loss, *arguments) * (math.nan if self.calls == self.at else 1.0)

        monkeypatch.setattr(ShotLoss, "__call__", judged)


def test_one_blow_up_is_survived_with_half_the_rate(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _BadOnce(12).install(monkeypatch)
    progress = Recorder()
    trained = train(footage, plan_of(tmp_path, 40), progress)
    assert all(torch.isfinite(tensor).all() for tensor in trained.network.state_dict().values())
    assert trained.steps == 40 and len(progress.warnings) == 1
    assert "Step 12: the loss blew up" in progress.warnings[0]
    assert all(math.isfinite(value) for value in trained.measured.values())


def test_a_blow_up_at_the_very_end_is_an_error_and_no_endless_loop(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _BadOnce(20).install(monkeypatch)
    with pytest.raises(TrainingError, match="step 20"):
        train(footage, plan_of(tmp_path, 20))


def test_a_stop_between_the_blow_up_and_the_new_attempt_is_no_way_out(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _BadOnce(12).install(monkeypatch)
    straight = train(footage, plan_of(tmp_path / "a", 40))
    _BadOnce(12).install(monkeypatch)
    with pytest.raises(Cancelled):
        train(footage, plan_of(tmp_path / "b", 40), Recorder("training", 12))
    resumed = train(footage, plan_of(tmp_path / "b", 40))
    assert weights(resumed) == weights(straight)


def test_a_loss_that_sits_still_starts_again_twice_and_then_goes_on(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rate in ("MUON_RATE", "ADAM_RATE", "DETAIL_RATE", "DRIFT_RATE"):
        monkeypatch.setattr(optimiser, rate, 0.0)
    progress = Recorder()
    assert train(footage, plan_of(tmp_path, 150), progress).steps == 150
    assert [("does not fall" in line) for line in progress.warnings] == [True, True]


def test_a_held_out_keyframe_that_gets_worse_ends_the_training_early(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop.HoldoutWatch, "sees", lambda watch, step, error: step >= 8)
    progress = Recorder()
    trained = train(footage, plan_of(tmp_path, 40), progress)
    assert trained.steps < 16
    assert any("gets worse" in line for line in progress.lines)


def test_the_closed_form_is_kept_when_the_network_is_no_better_and_the_figures_are_its_own(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        loop,
        "error_of",
        lambda network, result, picture: float(network.out.weight.detach().abs().sum()),
    )
    progress = Recorder()
    trained = train(footage, plan_of(tmp_path, 20), progress)
    assert not trained.network.out.weight.any()
    assert trained.measured["holdout_error"] == 0
    assert trained.measured["holdout_psnr_db"] == pytest.approx(
        psnr(footage, trained.network, 1004, relit_unevenly(1004)), abs=0.01
    )
    assert any("global change" in line for line in progress.lines)


@pytest.mark.parametrize("carried_share", [0.0, 0.4])
def test_a_held_out_keyframe_and_what_was_carried_from_it_are_not_trained_on_in_the_first_half(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, carried_share: float
) -> None:
    drawn: list[set[int]] = []
    draw = loop.CropSampler.draw

    def noted(sampler: Any, *arguments: int) -> Any:
        batch = draw(sampler, *arguments)
        drawn.append(set(batch.keyframe.tolist()))
        return batch

    monkeypatch.setattr(loop.CropSampler, "draw", noted)
    monkeypatch.setattr(loop, "_WORTH_CARRYING", (1, 0.0))
    quality = dataclasses.replace(SMALL, carried_share=carried_share)
    progress = Recorder()
    trained = train(footage, plan_of(tmp_path, 40, quality=quality), progress)
    assert not any(1 in places for places in drawn[:20])
    assert any(1 in places for places in drawn[20:])
    assert set(trained.measured) == {"holdout_psnr_db", "untouched_psnr_db", "holdout_error"}
    assert bool(progress.steps("following motion")) == (carried_share > 0)


def test_an_exact_grade_leaves_nothing_to_train(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, lambda frame: plate_of(frame), (1001, 1004, 1007))
    footage = footage_of(shot, output_layers=["rgb"])
    progress = Recorder()
    trained = train(footage, plan_of(tmp_path, 120), progress)
    result = run_frame(trained.network, plate_of(1002), (0, 0), footage.extent)
    np.testing.assert_allclose(result, plate_of(1002), rtol=1e-3, atol=1e-6)
    assert progress.warnings == []


def test_a_wall_budget_is_kept_and_the_time_left_is_told(footage: Footage, tmp_path: Path) -> None:
    progress, begun = Recorder(), time.monotonic()
    trained = train(footage, plan_of(tmp_path, length=Length(wall_seconds=1.0)), progress)
    assert time.monotonic() - begun < 4
    left = [update.seconds_left for update in progress.updates if update.stage == "training"]
    assert trained.steps == len(left) > 5
    assert all(one is not None and one <= 1.0 for one in left)
    assert left == sorted(left, reverse=True) and left[-1] < 0.5


def test_what_is_shown_meanwhile_is_a_network_on_its_own(footage: Footage, tmp_path: Path) -> None:
    shown: list[ShotNetwork] = []
    train(footage, plan_of(tmp_path, 20), show=shown.append)
    assert len(shown) == 3 and len({id(network) for network in shown}) == 3


def test_an_extra_input_that_never_changes_in_the_keyframes_is_not_listened_to(tmp_path: Path) -> None:
    from interpositive.images.image import Image

    def layered(frame: int) -> Image:
        depth = np.full((64, 96, 1), 0.3, np.float32)
        if frame not in (1001, 1004, 1007):
            depth[:, :48] = 900
        pixels = np.concatenate([plate_of(frame), depth, texture(4)[..., :1]], 2)
        return Image(pixels, ("R", "G", "B", "depth.Z", "other.Y"), channel_formats=("float",) * 5)

    shot = write_shot(tmp_path)
    write_frames(tmp_path / "plate", "pl", FRAMES, layered)
    footage = footage_of(shot, input_layers=["depth.Z", "other.Y"], output_layers=["rgb"])
    network = train(footage, plan_of(tmp_path, 10)).network
    assert float(network.extra_scale[0, 0]) == 0.0 < float(network.extra_scale[0, 1])
    plate, _ = footage.read_plate(1002)
    calm = plate.copy()
    calm[..., 3] = 0.3
    results = [run_frame(network, pixels, (0, 0), footage.extent) for pixels in (plate, calm)]
    np.testing.assert_array_equal(*results)


def test_one_keyframe_trains_without_being_measured(tmp_path: Path) -> None:
    footage = footage_of(write_shot(tmp_path, keyframes=[1004]))
    trained = train(footage, plan_of(tmp_path, 10, holdout=None))
    assert trained.measured == {} and trained.steps == 10


def test_graded_keyframes_of_a_video_like_size_work(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, graded, (1001,))
    write_frames(tmp_path / "plate", "pl", (1001,), lambda frame: rgb_image(texture(0, 53, 121)))
    write_frames(tmp_path / "keys", "comp", (1001,), lambda frame: rgb_image(texture(0, 53, 121) ** 2))
    footage = footage_of(shot)
    assert train(footage, plan_of(tmp_path, 5, holdout=None)).steps == 5


def test_a_change_of_half_float_rounding_is_not_trained(tmp_path: Path) -> None:
    def rounded(frame: int) -> np.ndarray:
        return (plate_of(frame) * np.float32(1.0003)).astype(np.float16).astype(np.float32)

    footage = footage_of(write_shot(tmp_path, rounded, (1001, 1004, 1007)))
    trained = train(footage, plan_of(tmp_path, 40))
    assert not trained.network.out.weight[:192].any()


# ---- from a backbone


def backbone_of(seed: int) -> Backbone:
    torch.manual_seed(seed)
    return Backbone.of(ShotNetwork(ShotNetworkConfig(width=SMALL.width, hidden=SMALL.hidden)))


def test_a_training_begins_from_its_backbone_with_the_last_layer_fitted(
    footage: Footage, tmp_path: Path
) -> None:
    backbone = backbone_of(7)
    trained = train(
        footage, plan_of(tmp_path / "a", 1, backbone=backbone)
    ).network  # a step at almost no rate
    for name, tensor in backbone.tensors.items():
        assert torch.allclose(trained.state_dict()[name], tensor, atol=5e-3), name
    plain = train(footage, plan_of(tmp_path / "b", 1)).network
    fitted, closed = (psnr(footage, network, 1003, relit_unevenly(1003)) for network in (trained, plain))
    assert fitted > closed + 0.5


def test_a_good_start_that_does_not_fall_further_is_no_plateau(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimiser, "MUON_RATE", 0.0)
    monkeypatch.setattr(optimiser, "ADAM_RATE", 0.0)
    monkeypatch.setattr(optimiser, "DETAIL_RATE", 0.0)
    stuck, good = Recorder(), Recorder()
    train(footage, plan_of(tmp_path / "a", 90), stuck)
    train(footage, plan_of(tmp_path / "b", 90, backbone=backbone_of(7)), good)
    assert any("the loss does not fall" in line for line in stuck.warnings)
    assert not good.warnings


def test_a_restart_leaves_the_backbone_behind(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = backbone_of(7)
    diverges_once = iter(["diverged"])
    monkeypatch.setattr(loop.LossWatch, "sees", lambda *_: next(diverges_once, "fine"))
    trained = train(footage, plan_of(tmp_path, 3, backbone=backbone)).network
    name = "first.weight"
    assert not torch.allclose(trained.state_dict()[name], backbone.tensors[name], atol=0.1)
