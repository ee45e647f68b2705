"""The grade between a plate and its graded version, pixel for pixel: a CDL, and a LUT for what it leaves.

Errors count as the eye sees them on a display: each sample is weighed by how much its display value changes
with its log value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import GradeError, SizeMismatchError
from ..images.image import Pixels
from .cdl import CDL, apply
from .cdl_fit import EXPECTED_LINEAR, EXPECTED_LOG, fit_cdl
from .grading_space import GradingSpace
from .lut import Lut, fit_lut
from .perception import perceived, sensitivity

Array = np.ndarray

SMOOTHNESS, RESTRAINT = 1e-5, 1e-3  # chosen on frames that are not scored
_CDL_SAMPLES = 20_000
_LUT_SAMPLES = 400_000
_CDL_TOLERANCES = (0.2, 0.1)
_LOG_STEP = 1e-3


@dataclass(frozen=True, eq=False)
class Recovery:
    """`cdl` works in `space`, `lut` after it in `space.matching`; `cdl_rms` and `rms` are what is left in
    display values (sRGB, 0..1) without and with the LUT."""

    cdl: CDL
    lut: Lut
    space: GradingSpace
    cdl_rms: float
    rms: float


def recover(plates: Sequence[Pixels], graded: Sequence[Pixels], space: GradingSpace) -> Recovery:
    """From frames of a plate and their graded versions, scene-linear (H, W, 3) in the space's working space.

    Raises SizeMismatchError, GradeError.
    """
    if not plates or len(plates) != len(graded):
        raise GradeError(f"{len(plates)} frames of the plate and {len(graded)} graded: pass the same frames.")
    for plate, target in zip(plates, graded, strict=True):
        if plate.shape != target.shape:
            raise SizeMismatchError(
                f"A plate is {plate.shape[1]}x{plate.shape[0]} but its graded version "
                f"{target.shape[1]}x{target.shape[0]}. Render both at one size."
            )
    log = space.matching
    source = _flat([log.encode(plate) for plate in plates], _LUT_SAMPLES)
    target = _flat([log.encode(picture) for picture in graded], _LUT_SAMPLES)
    if float(np.ptp(source, axis=0).max()) < _LOG_STEP:
        raise GradeError("The plate is of one colour: no grade can be read from it. Choose other frames.")
    cdl = _fitted_cdl(source, target, space)
    moved = _encoded_after(cdl, source, space)
    lut = fit_lut(moved, target, np.ones(len(moved)), log, SMOOTHNESS, RESTRAINT)
    mapped = lut.apply(moved[None].astype(np.float32))[0]
    return Recovery(cdl, lut, space, _display_rms(moved, target, log), _display_rms(mapped, target, log))


def graded_by(pixels: Pixels, space: GradingSpace, cdl: CDL, lut: Lut | None = None) -> Pixels:
    """Scene-linear pixels (H, W, 3) with the CDL and, after it, the LUT; values below zero and above one live
    on. NaN and infinity become numbers."""
    encoded = apply(cdl, space.encode(pixels))
    if lut is None:
        return space.decode(encoded)
    log = space.matching
    return log.decode(lut.apply(log.encode(space.decode(encoded)) if space.is_linear else encoded))


def _fitted_cdl(source: Array, target: Array, space: GradingSpace) -> CDL:
    step = -(-len(source) // _CDL_SAMPLES)
    x, y = source[::step], target[::step]
    weight = (sensitivity(y, space.matching) ** 2).mean(axis=1)
    weight = weight / float(weight.mean())
    log = space.matching
    cdl = fit_cdl(x, y, weight, _CDL_TOLERANCES, expected=EXPECTED_LOG * 3, spread=0.01).cdl
    if not space.is_linear:
        return cdl.rounded()
    x_lin, y_lin = (log.decode(v[None].astype(np.float32))[0].astype(np.float64) for v in (x, y))
    relative = weight / (np.abs(y_lin).mean(axis=1) + 0.02) ** 2
    relative *= len(relative) / float(relative.sum())
    return fit_cdl(x_lin, y_lin, relative, (10.0,), expected=EXPECTED_LINEAR * 3, spread=0.01).cdl.rounded()


def _encoded_after(cdl: CDL, source: Array, space: GradingSpace) -> Array:
    log, colours = space.matching, source[None].astype(np.float32)
    if not space.is_linear:
        return apply(cdl, colours)[0].astype(np.float64)
    return log.encode(apply(cdl, log.decode(colours)))[0].astype(np.float64)


def _flat(pictures: Sequence[Pixels], most: int) -> Array:
    colours = np.concatenate([picture.reshape(-1, 3) for picture in pictures])
    return colours[:: -(-len(colours) // most)].astype(np.float64)


def _display_rms(result: Array, target: Array, log: GradingSpace) -> float:
    shown, wanted = (np.clip(perceived(v, log), 0, 1) for v in (result, target))
    return float(np.sqrt(np.mean((shown - wanted) ** 2)))
