"""The shot models' backbone, fine-tuned on a production: one loop - draw crops, step, checkpoint.

The network is a shot network whose last layer gives many random changes at once (`random_changes`) instead of
one artist's. What the layers before it have learned is kept, the last layer is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.network import CELL_PX, ShotNetwork, ShotNetworkConfig
from ..training.backbone import BACKBONE_LAYERS, Backbone
from ..training.loop import QUALITIES
from ..training.optimiser import MUON_RATE, ShotOptimiser
from ..training.schedule import rate_factor
from .random_changes import GRID_PX, RandomChanges

_CROP_PX, _BATCH = 192, 4
_AVERAGING = 0.98
_LARGEST_NORM = 2.5  # about, of a layer: where decay and the steps of Muon hold each other
_SOFT = 0.1  # error, in deviations of a map, under which the loss turns quadratic
_EXPOSURE = 0.1  # natural log; crops are a little brighter or darker than the plate
_OUTPUTS = (CELL_PX // GRID_PX) ** 2  # of a map in a cell
_TOE = 0.01


@dataclass(frozen=True, eq=False)
class LearningFrame:
    """A plate as the backbone learns from it: (3, H, W) scene-linear, H and W multiples of the stride; what
    is known of it on the grid (PLANES, H/4, W/4); its origin and the display's (width, height)."""

    plate: Tensor
    known: Tensor
    origin: tuple[int, int]
    extent: tuple[int, int]


class BackboneTrainer:
    """Trains one backbone, step by step. `changes` is how many random changes it has to tell at once."""

    def __init__(self, frames: Sequence[LearningFrame], changes: int, seed: int, device: str = "cpu") -> None:
        self._frames, self._seed, self._device = frames, seed, device
        drawn = RandomChanges([frame.known for frame in frames], changes, seed)
        self._maps = [drawn.maps(frame.known) for frame in frames]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            quality = QUALITIES["standard"]  # a draft has the same size
            network = ShotNetwork(ShotNetworkConfig(width=quality.width, hidden=quality.hidden, toe=_TOE))
        hidden = network.config.hidden
        network.out = nn.Conv2d(hidden, changes * _OUTPUTS, 1)
        network.detail = nn.Conv2d(3, 1, CELL_PX, CELL_PX, bias=False).requires_grad_(False)
        nn.init.zeros_(network.out.weight)
        nn.init.zeros_(network.out.bias)
        self.network = network.to(device)
        self._optimiser = ShotOptimiser(self.network)
        self._mean = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.step = 0

    def train_step(self, share: float) -> float:
        """One step at `share` of the schedule; its loss, in deviations of a map."""
        frame, spots, gain = self._drawn()
        plates, maps = self._crops(frame, spots)
        origins = [[frame.origin[0] + left, frame.origin[1] + top] for top, left in spots]
        found = self.network.hidden(
            (plates * gain).to(self._device),
            torch.tensor(origins, dtype=torch.float32, device=self._device),
            torch.tensor(frame.extent, dtype=torch.float32, device=self._device),
        )
        wanted = F.pixel_unshuffle(maps.to(self._device), CELL_PX // GRID_PX)
        error = self.network.out(found) - wanted  # (N, changes * 4, h/8, w/8)
        loss = (error.square() + _SOFT**2).sqrt().mean() - _SOFT
        for weight in self.network.parameters():
            weight.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        factor = rate_factor(share)
        self._optimiser.step(factor)
        self._decay(factor)
        self.step += 1
        self._average()
        return float(loss.detach())

    def _decay(self, factor: float) -> None:
        """Hold the layers' norms near those that a shot model begins with.

        A step of Muon has a fixed size; where the weights have grown, a shot model would learn slowly.
        """
        with torch.no_grad():
            for name, weight in self.network.named_parameters():
                if weight.ndim == 4 and name.startswith(BACKBONE_LAYERS):
                    weight.mul_(1.0 - factor * MUON_RATE / _LARGEST_NORM)

    def _drawn(self) -> tuple[LearningFrame, list[tuple[int, int]], float]:
        """The frame of a step, where its crops are, and how much brighter they are."""
        random = np.random.default_rng([self._seed, self.step])
        self._index = int(random.integers(len(self._frames)))
        frame = self._frames[self._index]
        _, height, width = frame.plate.shape
        top, left = max(height - _CROP_PX, 0) // CELL_PX, max(width - _CROP_PX, 0) // CELL_PX
        spots = [
            (int(random.integers(top + 1)) * CELL_PX, int(random.integers(left + 1)) * CELL_PX)
            for _ in range(_BATCH)
        ]
        return frame, spots, float(np.exp(random.normal(0.0, _EXPOSURE)))

    def _crops(self, frame: LearningFrame, spots: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        plates = [frame.plate[:, y : y + _CROP_PX, x : x + _CROP_PX] for y, x in spots]
        known, grid = self._maps[self._index], _CROP_PX // GRID_PX
        maps = [
            known[:, y // GRID_PX : y // GRID_PX + grid, x // GRID_PX : x // GRID_PX + grid] for y, x in spots
        ]
        return torch.stack(plates), torch.stack(maps)

    def _average(self) -> None:
        weight = 1.0 - min(_AVERAGING, self.step / (self.step + 10.0))
        current = self.network.state_dict()
        with torch.no_grad():
            torch._foreach_lerp_([self._mean[name] for name in current], list(current.values()), weight)

    def result(self) -> Backbone:
        """The backbone with the averaged weights."""
        self_state = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.network.load_state_dict(self._mean)
        backbone = Backbone.of(self.network)
        self.network.load_state_dict(self_state)
        return backbone

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps, flat."""
        kept = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        kept |= {f"mean.{name}": tensor for name, tensor in self._mean.items()}
        kept |= {f"optimiser.{name}": tensor for name, tensor in self._optimiser.state().items()}
        return {name: tensor.detach().cpu() for name, tensor in kept.items()}

    def take(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """The inverse of `tensors`."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        self.step = step
        self.network.load_state_dict(part("network."))
        for name, tensor in part("mean.").items():
            self._mean[name].copy_(tensor)
        self._optimiser.load(part("optimiser."))
