"""The level of black below which a change adds instead of multiplying, chosen by what the keyframes show.

A model gives a gain g, and the result is rgb + (|rgb| + toe) * g. Light and exposure multiply: the smaller
the toe, the more nearly their gain is one value for bright and dark pixels of a place, and what is one value
does not flicker with the grain of the plate. Lifts, fog and curves add: with a small toe their gain in the
blacks is steep. So the shot's toe is the largest with which the gain that the keyframes need is, within
cells of the network, about as even as it gets.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..models.network import CELL_PX
from .perception import perceived_slope

Cells = NDArray[np.float64]

TOE = 0.02  # scene-linear, for plates whose brightest percent reaches 1.0; darker plates get less
_SHARES = (1.0, 0.5, 0.25)  # of `TOE`, to choose from
_AS_EVEN = 1.02  # times the least unevenness counts as even
_MOST_CELLS = 4000  # of a keyframe, looked at


def chosen_toe(
    pairs: Iterable[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]], brightest: float
) -> float:
    """The toe for pairs of plate and target (H, W, 3), scene-linear, and their changed pixels (H, W).

    `brightest` is the plate's brightest level; toes are in proportion to it up to 1.0.
    """
    largest = TOE * float(np.clip(brightest, 1e-3, 1.0))
    cells = [_cells(plate, target, changed) for plate, target, changed in pairs]
    cells = [(plate, target) for plate, target in cells if len(plate)]
    if not cells:
        return largest
    toes = [share * largest for share in _SHARES]
    uneven = [float(np.mean([unevenness(*pair, toe, largest) for pair in cells])) for toe in toes]
    return next(toe for toe, value in zip(toes, uneven, strict=True) if value <= _AS_EVEN * min(uneven))


def unevenness(plate: Cells, target: Cells, toe: float, scale_toe: float) -> float:
    """Mean perceived error that the best single gain of each cell and channel leaves.

    Cells are (N, pixels, 3), scene-linear. `scale_toe` sets the scale of what is perceived.
    """
    scale = np.abs(plate) + toe
    needed = (target - plate) / scale
    worth = perceived_slope(target, scale_toe) * scale  # of an error of the gain
    best = (needed * worth**2).sum(1, keepdims=True) / (worth**2).sum(1, keepdims=True)
    return float((np.abs(needed - best) * worth).mean())


def _cells(
    plate: NDArray[np.float32], target: NDArray[np.float32], changed: NDArray[np.bool_]
) -> tuple[Cells, Cells]:
    """Evenly spread cells (N, pixels, 3) of which every pixel has changed."""
    rows, columns = changed.shape[0] // CELL_PX, changed.shape[1] // CELL_PX
    size = (rows * CELL_PX, columns * CELL_PX)

    def folded(pixels: NDArray[np.float32] | NDArray[np.bool_]) -> NDArray[np.float32] | NDArray[np.bool_]:
        split = pixels[: size[0], : size[1]].reshape(rows, CELL_PX, columns, CELL_PX, -1)
        return split.swapaxes(1, 2).reshape(rows * columns, CELL_PX**2, -1)

    usable = np.flatnonzero(folded(changed).all(axis=(1, 2)))
    usable = usable[:: max(1, -(-len(usable) // _MOST_CELLS))]
    return folded(plate)[usable].astype(np.float64), folded(target)[usable].astype(np.float64)
