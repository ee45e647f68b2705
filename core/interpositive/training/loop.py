"""The training loop of a shot model: step, watch, validate, checkpoint, report.

A held-out keyframe is not trained on in the first half: it measures the model, decides whether the network
is better than the closed form it started from, and ends a training that only memorises. Then it joins in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import torch

from ..errors import Cancelled, TrainingError
from ..models.network import ShotNetwork, ShotNetworkConfig
from ..progress import Progress
from .attempt import Attempt
from .backbone import Backbone, fit_last_layer
from .checkpoint import CHECKPOINT_FILE, TrainingState, load_checkpoint, save_checkpoint
from .closed_form import GlobalChange, fit_global_change
from .crops import CropSampler, Picture
from .footage import Footage
from .loss import KeyframeDrift, ShotLoss
from .perception import perceived
from .pictures import carried_pictures, keyframe_pictures
from .processes import Processes
from .report import TrainingLog
from .schedule import Length, Schedule, WorkClock, rate_factor
from .validation import error_of, fit_region_threshold, quality_of, run_whole
from .watch import HoldoutWatch, LossWatch, Verdict

_CROP_PX, _BATCH = 192, 4
_HELD_OUT_UNTIL = 0.5  # of the schedule
_VALIDATIONS, _SHOWINGS = 10, 4  # over the schedule
_EXPLAINED = 0.316  # of the plate's error, 10 dB: a closed form that leaves less may be the model
_WORTH_CARRYING = (1000, 60.0)  # steps or seconds from which following motion pays its own time
_SOLVED = 3e-4  # error of the closed form, as a share of what is perceived, under which RGB is not trained
_MOST_ATTEMPTS = 3
_LATEST_RESTART = 0.9  # of the length; what is left after it would not make a model
_CONSTANT = 1e-6  # deviation under which an extra input is one value
_CHECKPOINT_EVERY_S = 20.0
_LOG_EVERY_STEPS = 10


@dataclass(frozen=True)
class Quality:
    """A preset: how long, how large, and what share of the crops are frames with carried labels."""

    steps: int
    width: int
    hidden: int
    carried_share: float


QUALITIES: dict[str, Quality] = {
    "draft": Quality(steps=250, width=32, hidden=64, carried_share=0.0),
    "standard": Quality(steps=1500, width=32, hidden=64, carried_share=0.15),
    "fine": Quality(steps=5000, width=48, hidden=128, carried_share=0.15),
}


@dataclass(frozen=True)
class TrainingPlan:
    """What the artist asked for. `holdout` is a frame number, or None to train on all from the start.

    `fingerprint` says what footage and settings this is a training of; only the same resumes. With a
    `backbone` the first attempt begins from it; one that has to start again begins from new weights.
    """

    quality: Quality
    length: Length
    seed: int
    device: str
    precision: Literal["float32", "bfloat16"]
    holdout: int | None
    fingerprint: str
    checkpoint_folder: Path
    log_path: Path
    backbone: Backbone | None = None


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The network, on the CPU, and how it came about. `measured` are figures of the held-out keyframe."""

    network: ShotNetwork
    steps: int
    measured: dict[str, float]
    log: TrainingLog


