"""The engine as the quality rows use it: one picture understood, and lit by a light that was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ..analysis.single_image import decompose
from ..images.image import Pixels
from ..prior.predictor import Prior, load_prior
from ..prior.weights_folder import WEIGHTS_FILE
from ..relight.compose import FrameLighting, relight
from ..relight.passes import DEFAULT_FOCAL, Passes
from ..relight.placement import PlacedPart, PlacedRigLight
from ..relight.shading import DirectionalLight, EnvironmentLight
from ..relight.shadows import ShadowSettings
from ..relight.shot_light import ShotLight, sh_irradiance_basis
from ..relight.view import View
from .real_objects import KnownLight
from .relight_quality import Understood
from .relight_scores import Mask


@dataclass(frozen=True)
class RelitSettings:
    """How passes are lit by one distant light and an even ambient. Chosen on the validation scenes.

    shadow, ambient_shadow: how much of the cast shadow and of the ambient's counts. softness: tangent of half
    the light's angle. thickness in depth units. specular: how much of the highlight. residual: how much of
    the plate's residual stays, at the brightness of the new shading.
    """

    shadow: float = 1.0
    ambient_shadow: float = 0.0
    softness: float = 0.02
    thickness: float = 0.1
    specular: float = 0.0
    residual: float = 0.0


SETTINGS = RelitSettings()


def shot_light_of(light: KnownLight) -> ShotLight:
    """The same light with its ambient as the constant term of the environment."""
    constant = float(sh_irradiance_basis(torch.tensor([0.0, 0.0, 1.0]))[0])
    environment = np.zeros((9, 3), np.float32)
    environment[0] = light.ambient / constant
    return ShotLight.of(light.direction.tolist(), light.colour.tolist(), environment.tolist())


def known_light_of(light: ShotLight) -> KnownLight:
    """The nearest distant light with an even ambient: the mean of the environment as a camera sees it lit."""
    sphere = torch.nn.functional.normalize(torch.tensor(_FACING), dim=-1)
    ambient = light.environment_shading(sphere).mean(0)
    return KnownLight(light.direction.numpy(), light.colour.numpy(), ambient.numpy())


_FACING = [[x, y, 1.0] for x in (-0.8, 0.0, 0.8) for y in (-0.8, 0.0, 0.8)]


def relit(
    plate: Pixels,
    passes: Passes,
    matte: Mask | None,
    old: ShotLight,
    new: ShotLight,
    focal: float | None,
    settings: RelitSettings = SETTINGS,
) -> Pixels:
    """The picture (H, W, 3) in `new` instead of `old`, by the same maths as `interpositive relight`."""
    if matte is not None:
        passes = replace(passes, depth=np.where(matte, passes.depth, np.inf).astype(np.float32))
    lighting = FrameLighting(_rig(new, settings), existing=(0.0, 0.0))
    view = View(passes.width, passes.height, focal)
    picture = relight(plate, passes, view, lighting, light_only=True, shadow_px=max(plate.shape)).result
    if settings.residual == 0:
        return picture
    normal = torch.from_numpy(np.ascontiguousarray(passes.normal))
    before, after = (light.shading(normal).numpy().mean(-1) for light in (old, new))
    gain = np.clip(after / np.maximum(before, 0.05 * before.mean() + 1e-9), 0, 2)[..., None]
    return np.asarray(picture + settings.residual * passes.residual * gain, np.float32)


def _rig(light: ShotLight, settings: RelitSettings) -> tuple[PlacedRigLight, ...]:
    x, y, z = (float(v) for v in light.direction)
    red, green, blue = (float(v) for v in light.colour)
    shadow = ShadowSettings(settings.softness, thickness=settings.thickness)
    spread = float(np.arctan(settings.softness))
    key = DirectionalLight((x, y, z), (red, green, blue), spread, specular=settings.specular)
    sky = EnvironmentLight(light.environment_sh, specular=settings.specular)
    return (
        PlacedRigLight("key", (PlacedPart(key, shadow, settings.shadow),)),
        PlacedRigLight("ambient", (PlacedPart(sky, shadow, settings.ambient_shadow),)),
    )


class Engine:
    """The shipped prior behind `Understand`. `working_px` None: what suits the prior best."""

    def __init__(
        self, settings: RelitSettings = SETTINGS, working_px: int | None = None, prior: Path | None = None
    ) -> None:
        self._settings = settings
        self._working_px = working_px
        self._folder = prior

    @cached_property
    def _prior(self) -> Prior:
        return load_prior(self._folder)

    @property
    def prior_sha256(self) -> str:
        """Of the prior's weights."""
        return str(self._prior.manifest["files"][WEIGHTS_FILE]["sha256"])

    def understand(self, picture: Pixels, matte: Mask, light: KnownLight | None) -> Understood:
        """Passes and light of one picture (H, W, 3), and the picture in another light."""
        within = None if matte.all() else matte.astype(np.float32)
        known = None if light is None else shot_light_of(light)
        passes, old = decompose(self._prior, picture, within, known, self._working_px)

        def relit_by(wanted: KnownLight) -> Pixels:
            new = shot_light_of(wanted)
            inside = None if within is None else matte
            return relit(picture, passes, inside, old, new, DEFAULT_FOCAL, self._settings)

        estimated = known_light_of(old) if light is None else light
        return Understood(passes.normal, passes.albedo, estimated, relit_by)
