"""The colour of a lamp of a given temperature, in a plate's primaries.

Sources
    Planckian locus: Krystek, "An algorithm to calculate correlated colour temperature", Color Research and
    Application 10(1), 1985 (CIE 1960 u, v; within 0.0001 from 1000 to 15000 K).
    u, v to x, y: CIE 15, equations of the 1960 uniform chromaticity scale.
    Primaries and white to RGB and XYZ: SMPTE RP 177.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
LOWEST_KELVIN, HIGHEST_KELVIN = 1000.0, 15000.0


def planckian_xy(kelvin: float) -> tuple[float, float]:
    """CIE 1931 chromaticity of a black body."""
    t = float(kelvin)
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t * t) / (
        1 + 8.42420235e-4 * t + 7.08145163e-7 * t * t
    )
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t * t) / (
        1 - 2.89741816e-5 * t + 1.61456053e-7 * t * t
    )
    scale = 2 * u - 8 * v + 4
    return 3 * u / scale, 2 * v / scale


def kelvin_rgb(kelvin: float, chromaticities: Sequence[float] = REC709) -> tuple[float, float, float]:
    """Scene-linear RGB of luminance 1 of a lamp of `kelvin`, 1000 to 15000.

    `chromaticities` are CIE xy of red, green, blue, white. The plate's white is (1, 1, 1); no adaptation.
    Deep red lamps lie outside of the primaries: their blue is held at zero.
    """
    to_xyz = rgb_to_xyz(chromaticities)
    x, y = planckian_xy(min(max(kelvin, LOWEST_KELVIN), HIGHEST_KELVIN))
    rgb = np.linalg.solve(to_xyz, np.array([x / y, 1.0, (1 - x - y) / y]))
    rgb = np.maximum(rgb, 0.0)
    red, green, blue = (float(v) for v in rgb / float(to_xyz[1] @ rgb))
    return red, green, blue


def rgb_to_xyz(chromaticities: Sequence[float]) -> np.ndarray:
    """The matrix (3, 3) that turns RGB into XYZ, white having a luminance of 1."""
    xy = np.asarray(chromaticities, np.float64).reshape(4, 2)
    columns = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(1)) / xy[:, 1]])  # (3, 4)
    scale = np.linalg.solve(columns[:, :3], columns[:, 3])
    matrix: np.ndarray = columns[:, :3] * scale
    return matrix
