"""A relit frame: result = existing + the sum of the lights, each of them a layer of its own.

`existing` is the plate, or the plate with other gains on the light that it has. The work is done in bands of
rows, so that memory does not grow with the number of lights; shadows are marched on a reduced raster and
brought up along edges. Where nothing is added the plate's bits stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..images.image import Pixels
from .passes import Passes
from .placement import PlacedPart, PlacedRigLight
from .shading import EnvironmentLight, Surface, light_radiance, towards_light
from .shadows import DepthField, ShadowSettings, cast_shadow
from .shot_light import ShotLight, sh_basis
from .upsampling import Raster, Upsampler
from .view import View

EXISTING = "existing"
_BAND_PIXELS = 64 * 1920
_CARD_BAND_PIXELS = 4096 * 2304
_OPENINGS = tuple((azimuth, 45.0) for azimuth in range(0, 360, 45))  # around the camera axis, off it
_OPENING_TANGENT = 0.7
_HALF_MAX = 65504.0


@dataclass(frozen=True)
class FrameLighting:
    """What is asked of one frame.

    existing: gains of the plate's key and of the rest of its light; other than equal ones need `shot_light`.
    strength: how much of all changes to apply. mattes: (H, W) of the lights that are linked to one, by the
    light's name. matte: (H, W) that limits all changes.
    """

    lights: tuple[PlacedRigLight, ...]
    existing: tuple[float, float] = (1.0, 1.0)
    shot_light: ShotLight | None = None
    strength: float = 1.0
    mattes: Mapping[str, Pixels] = field(default_factory=dict)
    matte: Pixels | None = None

    @property
    def changes_existing(self) -> bool:
        return self.existing != (1.0, 1.0)

    @property
    def is_empty(self) -> bool:
        """Whether the plate stays as it is."""
        lit = any(light.parts for light in self.lights)
        dark = self.strength == 0.0 or (self.matte is not None and not np.any(self.matte))
        return dark or not (lit or self.changes_existing)


@dataclass(frozen=True, eq=False)
class RelitFrame:
    """result (H, W, 3) scene-linear; `layers` by light name and "existing", if asked for; `lit` tells which
    lights added anything."""

    result: Pixels
    layers: dict[str, NDArray[Any]]
    lit: dict[str, bool]


def relight(
    plate: Pixels,
    passes: Passes,
    view: View,
    lighting: FrameLighting,
    *,
    layers: Literal["none", "float", "half"] = "none",
    light_only: bool = False,
    shadow_px: int = 384,
    device: str | torch.device = "cpu",
    between_bands: Callable[[], None] = lambda: None,
) -> RelitFrame:
    """Light one frame. plate (H, W, 3) float32 scene-linear, negatives, NaN and infinity kept.

    `light_only` gives the sum of the lights without the plate. `shadow_px`: samples of the shadow raster
    along the longer side. `layers` "half" rounds lights and result as a half file does; `existing` then
    takes up what that changes, so that the layers of the file still sum to its picture.
    """
    job = _Frame(plate, passes, view, lighting, torch.device(device), layers, light_only)
    with torch.inference_mode():
        job.prepare_shadows(shadow_px)
        rows = _band_rows(plate.shape[1], job.device)
        for top in range(0, plate.shape[0], rows):
            between_bands()
            job.light_band(top, min(top + rows, plate.shape[0]))
    return RelitFrame(job.result, job.layers, job.lit)


def light_sum(
    surface: Surface, parts: Sequence[PlacedPart], visibility: Mapping[int, Tensor]
) -> Tensor | None:
    """Radiance (3, h, w) of one artist light; `visibility` (h, w) by number of the part."""
    total = None
    for number, part in enumerate(parts):
        radiance = light_radiance(surface, part.light, visibility.get(number))
        total = radiance if total is None else total + radiance
    return total


def part_visibility(depth_field: DepthField, part: PlacedPart) -> Tensor:
    """(h, w) on the shadow raster: 1 where the light arrives whole."""
    if isinstance(part.light, EnvironmentLight):
        open_share = ambient_visibility(depth_field, part.light.harmonics, part.shadow)
    else:
        towards, distance = towards_light(part.light, depth_field.position)
        open_share = cast_shadow(depth_field, towards, distance, part.shadow)
    return open_share if part.shadow_strength == 1.0 else 1 - part.shadow_strength * (1 - open_share)


def ambient_visibility(depth_field: DepthField, harmonics: Tensor, settings: ShadowSettings) -> Tensor:
    """How much (h, w) of an environment arrives, from wide cones in a few directions, weighed by the light
    that comes from there."""
    total = weights = torch.zeros_like(depth_field.depth)
    wide = ShadowSettings(_OPENING_TANGENT, settings.bias, settings.thickness, min(settings.reach, 0.35))
    for around, off_axis in _OPENINGS:
        angle, tilt = math.radians(around), math.radians(off_axis)
        direction = torch.tensor(
            [math.cos(angle) * math.sin(tilt), math.sin(angle) * math.sin(tilt), math.cos(tilt)]
        ).to(depth_field.depth)
        radiance = (sh_basis(direction) @ harmonics.to(direction)).mean().clamp_min(0.0) + 1e-6
        towards = direction.reshape(3, 1, 1)
        weight = (depth_field.normal * towards).sum(0).clamp_min(0.0) * radiance
        total = total + weight * cast_shadow(depth_field, towards, None, wide)
        weights = weights + weight
    return torch.where(weights > 0, total / weights.clamp_min(1e-12), 1.0)


class _Frame:
    """One frame being lit."""

    def __init__(
        self,
        plate: Pixels,
        passes: Passes,
        view: View,
        lighting: FrameLighting,
        device: torch.device,
        layers: str,
        light_only: bool,
    ) -> None:
        self.plate, self.passes, self.view, self.lighting = plate, passes, view, lighting
        self.device, self.light_only = device, light_only
        self.result = np.empty(plate.shape, np.float32)
        names = [light.name for light in lighting.lights] + ([] if light_only else [EXISTING])
        self.half = layers == "half"
        self.layers: dict[str, NDArray[Any]] = {}
        if layers != "none":
            kind = np.float16 if self.half else np.float32
            self.layers = {n: np.zeros(plate.shape, np.float32 if n == EXISTING else kind) for n in names}
        self.lit = {light.name: False for light in lighting.lights}
        self.upsampler: Upsampler | None = None
        self.shadowed: dict[tuple[str, int], int] = {}

    def prepare_shadows(self, shadow_px: int) -> None:
        """March the shadows of all lights that cast one."""
        casting = [
            (light.name, number, part)
            for light in self.lighting.lights
            for number, part in enumerate(light.parts)
            if part.shadow_strength > 0.0
        ]
        if not casting:
            return
        raster = Raster.over(self.passes.height, self.passes.width, shadow_px)
        where = np.s_[raster.first :: raster.stride, raster.first :: raster.stride]
        depth = self._planes(self.passes.depth[where])[0]
        normal = _clean(self._planes(self.passes.normal[where]))
        depth_field = DepthField(depth, normal, self.view, raster.first, raster.stride)
        self.shadowed = {(name, number): k for k, (name, number, _) in enumerate(casting)}
        planes = torch.stack([part_visibility(depth_field, part) for _, _, part in casting])
        guide = _clean(self._planes(self.passes.albedo[where]))
        self.upsampler = Upsampler(raster, planes, depth_field.depth, guide)

    def light_band(self, top: int, bottom: int) -> None:
        """Fill rows top..bottom of the result and the layers."""
        rows = slice(top, bottom)
        plate = self._planes(self.plate[rows])
        weight = self._weight(rows)
        change = None
        if weight is None or bool(weight.any()):
            for name, radiance in self._radiances(rows, top):
                part = self._rounded(radiance if weight is None else radiance * weight)
                change = part if change is None else change + part
                self.lit[name] = self.lit[name] or bool(part.any())
                if name in self.layers:
                    self._store(self.layers[name], rows, part)
        existing = self._existing(rows, plate, weight)
        if self.light_only:
            self._store(self.result, rows, torch.zeros_like(plate) if change is None else change)
            return
        result = existing
        if change is not None:
            result = torch.where(change == 0, existing, self._rounded(existing + change))
        if EXISTING in self.layers:
            if change is not None and self.half:
                existing = torch.where((change == 0) | ~torch.isfinite(result), existing, result - change)
            self._store(self.layers[EXISTING], rows, existing)
        self._store(self.result, rows, result)

    def _rounded(self, values: Tensor) -> Tensor:
        """As a half file holds them, where layers are half."""
        if not self.half:
            return values
        held = values.clamp(-_HALF_MAX, _HALF_MAX).half().float()
        return torch.where(torch.isfinite(values), held, values)

    def _radiances(self, rows: slice, top: int) -> list[tuple[str, Tensor]]:
        lights = [light for light in self.lighting.lights if light.parts]
        if not lights:
            return []
        depth = self._planes(self.passes.depth[rows])[0]
        solid = torch.isfinite(depth) & (depth > 0)
        whole = bool(solid.all())
        depth = depth if whole else torch.where(solid, depth, 1.0)
        albedo = _clean(self._planes(self.passes.albedo[rows])).clamp_min(0.0)
        surface = Surface.of(
            torch.stack(self.view.positions(depth, top)),
            _clean(self._planes(self.passes.normal[rows])),
            albedo,
            _clean(self._planes(self.passes.roughness[rows])[0]).clamp(0.0, 1.0),
            orthographic=self.view.focal is None,
        )
        shadows = self.upsampler.band(depth, albedo, top) if self.upsampler is not None else None
        found = []
        for light in lights:
            visibility = {
                number: shadows[self.shadowed[light.name, number]]
                for number in range(len(light.parts))
                if shadows is not None and (light.name, number) in self.shadowed
            }
            radiance = light_sum(surface, light.parts, visibility)
            if radiance is None:
                continue
            matte = self.lighting.mattes.get(light.name)
            if matte is not None:
                radiance = radiance * _share(self._planes(matte[rows])[0], light.matte_invert)
            found.append((light.name, radiance if whole else torch.where(solid, radiance, 0.0)))
        return found

    def _weight(self, rows: slice) -> Tensor | None:
        """(h, w) or (1, 1) of strength and matte; None for all."""
        strength, matte = self.lighting.strength, self.lighting.matte
        if matte is not None:
            return _share(self._planes(matte[rows])[0], False) * strength
        return None if strength == 1.0 else torch.full((1, 1), strength, device=self.device)

    def _existing(self, rows: slice, plate: Tensor, weight: Tensor | None) -> Tensor:
        """The plate (3, h, w) with the gains on its own light."""
        key_gain, rest_gain = self.lighting.existing
        if not self.lighting.changes_existing:
            return plate
        gain: float | Tensor = rest_gain
        if key_gain != rest_gain and self.lighting.shot_light is not None:
            light = _on(self.lighting.shot_light, self.device)
            normal = _clean(self._planes(self.passes.normal[rows])).movedim(0, -1)
            visibility = _clean(self._planes(self.passes.visibility[rows])[0])
            key, rest = light.key_shading(normal, visibility), light.environment_shading(normal)
            share = (key / (key + rest).clamp_min(1e-8)).movedim(-1, 0)
            gain = rest_gain + (key_gain - rest_gain) * share
        change = plate * (gain - 1.0)
        if weight is not None:
            change = change * weight
        return torch.where(torch.isfinite(plate) & (change != 0), plate + change, plate)

    def _planes(self, array: Pixels) -> Tensor:
        """A copy (c, h, w) float32 on the device of (h, w) or (h, w, c)."""
        planes = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
        return torch.from_numpy(np.array(planes, np.float32, order="C")).to(self.device)

    def _store(self, target: NDArray[Any], rows: slice, planes: Tensor) -> None:
        target[rows] = planes.cpu().numpy().transpose(1, 2, 0)


def _clean(planes: Tensor) -> Tensor:
    """NaN and infinity as zero, in place: a pass with holes lights nothing there."""
    return planes.nan_to_num_(0.0, 0.0, 0.0)


def _share(matte: Tensor, invert: bool) -> Tensor:
    share = torch.nan_to_num(matte, 0.0, 1.0, 0.0).clamp(0.0, 1.0)
    return 1.0 - share if invert else share


def _on(light: ShotLight, device: torch.device) -> ShotLight:
    return ShotLight(light.direction.to(device), light.colour.to(device), light.environment_sh.to(device))


def _band_rows(width: int, device: torch.device) -> int:
    pixels = _BAND_PIXELS if device.type == "cpu" else _CARD_BAND_PIXELS
    return max(1, pixels // max(width, 1))
