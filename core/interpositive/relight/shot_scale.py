"""How far the subject is and how bright the shot's own key: what relative lights are relative to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..images.image import Pixels
from .environment import latlong_directions
from .passes import Passes
from .placement import ShotScale
from .shot_light import ShotLight

_EVERY = 8  # pixels looked at, along each axis
_DARK = 1e-6


def measure_scale(
    plate: Pixels,
    passes: Passes,
    light: ShotLight | None,
    subject_depth: float | None,
    chromaticities: Sequence[float],
) -> ShotScale | None:
    """The scale of a shot from one of its frames and, where it is known, its light; none where the frame is
    black and nothing says how bright the key is, with everything else right."""
    depth = passes.depth[::_EVERY, ::_EVERY]
    solid = np.isfinite(depth) & (depth > 0)
    if subject_depth is None:
        subject_depth = float(np.median(depth[solid])) if solid.any() else 1.0
    level = light_level(light) if light is not None else _seen_level(plate, passes, solid)
    return ShotScale(subject_depth, level, tuple(chromaticities)) if level > _DARK else None


def light_level(light: ShotLight) -> float:
    """The key's, or half of what the brightest side of a white ball shows in a shot without much of a key."""
    brightest = float(light.shading(latlong_directions(16, 32)).mean(-1).max())
    return max(light.key_level, brightest / 2)


def _seen_level(plate: Pixels, passes: Passes, solid: np.ndarray) -> float:
    """Brightness of well-lit surfaces over their albedo."""
    colour = plate[::_EVERY, ::_EVERY].mean(-1)
    albedo = passes.albedo[::_EVERY, ::_EVERY].mean(-1)
    usable = solid & np.isfinite(colour) & np.isfinite(albedo) & (albedo > 0.02)
    if not usable.any():
        return 0.0
    return float(np.percentile(colour[usable] / albedo[usable], 90))
