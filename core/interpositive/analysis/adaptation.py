"""The prior adapted to one shot, from the shot's own frames and no labels.

What is asked of the adapted network, on the working pictures of two frames that are some frames apart:

    re-rendering      albedo x light(normal) is the plate, for one light of the whole shot, which is learned
    too constancy         along the plate's motion the albedo of a surface does not change
    agreement         nor does its normal by more than the flow is wrong, nor its depth, up to one factor
    equivariance      a mirrored or enlarged look at a frame says the same
    memory            what the prior said is not forgotten: it is the only thing that knows shape

Two frames of one surface in two poses to the light say about its albedo what one frame cannot: the plate's
change is the shading's. The rest keeps the network from explaining texture by shape.
Adam: D. Kingma and J. Ba, ICLR 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import TrainingError
from ..models.prior_network import PriorNetwork, PriorOutput, expected_lambert
from ..prior.orientation import Orientation
from ..prior.predictor import Prepared, Prior, orientations, prepared
from ..progress import Progress
from ..relight.shot_light import ShotLight, sh_irradiance_basis
from .frame_store import FrameStore
from .lighting import fit_light, gather
from .prediction import Map, WorkingPasses, exposed, predict
from .shot import Knowledge, key_of, matte_at, spread_over
from .steadiness import motion_between

_LOG_TOE = 0.02
_STRIDES = (1, 2, 4, 8)  # frames between the two of a pair
_MOST_FRAMES = 24
_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class AdaptationSettings:
    """How much each demand counts, and how fast is learned."""

    rendering: float = 0.25
    constancy: float = 4.0
    agreement: float = 1.0
    mirrored: float = 0.5
    memory: float = 0.5
    rate: float = 2e-4
    light_rate: float = 5e-3
    warm_up: float = 0.1  # share of the steps


class AdaptedPrior:
    """A network of a shot, used as the prior is."""

    def __init__(self, network: PriorNetwork) -> None:
        self._network = network.eval()

    def run(self, look: Prepared) -> Mapping[str, Map]:
        inputs = (torch.from_numpy(array) for array in (look.picture, look.matte, look.light))
        with torch.no_grad():
            output = self._network(*inputs)
        return {name: values.numpy() for name, values in zip(PriorOutput._fields, output, strict=True)}


def adapted(
    prior: Prior,
    plates: FrameStore,
    mattes: FrameStore | None,
    gain: float,
    knowledge: Knowledge,
    steps: int,
    progress: Progress,
    settings: AdaptationSettings | None = None,
    seed: int = 0,
) -> AdaptedPrior:
    """The prior's network after `steps` on the shot's small `plates`. Raises TrainingError when it
    diverges."""
    settings = settings or AdaptationSettings()
    network = prior.network()
    known = knowledge.known_direction
    direction = key_of(prior, plates, mattes, gain) if known is None else known
    if known is None:  # a key that is only guessed is often far off, and shape would be bent to fit it
        settings = replace(settings, rendering=0.0)
    lessons = ShotLessons(prior, plates, mattes, gain, direction)
    groups = [
        {"params": list(network.parameters()), "lr": settings.rate},
        {"params": lessons.light_parameters(), "lr": settings.light_rate},
    ]
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.95))
    rates = [float(group["lr"]) for group in optimiser.param_groups]
    random = np.random.default_rng(seed)
    network.train()
    for step in range(steps):
        progress.report("adapting the prior", step, steps)
        pace = pace_at(step / steps, settings.warm_up)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * pace
        loss = lessons.loss(network, random, settings)
        if not torch.isfinite(loss):
            raise TrainingError("Adapting the prior to this shot diverged. Run again with --adapt off.")
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), _GRADIENT_NORM)
        optimiser.step()
    return AdaptedPrior(network)


class ShotLessons:
    """What a network is asked on pairs of frames of one shot; `adapted` and project models learn from it.

    `direction` (3,) is where the key comes from, measured or as the prior sees it.
    """

    def __init__(
        self, prior: Prior, plates: FrameStore, mattes: FrameStore | None, gain: float, direction: Map
    ) -> None:
        self._shot = _TurnedShot.of(prior, plates, mattes, gain, direction)
        self._light = _LearntLight(self._shot.light)

    def light_parameters(self) -> list[torch.nn.Parameter]:
        return list(self._light.parameters())

    def loss(
        self, network: PriorNetwork, random: np.random.Generator, settings: AdaptationSettings
    ) -> Tensor:
        """Of one pair, drawn by `random`."""
        return _loss(network, self._light, self._shot.draw(random), settings)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two frames. Tensors (2, C, H, W); `flow` and `trust` lead from the first to the second, (H, W, 2) px
    and (H, W); `before` is what the prior said of both."""

    picture: Tensor
    matte: Tensor
    light: Tensor
    flow: Tensor
    trust: Tensor
    before: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class _TurnedShot:
    """Some frames of the shot, turned so that the key comes from the right, exposed and padded."""

    looks: tuple[Prepared, ...]
    before: tuple[WorkingPasses, ...]
    light: ShotLight  # in exposed units
    _motions: dict[tuple[int, int], tuple[Tensor, Tensor]]

    @classmethod
    def of(
        cls, prior: Prior, plates: FrameStore, mattes: FrameStore | None, gain: float, direction: Map
    ) -> _TurnedShot:
        turn = orientations(direction, 1)[0]
        turned = np.asarray(turn.vectors(direction), np.float32)
        looks, before = [], []
        for k in _chosen(len(plates)):
            plate = _turned(plates.get(k), turn) * np.float32(gain)
            matte = matte_at(mattes, k)
            matte = None if matte is None else _turned(matte, turn)
            longest = max(plate.shape[:2])
            everywhere = np.ones(plate.shape[:2], np.float32)
            look = exposed(prepared(plate, everywhere, turned, longest, Orientation()), 1.0)
            if matte is not None:
                padded = np.zeros(look.matte.shape[2:], np.float32)
                padded[: matte.shape[0], : matte.shape[1]] = matte
                look.matte[0, 0] = padded
            looks.append(look)
            before.append(predict(prior, plate, 1.0, None, turned)[0])
        light = fit_light(gather(before), turned, keep_direction=True)
        return cls(tuple(looks), tuple(before), light, {})

    def draw(self, random: np.random.Generator) -> _Pair:
        """A pair of frames, some frames apart; of a one-frame shot the frame twice."""
        first = int(random.integers(len(self.looks)))
        strides = [s * sign for s in _STRIDES for sign in (1, -1) if 0 <= first + s * sign < len(self.looks)]
        second = first + int(random.choice(strides)) if strides else first
        flow, trust = self._motion(first, second)
        looks = [self.looks[first], self.looks[second]]

        def stacked(name: str) -> Tensor:
            return torch.cat(
                [torch.from_numpy(np.asarray(getattr(look, name), np.float32)) for look in looks]
            )

        frames = [self.before[first], self.before[second]]
        before = {
            name: torch.from_numpy(np.stack([_planes(getattr(passes, name)) for passes in frames]))
            for name in ("normal", "albedo", "shading", "depth", "visibility")
        }
        return _Pair(stacked("picture"), stacked("matte"), stacked("light"), flow, trust, before)

    def _motion(self, first: int, second: int) -> tuple[Tensor, Tensor]:
        if (first, second) not in self._motions:
            height, width = self.before[first].depth.shape
            here, there = (
                np.ascontiguousarray(self.looks[k].picture[0].transpose(1, 2, 0)[:height, :width])
                for k in (first, second)
            )
            flow, trust = motion_between(here, there)
            self._motions[first, second] = torch.from_numpy(flow), torch.from_numpy(trust)
        return self._motions[first, second]


