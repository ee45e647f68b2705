"""How good a network is on a keyframe it was not trained on, and where its region begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..images.image import Pixels
from ..models.network import ShotNetwork
from .crops import Picture
from .perception import perceived, perceived_psnr
from .pictures import padded

_MISSED_REGION = 0.005  # share of changed pixels that the region's threshold may leave out
_LARGEST_THRESHOLD = 0.0  # a logit: even odds


def run_whole(network: ShotNetwork, picture: Picture, extent: tuple[int, int]) -> Tensor:
    """(C_out, H, W): the network on a whole, padded picture, on the CPU."""
    origin = torch.tensor(picture.origin, dtype=torch.float32)
    with torch.no_grad():
        result: Tensor = network(picture.plate[None], origin, torch.tensor(extent, dtype=torch.float32))[0]
    return result


def run_frame(
    network: ShotNetwork, plate: Pixels, origin: tuple[int, int], extent: tuple[int, int]
) -> Pixels:
    """(H, W, C_in) scene-linear -> (H, W, C_out): the network on a whole frame of any size, on the CPU."""
    height, width = plate.shape[:2]
    with torch.no_grad():
        result = network(
            padded(plate, network.config.stride)[None],
            torch.tensor(origin, dtype=torch.float32),
            torch.tensor(extent, dtype=torch.float32),
        )
    return np.ascontiguousarray(result[0, :, :height, :width].permute(1, 2, 0).numpy())


def error_of(network: ShotNetwork, result: Tensor, picture: Picture) -> float:
    """Root mean square of the perceived error of RGB, plus the mean absolute error of the other outputs."""
    valid = picture.weight[0] > 0
    error, first = 0.0, 0
    if network.config.changes_rgb:
        toe, first = network.config.toe, 3
        difference = perceived(result[:3], toe) - perceived(picture.target[:3], toe)
        error = float(difference[:, valid].square().mean().sqrt())
    if network.config.outputs > first:
        error += float((result[first:] - picture.target[first:])[:, valid].abs().mean())
    return error


def quality_of(network: ShotNetwork, result: Tensor, picture: Picture) -> dict[str, float]:
    """Figures for people: PSNR in dB of RGB as perceived, also of the plate; IoU at 0.5 of mattes."""
    valid = (picture.weight[0] > 0).numpy()
    found, first = {}, 0
    if network.config.changes_rgb:
        toe, first = network.config.toe, 3
        planes = [tensor[:3].numpy()[:, valid] for tensor in (result, picture.plate, picture.target)]
        found["holdout_psnr_db"] = perceived_psnr(planes[0], planes[2], toe)
        found["untouched_psnr_db"] = perceived_psnr(planes[1], planes[2], toe)
    if network.config.matte_outputs:
        mattes = slice(first, first + network.config.matte_outputs)
        ours, theirs = (tensor[mattes].numpy()[:, valid] > 0.5 for tensor in (result, picture.target))
        found["holdout_matte_iou"] = float((ours & theirs).sum() / max((ours | theirs).sum(), 1))
    return found


def fit_region_threshold(network: ShotNetwork, pictures: Sequence[Picture], extent: tuple[int, int]) -> None:
    """Set the logit above which a pixel is changed so that nearly all changed pixels of the keyframes are."""
    logits = []
    for picture in pictures:
        origin = torch.tensor(picture.origin, dtype=torch.float32)
        with torch.no_grad():
            _, region = network.raw(picture.plate[None], origin, torch.tensor(extent, dtype=torch.float32))
        if region is not None:
            changed = (picture.region[0] > 0.5) & (picture.weight[0] > 0)
            logits.append(region[0, 0][changed].numpy())
    pooled = np.concatenate(logits)
    if pooled.size:
        threshold = min(float(np.quantile(pooled, _MISSED_REGION)), _LARGEST_THRESHOLD)
        network.region_threshold.fill_(threshold)
