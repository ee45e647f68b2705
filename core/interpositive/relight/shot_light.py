"""The light that a shot already has: a directional key and a low-order environment.

Real spherical harmonics of order 2, in the order (l, m) = 00, 1-1, 10, 11, 2-2, 2-1, 20, 21, 22, on camera
axes (x right, y up, z towards the camera). Coefficients are those of radiance. Clamping a surface's light
to the hemisphere with Lambert's cosine scales band l by A_l / pi = 1, 2/3, 1/4 (Ramamoorthi and Hanrahan,
"An efficient representation for irradiance environment maps", SIGGRAPH 2001, eqs. 8 and 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .reflection import dot

SH_COUNT = 9
_LOBE = (1.0, *(2.0 / 3.0,) * 3, *(0.25,) * 5)
_CONSTANTS = (
    0.5 * math.sqrt(1 / math.pi),
    *(math.sqrt(3 / (4 * math.pi)),) * 3,
    *(0.5 * math.sqrt(15 / math.pi),) * 2,
    0.25 * math.sqrt(5 / math.pi),
    0.5 * math.sqrt(15 / math.pi),
    0.25 * math.sqrt(15 / math.pi),
)


def sh_basis(direction: Tensor) -> Tensor:
    """Values (..., 9) of the basis at unit directions (..., 3)."""
    return _basis(direction, _CONSTANTS)


def sh_irradiance_basis(normal: Tensor) -> Tensor:
    """(..., 9) with Lambert's lobe applied: basis @ coefficients (9, 3) is irradiance / pi, the shading of a
    normal (..., 3)."""
    return _basis(normal, [c * a for c, a in zip(_CONSTANTS, _LOBE, strict=True)])


def _basis(direction: Tensor, scale: Sequence[float]) -> Tensor:
    x, y, z = direction.unbind(-1)
    shapes = (torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y)
    return torch.stack([value * c for value, c in zip(shapes, scale, strict=True)], dim=-1)


@dataclass(frozen=True, eq=False)
class ShotLight:
    """Key light and environment of a shot, float32 tensors, scene-linear in the plate's primaries.

    direction (3,) unit vector towards the key; colour (3,): what a white Lambert surface that faces the key
    shows; environment_sh (9, 3) radiance. Leading batch axes are allowed: (..., 3), (..., 3), (..., 9, 3).
    """

    direction: Tensor
    colour: Tensor
    environment_sh: Tensor

    @classmethod
    def of(
        cls, direction: Sequence[float], colour: Sequence[float], environment_sh: Sequence[Sequence[float]]
    ) -> ShotLight:
        """From numbers or numpy arrays; the direction is normalised."""
        towards, colours, environment = (
            torch.as_tensor(values, dtype=torch.float32) for values in (direction, colour, environment_sh)
        )
        return cls(towards / torch.linalg.vector_norm(towards).clamp_min(1e-12), colours, environment)

    def key_shading(self, normal: Tensor, visibility: Tensor | None = None) -> Tensor:
        """colour * max(n . l, 0) * visibility: (..., 3) from normals (..., 3) and visibility (...)."""
        cosine = dot(normal, self.direction).clamp_min(0.0)
        lit = cosine if visibility is None else cosine * visibility
        return lit.unsqueeze(-1) * self.colour

    def environment_shading(self, normal: Tensor) -> Tensor:
        """Irradiance / pi of the environment, (..., 3), not below zero."""
        return (sh_irradiance_basis(normal) @ self.environment_sh).clamp_min(0.0)

    def shading(self, normal: Tensor, visibility: Tensor | None = None) -> Tensor:
        """Both, (..., 3). Normals (H, W, 3), or (..., 3) for a single light."""
        return self.key_shading(normal, visibility) + self.environment_shading(normal)

    @property
    def key_level(self) -> float:
        """Mean of the key's colour: how bright the shot's own key is."""
        return float(self.colour.mean())
