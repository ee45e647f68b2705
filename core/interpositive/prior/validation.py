"""How good a prior is on light stacks that it has not seen, in the measures that relighting is judged by."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..models.prior_network import PriorNetwork
from .losses import relit_pictures
from .picture_maker import TARGETS, Mixture, make_example, stacked
from .stacks import StackFolder

_BATCH = 16
_WINDOW_PX = 20


def validate(
    network: PriorNetwork, stacks: StackFolder, names: list[str], pictures: int, crop_px: int
) -> dict[str, float]:
    """Means over `pictures` pictures with a known key and as many without; the same ones every time.

    known / unknown: "_normal_deg" mean angle, "_relit_db" PSNR of the scene re-lit by albedo and expected
    shading after one gain (peak one at the brightest 0.1 %), "_albedo_lmse" over windows of 20 px (Grosse et
    al. 2009), "_light_deg" angle of the estimated key.
    """
    device = next(network.parameters()).device
    result: dict[str, float] = {}
    for kind, share in (("known", 1.0), ("unknown", 0.0)):
        mixture = Mixture(light_known=share, matte_known=1.0)
        sums: dict[str, list[float]] = {}
        for first in range(0, pictures, _BATCH):
            examples = []
            for number in range(first, min(first + _BATCH, pictures)):
                random = np.random.default_rng([20, number])
                examples.append(make_example(stacks.draw(names, random), crop_px, random, mixture))
            batch = {name: tensor.to(device) for name, tensor in stacked(examples).items()}
            for name, values in measures(network, batch).items():
                sums.setdefault(name, []).extend(values.tolist())
        result.update({f"{kind}_{name}": float(np.mean(values)) for name, values in sums.items()})
    return result


def measures(network: PriorNetwork, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each measure of each picture of a batch, (N,) or, re-lit, (N * TARGETS,)."""
    with torch.no_grad():
        output = network(batch["picture"], batch["matte"], batch["light"])
    weight = batch["weight"]
    count = weight.sum((1, 2, 3)).clamp_min(1.0)
    cosine = (output.normal * batch["normal"]).sum(1, keepdim=True).clamp(-1, 1)
    towards = (output.light[:, :3] * batch["truth_light"][:, :3]).sum(1).clamp(-1, 1)
    relit = []
    for target in range(TARGETS):
        predicted, truth = relit_pictures(output, batch, target)
        peak = torch.quantile((truth * weight).flatten(1), 0.999, dim=1).clamp_min(1e-4)[:, None, None, None]
        truth = (truth / peak).clamp(0, 1)
        gain = (predicted * truth * weight).sum((1, 2, 3)) / (predicted.square() * weight).sum(
            (1, 2, 3)
        ).clamp_min(1e-9)
        error = ((predicted * gain[:, None, None, None]).clamp(0, 1) - truth).square() * weight
        relit.append(-10 * torch.log10((error.sum((1, 2, 3)) / (3 * count)).clamp_min(1e-9)))
    return {
        "normal_deg": (torch.rad2deg(torch.acos(cosine)) * weight).sum((1, 2, 3)) / count,
        "relit_db": torch.cat(relit),
        "albedo_lmse": local_error(output.albedo, batch["albedo"], weight),
        "light_deg": torch.rad2deg(torch.acos(towards)),
    }


def local_error(albedo: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """LMSE (N,): squared error after the best gain in windows of 20 px, step 10, over the truth's square."""

    def windows(planes: Tensor) -> Tensor:
        cut = planes.unfold(2, _WINDOW_PX, _WINDOW_PX // 2).unfold(3, _WINDOW_PX, _WINDOW_PX // 2)
        return cut.sum((1, 4, 5))  # (N, rows, columns)

    weight = weight.expand_as(albedo)
    both, own, whole = (
        windows(a * b * weight) for a, b in ((albedo, truth), (albedo, albedo), (truth, truth))
    )
    enough = windows(weight) >= 3 * _WINDOW_PX
    error = (whole - both.square() / own.clamp_min(1e-9)).clamp_min(0) * enough
    result: Tensor = error.sum((1, 2)) / (whole * enough).sum((1, 2)).clamp_min(1e-6)
    return result
