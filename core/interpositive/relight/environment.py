"""Lat-long environments: spherical harmonics of their light, and pictures of it.

A picture's middle is straight ahead of the camera (-z), its right half lies to the camera's right, its top
row is overhead. Rows are equal steps of elevation, so a row's pixels weigh by the cosine of its elevation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .reflection import alpha_of, ggx_distribution
from .shading import DirectionalLight, Triple
from .shot_light import ShotLight, sh_basis, sh_irradiance_basis

BLURRED_ROUGHNESS = (0.0, 1 / 3, 2 / 3, 1.0)
_SHARP_HEIGHT, _ANALYSIS_HEIGHT, _BLURRED_HEIGHT = 256, 64, 32
_SUN_REACH = math.radians(12)  # of the region that is taken for one light
_LEAST_SUN_SHARE = 0.2  # of all that lights a surface that faces it
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # ITU-R BT.709; only weighs directions


def latlong_directions(height: int, width: int, device: str | torch.device = "cpu") -> Tensor:
    """Unit vectors (height, width, 3) on camera axes of the middle of every pixel."""
    elevation = math.pi * (0.5 - (torch.arange(height, device=device) + 0.5) / height)
    azimuth = 2 * math.pi * ((torch.arange(width, device=device) + 0.5) / width - 0.5)
    up, flat = torch.sin(elevation)[:, None], torch.cos(elevation)[:, None]
    x, z = flat * torch.sin(azimuth), -flat * torch.cos(azimuth)
    return torch.stack([x, up.expand_as(x), z], dim=-1)


def latlong_solid_angles(height: int, width: int, device: str | torch.device = "cpu") -> Tensor:
    """Steradians (height, 1) of one pixel of each row; all pixels together are 4 pi."""
    edges = math.pi * (0.5 - torch.arange(height + 1, device=device, dtype=torch.float64) / height)
    bands = torch.sin(edges[:-1]) - torch.sin(edges[1:])
    return (bands * (2 * math.pi / width)).float()[:, None]


def project_sh(radiance: Tensor) -> Tensor:
    """Coefficients (9, 3) of a lat-long picture of radiance (height, width, 3)."""
    height, width = radiance.shape[:2]
    basis = sh_basis(latlong_directions(height, width, radiance.device))
    weight = basis * latlong_solid_angles(height, width, radiance.device).unsqueeze(-1)
    return torch.einsum("hwk,hwc->kc", weight, radiance)


def sh_latlong(coefficients: Tensor, height: int) -> Tensor:
    """The picture (height, 2 * height, 3) of the radiance of coefficients (9, 3); not below zero."""
    basis = sh_basis(latlong_directions(height, 2 * height, coefficients.device))
    return (basis @ coefficients).clamp_min(0.0)


@dataclass(frozen=True)
class BadSamples:
    """What was wrong with a picture of an environment."""

    infinite: int
    nan: int
    negative: int

    @property
    def count(self) -> int:
        return self.infinite + self.nan + self.negative


def repaired(radiance: Tensor) -> tuple[Tensor, BadSamples]:
    """Radiance (h, w, 3) that can be summed: infinity becomes the largest finite value, NaN and negatives
    zero."""
    nan, infinite = torch.isnan(radiance), torch.isinf(radiance)
    finite = radiance[~(nan | infinite)]
    largest = float(finite.max()) if finite.numel() else 1.0
    bad = BadSamples(int((infinite & (radiance > 0)).sum()), int(nan.sum()), int((radiance < 0).sum()))
    return torch.nan_to_num(radiance, 0.0, max(largest, 0.0), 0.0).clamp_min(0.0), bad


@dataclass(frozen=True, eq=False)
class Environment:
    """A lat-long picture made ready to light with, on its own axes (not rotated).

    harmonics (9, 3) of everything but the sun; `sun` a directional light, or none where no small part of the
    picture stands out; `blurred` (3, h, w) pictures for the roughness in `BLURRED_ROUGHNESS`, with the sun.
    `level`: the brightest mean shading that it gives to any side of a white ball.
    """

    harmonics: Tensor
    sun: DirectionalLight | None
    blurred: tuple[Tensor, ...]
    level: float

    @classmethod
    def of(cls, radiance: Tensor, split_sun: bool = True) -> Environment:
        """From radiance (h, w, 3), finite and not negative."""
        picture = radiance.movedim(-1, 0)[None]
        sharp = functional.adaptive_avg_pool2d(
            picture, (min(_SHARP_HEIGHT, radiance.shape[0]), min(2 * _SHARP_HEIGHT, radiance.shape[1]))
        )
        small = functional.adaptive_avg_pool2d(sharp, (_ANALYSIS_HEIGHT, 2 * _ANALYSIS_HEIGHT))[0].movedim(
            0, -1
        )
        sun, rest = _split_sun(small) if split_sun else (None, small)
        harmonics = project_sh(rest)
        blurred = [_convolved(rest, roughness) for roughness in BLURRED_ROUGHNESS[1:]]
        mirror = sharp[0] if sun is None else _without_sun(sharp[0], rest)
        return cls(harmonics, sun, (mirror, *blurred), _level(harmonics, sun))


def harmonic_environment(harmonics: Sequence[Triple]) -> Environment:
    """An environment of which only the harmonics are known."""
    coefficients = torch.tensor(harmonics, dtype=torch.float32)
    return Environment(coefficients, None, (), _level(coefficients, None))


def rotation_matrix(degrees: float) -> Tensor:
    """Turns the surroundings about the vertical: what was ahead of the camera moves to its right."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.tensor([[cosine, 0.0, -sine], [0.0, 1.0, 0.0], [sine, 0.0, cosine]])


