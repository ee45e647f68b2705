"""The base prior, fine-tuned on a production's plates without labels: what `analyse --adapt` asks of one
shot, asked of all shots at once.

Along the motion of each shot normals turn little, a mirrored look says the same, and what the base prior said
is not forgotten. No shot's light is trusted so far that shape would be bent to fit it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..analysis.adaptation import AdaptationSettings, ShotLessons, pace_at
from ..analysis.frame_store import FrameStore
from ..analysis.shot import exposure_of, key_of
from ..errors import TrainingError
from ..images.image import Pixels
from ..models.prior_network import PriorNetwork
from ..prior.predictor import Prior

_RATE = 1e-4
_DECAY = (0.9, 0.95)
_GRADIENT_NORM = 1.0
_IN_MEMORY = 2**30  # bytes; small plates never need the disk


@dataclass(frozen=True)
class _Adam:
    """First and second moments of the gradients (Kingma and Ba 2015)."""

    mean: list[Tensor]
    square: list[Tensor]


class PriorTuner:
    """Fine-tunes a copy of `prior` on shots, each a run of small plates (h, w, 3) in order, scene-linear."""

    def __init__(self, prior: Prior, shots: Sequence[Sequence[Pixels]], seed: int) -> None:
        self.network: PriorNetwork = prior.network()
        self._lessons = [_lessons(prior, plates) for plates in shots]
        # What is constant along the motion flattens the albedo of a production; it is left out.
        self._settings = replace(AdaptationSettings(), rendering=0.0, constancy=0.0, memory=1.0)
        self._seed = seed
        self._weights = list(self.network.parameters())
        self._adam = _Adam(
            [torch.zeros_like(w) for w in self._weights], [torch.zeros_like(w) for w in self._weights]
        )
        self.step = 0

    def train_step(self, share: float) -> float:
        """One step at `share` of the schedule; its loss. Raises TrainingError when it diverges."""
        random = np.random.default_rng([self._seed, self.step])
        lessons = self._lessons[int(random.integers(len(self._lessons)))]
        loss = lessons.loss(self.network, random, self._settings)
        if not torch.isfinite(loss):
            raise TrainingError("Fine-tuning the prior diverged. Train again without --prior-steps.")
        for weight in self._weights:
            weight.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._weights, _GRADIENT_NORM)
        self.step += 1
        self._move(_RATE * pace_at(share, self._settings.warm_up))
        return float(loss.detach())

    def _move(self, rate: float) -> None:
        first, second = (1.0 - decay**self.step for decay in _DECAY)
        with torch.no_grad():
            for weight, mean, square in zip(self._weights, self._adam.mean, self._adam.square, strict=True):
                if weight.grad is None:
                    continue
                mean.lerp_(weight.grad, 1.0 - _DECAY[0])
                square.lerp_(weight.grad.square(), 1.0 - _DECAY[1])
                weight.addcdiv_(mean, (square / second).sqrt_().add_(1e-8), value=-rate / first)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps, flat."""
        kept = {f"prior.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for k, (mean, square) in enumerate(zip(self._adam.mean, self._adam.square, strict=True)):
            kept |= {f"prior_mean.{k}": mean, f"prior_square.{k}": square}
        return {name: tensor.detach() for name, tensor in kept.items()}

    def take(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """The inverse of `tensors`."""
        self.step = step
        state = {n.removeprefix("prior."): t for n, t in tensors.items() if n.startswith("prior.")}
        self.network.load_state_dict(state)
        for k in range(len(self._weights)):
            self._adam.mean[k].copy_(tensors[f"prior_mean.{k}"])
            self._adam.square[k].copy_(tensors[f"prior_square.{k}"])


def _lessons(prior: Prior, plates: Sequence[Pixels]) -> ShotLessons:
    height, width = plates[0].shape[:2]
    store = FrameStore(len(plates), (height, width, 3), Path(), _IN_MEMORY)
    for k, plate in enumerate(plates):
        store.put(k, plate)
    gain = exposure_of(store, None)
    return ShotLessons(prior, store, None, gain, key_of(prior, store, None, gain))
