"""How a surface answers light: Lambert's diffuse base under a GGX microfacet coat. torch, differentiable.

Two layers of functions. Those that take cosines (any broadcastable shape) are the formulas; those that take
channels-last vectors (..., 3) compute the cosines first. All are relative to radiance / irradiance * pi, so
that a white Lambert surface that faces a light of colour c shows c.

Sources
    Lambert, Photometria, 1760.
    GGX distribution, Smith shadowing: Walter, Marschner, Li, Torrance, "Microfacet models for refraction
    through rough surfaces", EGSR 2007, eqs. 33, 34; height-correlated masking and shadowing: Heitz,
    "Understanding the masking-shadowing function in microfacet-based BRDFs", JCGT 3(2), 2014, eq. 99.
    Fresnel: Schlick, "An inexpensive BRDF model for physically-based rendering", CGF 13(3), 1994, eq. 15.
    alpha = roughness ** 2: Burley, "Physically based shading at Disney", SIGGRAPH 2012 course.
    Widened highlight of a light with a size: Karis, "Real shading in Unreal Engine 4", SIGGRAPH 2013
    course. Albedo of the coat for environments: Karis, "Physically based shading on mobile", 2014.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

DIELECTRIC_F0 = 0.04  # reflectance at normal incidence of a refractive index of 1.5
SMALLEST_ALPHA = 0.01  # a mirror's highlight of a point light would be infinitely bright and small
_SMALLEST_COSINE = 1e-4


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Scalar product over the last axis, (..., 3) and (..., 3) to (...)."""
    return (a * b).sum(-1)


def normalise(vector: Tensor) -> Tensor:
    """Unit vectors (..., 3); a zero vector stays zero."""
    return vector * torch.rsqrt(dot(vector, vector).clamp_min(1e-20)).unsqueeze(-1)


def alpha_of(roughness: Tensor, light_spread: float | Tensor = 0.0) -> Tensor:
    """GGX alpha of perceptual roughness 0..1, widened by half the light's angular radius in radians."""
    return (roughness * roughness + light_spread * 0.5).clamp(SMALLEST_ALPHA, 1.0)


def schlick(v_h: Tensor, f0: float | Tensor = DIELECTRIC_F0) -> Tensor:
    """Fresnel reflectance; `v_h` is the cosine between view and half vector."""
    rest = (1.0 - v_h).clamp(0.0, 1.0)
    squared = rest * rest
    return f0 + (1.0 - f0) * (squared * squared * rest)


def ggx_distribution(n_h: Tensor, alpha: Tensor) -> Tensor:
    """Density D of microfacet normals, 1/sr; D * n_h integrates to 1 over the hemisphere."""
    squared = alpha * alpha
    denominator = n_h * n_h * (squared - 1.0) + 1.0
    return squared / (math.pi * denominator * denominator)


def smith_visibility(n_l: Tensor, n_v: Tensor, alpha: Tensor) -> Tensor:
    """Height-correlated G2 / (4 n_l n_v)."""
    squared = alpha * alpha
    rest = 1.0 - squared
    toward_light = n_v * torch.sqrt(squared + rest * n_l * n_l)
    toward_view = n_l * torch.sqrt(squared + rest * n_v * n_v)
    return 0.5 / (toward_light + toward_view).clamp_min(1e-6)


def ggx_reflectance(
    n_l: Tensor, n_v: Tensor, l_v: Tensor, alpha: Tensor, f0: float | Tensor = DIELECTRIC_F0
) -> Tensor:
    """Specular radiance per unit light colour: pi * D * F * G2 / (4 n_l n_v) * n_l.

    Takes cosines: normal and light, normal and view, light and view. Zero where the light is behind. The half
    vector is (l + v) / |l + v|, so its cosines follow from these three.
    """
    n_l, n_v = n_l.clamp_min(0.0), n_v.clamp_min(_SMALLEST_COSINE)
    length_squared = (l_v * 2.0 + 2.0).clamp_min(1e-6)
    sum_cosine = n_l + n_v
    n_h_squared = (sum_cosine * sum_cosine / length_squared).clamp_max(1.0)
    # pi * `ggx_distribution` * `smith_visibility` with one division for both.
    squared = alpha * alpha
    rest = 1.0 - squared
    narrow = 1.0 - n_h_squared * rest
    masked = n_v * torch.sqrt(torch.addcmul(squared, rest, n_l * n_l))
    masked = masked + n_l * torch.sqrt(torch.addcmul(squared, rest, n_v * n_v))
    reflected = schlick(torch.sqrt(length_squared) * 0.5, f0) * (squared * n_l)
    return reflected * 0.5 / (narrow * narrow * masked).clamp_min(1e-12)


def lambert(normal: Tensor, direction: Tensor) -> Tensor:
    """max(n . l, 0), (..., 3) and (..., 3) unit vectors to (...)."""
    return dot(normal, direction).clamp_min(0.0)


def fresnel(view: Tensor, half: Tensor, f0: float | Tensor = DIELECTRIC_F0) -> Tensor:
    """Schlick's Fresnel term for unit vectors (..., 3)."""
    return schlick(dot(view, half).clamp(0.0, 1.0), f0)


def ggx_specular(
    normal: Tensor,
    view: Tensor,
    direction: Tensor,
    roughness: Tensor,
    f0: float | Tensor = DIELECTRIC_F0,
    light_spread: float | Tensor = 0.0,
) -> Tensor:
    """Specular radiance (...) per unit light colour, cosine included; add it to albedo * `lambert`.

    Unit vectors (..., 3) that point away from the surface; `roughness` (...) perceptual.
    """
    cosines = dot(normal, direction), dot(normal, view), dot(direction, view)
    return ggx_reflectance(*cosines, alpha_of(roughness, light_spread), f0)


def coat_albedo(n_v: Tensor, roughness: Tensor, f0: float | Tensor = DIELECTRIC_F0) -> Tensor:
    """Share of an even environment that the coat reflects, (...), by a fitted polynomial."""
    first = 1.0 - roughness
    second = 0.0425 - 0.0275 * roughness
    bend = torch.minimum(first * first, torch.exp2(-9.28 * n_v)) * first + second
    scale = -1.04 * bend + (1.04 - 0.572 * roughness)
    offset = 1.04 * bend + (0.022 * roughness - 0.04)
    return (f0 * scale + offset).clamp(0.0, 1.0)
