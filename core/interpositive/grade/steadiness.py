"""How far a shot drifts from its own middle frame, and the keys that would hold it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..images.image import Pixels
from .cdl import CDL, apply
from .cdl_fit import fit_cdl
from .grading_space import GradingSpace
from .matching import Match, estimate, look_at

_TOLERANCES = (0.03, 0.012)


@dataclass(frozen=True)
class Drift:
    """A frame against the shot's middle frame: stops brighter, mireds warmer, and how sure."""

    frame: int
    exposure_stops: float
    white_balance_mireds: float
    confidence: float


@dataclass(frozen=True)
class Steadiness:
    """`drifts` by frame; `keys` are CDLs a frame that bring each to what the shot's one CDL makes of the
    middle frame."""

    middle: int
    drifts: tuple[Drift, ...]
    keys: Mapping[int, CDL]

    @property
    def largest_stops(self) -> float:
        return max((abs(drift.exposure_stops) for drift in self.drifts), default=0.0)

    @property
    def largest_mireds(self) -> float:
        return max((abs(drift.white_balance_mireds) for drift in self.drifts), default=0.0)


def steadiness(frames: Mapping[int, Pixels], cdl: CDL, space: GradingSpace) -> Steadiness:
    """From scene-linear frames (H, W, 3) of one shot and the shot's CDL. Raises GradeError."""
    numbers = sorted(frames)
    middle = numbers[len(numbers) // 2]
    if len(numbers) == 1:
        return Steadiness(middle, (), {middle: cdl})
    reference = look_at(frames[middle], space, name=f"Frame {middle}")
    drifts, keys = [], {middle: cdl}
    for number in numbers:
        if number == middle:
            continue
        match = estimate(reference, look_at(frames[number], space, name=f"Frame {number}"), space)
        if match.is_shared:
            keys[number] = _key(match, cdl, space)
            drifts.append(Drift(number, match.exposure_stops, match.white_balance_mireds, match.confidence))
    return Steadiness(middle, tuple(drifts), dict(sorted(keys.items())))


def _key(match: Match, cdl: CDL, space: GradingSpace) -> CDL:
    """The CDL that does to the frame's colours what the shot's CDL does to their partners in the middle; in
    linear light only the exposure moves."""
    if space.is_linear:
        gain = 2.0**-match.exposure_stops
        red, green, blue = (slope * gain for slope in cdl.slope)
        return CDL((red, green, blue), cdl.offset, cdl.power, cdl.saturation).rounded()
    target = apply(cdl, match.pairs.hero.astype(np.float32))
    return fit_cdl(match.pairs.shot, target, match.pairs.weights, _TOLERANCES, cdl).cdl.rounded()
