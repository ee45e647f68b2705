"""The 24-patch colour chart (ColorChecker Classic) as reflectance under the white of ACEScg.

Source of the values: X-Rite, "New color specifications for ColorChecker SG and Classic charts" (charts made
after November 2014), CIE xyY under D50, as tabulated by colour-science. Adaptation from D50 to the ACES
white: linear Bradford transform, as in ICC.1:2022, annex E. ACEScg primaries and white: S-2014-004.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 4, 6
NEUTRALS = slice(18, 24)  # the last row: white to black

_PATCHES = (  # name, x, y, Y; left to right, top to bottom
    ("dark skin", 0.4374836, 0.37852284, 0.09832436),
    ("light skin", 0.42224944, 0.37249369, 0.3362023),
    ("blue sky", 0.27614744, 0.29838157, 0.17855193),
    ("foliage", 0.37331613, 0.45116914, 0.13467927),
    ("blue flower", 0.30289052, 0.28628691, 0.2287176),
    ("bluish green", 0.28640483, 0.38971778, 0.41435547),
    ("orange", 0.52814772, 0.40533497, 0.31264162),
    ("purplish blue", 0.23238585, 0.21120372, 0.10910902),
    ("moderate red", 0.50444755, 0.32706475, 0.18899996),
    ("purple", 0.33347115, 0.2505523, 0.06276663),
    ("yellow green", 0.39889345, 0.50414915, 0.43317594),
    ("orange yellow", 0.493576, 0.4442832, 0.42933776),
    ("blue", 0.20522077, 0.16866548, 0.05596214),
    ("green", 0.32303796, 0.51041818, 0.22334376),
    ("red", 0.56287232, 0.33556281, 0.12780083),
    ("yellow", 0.46775935, 0.47602443, 0.59929768),
    ("magenta", 0.42131089, 0.26692462, 0.18951146),
    ("cyan", 0.20912872, 0.30265801, 0.18060991),
    ("white", 0.34891449, 0.36421258, 0.88069032),
    ("neutral 8", 0.34558386, 0.35988061, 0.58997097),
    ("neutral 6.5", 0.34414983, 0.35918507, 0.36486521),
    ("neutral 5", 0.34576922, 0.35909383, 0.19062288),
    ("neutral 3.5", 0.34264843, 0.35758352, 0.08817235),
    ("black", 0.34376747, 0.35605763, 0.03151319),
)
_D50_XY, _ACES_WHITE_XY = (0.34570, 0.35854), (0.32168, 0.33767)
_AP1_XY = ((0.713, 0.293), (0.165, 0.830), (0.128, 0.044))
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

PATCH_NAMES = tuple(patch[0] for patch in _PATCHES)


def chart_acescg() -> NDArray[np.float32]:
    """Reflectance (24, 3) of the patches in ACEScg; the neutral ones have nearly equal channels."""
    xyz = np.array([_xyz(x, y, luminance) for _, x, y, luminance in _PATCHES])  # (24, 3)
    source, target = _BRADFORD @ _xyz(*_D50_XY), _BRADFORD @ _xyz(*_ACES_WHITE_XY)
    adapt = np.linalg.inv(_BRADFORD) @ np.diag(target / source) @ _BRADFORD
    columns = np.stack([_xyz(*xy) for xy in _AP1_XY], axis=1)
    to_xyz = columns * np.linalg.solve(columns, _xyz(*_ACES_WHITE_XY))
    return np.asarray(xyz @ adapt.T @ np.linalg.inv(to_xyz).T, np.float32)


def _xyz(x: float, y: float, luminance: float = 1.0) -> NDArray[np.float64]:
    return np.array([x / y, 1.0, (1 - x - y) / y]) * luminance
