"""One exposure for a whole shot, and plates that the prior can look at: finite, not negative, bounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

NORMAL_MEAN = 0.2  # what the prior was trained to see as the mean of the subject
_BRIGHTEST_IN_MEANS = 12.0  # a lamp in the picture should not darken all the rest
_BLACK = 1e-7  # a plate below this mean has no exposure


def shot_gain(plates: Sequence[Map], mattes: Sequence[Map | None]) -> float:
    """The factor that brings the mean of plates (h, w, 3) of a shot, within their mattes, to `NORMAL_MEAN`.

    Highlights count up to a multiple of the mean. A black shot gives 1.
    """
    values = np.concatenate(
        [_subject(seen(plate), matte) for plate, matte in zip(plates, mattes, strict=True)]
    )
    mean = 0.0
    if values.size:
        bound = np.inf
        for _ in range(4):
            mean = float(np.minimum(values, bound).mean(dtype=np.float64))
            bound = _BRIGHTEST_IN_MEANS * mean
    return NORMAL_MEAN / mean if mean > _BLACK else 1.0


def seen(plate: Map) -> Map:
    """The plate with NaN and negative values as zero and infinity as the largest half."""
    finite = np.fmax(plate, np.float32(0))  # fmax and fmin prefer the number to NaN
    return np.fmin(finite, np.float32(65504), out=finite)


def _subject(plate: Map, matte: Map | None) -> Map:
    brightness = plate.mean(2)
    if matte is None or not (matte > 0.5).any():
        return brightness.ravel()
    return brightness[matte > 0.5]
