"""What the prior is trained to make small: errors of each pass, and of pictures re-lit from the passes.

Albedo and shading are known up to a factor only, so their logarithms are compared without their mean, and
their differences between neighbours at several distances (as Eigen and Fergus 2015 do for depth).
Re-rendering takes albedo and normals under a light that the picture was not taken in and compares with the
scene under that light, up to one gain: what relighting is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.prior_network import FOCAL, PriorOutput, expected_lambert
from .picture_maker import TARGETS

_LOG_TOE = 0.02
_SHADOWED_WEIGHT = 0.35  # of pixels that the target light reaches less than their normals say
_SOFT = 1e-3


@dataclass(frozen=True)
class LossWeights:
    """How much each error counts."""

    normal: float = 1.5
    angle: float = 0.75
    albedo: float = 0.5
    albedo_detail: float = 1.0
    shading: float = 0.25
    product: float = 0.2
    depth: float = 0.7
    visibility: float = 0.1
    roughness: float = 0.05
    light: float = 0.4
    relit: float = 1.5
    relit_root: float = 0.75


def prior_loss(
    output: PriorOutput, batch: Mapping[str, Tensor], weights: LossWeights
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch (see `picture_maker.Example`), and each part before it is weighted."""
    weight = batch["weight"]
    count = weight.sum((1, 2, 3)).clamp_min(1.0)  # (N,)

    def mean(values: Tensor) -> Tensor:
        """Of (N, 1, h, w), where the truth counts; every picture counts the same."""
        return ((values * weight).sum((1, 2, 3)) / count).mean()

    cosine = (output.normal * batch["normal"]).sum(1, keepdim=True)
    albedo, true_albedo = torch.log(output.albedo + _LOG_TOE), torch.log(batch["albedo"] + _LOG_TOE)
    shading, true_shading = torch.log(output.shading + _LOG_TOE), torch.log(batch["shading"] + _LOG_TOE)
    albedo_error, shading_error = albedo - true_albedo, shading - true_shading
    true_depth = torch.log1p(batch["depth"].clamp_min(-0.9 * FOCAL) / FOCAL)
    depth_error = _centred(output.log_depth - true_depth, weight, count)
    key = batch["truth_light"][:, :3, None, None]
    facing = ((batch["normal"] * key).sum(1, keepdim=True) > 0.05).to(weight.dtype)
    entropy = F.binary_cross_entropy(output.visibility, batch["visibility"].clamp(0, 1), reduction="none")
    relit, relit_root = _relit(output, batch, count)
    parts = {
        # |c n - n*|^2 of the vector whose length is the confidence c
        "normal": mean(output.confidence.square() - 2 * output.confidence * cosine + 1.0),
        "angle": mean((2.0 - 2.0 * cosine).clamp_min(0.0).add(_SOFT).sqrt()),
        "albedo": mean(_centred(albedo_error, weight, count).abs().mean(1, keepdim=True)),
        "albedo_detail": _detail(albedo_error, weight),
        "shading": mean(_centred(shading_error, weight, count).abs().mean(1, keepdim=True))
        + _detail(shading_error, weight),
        "product": mean((albedo_error + shading_error).abs().mean(1, keepdim=True)),
        "depth": mean(depth_error.abs()) + _detail(depth_error, weight),
        "visibility": mean(entropy * facing),
        "roughness": mean((output.roughness - batch["roughness"]).abs()),
        "light": _light(output.light, batch["truth_light"]),
        "relit": relit,
        "relit_root": relit_root,
    }
    total = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
    return total, parts


def _centred(error: Tensor, weight: Tensor, count: Tensor) -> Tensor:
    """Without the mean over pixels and channels of each picture."""
    middle = (error * weight).sum((1, 2, 3)) / (count * error.shape[1])
    return error - middle[:, None, None, None]


def _detail(error: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference between neighbours at distances of 1, 2, 4 and 8 px; (N, C, h, w)."""
    total = error.new_zeros(())
    for level in range(4):
        if level:
            error, weight = F.avg_pool2d(error, 2), (F.avg_pool2d(weight, 2) > 0.99).to(weight.dtype)
        across = (error[..., 1:] - error[..., :-1]).abs().mean(1, keepdim=True)
        along = (error[..., 1:, :] - error[..., :-1, :]).abs().mean(1, keepdim=True)
        both = weight[..., 1:] * weight[..., :-1], weight[..., 1:, :] * weight[..., :-1, :]
        total = total + (across * both[0]).sum() / both[0].sum().clamp_min(1.0)
        total = total + (along * both[1]).sum() / both[1].sum().clamp_min(1.0)
    return total * 0.25


def _light(light: Tensor, truth: Tensor) -> Tensor:
    """Direction, colour and environment (N, 33)."""
    direction = 1.0 - (light[:, :3] * truth[:, :3]).sum(1)
    colour = (torch.log(light[:, 3:6] + 0.05) - torch.log(truth[:, 3:6] + 0.05)).abs().mean(1)
    environment = F.smooth_l1_loss(light[:, 6:], truth[:, 6:], reduction="none", beta=0.3).mean(1)
    return (direction + 0.2 * colour + 0.2 * environment).mean()


def relit_pictures(output: PriorOutput, batch: Mapping[str, Tensor], target: int) -> tuple[Tensor, Tensor]:
    """(predicted, true) scene under target light number `target`, both (N, 3, h, w)."""
    direction = batch["target_direction"][:, 3 * target : 3 * target + 3, None, None]
    cosine = (output.normal * direction).sum(1, keepdim=True)
    lit = expected_lambert(cosine, output.confidence)
    return output.albedo * lit, batch["albedo"] * batch["target"][:, target : target + 1]


def _relit(output: PriorOutput, batch: Mapping[str, Tensor], count: Tensor) -> tuple[Tensor, Tensor]:
    """Relative squared errors of the re-lit scene after the best gain: linear, and of square roots."""
    linear = root = output.albedo.new_zeros(())
    for target in range(TARGETS):
        predicted, truth = relit_pictures(output, batch, target)
        direction = batch["target_direction"][:, 3 * target : 3 * target + 3, None, None]
        expected = (batch["normal"] * direction).sum(1, keepdim=True).clamp_min(0.0)
        is_shadowed = batch["target"][:, target : target + 1] < 0.6 * expected
        weight = batch["weight"] * torch.where(is_shadowed, _SHADOWED_WEIGHT, 1.0)
        linear = linear + _after_gain(predicted, truth, weight)
        root = root + _after_gain((predicted + 1e-3).sqrt(), truth.clamp_min(0).add(1e-3).sqrt(), weight)
    return linear / TARGETS, root / TARGETS


def _after_gain(predicted: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    sums = (1, 2, 3)
    weighted = predicted * weight
    both = (weighted * truth).sum(sums)
    own = (weighted * predicted).sum(sums).clamp_min(1e-6)
    whole = (truth.square() * weight).sum(sums).clamp_min(1e-3)
    # |k p - t|^2 at k = p.t / p.p is t.t - (p.t)^2 / p.p
    return ((whole - both.square() / own) / whole).clamp_min(0.0).mean()
