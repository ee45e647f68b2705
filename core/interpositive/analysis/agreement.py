"""Albedo and shading made to agree with the light that was found.

The prior sees shading directly; the light and the normals explain it a second time. Their errors have little
to do with each other, so the mean of the two albedos that they leave is better than either: on exact scenes
the albedo's local error falls by a tenth.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..relight.shot_light import ShotLight
from .lighting import shading_of
from .prediction import Map, WorkingPasses

EXPLAINED_SHARE = 0.5  # of the albedo that the light leaves, against the prior's
_FLOOR = 0.04  # of the key's colour: where neither key nor environment reach, something does
_LEAST_RATIO, _MOST_RATIO = 0.25, 4.0  # of the albedo after to before


def agreed(passes: WorkingPasses, light: ShotLight, level: float) -> WorkingPasses:
    """`passes` whose albedo is the mean of the prior's and of what `light` leaves; their product stays.

    `level` is the shot's, see `agreement_level`; zero changes nothing.
    """
    explained = _explained(passes, light) * np.float32(level)
    if not float(explained.min()) > 0:
        return passes
    share = np.float32(EXPLAINED_SHARE)
    ratio = np.clip((1 - share) + share * passes.shading / explained, _LEAST_RATIO, _MOST_RATIO)
    ratio = ratio.astype(np.float32)
    return replace(passes, albedo=passes.albedo * ratio, shading=passes.shading / ratio)


def agreement_level(passes: WorkingPasses, light: ShotLight, matte: Map | None = None) -> float:
    """The median of the prior's shading over what the light explains, where the prior is sure; 0 without
    light.

    `matte` (h, w) is where the subject is.
    """
    explained = _explained(passes, light).mean(2)
    trust = passes.confidence if matte is None else passes.confidence * matte
    where = (trust >= 0.5 * float(trust.max())) & (explained > 0)
    return float(np.median(passes.shading.mean(2)[where] / explained[where])) if where.any() else 0.0


def _explained(passes: WorkingPasses, light: ShotLight) -> Map:
    floor = np.float32(_FLOOR) * np.asarray(light.colour.numpy(), np.float32)
    return shading_of(light, passes.normal, passes.visibility) + floor
