"""Crops for training, drawn where the closed-form start is wrong, by a stream of seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

ERROR_STEP_PX = 2  # the map of where the start is wrong has every second pixel
_GRID_PX = 16  # crops are drawn around the points of this grid, then moved by up to half of it
_EVEN_SHARE = 0.3  # of the probability, spread evenly so that nothing is forgotten


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame as training holds it, padded to the stride; tensors (C, H, W) float32.

    `target` has the network's outputs, `weight` (1, H, W) how much each pixel counts (zero: not at all),
    `region` (1, H, W) one where the artist changed something. `start_error` (H/2, W/2) is how wrong the
    closed form is. `keyframe` is the place, among the keyframes, of the one that the target comes from.
    """

    plate: Tensor
    target: Tensor
    weight: Tensor
    region: Tensor
    start_error: Tensor
    origin: tuple[int, int]
    keyframe: int


@dataclass(frozen=True)
class Batch:
    """Crops stacked: (N, C, h, w) each; `origin` (N, 2) px; `keyframe` (N,), see `Picture`."""

    plate: Tensor
    target: Tensor
    weight: Tensor
    region: Tensor
    origin: Tensor
    keyframe: Tensor


class CropSampler:
    """Draws batches of square crops from pictures; `shares` is how often each picture is drawn, any scale."""

    def __init__(self, pictures: Sequence[Picture], shares: Sequence[float], crop_px: int, seed: int) -> None:
        self._pictures = pictures
        self._seed = seed
        self._sizes = [(min(crop_px, p.plate.shape[1]), min(crop_px, p.plate.shape[2])) for p in pictures]
        self._size = (min(s[0] for s in self._sizes), min(s[1] for s in self._sizes))
        maps = [self._map(picture) for picture in pictures]
        mean = float(np.mean([m.mean() for m in maps])) + 1e-12
        weights = []
        for error, share in zip(maps, shares, strict=True):
            drawn = (1.0 - _EVEN_SHARE) * error / mean + _EVEN_SHARE
            weights.append((share * drawn).ravel())
        self._columns = [m.shape[1] for m in maps]
        self._starts = np.cumsum([0, *(len(w) for w in weights)])
        self._cumulative = np.cumsum(np.concatenate(weights))

    def _map(self, picture: Picture) -> np.ndarray:
        size = (self._size[0] // ERROR_STEP_PX, self._size[1] // ERROR_STEP_PX)
        error = picture.start_error[None, None]  # (1, 1, H/2, W/2)
        return F.avg_pool2d(error, size, _GRID_PX // ERROR_STEP_PX)[0, 0].double().numpy()

    def draw(self, step: int, count: int, rank: int = 0, ranks: int = 1) -> Batch:
        """The batch of `step`; with several processes, this one's part of it."""
        random = np.random.default_rng([self._seed, step])
        places = [self._place(random) for _ in range(count)][rank::ranks]
        height, width = self._size
        planes: dict[str, list[Tensor]] = {"plate": [], "target": [], "weight": [], "region": []}
        origins, keyframes = [], []
        for index, top, left in places:
            picture = self._pictures[index]
            for name, tensors in planes.items():
                tensors.append(getattr(picture, name)[:, top : top + height, left : left + width])
            origins.append([picture.origin[0] + left, picture.origin[1] + top])
            keyframes.append(picture.keyframe)
        stacked = {name: torch.stack(tensors) for name, tensors in planes.items()}
        return Batch(
            **stacked, origin=torch.tensor(origins, dtype=torch.float32), keyframe=torch.tensor(keyframes)
        )

    def _place(self, random: np.random.Generator) -> tuple[int, int, int]:
        """(picture, top, left) of one crop."""
        cell = int(np.searchsorted(self._cumulative, random.random() * self._cumulative[-1], side="right"))
        index = int(np.searchsorted(self._starts, cell, side="right")) - 1
        row, column = divmod(cell - int(self._starts[index]), self._columns[index])
        _, picture_height, picture_width = self._pictures[index].plate.shape
        moves = random.integers(-_GRID_PX // 2, _GRID_PX // 2 + 1, 2)
        top = int(np.clip(row * _GRID_PX + moves[0], 0, picture_height - self._size[0]))
        left = int(np.clip(column * _GRID_PX + moves[1], 0, picture_width - self._size[1]))
        return index, top, left
