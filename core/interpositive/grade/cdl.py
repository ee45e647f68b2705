"""The ASC CDL: slope, offset and power a channel, then saturation.

Sources
    ASC Color Decision List (ASC CDL) Transfer Functions and Interchange Syntax, version 1.2, 2009:
        out = clamp(in * slope + offset) ** power, then
        out = clamp(luma + saturation * (out - luma)), luma by the weights of ITU-R BT.709.
    Without clamping, as OpenColorIO's CDL_NO_CLAMP: a value that is negative after the offset has no power
    applied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import GradeError
from ..images.image import Pixels

LUMA_WEIGHTS = (0.2126, 0.7152, 0.0722)

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class CDL:
    """One grade. Slopes and saturation are zero or more, powers above zero. Raises GradeError."""

    slope: Triple = (1.0, 1.0, 1.0)
    offset: Triple = (0.0, 0.0, 0.0)
    power: Triple = (1.0, 1.0, 1.0)
    saturation: float = 1.0

    def __post_init__(self) -> None:
        numbers = (*self.slope, *self.offset, *self.power, self.saturation)
        if any(len(triple) != 3 for triple in (self.slope, self.offset, self.power)):
            raise GradeError(f"A CDL has three slopes, offsets and powers: found {self}.")
        if not np.isfinite(numbers).all():
            raise GradeError(f"A CDL of numbers that are not finite: {self}. Correct the file.")
        if min(self.slope) < 0 or min(self.power) <= 0 or self.saturation < 0:
            raise GradeError(
                f"{self} breaks ASC CDL: slopes and saturation are at least 0, powers above 0. "
                "Correct the file."
            )

    @property
    def numbers(self) -> tuple[float, ...]:
        """The ten numbers: slopes, offsets, powers, saturation."""
        return (*self.slope, *self.offset, *self.power, self.saturation)

    @classmethod
    def of(cls, numbers: np.ndarray | tuple[float, ...] | list[float]) -> CDL:
        """From ten numbers in the order of `numbers`."""
        n = [float(number) for number in numbers]
        return cls((n[0], n[1], n[2]), (n[3], n[4], n[5]), (n[6], n[7], n[8]), n[9])

    def rounded(self, digits: int = 6) -> CDL:
        """As files hold it."""
        return CDL.of([round(number, digits) + 0.0 for number in self.numbers])


def apply(cdl: CDL, pixels: Pixels, clamp: bool = False) -> Pixels:
    """Encoded pixels (..., 3) graded, a new float32 array.

    With `clamp` as ASC CDL v1.2 has it, held in 0..1; without, values below zero and above one live on.
    NaN stays NaN.
    """
    slope, offset, power = (np.asarray(t, np.float32) for t in (cdl.slope, cdl.offset, cdl.power))
    graded = np.asarray(pixels, np.float32) * slope + offset
    if clamp:
        graded = np.clip(graded, 0.0, 1.0)
    if cdl.power != (1.0, 1.0, 1.0):
        raised = np.power(np.maximum(graded, 0), power)
        graded = np.where(graded < 0, graded, raised)
    if cdl.saturation != 1.0:
        luma = (graded @ np.asarray(LUMA_WEIGHTS, np.float32))[..., None]
        graded = luma + np.float32(cdl.saturation) * (graded - luma)
    if clamp:
        graded = np.clip(graded, 0.0, 1.0)
    return np.asarray(graded, np.float32)


def invert(cdl: CDL, graded: Pixels) -> Pixels:
    """The encoded pixels (..., 3) that the CDL, without clamping, turns into `graded`. Raises GradeError
    where it cannot be undone: a slope or the saturation is zero."""
    if min(cdl.slope) == 0 or cdl.saturation == 0:
        raise GradeError(f"{cdl} cannot be undone: a slope or the saturation is zero.")
    slope, offset, power = (np.asarray(t, np.float64) for t in (cdl.slope, cdl.offset, cdl.power))
    values = np.asarray(graded, np.float64)
    luma = (values @ np.asarray(LUMA_WEIGHTS))[..., None]
    values = luma + (values - luma) / cdl.saturation
    base = np.where(values < 0, values, np.maximum(values, 0) ** (1 / power))
    return np.asarray((base - offset) / slope, np.float32)
