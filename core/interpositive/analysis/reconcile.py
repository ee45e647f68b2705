"""Albedo and shading of the prior made to agree with the plate at the working size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .prediction import Map, WorkingPasses


@dataclass(frozen=True)
class ReconcileSettings:
    """What the plate says beyond albedo * shading, in log units: `to_albedo` of it is texture, the rest is
    light; what exceeds `highlight` is neither."""

    to_albedo: float = 0.5
    highlight: float = 0.7


SETTINGS = ReconcileSettings()


def reconciled(passes: WorkingPasses, plate: Map, settings: ReconcileSettings = SETTINGS) -> WorkingPasses:
    """`passes` whose albedo * shading is the small `plate` (h, w, 3), highlights left out."""
    product = np.maximum(passes.albedo * passes.shading, 1e-9)
    floor = 0.02 * float(product.mean()) + 1e-9
    missing = np.log((np.maximum(plate, 0) + floor) / (product + floor))
    missing = np.clip(missing, -2.0, settings.highlight)
    share = np.float32(settings.to_albedo)
    return WorkingPasses(
        passes.normal,
        passes.depth,
        passes.albedo * np.exp(share * missing),
        passes.shading * np.exp((1 - share) * missing),
        passes.roughness,
        passes.visibility,
        passes.confidence,
    )
