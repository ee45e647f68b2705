"""Changes that nobody has asked for yet: random maps of a plate that a backbone learns to see.

An artist's change is a function of what is in the picture: a region by its colour, place, material or motion,
light by the direction of a surface, a falloff across the frame. So a number of such functions is drawn at
random, and each is a map of every frame: soft regions around random points among what is known of the
pixels, each with a gain of its own, and a light from a random direction on some of them. What is known of a
pixel comes from the plate itself, from the prior's normals, albedo and depth, and from the plate's motion;
nobody has to label anything. Who can tell all these maps can tell a new one by a linear layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..prior.predictor import Passes
from ..training.motion import frame_flow
from ..training.perception import perceived

Map = NDArray[np.float32]

GRID_PX = 4  # maps have one value every so many pixels
# What is known of a pixel: planes by kind.
KINDS = {"colour": 3, "surroundings": 3, "place": 2, "normal": 3, "albedo": 3, "depth": 1, "motion": 2}
PLANES = sum(KINDS.values())
_TOE = 0.01
_SURROUNDINGS = 0.03  # blur, of the picture's height
_IMPORTANCE, _IMPORTANCE_ODDS = (0.0, 0.4, 1.0), (0.5, 0.2, 0.3)  # of a kind in one map
_REGIONS = (2, 10)  # in one map, up to but not including
_MOST_SAMPLES = 40_000
_LEAST_DEVIATION, _MOST_DRAWS = 0.02, 20


def known_of(plate: Map, passes: Passes, before: Map | None, after: Map | None) -> Map:
    """(PLANES, h, w) on the grid of `GRID_PX`, of a plate (H, W, 3) in scene-linear light.

    `passes` are the prior's, of any size; `before` and `after` the neighbouring frames, None at the ends.
    """
    size = max(plate.shape[1] // GRID_PX, 1), max(plate.shape[0] // GRID_PX, 1)
    small = _shrunk(plate, size)
    light = np.log(np.abs(small) + np.float32(_TOE))
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    normal = _enlarged(passes["normal"], size)
    length = np.linalg.norm(normal, axis=2, keepdims=True)
    planes = {
        "colour": light,
        "surroundings": cv2.GaussianBlur(light, (0, 0), _SURROUNDINGS * size[1] + 0.5),
        "place": np.stack([2 * (x + 0.5) / size[0] - 1, 2 * (y + 0.5) / size[1] - 1], 2),
        "normal": normal / np.maximum(length, 1e-6),
        "albedo": _enlarged(np.log(passes["albedo"] + np.float32(0.02)), size),
        "depth": np.log(np.maximum(_enlarged(passes["depth"], size), 1e-3)),
        "motion": _motion(small, before, after, size),
    }
    stacked = np.concatenate([np.atleast_3d(planes[kind]) for kind in KINDS], 2)
    return np.ascontiguousarray(stacked.transpose(2, 0, 1), np.float32)


@dataclass(frozen=True, eq=False)
class _Change:
    weight: Tensor  # (PLANES,) what the regions are told apart by
    centres: Tensor  # (regions, PLANES), weighted
    gains: Tensor  # (regions,)
    sharpness: float
    light: Tensor  # (3,) towards it; zero: none
    lit: Tensor  # (regions,) how much of the light each gets


class RandomChanges:
    """`count` changes drawn once for all frames; the same seed and frames give the same."""

    def __init__(self, known: Sequence[Tensor], count: int, seed: int) -> None:
        random = np.random.default_rng([seed, count])
        samples = _samples_of(known, random)  # (PLANES, N)
        scale = samples.std(1) + 1e-3
        self._changes = [_telling(samples, scale, random) for _ in range(count)]
        values = self._values(samples)
        self._mean, self._scale = values.mean(1, keepdim=True), values.std(1, keepdim=True) + 1e-3

    def maps(self, known: Tensor) -> Tensor:
        """(PLANES, h, w) -> (count, h, w), each of about zero mean and unit deviation over all frames."""
        values = (self._values(known.flatten(1)) - self._mean) / self._scale
        return values.reshape(len(self._changes), *known.shape[1:])

    def _values(self, known: Tensor) -> Tensor:
        return torch.stack([_value(change, known) for change in self._changes])


def _value(change: _Change, known: Tensor) -> Tensor:
    """(PLANES, N) -> (N,)."""
    distance = torch.cdist((known * change.weight[:, None]).T, change.centres)  # (N, regions)
    share = torch.softmax(-change.sharpness * distance, 1)
    first = sum(list(KINDS.values())[: list(KINDS).index("normal")])
    cosine = (change.light @ known[first : first + 3]).clamp_min(0.0)
    value: Tensor = share @ change.gains + (share @ change.lit) * cosine
    return value


def _telling(samples: Tensor, scale: Tensor, random: np.random.Generator) -> _Change:
    """A change that is not the same everywhere; the last one drawn where the footage has nothing to tell."""
    for _ in range(_MOST_DRAWS):
        change = _drawn(samples, scale, random)
        if float(_value(change, samples).std()) > _LEAST_DEVIATION:
            break
    return change


def _drawn(samples: Tensor, scale: Tensor, random: np.random.Generator) -> _Change:
    importance = random.choice(_IMPORTANCE, len(KINDS), p=_IMPORTANCE_ODDS)
    if not importance.any():
        importance[:] = 0.3
    planes = list(KINDS.values())
    per_plane = np.repeat(importance / np.sqrt(planes), planes)
    weight = torch.from_numpy(per_plane.astype(np.float32)) / scale
    regions = int(random.integers(*_REGIONS))
    chosen = torch.from_numpy(random.integers(0, samples.shape[1], regions))
    gains = np.exp(random.normal(0.0, 0.6, regions))
    if random.random() < 0.4:  # a matte
        gains = 0.3 + (random.random(regions) < 0.5)
    light = random.normal(size=3) * (1.0, 1.0, 0.7)
    light[2] = abs(light[2])
    strength = np.exp(random.normal(0.3, 0.5)) * (random.random() < 0.5)
    return _Change(
        weight=weight,
        centres=(samples[:, chosen] * weight[:, None]).T,
        gains=torch.from_numpy(gains.astype(np.float32)),
        sharpness=float(np.exp(random.normal(2.0, 0.6))),
        light=torch.from_numpy((strength * light / np.linalg.norm(light)).astype(np.float32)),
        lit=torch.from_numpy((random.random(regions) < 0.6).astype(np.float32)),
    )


def _samples_of(known: Sequence[Tensor], random: np.random.Generator) -> Tensor:
    each = max(_MOST_SAMPLES // len(known), 16)
    chosen = [planes.flatten(1) for planes in known]
    picked = [planes[:, torch.from_numpy(random.integers(0, planes.shape[1], each))] for planes in chosen]
    return torch.cat(picked, 1)


def _motion(small: Map, before: Map | None, after: Map | None, size: tuple[int, int]) -> Map:
    """(h, w, 2): motion against that of most of the picture, in percent of its width a frame."""
    total = np.zeros((size[1], size[0], 2), np.float32)
    neighbours = [(sign, other) for sign, other in ((-1.0, before), (1.0, after)) if other is not None]
    for sign, other in neighbours:
        flow = frame_flow(perceived(small, _TOE), perceived(_shrunk(other, size), _TOE))
        total += np.float32(sign / len(neighbours)) * (flow - np.median(flow.reshape(-1, 2), 0))
    return cv2.GaussianBlur(total, (0, 0), 1.0) * np.float32(100 / size[0])


def _shrunk(picture: Map, size: tuple[int, int]) -> Map:
    small: Map = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return small


def _enlarged(planes: Map, size: tuple[int, int]) -> Map:
    large: Map = cv2.resize(planes, size, interpolation=cv2.INTER_LINEAR)
    return large
