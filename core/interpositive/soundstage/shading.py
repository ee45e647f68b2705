"""How surfaces answer light: a diffuse base under a microfacet coat, lights, and an environment fill.

Radiance and reflectance are scene-linear ACEScg. Vectors are float32 (3, N), unit length, pointing away
from the surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .shapes import Array, dot, normalise

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Surface:
    """What rays have met: everything the reflectance model needs, one column a sample.

    position, normal, view (3, N); albedo (3, N) ACEScg; roughness, coat (N,), `coat` being the reflectance
    at normal incidence (0.04 for lacquer).
    """

    position: Array
    normal: Array
    view: Array
    albedo: Array
    roughness: Array
    coat: Array

    def take(self, index: np.ndarray) -> Surface:
        """The samples at `index` only."""
        return Surface(
            self.position[:, index], self.normal[:, index], self.view[:, index],
            self.albedo[:, index], self.roughness[index], self.coat[index],
        )  # fmt: skip


@dataclass(frozen=True)
class Light:
    """A square emitter at `position` facing `target`; `side` zero makes it a point with a crisp shadow.

    `colour` is the irradiance (ACEScg) that it gives a surface facing it at the distance of `target`.
    """

    name: str
    position: Colour
    target: Colour
    colour: Colour
    side: float = 0.0
    cone_deg: float = 180.0
    only_group: str = ""

    def axes(self) -> tuple[Array, Array, Array]:
        """Unit vectors (3,): facing, right, up."""
        facing = np.asarray(self.target, np.float32) - np.asarray(self.position, np.float32)
        facing = facing / np.linalg.norm(facing)
        right = np.cross(facing, np.array([0, 1, 0], np.float32))
        right = right / np.linalg.norm(right)
        return facing, right, np.cross(right, facing)

    def sample(self, points: Array, u: Array, v: Array) -> tuple[Array, Array, Array]:
        """Unit direction (3, N), distance (N,) and irradiance scale (N,) towards a spot of the emitter.

        `u` and `v` (N,) go from 0 to 1 across it.
        """
        facing, right, up = self.axes()
        spot = np.asarray(self.position, np.float32)[:, None] + np.float32(self.side) * (
            right[:, None] * (u - np.float32(0.5)) + up[:, None] * (v - np.float32(0.5))
        )
        offset = spot - points
        squared = dot(offset, offset)
        distance = np.sqrt(squared)
        direction = offset / distance
        cosine = -(facing @ direction)
        reference = float(np.sum((np.asarray(self.target) - np.asarray(self.position)) ** 2))
        edge = float(np.cos(np.radians(self.cone_deg / 2)))
        falloff = np.clip((cosine - edge) / 0.06, 0, 1) if self.cone_deg < 180 else np.clip(cosine, 0, 1)
        return direction, distance, (falloff * np.float32(reference) / squared).astype(np.float32)


def reflectance(surface: Surface, to_light: Array, light_spread: Array | float = 0.0) -> Array:
    """Reflected radiance (3, N) per unit irradiance arriving from `to_light`, the cosine included.

    `light_spread`, the half angle in radians of the part of a light that the direction stands for, widens the
    highlight as that part would (B. Karis, "Real shading in Unreal Engine 4", SIGGRAPH 2013 course).

    Lambert base under a Cook-Torrance coat (ACM TOG 1, 1982): GGX distribution and Smith shadowing (Walter,
    Marschner, Li and Torrance, EGSR 2007, eqs. 33 and 34), Schlick's Fresnel term (CGF 13, 1994).
    """
    half = normalise(to_light + surface.view)
    n_l = np.maximum(dot(surface.normal, to_light), 0)
    n_v = np.maximum(dot(surface.normal, surface.view), np.float32(1e-3))
    n_h = np.maximum(dot(surface.normal, half), 0)
    alpha2 = np.minimum(surface.roughness * surface.roughness + light_spread / 2, 1) ** 2
    spread = n_h * n_h * (alpha2 - 1) + 1
    distribution = alpha2 / (np.float32(np.pi) * spread * spread)
    visibility = 1 / (
        (n_l + np.sqrt(alpha2 + (1 - alpha2) * n_l * n_l))
        * (n_v + np.sqrt(alpha2 + (1 - alpha2) * n_v * n_v))
        + 1e-6
    )
    fresnel = schlick(surface.coat, np.maximum(dot(surface.view, half), 0))
    coat = distribution * visibility * fresnel * np.float32(np.pi)  # relative to Lambert's 1 / pi
    return (surface.albedo * (1 - fresnel) + coat) * n_l


def schlick(at_normal: Array, cosine: Array) -> Array:
    """Fresnel reflectance (N,) by Schlick's approximation from the reflectance at normal incidence."""
    rest = 1 - cosine
    squared = rest * rest
    return at_normal + (1 - at_normal) * squared * squared * rest


def environment(direction: Array, sky: Colour, ground: Colour) -> Array:
    """Radiance (3, N) of a two-colour dome, blended smoothly over the horizon."""
    up = np.clip(direction[1] * np.float32(0.5) + np.float32(0.5), 0, 1)
    blend = up * up * (3 - 2 * up)
    low, high = np.asarray(ground, np.float32)[:, None], np.asarray(sky, np.float32)[:, None]
    return low + (high - low) * blend
