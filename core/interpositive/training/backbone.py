"""A start that other footage has prepared: the layers of a shot network before the last, and the last layer
fitted to the keyframes in closed form.

The layers before the last say what is in a cell of 8x8 pixels; the last one turns that into gains, and is
linear. So once those layers know the footage, the last one needs no steps to begin with: it is a ridge
regression (Hoerl and Kennard 1970) of the gains that the keyframes need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.network import CELL_PX, ShotNetwork
from .crops import Picture
from .perception import OFFSET_IN_TOES

# What is learned once for all shots; the other layers belong to a shot and its change.
BACKBONE_LAYERS = (
    "stem.", "stem_place.", "first.", "down.", "deep.", "up.", "merge.", "head.", "head_pixels.",
)  # fmt: skip
_RIDGE = 1e-3  # of the mean square of a feature


@dataclass(frozen=True, eq=False)
class Backbone:
    """Weights of `BACKBONE_LAYERS` by their names, for networks of this width and head."""

    width: int
    hidden: int
    tensors: Mapping[str, Tensor]

    @classmethod
    def of(cls, network: ShotNetwork) -> Backbone:
        """The layers of `network`, copied to the CPU."""
        kept = {
            name: tensor.detach().cpu().clone()
            for name, tensor in network.state_dict().items()
            if name.startswith(BACKBONE_LAYERS)
        }
        return cls(network.config.width, network.config.hidden, kept)

    def fits(self, width: int, hidden: int) -> bool:
        """Whether a network of that size can begin with these weights."""
        return (width, hidden) == (self.width, self.hidden)

    def put_into(self, network: ShotNetwork) -> None:
        """Replace the layers; extra inputs, of which the backbone knows nothing, begin silent."""
        own = network.state_dict()
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                own[name].copy_(tensor)
            if network.stem_extra is not None:
                network.stem_extra.weight.zero_()


def fit_last_layer(network: ShotNetwork, pictures: Sequence[Picture], extent: tuple[int, int]) -> None:
    """Set the gains of the last layer by least squares of the perceived error, on top of the closed form.

    Only RGB is fitted. A cell counts by what an error of its gains is worth to the eye.
    """
    if not network.config.changes_rgb:
        return
    units = network.config.hidden + 1
    gram, needed = torch.zeros(units, units), torch.zeros(units, 3 * CELL_PX**2)
    size = torch.tensor(extent, dtype=torch.float32)
    with torch.no_grad():
        for picture in pictures:
            features, missing = _cells_of(network, picture, size)
            gram += features.T @ features
            needed += features.T @ missing
        ridge = _RIDGE * gram.diagonal().mean() * torch.eye(units)
        solution = torch.linalg.solve(gram + ridge, needed)  # (hidden + 1, gains of a cell)
        gains = 3 * CELL_PX**2
        network.out.weight[:gains] = solution[:-1].T[..., None, None]
        network.out.bias[:gains] += solution[-1]


def _cells_of(network: ShotNetwork, picture: Picture, extent: Tensor) -> tuple[Tensor, Tensor]:
    """(cells, hidden + 1) features with a one, and (cells, 3 * 64) gains that the start lacks, weighted."""
    toe, plate, target = network.config.toe, picture.plate[None], picture.target[None, :3]
    rgb = plate[:, :3]
    features = network.hidden(plate, torch.tensor(picture.origin, dtype=torch.float32), extent)
    features = torch.cat([features, torch.ones_like(features[:, :1])], 1)  # (1, hidden + 1, H/8, W/8)
    scale = rgb.abs() + toe
    missing = (target - rgb) / scale - network.start_gain(network.shape(rgb))
    slope = 0.5 / (target.abs() + OFFSET_IN_TOES * toe).sqrt()  # of `perceived`
    worth = (slope * scale).mean(1, keepdim=True) * picture.weight[None]
    worth = F.avg_pool2d(worth, CELL_PX)  # (1, 1, H/8, W/8)
    missing = F.pixel_unshuffle(missing, CELL_PX)  # (1, 3 * 64, H/8, W/8)
    return _rows(features * worth), _rows(missing * worth)


def _rows(maps: Tensor) -> Tensor:
    """(1, C, h, w) -> (h * w, C)."""
    return maps[0].flatten(1).T
