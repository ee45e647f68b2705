"""Which frames to paint: those that, together, show what the whole shot is made of.

Each frame is cut into a grid of blocks, each block described by a few numbers. A block is covered by the
keyframe that has the most similar block at a similar place; the frames suggested are those that leave least
uncovered.
Before training a block is described by its look; after training by the features of the model itself, so that
what the model has not seen the like of counts most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..images.image import Pixels
from ..models.network import ShotNetwork
from .perception import perceived
from .pictures import padded

Descriptors = NDArray[np.float32]

GRID = (12, 20)  # blocks, rows and columns
MOST_CANDIDATES = 240
_LOOK_WIDTH_PX = 320
_PLACE_WEIGHT = 0.25  # the frame's width apart counts as this much of perceived difference
_TEXTURE_WEIGHT = 2.0


@dataclass(frozen=True)
class Suggestion:
    """`frames` in the order of their use; `uncovered` {frame: how badly the keyframes cover it}, 1 the mean
    of the shot with the one best frame alone."""

    frames: tuple[int, ...]
    uncovered: dict[int, float]


def look_of(plate: Pixels, toe: float) -> Descriptors:
    """(blocks, 6): mean perceived RGB, texture and place of each block of a plate (H, W, 3) scene-linear."""
    height = max(GRID[0], round(plate.shape[0] * _LOOK_WIDTH_PX / plate.shape[1]))
    picture = perceived(cv2.resize(plate, (_LOOK_WIDTH_PX, height), interpolation=cv2.INTER_AREA), toe)
    grey = picture.mean(2)
    texture = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    planes = np.concatenate([picture, texture[..., None]], 2)  # (h, w, 4)
    blocks = cv2.resize(planes, GRID[::-1], interpolation=cv2.INTER_AREA).reshape(-1, 4)
    blocks[:, 3] *= _TEXTURE_WEIGHT
    return np.concatenate([blocks, _places(plate.shape[0] / plate.shape[1])], 1)


def features_of(
    network: ShotNetwork, plate: Pixels, origin: tuple[int, int], extent: tuple[int, int]
) -> Descriptors:
    """(blocks, width): the model's own features of a plate (H, W, C_in), the mean of each block."""
    with torch.no_grad():
        cells = network.cell_features(
            padded(plate, network.config.stride)[None],
            torch.tensor(origin, dtype=torch.float32),
            torch.tensor(extent, dtype=torch.float32),
        )
        blocks = F.adaptive_avg_pool2d(cells, GRID)[0]  # (width, rows, columns)
    return np.ascontiguousarray(blocks.flatten(1).T.numpy())


def whitened(descriptors: Sequence[Descriptors]) -> list[Descriptors]:
    """Descriptors of all frames on one scale: every component with unit deviation over the shot."""
    pooled = np.concatenate(descriptors)
    scale = 1.0 / np.maximum(pooled.std(0), 1e-6)
    return [(blocks - pooled.mean(0)) * scale for blocks in descriptors]


def suggest(
    frames: Sequence[int],
    descriptors: Sequence[Descriptors],
    count: int,
    have: Sequence[int],
    report: Callable[[int, int], None],
) -> Suggestion:
    """Choose `count` of `frames` beside those the artist already `have`.

    From nothing: the first frame, the last, and between them the same amount of change from one to the next
    (a model guesses between keyframes better than past them). Beside others: greedily, what leaves least
    uncovered, then exchanges while they help. `report` is called with (done, total) frames.
    """
    distances = _distances(descriptors, report)  # (frames, blocks, candidates)
    index = {frame: k for k, frame in enumerate(frames)}
    fixed = [index[frame] for frame in have if frame in index]
    chosen = [] if fixed or count < 2 else _evenly_changing(distances, count)
    if not chosen:
        chosen = _covering(distances, fixed, min(count, len(frames) - len(fixed)))
    alone = min(float(distances[:, :, k].mean()) for k in range(len(frames)))
    left = distances[:, :, fixed + chosen].min(2).mean(1) / max(alone, 1e-12)
    return Suggestion(
        tuple(frames[k] for k in chosen), {frame: float(left[k]) for k, frame in enumerate(frames)}
    )


