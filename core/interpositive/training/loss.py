"""What a shot model is trained to make small: perceived error of RGB, cross entropy of mattes and region."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.network import CELL_PX, ShotNetwork
from .crops import Batch
from .perception import perceived

_SOFT_ABSOLUTE = 0.01  # perceived error under which the loss turns quadratic (Charbonnier et al. 1994)
_DETAIL_WEIGHT, _SOFT_DETAIL = 0.3, 0.003  # of errors that differ from one pixel to the next: they flicker
_STEP_WEIGHT = 1.0  # of mean errors that differ from one cell to the next: they show as blocks, and flicker
_REGION_WEIGHT = 0.05
_DRIFT_WEIGHT = 1e-3


class KeyframeDrift(nn.Module):
    """What sets one keyframe's grade apart from the others': a gain and its slope along the shaped plate.

    Hand-made keyframes never match exactly. A drift a keyframe takes that up while training; it is zero in
    the mean and left out of the model, which so learns the change that the keyframes have in common.
    """

    def __init__(self, keyframes: int) -> None:
        super().__init__()
        self.terms = nn.Parameter(torch.zeros(keyframes, 2, 3, 1, 1))

    def forward(self, keyframe: Tensor, shaped: Tensor) -> Tensor:
        """(N,) places of keyframes and (N, 3, h, w) shaped plates -> (N, 3, h, w) gains."""
        chosen = (self.terms - self.terms.mean(0, keepdim=True))[keyframe]
        return chosen[:, 0] + chosen[:, 1] * shaped

    def penalty(self) -> Tensor:
        return _DRIFT_WEIGHT * self.terms.square().mean()


class ShotLoss:
    """The loss of a batch. `learns_rgb` is False when the closed form leaves nothing of RGB to learn."""

    def __init__(self, network: ShotNetwork, drift: KeyframeDrift | None, learns_rgb: bool) -> None:
        self._network = network
        self._drift = drift
        self._learns_rgb = learns_rgb

    def __call__(self, batch: Batch, heads: Tensor, region: Tensor | None) -> Tensor:
        config = self._network.config
        total = heads.new_zeros(())
        first = 0
        if config.changes_rgb:
            first = 3
            if self._learns_rgb:
                total = total + self._rgb(batch, heads[:, :3])
        mattes = slice(first, first + config.matte_outputs)
        if config.matte_outputs:
            entropy = F.binary_cross_entropy_with_logits(
                heads[:, mattes], batch.target[:, mattes].clamp(0.0, 1.0), reduction="none"
            )
            total = total + _mean(entropy, batch.weight)
        if config.data_outputs:
            rest = slice(mattes.stop, None)
            total = total + _mean(_soft_absolute(heads[:, rest] - batch.target[:, rest]), batch.weight)
        if region is not None:
            entropy = F.binary_cross_entropy_with_logits(region, batch.region, reduction="none")
            total = total + _REGION_WEIGHT * _mean(entropy, batch.weight)
        return total

    def _rgb(self, batch: Batch, gain: Tensor) -> Tensor:
        toe = self._network.config.toe
        rgb = batch.plate[:, :3]
        loss = gain.new_zeros(())
        if self._drift is not None:
            gain = gain + self._drift(batch.keyframe, self._network.shape(rgb))
            loss = self._drift.penalty()
        result = rgb + (rgb.abs() + toe) * gain
        error = perceived(result, toe) - perceived(batch.target[:, :3], toe)
        weight = batch.weight
        steps = _differences(F.avg_pool2d(error * weight, CELL_PX), F.avg_pool2d(weight, CELL_PX))
        return (
            loss
            + _mean(_soft_absolute(error), weight)
            + _DETAIL_WEIGHT * _differences(error, weight)
            + _STEP_WEIGHT * steps
        )


def _differences(error: Tensor, weight: Tensor) -> Tensor:
    """How much neighbouring errors (N, C, h, w) differ, across and along; `weight` is (N, 1, h, w)."""
    across = (error[..., 1:] - error[..., :-1]) * weight[..., 1:] * weight[..., :-1]
    along = (error[..., 1:, :] - error[..., :-1, :]) * weight[..., 1:, :] * weight[..., :-1, :]
    softened = [_soft_absolute(differences, _SOFT_DETAIL) for differences in (across, along)]
    # A crop of one cell has none.
    return torch.stack([values.sum() / max(values.numel(), 1) for values in softened]).sum()


def _soft_absolute(error: Tensor, softness: float = _SOFT_ABSOLUTE) -> Tensor:
    return torch.sqrt(error.square() + softness**2) - softness


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).mean()