class ShotTrainer:
    """Trains one model. `show(network)` is called from time to time with weights worth looking at."""

    def __init__(
        self,
        footage: Footage,
        plan: TrainingPlan,
        clock: WorkClock,
        progress: Progress,
        processes: Processes,
        show: Callable[[ShotNetwork], None],
    ) -> None:
        self._footage, self._plan, self._clock = footage, plan, clock
        self._progress, self._processes, self._show = progress, processes, show
        self._change = fit_global_change(footage, plan.seed) if footage.changes_rgb else None
        self._attempt = self._new_attempt(1, 0.0, 0)
        # Crops are drawn where the closed form is wrong, so these come before the backbone does.
        self._keyframes = keyframe_pictures(footage, self._attempt.network)
        self._carried = self._carry_labels()
        frames = [keyframe.frame for keyframe in footage.keyframes]
        self._holdout = self._keyframes[frames.index(plan.holdout)] if plan.holdout in frames else None
        self._learns_rgb = footage.changes_rgb and any(
            _start_share(self._attempt.network, picture) > _SOLVED for picture in self._keyframes
        )
        if plan.backbone is not None:
            self._begin_from(plan.backbone)
        self._losses, self._holdouts = LossWatch(), HoldoutWatch()
        self._measured: dict[str, float] = {}
        self._restart_asked = False
        self._saved_at = time.monotonic()

    def run(self) -> TrainedNetwork:
        """Train to the end, from the checkpoint if there is one. Raises `Cancelled` after saving it."""
        resumed = self._resume()
        log = TrainingLog(self._plan.log_path if self._processes.is_first else None, resumed)
        without, everything = self._sampler(self._holdout), self._sampler(None)
        try:
            while True:
                done, share = self._stand()
                if share >= 1.0:
                    break
                held_out = self._holdout is not None and share < _HELD_OUT_UNTIL
                loss = self._step(without if held_out else everything, rate_factor(share))
                if self._processes.is_first:
                    self._look(log, loss, done, share)
                    self._save_when_due()
                    self._report(share)
        except Cancelled:
            self._save()
            raise
        with self._clock.evaluation():
            self._save()  # what comes after it is short, but not for nothing
            network = self._better_than_start(self._attempt.result())
            if self._footage.has_region:
                fit_region_threshold(network, self._keyframes, self._footage.extent)
        return TrainedNetwork(network, self._attempt.step, self._measured, log)

    # ---- set-up

    def _new_attempt(self, number: int, start: float, step: int) -> Attempt:
        footage, quality = self._footage, self._plan.quality
        kinds = [layer.kind for layer in footage.outputs for _ in layer.channels]
        config = ShotNetworkConfig(
            changes_rgb=footage.changes_rgb,
            matte_outputs=kinds.count("matte"),
            data_outputs=kinds.count("data"),
            extra_inputs=sum(len(layer.channels) for layer in footage.inputs) - 3,
            width=quality.width,
            hidden=quality.hidden,
            curve_units=self._change.curve_units if self._change is not None else 0,
            has_region=footage.has_region,
            toe=footage.toe,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._plan.seed + 1000 * (number - 1))
            network = ShotNetwork(config)
        if self._change is not None:
            set_global_change(network, self._change)
        if config.extra_inputs:
            self._normalise_extra_inputs(network)
        many = footage.changes_rgb and len(footage.keyframes) > 2
        drift = KeyframeDrift(len(footage.keyframes)) if many else None
        device = self._plan.device
        network.to(device)
        return Attempt(network, drift.to(device) if drift else None, Schedule(start), number, step, step)

    def _begin_from(self, backbone: Backbone) -> None:
        """Put the backbone in, and fit the last layer to the keyframes that training sees first."""
        network = self._attempt.network
        backbone.put_into(network)
        if self._learns_rgb:
            on_cpu = ShotNetwork(network.config)
            on_cpu.load_state_dict({name: tensor.cpu() for name, tensor in network.state_dict().items()})
            fit_last_layer(
                on_cpu, [p for p in self._keyframes if p is not self._holdout], self._footage.extent
            )
            network.load_state_dict(on_cpu.state_dict())
        self._attempt.forget()

    def _normalise_extra_inputs(self, network: ShotNetwork) -> None:
        extra = torch.cat([torch.from_numpy(k.plate[..., 3:]).flatten(0, 1) for k in self._footage.keyframes])
        deviation = extra.std(0).view(1, -1, 1, 1)
        network.extra_mean.copy_(extra.mean(0).view(1, -1, 1, 1))
        # A layer that is one value in all keyframes tells nothing; in other frames it must not shout.
        network.extra_scale.copy_(torch.where(deviation > _CONSTANT, 1.0 / deviation, 0.0))

    def _carry_labels(self) -> list[Picture]:
        if self._plan.quality.carried_share == 0.0 or not self._plan.length.is_at_least(*_WORTH_CARRYING):
            return []
        return carried_pictures(
            self._footage,
            self._attempt.network,
            lambda done, total: self._progress.report("following motion", done, total),
        )

    def _sampler(self, left_out: Picture | None) -> CropSampler:
        out = None if left_out is None else left_out.keyframe
        keyframes = [picture for picture in self._keyframes if picture.keyframe != out]
        carried = [picture for picture in self._carried if picture.keyframe != out]
        share = self._plan.quality.carried_share
        shares = [1.0] * len(keyframes)
        if carried:
            shares += [share / (1.0 - share) * len(keyframes) / len(carried)] * len(carried)
        return CropSampler([*keyframes, *carried], shares, _CROP_PX, self._plan.seed)

    # ---- one step

    def _stand(self) -> tuple[float, float]:
        """Shares done of the whole length and of this attempt's schedule; the same in every process."""
        attempt = self._attempt
        done = self._plan.length.done(attempt.step, self._clock)
        share, cancelled = attempt.schedule.share(done), float(self._progress.cancelled)
        done, share, cancelled, restart = self._processes.from_first(
            done, share, cancelled, float(self._restart_asked)
        )
        if cancelled:
            raise Cancelled("Stopped as asked. The training is kept; the same command continues from there.")
        if restart:
            self._restart_asked, self._measured = False, {}
            self._losses, self._holdouts = LossWatch(), HoldoutWatch()
            self._attempt = self._new_attempt(attempt.number + 1, done, attempt.step)
            return done, 0.0
        return done, share

    def _step(self, sampler: CropSampler, factor: float) -> float:
        attempt, device = self._attempt, self._plan.device
        rank, count = self._processes.rank, self._processes.count
        crops = -(-_BATCH // count) * count  # as many for each process
        batch = sampler.draw(attempt.step, crops, rank, count)
        batch = replace(batch, **{f.name: getattr(batch, f.name).to(device) for f in fields(batch)})
        extent = torch.tensor(self._footage.extent, dtype=torch.float32, device=device)
        is_mixed = self._plan.precision == "bfloat16"
        with torch.autocast(device, torch.bfloat16) if is_mixed else nullcontext():
            heads, region = attempt.network.raw(batch.plate, batch.origin, extent)
        loss = ShotLoss(attempt.network, attempt.drift, self._learns_rgb)(
            batch, heads.float(), None if region is None else region.float()
        )
        for weight in attempt.weights():
            weight.grad = None
        if loss.requires_grad:  # a closed form that leaves nothing to learn has no gradients
            loss.backward()
        self._processes.average([weight.grad for weight in attempt.weights() if weight.grad is not None])
        attempt.update(factor)
        return float(loss.detach())

    # ---- watching

    def _look(self, log: TrainingLog, loss: float, done: float, share: float) -> None:
        """Judge the step by its loss; validate, show and log when it is time."""
        attempt, share_before = self._attempt, self._losses.share
        self._restart_asked = self._is_to_restart(log, self._losses.sees(loss, share), done)
        if self._restart_asked:
            return
        if attempt.step % _LOG_EVERY_STEPS == 0:
            log.add(
                step=attempt.step,
                loss=self._losses.recent_loss,
                rate=rate_factor(share),
                cpu_seconds=round(self._clock.cpu_seconds, 3),
            )
        with self._clock.evaluation():
            if share < _HELD_OUT_UNTIL and _passed(_VALIDATIONS, share_before, share):
                self._validate(log, done)
            if _passed(_SHOWINGS, share_before, share):
                self._show(attempt.result())

    def _is_to_restart(self, log: TrainingLog, verdict: Verdict, done: float) -> bool:
        """Raises `TrainingError` when starting again is of no use."""
        attempt = self._attempt
        if verdict == "diverged" and (attempt.number >= _MOST_ATTEMPTS or done > _LATEST_RESTART):
            raise TrainingError(
                f"Training diverged at step {attempt.step}, in attempt {attempt.number} of {_MOST_ATTEMPTS}. "
                "Look for extreme values in plate and keyframes, or pass another --seed."
            )
        # What begins from a backbone is good from the start, and need not fall far.
        can_fall = self._learns_rgb and (self._plan.backbone is None or attempt.number > 1)
        is_stuck = verdict == "plateau" and can_fall and attempt.number < _MOST_ATTEMPTS
        if verdict != "diverged" and not is_stuck:
            return False
        log.add(step=attempt.step, loss=self._losses.recent_loss, restart=verdict)
        self._progress.log(
            f"Step {attempt.step}: the loss {'blew up' if verdict == 'diverged' else 'does not fall'}; "
            "starting again from other weights at half the learning rate.",
            "warning",
        )
        return True

    def _report(self, share: float) -> None:
        step, steps = self._attempt.step, self._plan.length.steps
        note = f"loss {self._losses.recent_loss:.4f}"
        left = self._plan.length.seconds_left(self._clock)
        total = max(round(step / max(share, 1e-3)), step) if steps is None else steps
        try:
            self._progress.report("training", step, total, note, left)
        except Cancelled:
            self._progress.cancel()  # `_stand` stops all processes together

    def _validate(self, log: TrainingLog, done: float) -> None:
        """Measure on the held-out keyframe."""
        if self._holdout is None:
            return
        network = self._attempt.result()
        result = run_whole(network, self._holdout, self._footage.extent)
        error = error_of(network, result, self._holdout)
        self._measured = {**quality_of(network, result, self._holdout), "holdout_error": error}
        log.add(step=self._attempt.step, **self._measured)
        if self._holdouts.sees(self._attempt.step, error):
            self._progress.log("The held-out keyframe gets worse: training ends early.")
            self._attempt.schedule.cut(done)

    def _better_than_start(self, trained: ShotNetwork) -> ShotNetwork:
        """`trained`, or the closed form where that is nearly all, and was better on the held-out keyframe."""
        footage = self._footage
        if self._holdout is None or "holdout_error" not in self._measured or footage.has_region:
            return trained
        if any(layer.kind != "rgb" for layer in footage.outputs):
            return trained
        start = self._new_attempt(1, 0.0, 0).result()
        result = run_whole(start, self._holdout, footage.extent)
        error = error_of(start, result, self._holdout)
        untouched = error_of(start, self._holdout.plate[:3], self._holdout)
        if self._measured["holdout_error"] <= error or error > _EXPLAINED * untouched:
            return trained
        self._progress.log(
            "The held-out keyframe is no better for the network: the model is the global change."
        )
        self._measured = {**quality_of(start, result, self._holdout), "holdout_error": error}
        return start

    # ---- keeping it

    def _resume(self) -> int:
        """Take up the checkpoint, if it is of this training; the step it stands at."""
        folder = self._plan.checkpoint_folder
        found = load_checkpoint(folder, self._plan.fingerprint)
        if found is None:
            if (folder / CHECKPOINT_FILE).exists():
                self._progress.log(
                    f"The checkpoint in {folder} is damaged, or of other footage or settings: training "
                    "starts from the beginning."
                )
            return 0
        state, tensors = found
        self._attempt = self._new_attempt(state.attempt, 0.0, state.step)
        self._attempt.take(tensors, state.step, state.first_step)
        self._losses = LossWatch(*state.losses)
        self._holdouts = HoldoutWatch(list(state.holdout_history))
        self._measured, self._restart_asked = dict(state.measured), state.restart_asked
        self._clock.add(state.cpu_seconds, state.wall_seconds)
        self._progress.log(f"Continuing the training that stopped at step {state.step}.")
        return state.step

    def _save_when_due(self) -> None:
        if time.monotonic() - self._saved_at >= _CHECKPOINT_EVERY_S:
            with self._clock.evaluation():
                self._save()

    def _save(self) -> None:
        if not self._processes.is_first:
            return
        losses = self._losses
        state = TrainingState(
            fingerprint=self._plan.fingerprint,
            step=self._attempt.step,
            first_step=self._attempt.first_step,
            attempt=self._attempt.number,
            restart_asked=self._restart_asked,
            cpu_seconds=self._clock.cpu_seconds,
            wall_seconds=self._clock.wall_seconds,
            losses=(losses.steps, losses.first_loss, losses.recent_loss, losses.share),
            holdout_history=tuple(self._holdouts.history),
            measured=self._measured,
        )
        save_checkpoint(self._plan.checkpoint_folder, state, self._attempt.tensors())
        self._saved_at = time.monotonic()


def _start_share(network: ShotNetwork, picture: Picture) -> float:
    """Mean error of the closed form as a share of the target's mean, both perceived; RGB only."""
    toe, rgb = network.config.toe, picture.plate[None, :3].to(network.out.bias.device)
    with torch.no_grad():
        start = rgb + (rgb.abs() + toe) * network.start_gain(network.shape(rgb))
    target = perceived(picture.target[:3], toe)
    error = ((perceived(start[0].cpu(), toe) - target).abs() * picture.weight).mean()
    return float(error / target.abs().mean().clamp(min=1e-6))


def _passed(count: int, before: float, now: float) -> bool:
    """Whether one of `count` even marks lies between two shares."""
    return int(now * count) > int(before * count)


def set_global_change(network: ShotNetwork, change: GlobalChange) -> None:
    """Make the closed form what the untrained network gives. Its curves are not trained further."""
    network.set_filter(torch.from_numpy(change.filter), torch.from_numpy(change.bias))
    if not change.curve_units:
        return
    with torch.no_grad():
        network.curves_in.weight.copy_(torch.from_numpy(change.curves_in)[..., None, None])
        network.curves_in.bias.copy_(torch.from_numpy(change.curves_bias))
        network.curves_out.weight.copy_(torch.from_numpy(change.curves_out)[..., None, None])
    for module in (network.curves_in, network.curves_out):
        module.requires_grad_(False)
