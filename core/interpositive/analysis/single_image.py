"""One picture on its own, by the same steps as a shot: what the bench judges, and what a still gets."""

from __future__ import annotations

import numpy as np

from ..prior.predictor import working_size
from ..relight.passes import Passes
from ..relight.shot_light import ShotLight
from .agreement import agreed, agreement_level
from .exposure import shot_gain
from .lighting import fit_light, gather
from .prediction import Looks, Map, predict, shrunk, small_plate
from .reconcile import reconciled
from .upsampling import upsample


def decompose(
    prior: Looks,
    picture: Map,
    matte: Map | None = None,
    known: ShotLight | None = None,
    working_px: int | None = None,
    views: int = 2,
) -> tuple[Passes, ShotLight]:
    """Passes of `picture` (H, W, 3) scene-linear at its own size, and its light in the picture's units.

    `matte` (H, W) 0..1 is where to look; `known` the light that it was taken in, which then comes back as it
    is. `working_px` is the long side to look at it with (None: what suits the prior best).
    """
    everywhere = np.ones(picture.shape[:2], np.float32)
    longest = working_px or max(working_size(everywhere if matte is None else matte))
    small = small_plate(picture, longest)
    size = (small.shape[1], small.shape[0])
    small_matte = None if matte is None else shrunk(matte, size)
    direction = None if known is None else np.asarray(known.direction.numpy(), np.float32)
    gain = shot_gain([small], [small_matte])
    found, guessed = predict(prior, small, gain, small_matte, direction, views)
    light = known or fit_light(gather([found], [small_matte]), guessed.direction.numpy())
    held = reconciled(found, small)
    held = agreed(held, light, agreement_level(held, light, small_matte))
    return upsample(held, picture, gain), light
