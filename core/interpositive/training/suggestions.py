"""Which frames to paint: those that, together, show what the whole shot is made of.

Each frame is cut into a grid of blocks, each block described by a few numbers: before training by its look,
after training by the features of the model itself, so that what the model has not seen the like of counts
most. How different two frames are is how far the blocks of one are from the most similar ones of the other.

From nothing, the change is taken as a random field over the frames that is the more alike, the more alike
the frames are; the frames suggested are those that leave its variance least. Where that is not clearly less
than with frames at even distances, those are suggested: they serve a shot without structure as well as any.
Beside frames at hand, the frames suggested are those that leave least uncovered, block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
Likeness = NDArray[np.float64]  # (frames, frames)

GRID = (12, 20)  # blocks, rows and columns
MOST_CANDIDATES = 240
_LOOK_WIDTH_PX = 320
_PLACE_WEIGHT = 0.25  # the frame's width apart counts as this much of perceived difference
_TEXTURE_WEIGHT = 2.0
_SEEN = 0.02  # perceived difference of frames; a shot of smaller ones stands still
_REACH = 2.0  # largest differences of looks in the shot after which likeness is 1/e
_TIME_WEIGHT = 0.25  # the length of the shot apart counts as this much of its largest difference of looks
_NOISE = 0.02  # variance of a keyframe's own, which says nothing of other frames
_CLEARLY = 0.08  # share of the variance that a choice must save beyond what it saves on a steady shot


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

    From nothing: those from which all frames are foreseen best, or evenly spaced ones where no choice is
    clearly better. Beside others: greedily, what leaves least uncovered, then exchanges while they help.
    `report` is called with (done, total) frames.
    """
    distances = _distances(descriptors, report)  # (frames, blocks, candidates)
    index = {frame: k for k, frame in enumerate(frames)}
    fixed = [index[frame] for frame in have if frame in index]
    if fixed or count < 2:
        chosen = _covering(distances, fixed, min(count, len(frames) - len(fixed)))
    else:
        likeness = _likeness(distances, frames)
        chosen = _in_order_of_use(likeness, _foreseeing(likeness, frames, min(count, len(frames))))
    alone = min(float(distances[:, :, k].mean()) for k in range(len(frames)))
    left = distances[:, :, fixed + chosen].min(2).mean(1) / max(alone, 1e-12)
    return Suggestion(
        tuple(frames[k] for k in chosen), {frame: float(left[k]) for k, frame in enumerate(frames)}
    )


def _likeness(distances: NDArray[np.float32], frames: Sequence[int]) -> Likeness:
    """(frames, frames): how much one frame says of another, 1 for itself; falls with the difference of looks
    and, slower, with time."""
    apart = np.sqrt(distances, dtype=np.float64).mean(1)
    apart = (apart + apart.T) / 2
    look = apart / max(float(apart.max()), _SEEN)
    return np.asarray(np.exp(-(look + _TIME_WEIGHT * _gaps(frames)) / _REACH))


def _unforeseen(likeness: Likeness, chosen: list[int]) -> Likeness:
    """Covariance of what the chosen frames leave open of all frames, as a Gaussian process of covariance
    `likeness` has it (Rasmussen & Williams 2006, eq. 2.24)."""
    if not chosen:
        return likeness
    seen = likeness[chosen]
    among = seen[:, chosen] + _NOISE * np.eye(len(chosen))
    return np.asarray(likeness - seen.T @ np.linalg.solve(among, seen))


def _foreseeing(likeness: Likeness, frames: Sequence[int], count: int) -> list[int]:
    """The frames that leave the least variance (Sacks et al. 1989, integrated mean squared error), or evenly
    spaced ones unless that is clearly less than theirs: less than on a shot that changes steadily, where the
    best choice is even spacing too, only a little in from the ends."""
    evenly = [round(place) for place in np.linspace(0, len(frames) - 1, count).tolist()]
    chosen = _exchanged_for_telling(likeness, evenly)
    steady = np.exp(-(1 + _TIME_WEIGHT) * _gaps(frames) / _REACH)
    expected = _variance(steady, _exchanged_for_telling(steady, evenly)) / _variance(steady, evenly)
    clearly = (1 - _CLEARLY) * expected
    return chosen if _variance(likeness, chosen) < clearly * _variance(likeness, evenly) else evenly


def _exchanged_for_telling(likeness: Likeness, start: list[int]) -> list[int]:
    """Replace one frame at a time by the one that leaves least variance, until none leaves less."""
    chosen, cost, improved = list(start), _variance(likeness, start), True
    while improved:
        improved = False
        for place in range(len(chosen)):
            rest = chosen[:place] + chosen[place + 1 :]
            best = _most_telling(likeness, rest, range(len(likeness)))
            better = _variance(likeness, [*rest, best])
            if better < cost * (1 - 1e-6):
                chosen[place], cost, improved = best, better, True
    return chosen


def _gaps(frames: Sequence[int]) -> Likeness:
    """(frames, frames): time between frames, as a share of the shot."""
    numbers = np.asarray(frames, np.float64)
    return np.asarray(np.abs(numbers[:, None] - numbers) / max(float(np.ptp(numbers)), 1.0))


def _variance(likeness: Likeness, chosen: list[int]) -> float:
    return float(np.trace(_unforeseen(likeness, chosen))) / len(likeness)


def _most_telling(likeness: Likeness, beside: list[int], candidates: Iterable[int]) -> int:
    """The candidate that takes most variance away from what is open `beside` others."""
    left = _unforeseen(likeness, beside)
    taken = np.square(left).sum(1) / (np.maximum(np.diag(left), 0.0) + _NOISE)
    return max((k for k in candidates if k not in beside), key=lambda k: float(taken[k]))


def _in_order_of_use(likeness: Likeness, chosen: list[int]) -> list[int]:
    ordered: list[int] = []
    while len(ordered) < len(chosen):
        ordered.append(_most_telling(likeness, ordered, chosen))
    return ordered


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
