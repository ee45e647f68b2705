"""Everything that changes while a model trains: weights, their running mean, the optimisers, the schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.network import ShotNetwork
from .loss import KeyframeDrift
from .optimiser import ShotOptimiser
from .schedule import Schedule

_AVERAGING = 0.98  # of the weights that are validated and kept
_AVERAGING_RAMP = 10.0  # steps


@dataclass(eq=False)
class Attempt:
    """One attempt at training `network`, the `number`-th; later ones learn at a lower rate."""

    network: ShotNetwork
    drift: KeyframeDrift | None
    schedule: Schedule
    number: int = 1
    step: int = 0
    first_step: int = 0

    def __post_init__(self) -> None:
        slower = 0.5 ** (self.number - 1)
        drift = list(self.drift.parameters()) if self.drift is not None else []
        self.optimiser = ShotOptimiser(self.network, drift, slower)
        self.forget()

    def forget(self) -> None:
        """Begin the running mean anew from the network's weights as they are."""
        self.averaged = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def weights(self) -> list[Tensor]:
        """All that gradients are computed for."""
        drift = list(self.drift.parameters()) if self.drift is not None else []
        return [weight for weight in self.network.parameters() if weight.requires_grad] + drift

    def update(self, factor: float) -> None:
        """Step along the gradients, at `factor` of the full rates."""
        self.optimiser.step(factor)
        self.step += 1
        self._average()

    def _average(self) -> None:
        age = self.step - self.first_step
        weight = 1.0 - min(_AVERAGING, age / (age + _AVERAGING_RAMP))
        current = self.network.state_dict()
        with torch.no_grad():
            torch._foreach_lerp_([self.averaged[name] for name in current], list(current.values()), weight)

    def result(self) -> ShotNetwork:
        """A network of its own with the averaged weights, on the CPU."""
        network = ShotNetwork(self.network.config)
        network.load_state_dict({name: tensor.cpu() for name, tensor in self.averaged.items()})
        return network.eval()

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps, flat."""
        kept = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        kept |= {f"averaged.{name}": tensor for name, tensor in self.averaged.items()}
        kept |= {f"optimiser.{name}": tensor for name, tensor in self.optimiser.state().items()}
        kept["schedule"] = torch.tensor([self.schedule.start, self.schedule.end], dtype=torch.float64)
        if self.drift is not None:
            kept["drift"] = self.drift.terms
        return {name: tensor.detach().cpu() for name, tensor in kept.items()}

    def take(self, tensors: Mapping[str, Tensor], step: int, first_step: int) -> None:
        """The inverse of `tensors`."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        self.step, self.first_step = step, first_step
        self.network.load_state_dict(part("network."))
        for name, tensor in part("averaged.").items():
            self.averaged[name].copy_(tensor)
        self.optimiser.load(part("optimiser."))
        self.schedule = Schedule(*tensors["schedule"].tolist())
        if self.drift is not None:
            with torch.no_grad():
                self.drift.terms.copy_(tensors["drift"])
