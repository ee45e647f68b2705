"""Splitting a plate into albedo x shading + residual, at the plate's size and exactly.

The prior says albedo and shading at a small size, to within a factor that varies slowly. What the plate adds
to their product - texture, grain, fine shadows - is divided in the log domain: the guided filter has carried
to the shading whatever of the plate's detail behaves like shading there; the rest is texture and belongs to
the albedo, as far as the albedo that the prior expects allows. What is brighter than that is a highlight, and
goes to the residual.

Albedo and shading are rounded to 11 significant bits, as half floats have, so that their product is exact in
float32; they make little more than the plate, so that the residual can be exact as well. Where the plate is
half, three more bits for the albedo are enough for their product to be the plate, and the residual is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .exposure import seen

Map = NDArray[np.float32]

LEAST_ALBEDO, MOST_ALBEDO = 0.005, 1.25
HALF_BITS = 11  # significant bits of a half float
_MORE_BITS = 3  # with which albedo * shading rounds to a half plate, and the residual is zero
_NUDGES = 3
_MOST_PRODUCT = np.float32(1.6)  # of the plate, where albedo x shading would be more than twice as bright


@dataclass(frozen=True)
class SplitSettings:
    """How much of what the plate adds may be texture. Ratios of the albedo that the prior expects."""

    headroom: float = 1.2  # texture up to this much brighter is texture
    knee: float = 0.3  # and what exceeds it, up to this share more, less and less so


SETTINGS = SplitSettings()


@dataclass(frozen=True, eq=False)
class Split:
    """albedo, shading, residual (H, W, 3); plate = albedo * shading + residual, evaluated in float32."""

    albedo: Map
    shading: Map
    residual: Map


def split(
    plate: Map, albedo: Map, shading: Map, settings: SplitSettings = SETTINGS, is_half: bool = False
) -> Split:
    """Split `plate` (H, W, 3), any values, by what is expected of `albedo` and `shading` (H, W, 3).

    `albedo` is 0 to about 1, `shading` above zero in plate units. `is_half` says that the plate's values are
    half floats, so that only the sum rounded to half has to be the plate.
    """
    fine = fine_albedo(seen(plate), albedo, shading, settings)
    return exact_split(plate, fine, shading, is_half)


def split_by_albedo(plate: Map, albedo: Map, shading: Map, is_half: bool = False) -> Split:
    """Split `plate` by an `albedo` (H, W, 3) that is known: what it leaves is shading, within a factor of two
    of the `shading` that is expected, and beyond that residual."""
    visible = seen(plate)
    light = visible / np.maximum(albedo, LEAST_ALBEDO)
    light = np.clip(light, shading * np.float32(0.5), shading * 2)
    # Where even half of the light is too much for the plate, the light gives way: the albedo is known.
    light = np.where(albedo * light > 1.5 * visible, visible / np.maximum(albedo, LEAST_ALBEDO), light)
    return exact_split(plate, albedo, light.astype(np.float32), is_half)


def fine_albedo(visible: Map, albedo: Map, shading: Map, settings: SplitSettings = SETTINGS) -> Map:
    """The expected albedo with the plate's texture; at most what leaves no light negative."""
    expected = np.clip(albedo, LEAST_ALBEDO, MOST_ALBEDO)
    expected *= np.float32(settings.headroom)
    ratio = visible / np.maximum(shading, 1e-9)  # all of the plate as texture
    ratio /= expected
    excess = np.maximum(ratio - 1, 0)
    np.minimum(ratio, 1, out=ratio)
    knee = np.float32(settings.knee)
    excess /= excess / knee + 1  # slope one at the headroom, never above the knee
    ratio += excess
    ratio *= expected
    return np.minimum(ratio, np.float32(MOST_ALBEDO), out=ratio)


def exact_split(plate: Map, albedo: Map, shading: Map, is_half: bool = False) -> Split:
    """Rounds `albedo` and `shading` and finds the residual that gives the plate back bit for bit.

    Where the plate is not above zero, or not finite, the albedo is zero and the residual the plate.
    """
    albedo = rounded(albedo, HALF_BITS + _MORE_BITS if is_half else HALF_BITS)
    shading = rounded(shading)
    with np.errstate(over="ignore", invalid="ignore"):
        product = albedo * shading
        usable = (plate > 0) & np.isfinite(plate)
        too_much = usable & (product > 2 * plate)
        if too_much.any():  # a residual can only be exact beside a product that is not much larger
            albedo[too_much] = rounded(_MOST_PRODUCT * plate[too_much] / shading[too_much])
            np.multiply(albedo, shading, out=product, where=too_much)
        unfit = ~(usable & (product <= 2 * plate))
        if unfit.any():
            albedo[unfit] = np.copysign(np.float32(0), plate[unfit])  # minus zero is also a plate's value
            np.multiply(albedo, shading, out=product, where=unfit)
        residual = plate - product
        residual[unfit] = plate[unfit]
        if is_half:  # nearer than half a step of half: the sum rounds to the plate without it
            residual[np.abs(residual) < plate * np.float32(2.0**-12)] = 0
        wrong = (product + residual != plate) & np.isfinite(plate)
        if is_half:
            wrong &= residual != 0
        if wrong.any():
            residual[wrong] = _nudged(plate[wrong], product[wrong], residual[wrong])
            still = np.zeros(plate.shape, bool)
            still[wrong] = product[wrong] + residual[wrong] != plate[wrong]
            albedo[still], residual[still] = np.copysign(np.float32(0), plate[still]), plate[still]
    return Split(albedo, shading, residual)


def rounded(values: Map, bits: int = HALF_BITS) -> Map:
    """A copy with so many significant bits, finite and not negative; it also packs far better than 24."""
    return rounded_signed(seen(values), bits)


def rounded_signed(values: Map, bits: int = HALF_BITS) -> Map:
    """A copy of finite values with so many significant bits, rounded to nearest in the bit pattern."""
    dropped = 24 - bits
    patterns = np.array(values, np.float32, order="C").view(np.uint32)
    patterns += np.uint32(1 << (dropped - 1))
    patterns &= np.uint32(0xFFFFFFFF ^ ((1 << dropped) - 1))
    return patterns.view(np.float32)


def _nudged(plate: Map, product: Map, residual: Map) -> Map:
    """Residuals moved by a few units in the last place until the sum rounds to the plate."""
    best = residual.copy()
    for direction in (np.float32(np.inf), np.float32(-np.inf)):
        moved = residual.copy()
        for _ in range(_NUDGES):
            moved = np.nextafter(moved, direction)
            hit = product + moved == plate
            best[hit] = moved[hit]
    return best
