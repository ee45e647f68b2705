"""What a CDL leaves over between a shot and its hero, as a LUT, where there is something to say.

The pairs of half of the matches make a LUT that is judged on the other half, and the other way round. Only
where that makes the agreement closer is a LUT made of them all.
"""

from __future__ import annotations

import numpy as np

from .cdl import apply
from .correspondence import CELLS
from .grading_space import GradingSpace
from .lut import Lut, fit_lut
from .matching import Match
from .perception import perceived

Array = np.ndarray

SMOOTHNESS, RESTRAINT = 1e-4, 0.03
_LEAST_MATCHES = 40
_LEAST_GAIN = 0.08  # of the error on pairs that were not fitted


def remainder(match: Match) -> Lut | None:
    """The LUT for after the CDL, or None where the CDL says all that the pairs can tell."""
    matches = len(match.pairs.weights) // CELLS
    if match.basis not in ("points", "chart") or matches < _LEAST_MATCHES:
        return None
    log = match.space.matching
    source, target, weights = _after_cdl(match), match.pairs.hero, match.pairs.weights
    half = (np.arange(len(weights)) // CELLS) % 2
    before = after = 0.0
    for fold in (0, 1):
        known, asked = half != fold, half == fold
        lut = fit_lut(source[known], target[known], weights[known], log, SMOOTHNESS, RESTRAINT)
        mapped = lut.apply(source[asked][None].astype(np.float32))[0]
        before += _error(source[asked], target[asked], weights[asked], log)
        after += _error(mapped, target[asked], weights[asked], log)
    if after > before * (1 - _LEAST_GAIN) ** 2:
        return None
    return fit_lut(source, target, weights, log, SMOOTHNESS, RESTRAINT)


def _after_cdl(match: Match) -> Array:
    """The shot's colours of the pairs after the CDL, in the log space."""
    log, colours = match.space.matching, match.pairs.shot[None].astype(np.float32)
    if not match.space.is_linear:
        return apply(match.cdl, colours)[0].astype(np.float64)
    return log.encode(apply(match.cdl, log.decode(colours)))[0].astype(np.float64)


def _error(source: Array, target: Array, weights: Array, log: GradingSpace) -> float:
    square = ((perceived(source, log) - perceived(target, log)) ** 2).sum(axis=1)
    return float((square * weights).sum())