class _LearntLight(torch.nn.Module):
    """The shot's light, whose colours may change while the prior adapts."""

    def __init__(self, light: ShotLight) -> None:
        super().__init__()
        self.direction = light.direction
        self.colour = torch.nn.Parameter(torch.log(light.colour.clamp_min(1e-3)))
        self.environment = torch.nn.Parameter(light.environment_sh.clone())

    def forward(self, normal: Tensor, confidence: Tensor, visibility: Tensor) -> Tensor:
        """Shading (N, 3, H, W) of normals (N, 3, H, W), confidence and visibility (N, 1, H, W)."""
        cosine = torch.einsum("nchw,c->nhw", normal, self.direction).unsqueeze(1)
        key = expected_lambert(cosine, confidence) * visibility * self.colour.exp()[None, :, None, None]
        basis = sh_irradiance_basis(normal.permute(0, 2, 3, 1))  # (N, H, W, 9)
        around = (basis @ self.environment).permute(0, 3, 1, 2)
        return key + around.clamp_min(1e-3)


def _loss(network: PriorNetwork, light: _LearntLight, pair: _Pair, settings: AdaptationSettings) -> Tensor:
    height, width = pair.trust.shape
    output = _cropped(network(pair.picture, pair.matte, pair.light), height, width)
    albedo = torch.log(output.albedo + _LOG_TOE)
    moved = _warped(torch.cat([albedo[1:], output.normal[1:]], 1), pair.flow)
    trust = pair.trust[None, None]
    total = trust.mean().clamp_min(1e-3)
    constancy = (trust * (albedo[:1] - moved[:, :3]).abs()).mean() / total
    agreement = (trust * (1 - (output.normal[:1] * moved[:, 3:]).sum(1, keepdim=True))).mean() / total
    loss = (
        settings.constancy * constancy
        + settings.agreement * agreement
        + settings.memory * _forgotten(output, pair.before)
    )
    if settings.rendering > 0:
        loss = loss + settings.rendering * _unlike_plate(light, output, pair.picture[..., :height, :width])
    if settings.mirrored > 0:
        loss = loss + settings.mirrored * _asymmetry(network, pair, output)
    return loss