def _evenly_changing(distances: NDArray[np.float32], count: int) -> list[int]:
    """Frames from the first to the last with equal change between neighbours, along the shot."""
    frames = len(distances)
    if count >= frames:
        return list(range(frames))
    steps = [float(np.sqrt(distances[k, :, k + 1]).mean()) for k in range(frames - 1)]
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    if travelled[-1] == 0.0:
        return [round(k) for k in np.linspace(0, frames - 1, count)]
    wanted = np.linspace(0.0, travelled[-1], count)
    chosen = sorted({int(np.argmin(np.abs(travelled - place))) for place in wanted})
    return chosen if len(chosen) == count else []


def _covering(distances: NDArray[np.float32], fixed: list[int], count: int) -> list[int]:
    """`count` frames that, with the `fixed` ones, leave least uncovered."""
    chosen: list[int] = []
    covered = np.full(distances.shape[:2], np.inf, np.float32)
    if fixed:
        covered = distances[:, :, fixed].min(2)
    for _ in range(count):
        best = _best_addition(distances, covered, {*fixed, *chosen})
        chosen.append(best)
        covered = np.minimum(covered, distances[:, :, best])
    return _exchanged(distances, fixed, chosen)


def _distances(descriptors: Sequence[Descriptors], report: Callable[[int, int], None]) -> NDArray[np.float32]:
    """(frames, blocks, frames): squared distance of each block of a frame to the nearest block of another.

    Squared, so that what is covered badly counts more than what could be covered a little better.
    """
    stacked = np.stack(descriptors)  # (F, B, D)
    squares = np.square(stacked).sum(2)  # (F, B)
    found = np.empty((len(stacked), stacked.shape[1], len(stacked)), np.float32)
    for k, blocks in enumerate(stacked):
        report(k, len(stacked))
        for j, others in enumerate(stacked):
            squared = squares[k][:, None] - 2.0 * blocks @ others.T + squares[j]
            found[k, :, j] = np.maximum(squared.min(1), 0.0)
    return found


def _best_addition(distances: NDArray[np.float32], covered: NDArray[np.float32], taken: set[int]) -> int:
    costs = [
        np.inf if k in taken else float(np.minimum(covered, distances[:, :, k]).mean())
        for k in range(distances.shape[2])
    ]
    return int(np.argmin(costs))


def _exchanged(distances: NDArray[np.float32], fixed: list[int], chosen: list[int]) -> list[int]:
    """Replace one chosen frame at a time by a better one until none is."""
    cost = float(distances[:, :, fixed + chosen].min(2).mean()) if chosen else 0.0
    improved = True
    while improved:
        improved = False
        for place in range(len(chosen)):
            rest = fixed + chosen[:place] + chosen[place + 1 :]
            shape = distances.shape[:2]
            covered = distances[:, :, rest].min(2) if rest else np.full(shape, np.inf, np.float32)
            best = _best_addition(distances, covered, set(rest))
            better = float(np.minimum(covered, distances[:, :, best]).mean())
            if better < cost * (1 - 1e-6):
                chosen[place], cost, improved = best, better, True
    return chosen


def _places(aspect: float) -> Descriptors:
    """(blocks, 2): y and x of the blocks, scaled as `_PLACE_WEIGHT` says."""
    rows, columns = np.mgrid[0 : GRID[0], 0 : GRID[1]].astype(np.float32)
    places = np.stack([(rows + 0.5) / GRID[0] * aspect, (columns + 0.5) / GRID[1]], 2).reshape(-1, 2)
    return places * np.float32(_PLACE_WEIGHT)
