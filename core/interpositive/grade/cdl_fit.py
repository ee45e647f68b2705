"""The CDL that turns one set of colours into another, although some of the pairs are wrong.

Iteratively reweighted least squares with the weights of Geman and McClure, Levenberg-Marquardt steps, from a
wide to a narrow tolerance; a prior keeps what the colours do not settle near no change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .cdl import CDL, LUMA_WEIGHTS

Array = np.ndarray

# One standard deviation of what is expected of a grade in a log space: slopes, offsets, powers, saturation.
EXPECTED_LOG = np.array([0.15] * 3 + [0.3] * 3 + [0.1] * 3 + [0.25])
EXPECTED_LINEAR = np.array([2.0] * 3 + [0.02] * 3 + [0.1] * 3 + [0.25])
# Channels unlike each other are less likely than a change of all three: R - G and B - G of slope and power.
_EXPECTED_SPLIT = 0.6  # of what is expected of the number itself
_LEAST = np.array([0.2] * 3 + [-2.0] * 3 + [0.3] * 3 + [0.0])
_MOST = np.array([5.0] * 3 + [2.0] * 3 + [3.0] * 3 + [4.0])
_COUNT_AS = 150.0  # pairs of one picture are not independent: they count as at most this many
_LUMA = np.asarray(LUMA_WEIGHTS)
_LEAST_RAISED = 1e-4


@dataclass(frozen=True)
class CDLFit:
    """The CDL, the final weight 0..1 of each pair, and the weighted RMS that is left over the channels."""

    cdl: CDL
    weights: Array
    residual: float


def fit_cdl(
    source: Array,
    target: Array,
    weights: Array,
    tolerances: Sequence[float],
    start: CDL | None = None,
    expected: Array = EXPECTED_LOG,
    spread: float | None = None,
    steps: int = 20,
) -> CDLFit:
    """Fit pairs of encoded colours `source` -> `target`, both (N, 3), with prior weights (N,).

    `tolerances` are residuals, in units of the encoding, beyond which a pair counts less and less; the last
    is the final one. `expected` holds one standard deviation of the prior of each number; `spread`, the
    accuracy that the prior is weighed against, is the tolerance where it is not given. `steps` are shared out
    over the tolerances.
    """
    x, y = np.asarray(source, np.float64), np.asarray(target, np.float64)
    given = np.asarray(weights, np.float64)
    numbers = np.array((start or CDL()).numbers)
    robust = given
    for tolerance in tolerances:
        for _ in range(-(-steps // len(tolerances))):
            square = ((_forward(numbers, x) - y) ** 2).mean(axis=1)
            robust = given / (1 + square / tolerance**2) ** 2
            total = robust.sum()
            if total <= 0:
                break
            scale = min(_COUNT_AS, total) / total / (spread or tolerance) ** 2
            numbers = _step(numbers, x, y, robust * scale, expected)
    square = ((_forward(numbers, x) - y) ** 2).mean(axis=1)
    total = max(float(robust.sum()), 1e-12)
    relative = np.divide(robust, given, out=np.zeros_like(given), where=given > 0)
    return CDLFit(CDL.of(numbers), relative, float(np.sqrt((robust * square).sum() / total)))


def _forward(numbers: Array, x: Array) -> Array:
    raised, _, _ = _raised(numbers, x)
    luma = (raised @ _LUMA)[:, None]
    return luma + numbers[9] * (raised - luma)


def _raised(numbers: Array, x: Array) -> tuple[Array, Array, Array]:
    """(in * slope + offset) ** power, its derivative by the base, and the base's logarithm."""
    base = x * numbers[:3] + numbers[3:6]
    safe = np.maximum(base, _LEAST_RAISED)
    positive = base > _LEAST_RAISED
    power = numbers[6:9]
    value = np.where(positive, safe**power, base)
    slope = np.where(positive, power * safe ** (power - 1), 1.0)
    return value, slope, np.where(positive, np.log(safe), 0.0)


def _step(numbers: Array, x: Array, y: Array, weights: Array, expected: Array) -> Array:
    """One damped Gauss-Newton step of the weighted sum of squares plus the prior."""
    value, slope, logarithm = _raised(numbers, x)
    luma = (value @ _LUMA)[:, None]
    residual = luma + numbers[9] * (value - luma) - y
    by_slope, by_power = slope * x, value * logarithm
    jacobian = np.empty((len(x), 3, 10))
    for channel in range(3):
        mix = (1 - numbers[9]) * _LUMA + numbers[9] * (np.arange(3) == channel)
        jacobian[:, channel, 0:3] = by_slope * mix
        jacobian[:, channel, 3:6] = slope * mix
        jacobian[:, channel, 6:9] = by_power * mix
        jacobian[:, channel, 9] = value[:, channel] - luma[:, 0]
    flat, left = jacobian.reshape(-1, 10), residual.reshape(-1)
    weight = np.repeat(weights, 3)
    normal = (flat * weight[:, None]).T @ flat
    gradient = (flat * weight[:, None]).T @ left
    precision, pull = _prior(numbers, expected)
    normal += precision + 1e-9 * np.eye(10)
    change = np.linalg.solve(normal, gradient + pull)
    change = np.clip(change, -0.3, 0.3)
    return np.clip(numbers - change, _LEAST, _MOST)


def _prior(numbers: Array, expected: Array) -> tuple[Array, Array]:
    """Precision (10, 10) of the prior, and its gradient."""
    rows = [np.eye(10)[k] / expected[k] for k in range(10)]
    for first in (0, 6):
        for channel in (0, 2):
            row = np.zeros(10)
            row[first + channel], row[first + 1] = 1, -1
            rows.append(row / (_EXPECTED_SPLIT * expected[first]))
    matrix = np.stack(rows)
    precision = matrix.T @ matrix
    return precision, precision @ (numbers - np.array(CDL().numbers))
