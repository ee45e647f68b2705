"""The base prior: one picture in, what it is made of out - shape, albedo, shading, light.

    picture -> log shaper -> overlapping 8x8 windows every 4 px -> U-Net of residual blocks at strides 4 to 32
            -> 4x4 unfolded planes: normal, depth, albedo, shading, roughness, visibility
               pooled deepest maps: key light and environment

A known key light enters every block as a gain and an offset of its channels. Albedo starts from the picture's
own logarithm, so that what the network has to find is the light to take out. The normal is predicted as a
vector whose length is how sure it is: trained by least squares that length is the mean resultant length of
the directions that fit the picture, which `expected_lambert` turns into the shading to expect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

CELL_PX = 4  # pixels unfolded from one place of the last maps, per axis
STRIDE_PX = 32  # height and width of a picture are multiples of this
WINDOW_PX = 8  # of the first convolution
PLANES = {"normal": 3, "log_depth": 1, "albedo": 3, "shading": 3, "roughness": 1, "visibility": 1}
LIGHT_VALUES = 3 + 3 + 27  # key direction, key colour, environment SH 9x3
SHAPER_MEAN, SHAPER_SCALE = -1.9, 0.6  # bring log(picture + toe) to about -1..1
LEAST_LENGTH = 1e-4
NORM_EPSILON = 1e-4
DEPTH_UNIT_PX, FOCAL = 128, 1.5  # log_depth is log(1 + depth / FOCAL), depth in units of so many pixels


@dataclass(frozen=True)
class PriorNetworkConfig:
    """Shape of a `PriorNetwork`; a JSON object in the manifest."""

    widths: tuple[int, int, int, int] = (48, 96, 192, 224)  # channels at strides 4, 8, 16, 32
    stem: int = 64
    hidden: int = 96  # channels of the head
    light_units: int = 64
    toe: float = 0.01  # scene-linear level under which the shaper becomes linear

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of(document: Mapping[str, Any]) -> PriorNetworkConfig:
        return PriorNetworkConfig(**{**document, "widths": tuple(document["widths"])})


class PriorOutput(NamedTuple):
    """What the network says of a batch; float32.

    `normal` is unit vectors, camera space: x right, y up, z to the camera. `log_depth` is log(1 + d / 1.5)
    up to a constant, d the distance behind the object's middle in units of 128 px. `albedo` and `shading`
    multiply to about the picture. `visibility` is the key light's, 0..1. `confidence` 0..1 is the mean
    resultant length of the normal. `light` is key direction (unit), key colour (>= 0), and environment SH
    9x3 flattened, colour fastest.
    """

    normal: Tensor  # (N, 3, H, W)
    log_depth: Tensor  # (N, 1, H, W)
    albedo: Tensor  # (N, 3, H, W)
    shading: Tensor  # (N, 3, H, W)
    roughness: Tensor  # (N, 1, H, W)
    visibility: Tensor  # (N, 1, H, W)
    confidence: Tensor  # (N, 1, H, W)
    light: Tensor  # (N, 33)


# The graph's outputs; "light" is already an input.
ONNX_OUTPUTS = (*PriorOutput._fields[:-1], "shot_light")


class _Block(nn.Module):
    """x + conv(relu(conv(film(rms(x))))); RMS over channels: the same on any tile."""

    def __init__(self, channels: int, light_units: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = nn.Linear(light_units, 2 * channels)

    def forward(self, features: Tensor, light: Tensor) -> Tensor:
        gain, offset = self.film(light)[:, :, None, None].chunk(2, 1)  # (N, C, 1, 1)
        inner = torch.addcmul(offset, channel_rms(features), gain + 1.0)
        result: Tensor = features + self.second(F.relu(self.first(inner)))
        return result


class PriorNetwork(nn.Module):
    """See the module's docstring."""

    def __init__(self, config: PriorNetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PriorNetworkConfig()
        widths, units = config.widths, config.light_units
        self.light_in = nn.Linear(7, units)
        self.light_hidden = nn.Linear(units, units)
        self.stem = nn.Conv2d(5, config.stem, WINDOW_PX, CELL_PX, padding=(WINDOW_PX - CELL_PX) // 2)
        self.enter = nn.Conv2d(config.stem, widths[0], 1)
        self.encoder = nn.ModuleList(_Block(width, units) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairwise(widths))
        self.context_in = nn.Linear(2 * widths[3], widths[3])
        self.context_out = nn.Linear(widths[3], widths[3])
        self.light_out = nn.Linear(widths[3] + units, LIGHT_VALUES)
        self.deepest = _Block(widths[3], units)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.decoder = nn.ModuleList(_Block(width, units) for width in widths[:3])
        self.head = nn.Conv2d(widths[0], config.hidden, 1)
        self.head_stem = nn.Conv2d(config.stem, config.hidden, 1, bias=False)
        self.out = nn.Conv2d(config.hidden, CELL_PX**2 * sum(PLANES.values()), 1)
        self.reset()

    def reset(self) -> None:
        """He initialisation (He et al. 2015), half as large in a block's second layer; heads near zero."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias) if module.bias is not None else None
                if name.endswith("second"):
                    module.weight.data *= 0.5
                if name.endswith(("film", "context_out", "light_out", "out")):
                    module.weight.data *= 0.1
        bias = torch.zeros(sum(PLANES.values()), CELL_PX**2)
        bias[2] = 0.7  # normals face the camera
        bias[-1] = 1.0  # most of a picture is lit
        self.out.bias.data.copy_(bias.flatten())

    def forward(self, picture: Tensor, matte: Tensor, light: Tensor) -> PriorOutput:
        """`picture` (N, 3, H, W) scene-linear, exposed so that the matte's mean is about 0.2; `matte`
        (N, 1, H, W) 0..1, ones where unknown; `light` (N, 4) key direction and one, or four zeros.

        H and W are multiples of 32. Known lights come from the right: see `prior.orientation`.
        """
        log_picture = torch.log(picture.clamp_min(0.0) + self.config.toe)  # (N, 3, H, W)
        shaped = (log_picture - SHAPER_MEAN) * SHAPER_SCALE
        linear = picture.clamp(0.0, 2.0).mean(1, keepdim=True)
        stem = F.relu(self.stem(torch.cat([shaped, linear, matte], 1)))  # (N, stem, H/4, W/4)
        units = self.light_units(light)
        features, deep = self._features(stem, matte, units)
        hidden = F.relu(self.head(features) + self.head_stem(stem))
        planes = F.pixel_shuffle(self.out(hidden), CELL_PX)  # (N, 12, H, W)
        return _assembled(planes, log_picture, self.light_out(torch.cat([deep, units], 1)))

    def light_units(self, light: Tensor) -> Tensor:
        """(N, 4) -> (N, units)."""
        return F.relu(self.light_hidden(F.relu(self.light_in(light_features(light)))))

    def _features(self, stem: Tensor, matte: Tensor, light: Tensor) -> tuple[Tensor, Tensor]:
        """(N, widths[0], H/4, W/4) for the planes, (N, widths[3]) for the light."""
        features = self.enter(stem)
        skips = []
        for level, block in enumerate(self.encoder):
            if level:
                features = self.down[level - 1](features)
            features = block(features, light)
            skips.append(features)
        weight = F.avg_pool2d(matte, STRIDE_PX) + 1e-3  # (N, 1, H/32, W/32)
        mean = (features * weight).sum((2, 3)) / weight.sum((2, 3))
        deep = F.relu(self.context_in(torch.cat([mean, features.amax((2, 3))], 1)))
        features = self.deepest(features + self.context_out(deep)[:, :, None, None], light)
        for level in (2, 1, 0):
            larger = F.interpolate(self.up[level](features), scale_factor=2.0, mode="nearest")
            features = self.decoder[level](skips[level] + larger, light)
        return features, deep


def channel_rms(features: Tensor) -> Tensor:
    """Features brought to unit root mean square over the channels of each place."""
    return features * torch.rsqrt(features.square().mean(1, keepdim=True) + NORM_EPSILON)


def light_features(light: Tensor) -> Tensor:
    """(N, 4) -> (N, 7): direction, flag, and the products that a shading's derivative holds."""
    x, y, z, known = light.unbind(1)
    return torch.stack([x, y, z, known, x * y, x * z, y * z], 1)


def _assembled(planes: Tensor, log_picture: Tensor, light: Tensor) -> PriorOutput:
    vector, log_depth, log_albedo, log_shading, roughness, visibility = planes.split(list(PLANES.values()), 1)
    length = vector.square().sum(1, keepdim=True).sqrt().clamp_min(LEAST_LENGTH)
    direction = light[:, :3] / light[:, :3].square().sum(1, keepdim=True).sqrt().clamp_min(LEAST_LENGTH)
    return PriorOutput(
        normal=vector / length,
        log_depth=log_depth,
        albedo=torch.exp((log_picture + log_albedo + 1.0).clamp(-7.0, 3.0)),
        shading=torch.exp((log_shading - 1.0).clamp(-9.0, 5.0)),
        roughness=torch.sigmoid(roughness),
        visibility=torch.sigmoid(2.0 * visibility),
        confidence=torch.tanh(length),
        light=torch.cat([direction, F.softplus(light[:, 3:6]), light[:, 6:]], 1),
    )


def expected_lambert(cosine: Tensor, confidence: Tensor) -> Tensor:
    """E[max(n.l, 0)] where a normal is known up to its mean resultant length; shapes broadcast.

    `cosine` is n.l of the predicted unit normal. The true n.l is taken as normally distributed with mean
    confidence * cosine and the variance that the unit sphere leaves, (1 - confidence^2) / 3; the mean of its
    positive part is m Phi(m/s) + s phi(m/s). At confidence one this is Lambert's max(n.l, 0).
    """
    mean = confidence * cosine
    spread = ((1.0 - confidence.square()) / 3.0 + 1e-5).sqrt()
    ratio = mean / spread
    below = 0.5 * (1.0 + torch.erf(ratio * 2.0**-0.5))
    density = torch.exp(-0.5 * ratio.square()) * (2.0 * torch.pi) ** -0.5
    return mean * below + spread * density


def load_prior_network(config: Mapping[str, Any], weights: Path) -> PriorNetwork:
    """The network of a prior's manifest and safetensors (float16 or float32), float32 on the CPU."""
    network = PriorNetwork(PriorNetworkConfig.of(config))
    network.load_state_dict({name: t.float() for name, t in safetensors.torch.load_file(weights).items()})
    return network.eval()