def _unlike_plate(light: _LearntLight, output: PriorOutput, plate: Tensor) -> Tensor:
    """By how much the passes in the shot's one light differ from the plate, and their shading from the
    light's."""
    lit = light(output.normal, output.confidence, output.visibility)
    rendered = torch.log(output.albedo * lit + _LOG_TOE) - torch.log(plate + _LOG_TOE)
    shading = torch.log(output.shading + _LOG_TOE) - torch.log(lit + _LOG_TOE)
    return _robust(rendered) + _robust(shading)


def _forgotten(output: PriorOutput, before: Mapping[str, Tensor]) -> Tensor:
    """How far normals, albedo (up to a factor), depth and visibility have moved from the prior's."""
    normal = (1 - (output.normal * before["normal"]).sum(1)).mean()
    change = torch.log(output.albedo + _LOG_TOE) - torch.log(before["albedo"] + _LOG_TOE)
    albedo = _robust(change - change.mean((2, 3), keepdim=True))
    depth = output.log_depth - torch.log(before["depth"])
    depth = (depth - depth.mean((2, 3), keepdim=True)).abs().mean()
    visibility = (output.visibility - before["visibility"]).abs().mean()
    return 2 * normal + albedo + depth + 0.2 * visibility


def _asymmetry(network: PriorNetwork, pair: _Pair, output: PriorOutput) -> Tensor:
    """How much the first frame, turned upside down with its light, is seen differently."""
    upside = torch.tensor([1.0, -1.0, 1.0])
    height, width = pair.trust.shape
    picture, matte = (values[:1, :, :height].flip(2) for values in (pair.picture, pair.matte))
    rest = pair.picture.shape[2] - height
    picture, matte = (F.pad(values, (0, 0, 0, rest), mode="replicate") for values in (picture, matte))
    light = pair.light[:1] * torch.cat([upside, torch.ones(1)])
    other = _cropped(network(picture, matte, light), height, width)
    normal = other.normal.flip(2) * upside[None, :, None, None]
    albedo = torch.log(other.albedo.flip(2) + _LOG_TOE) - torch.log(output.albedo[:1] + _LOG_TOE)
    return (1 - (normal * output.normal[:1]).sum(1)).mean() + _robust(albedo)


def _robust(error: Tensor) -> Tensor:
    """Mean absolute error, smooth at zero."""
    return (error.square() + 1e-4).sqrt().mean()


def _warped(values: Tensor, flow: Tensor) -> Tensor:
    """Values (N, C, H, W) at each pixel's place plus `flow` (H, W, 2) px."""
    height, width = flow.shape[:2]
    x = (torch.arange(width)[None, :] + flow[..., 0] + 0.5) / width * 2 - 1
    y = (torch.arange(height)[:, None] + flow[..., 1] + 0.5) / height * 2 - 1
    grid = torch.stack([x, y], 2).expand(len(values), -1, -1, -1)
    return F.grid_sample(values, grid, padding_mode="border", align_corners=False)


def _cropped(output: PriorOutput, height: int, width: int) -> PriorOutput:
    """Without the padding; the light is left as it is."""
    planes = [values[..., :height, :width] for values in output[:-1]]
    return PriorOutput(*planes, output.light)  # type: ignore[call-arg]


def pace_at(share: float, warm_up: float) -> float:
    """Factor of the learning rate at a share of the steps: up in a line, down in a cosine."""
    if share < warm_up:
        return (share + 1e-2) / (warm_up + 1e-2)
    return 0.5 * (1 + float(np.cos(np.pi * (share - warm_up) / (1 - warm_up))))


def _chosen(count: int) -> list[int]:
    """The frames to learn from: all of a short shot, a run of neighbours in the middle of a long one's
    parts."""
    return list(range(count)) if count <= _MOST_FRAMES else spread_over(count, _MOST_FRAMES)


def _turned(planes: Map, turn: Orientation) -> Map:
    return np.ascontiguousarray(turn.picture(planes), np.float32)


def _planes(values: Map) -> Map:
    """(h, w) or (h, w, C) to (C, h, w)."""
    return np.ascontiguousarray(np.atleast_3d(values).transpose(2, 0, 1), np.float32)