def rotated_sh(coefficients: Tensor, turn: Tensor) -> Tensor:
    """Coefficients (9, 3) of the same light turned by a rotation matrix (3, 3).

    Solved at directions that the basis tells apart; exact, as rotation stays within a band.
    """
    if bool((turn == torch.eye(3).to(turn)).all()):
        return coefficients
    points = latlong_directions(8, 16).reshape(-1, 3).double()
    values = sh_basis(points @ turn.to(points)) @ coefficients.to(points)  # the light seen from turned points
    return torch.linalg.lstsq(sh_basis(points), values).solution.to(coefficients)


def _split_sun(radiance: Tensor) -> tuple[DirectionalLight | None, Tensor]:
    """The one small bright light of (h, w, 3), and the picture without it."""
    height, width = radiance.shape[:2]
    directions, solid = latlong_directions(height, width), latlong_solid_angles(height, width)
    luminance = radiance @ radiance.new_tensor(_LUMINANCE)
    brightest = int((luminance * solid / solid.max()).argmax())
    centre = directions.reshape(-1, 3)[brightest]
    for _ in range(3):  # to the middle of what is bright around there
        near = (directions @ centre) > math.cos(_SUN_REACH)
        weight = torch.where(near, luminance.square() * solid, 0.0)
        centre = functional.normalize((directions * weight[..., None]).sum((0, 1)), dim=0)
    angle = torch.acos((directions @ centre).clamp(-1.0, 1.0))
    inside, ring = angle < _SUN_REACH, (angle >= _SUN_REACH) & (angle < 2 * _SUN_REACH)
    around = radiance[ring].median(0).values if bool(ring.any()) else radiance.new_zeros(3)
    excess = torch.where(inside[..., None], (radiance - around).clamp_min(0.0), 0.0)
    colour = (excess * solid[..., None]).sum((0, 1)) / math.pi
    rest = radiance - excess
    facing = (sh_irradiance_basis(centre) @ project_sh(rest)).clamp_min(0.0)
    share = float(colour.sum() / (colour + facing).sum().clamp_min(1e-12))
    if share < _LEAST_SUN_SHARE:
        return None, radiance
    weight = excess.sum(-1) * solid
    spread = float(torch.sqrt((angle.square() * weight).sum() / weight.sum())) * math.sqrt(2)
    towards, rgb = centre.tolist(), colour.tolist()
    sun = DirectionalLight((towards[0], towards[1], towards[2]), (rgb[0], rgb[1], rgb[2]), spread)
    return sun, rest


def _without_sun(sharp: Tensor, rest: Tensor) -> Tensor:
    """The sharp picture (3, h, w) held at the smooth picture (h', w', 3) without its sun."""
    ceiling = functional.interpolate(rest.movedim(-1, 0)[None], sharp.shape[1:], mode="bilinear")[0]
    widened = functional.max_pool2d(ceiling, 5, stride=1, padding=2)
    return torch.minimum(sharp, widened * 2)


def _convolved(radiance: Tensor, roughness: float) -> Tensor:
    """(3, h, w) of what a GGX lobe of a roughness sees of (H, W, 3), mirrored straight on (n = v = r)."""
    height, width = radiance.shape[:2]
    weight = latlong_solid_angles(height, width).expand(height, width).reshape(-1)
    sources = latlong_directions(height, width).reshape(-1, 3)
    colours = radiance.reshape(-1, 3)
    rows = []
    alpha = alpha_of(torch.tensor(roughness))
    for targets in latlong_directions(_BLURRED_HEIGHT, 2 * _BLURRED_HEIGHT):
        cosine = targets @ sources.T  # (w', H * W)
        n_h = torch.sqrt(((1 + cosine) * 0.5).clamp(0.0, 1.0))
        lobe = ggx_distribution(n_h, alpha) * cosine.clamp_min(0.0) * weight
        rows.append((lobe @ colours) / lobe.sum(1, keepdim=True).clamp_min(1e-12))
    return torch.stack(rows).movedim(-1, 0).contiguous()


def _level(harmonics: Tensor, sun: DirectionalLight | None) -> float:
    towards, colour = ((0.0, 0.0, 1.0), (0.0, 0.0, 0.0)) if sun is None else (sun.direction, sun.colour)
    both = ShotLight(torch.tensor(towards), torch.tensor(colour), harmonics)
    return float(both.shading(latlong_directions(16, 32)).mean(-1).max())
