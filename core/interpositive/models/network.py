"""The shot network: one frame in, the artist's change of that frame out, in scene-linear light.

    plate -> log shaper -> 8x8 pixels folded into channels -> small residual U-Net with coordinates
          -> unfolded to one gain per pixel and channel -> plate + (|plate| + toe) * gain, inside the region

The last line is why values below zero and above one survive and why a gain of zero is the plate exactly:
nothing passes through an inverse curve. Everything, from shaper to composite, is inside the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

CELL_PX = 8  # pixels folded into channels, per axis
LEAST_GAIN = (
    2.0**-10
)  # a change smaller than this, the step of a half float, leaves a regional change's plate
_SHAPER_MEAN, _SHAPER_SCALE = -1.5, 0.5  # bring log(|plate| + toe) of a usual plate to about -1..1


@dataclass(frozen=True)
class ShotNetworkConfig:
    """Shape of a `ShotNetwork`; a JSON object in the manifest.

    The network takes RGB and `extra_inputs` further channels; it gives, in this order, RGB when
    `changes_rgb`, `matte_outputs` mattes (0..1) and `data_outputs` free channels.
    """

    changes_rgb: bool = True
    matte_outputs: int = 0
    data_outputs: int = 0
    extra_inputs: int = 0
    width: int = 32  # channels of the first level; the deeper ones have twice as many
    hidden: int = 96  # channels of the head, per cell
    levels: int = 3
    curve_units: int = 0  # hinges of the global colour curves; 0: none
    has_region: bool = False  # the change is confined to a learned region
    toe: float = 0.02  # scene-linear level under which the shaper becomes linear

    @property
    def inputs(self) -> int:
        return 3 + self.extra_inputs

    @property
    def outputs(self) -> int:
        return 3 * self.changes_rgb + self.matte_outputs + self.data_outputs

    @property
    def stride(self) -> int:
        """Height and width of the input are multiples of this, px."""
        return CELL_PX * 2 ** (self.levels - 1)

    @property
    def receptive_px(self) -> int:
        """How far beyond a block of the stride grid the input matters, px, on that grid.

        Followed from the last layer back to the plate, in cells of each level: up-sampling halves the
        distance, a 3x3 convolution adds one cell, one of stride two doubles it and adds one.
        """
        cells = 1  # the last 3x3 convolution, at the first level
        for _ in range(1, self.levels):
            cells = (cells + 1) // 2 + 1
        for _ in range(1, self.levels):
            cells = 2 * cells + 1 + 1
        return -(-cells * CELL_PX // self.stride) * self.stride

    @property
    def bytes_per_pixel(self) -> float:
        """Peak bytes of inference per pixel of the window: full planes and maps at the first level."""
        planes = 4 * self.inputs + 2 * self.outputs + 2 * self.curve_units + 8 * self.has_region
        cell_channels = 4 * self.width + 2 * self.hidden + CELL_PX**2 * self.heads
        return 4.0 * (planes + cell_channels / CELL_PX**2)

    @property
    def heads(self) -> int:
        """Planes that the last layer gives: the outputs, and the region's logit."""
        return self.outputs + self.has_region

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class ShotNetwork(nn.Module):
    """See the module's docstring. Starts as `closed_form` sets it: the last layer is zero before training."""

    def __init__(self, config: ShotNetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, levels = config.width, config.levels
        widths = [width] + [2 * width] * (levels - 1)
        pairs = list(pairwise(widths))
        cell = {"kernel_size": CELL_PX, "stride": CELL_PX}
        self.stem = nn.Conv2d(3, width, **cell)
        self.stem_place = nn.Conv2d(2, width, 1, bias=False)
        self.stem_extra = (
            nn.Conv2d(config.extra_inputs, width, bias=False, **cell) if config.extra_inputs else None
        )
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairs)
        self.deep = nn.ModuleList(nn.Conv2d(b, b, 3, padding=1) for _, b in pairs)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.merge = nn.ModuleList(nn.Conv2d(a, a, 3, padding=1) for a, _ in pairs)
        self.head = nn.Conv2d(width, config.hidden, 1)
        self.head_pixels = nn.Conv2d(3, config.hidden, bias=False, **cell)
        self.out = nn.Conv2d(config.hidden, CELL_PX**2 * config.heads, 1)
        # From each pixel of a cell to each gain of the cell: fine detail, which `hidden` is too narrow for.
        self.detail = nn.Conv2d(3, CELL_PX**2 * config.heads, bias=False, **cell)
        if config.curve_units:
            self.curves_in = nn.Conv2d(3, config.curve_units, 1)
            self.curves_out = nn.Conv2d(config.curve_units, 3, 1, bias=False)
        # What the extra inputs are brought to zero mean and unit deviation with.
        self.register_buffer("extra_mean", torch.zeros(1, config.extra_inputs, 1, 1))
        self.register_buffer("extra_scale", torch.ones(1, config.extra_inputs, 1, 1))
        # Logit above which a pixel belongs to the region; set when training ends.
        self.register_buffer("region_threshold", torch.tensor(-1e9))  # everywhere
        self.reset()

    def reset(self) -> None:
        """He initialisation (He et al. 2015); the last layer zero: training starts at the closed form."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.detail.weight)
        if self.config.curve_units:
            nn.init.zeros_(self.curves_out.weight)

    def forward(self, plate: Tensor, origin: Tensor, extent: Tensor) -> Tensor:
        """(N, C_in, H, W) scene-linear float32 -> (N, C_out, H, W).

        `origin` (N, 2) or (2,) is the window's top-left pixel (x, y) relative to the display window and
        `extent` (2,) the display window's (width, height), in px. H and W are multiples of `config.stride`.
        """
        heads, region = self.raw(plate, origin, extent)
        return self.composite(plate, heads, region)

    def raw(self, plate: Tensor, origin: Tensor, extent: Tensor) -> tuple[Tensor, Tensor | None]:
        """What training looks at: heads (N, C_out, H, W) - gains, matte logits, data - and region logits."""
        shaped = self.shape(plate[:, :3])  # (N, 3, H, W)
        hidden = self._hidden(plate, shaped, origin, extent)
        heads = F.pixel_shuffle(self.out(hidden) + _cells(self.detail, shaped), CELL_PX)  # (N, heads, H, W)
        region = heads[:, -1:] if self.config.has_region else None
        heads = heads[:, : self.config.outputs]
        if self.config.curve_units:
            heads = torch.cat([heads[:, :3] + self.curves(shaped), heads[:, 3:]], 1)
        return heads, region

    def curves(self, shaped: Tensor) -> Tensor:
        """The gain (N, 3, H, W) of the global colour curves."""
        bent: Tensor = self.curves_out(F.relu(self.curves_in(shaped)))
        return bent

    def start_gain(self, shaped: Tensor) -> Tensor:
        """The gain (N, 3, H, W) of an untrained network: what `closed_form` has put into it."""
        cells = _cells(self.detail, shaped) + self.out.bias[:, None, None]
        gain = F.pixel_shuffle(cells, CELL_PX)[:, :3]
        return gain + self.curves(shaped) if self.config.curve_units else gain

    def set_filter(self, kernel: Tensor, bias: Tensor) -> None:
        """Make `detail` a 3x3 filter of the shaped plate, and `bias` (3,) the last layer's.

        `kernel` is (3, 3, 3, 3): out, in, row, column. At the border of a cell its outermost pixel stands for
        the next cell's.
        """
        weight = torch.zeros(
            3, CELL_PX, CELL_PX, 3, CELL_PX, CELL_PX
        )  # out: channel, row, column; in: the same
        for row, column in product(range(CELL_PX), repeat=2):
            for down, right in product(range(3), repeat=2):
                source_row = min(max(row + down - 1, 0), CELL_PX - 1)
                source_column = min(max(column + right - 1, 0), CELL_PX - 1)
                weight[:, row, column, :, source_row, source_column] += kernel[:, :, down, right]
        outputs = 3 * CELL_PX**2
        with torch.no_grad():
            # The shaper's normalisation that `_cells` folds in is taken out again.
            self.detail.weight[:outputs] = weight.reshape(outputs, 3, CELL_PX, CELL_PX) / _SHAPER_SCALE
            unshifted = bias + _SHAPER_MEAN * kernel.sum((1, 2, 3))
            self.out.bias[:outputs] = unshifted.repeat_interleave(CELL_PX**2)

    def composite(self, plate: Tensor, heads: Tensor, region: Tensor | None) -> Tensor:
        """Heads put on the plate; outside the region the plate itself."""
        parts: list[Tensor] = []
        first = 0
        if self.config.changes_rgb:
            rgb, gain, first = plate[:, :3], heads[:, :3], 3
            changed = rgb + (rgb.abs() + self.config.toe) * gain
            if region is not None:
                inside = (region > self.region_threshold) & (gain.abs() > LEAST_GAIN)
                changed = torch.where(inside, changed, rgb)
            parts.append(changed)
        if self.config.matte_outputs:
            parts.append(torch.sigmoid(heads[:, first : first + self.config.matte_outputs]))
            first += self.config.matte_outputs
        if self.config.data_outputs:
            parts.append(heads[:, first:])
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]

    def shape(self, rgb: Tensor) -> Tensor:
        """The log shaper: natural log of |rgb| + toe."""
        return torch.log(rgb.abs() + self.config.toe)

    def cell_features(self, plate: Tensor, origin: Tensor, extent: Tensor) -> Tensor:
        """(N, width, H/8, W/8): what the network knows of each cell; `suggest-keyframes` compares these."""
        return self._features(plate, self.shape(plate[:, :3]), origin, extent)

    def hidden(self, plate: Tensor, origin: Tensor, extent: Tensor) -> Tensor:
        """(N, hidden, H/8, W/8): what the last layer turns into the heads of a cell."""
        return self._hidden(plate, self.shape(plate[:, :3]), origin, extent)

    def _hidden(self, plate: Tensor, shaped: Tensor, origin: Tensor, extent: Tensor) -> Tensor:
        features = self._features(plate, shaped, origin, extent)  # (N, width, H/8, W/8)
        return F.relu(self.head(features) + _cells(self.head_pixels, shaped))

    def _features(self, plate: Tensor, shaped: Tensor, origin: Tensor, extent: Tensor) -> Tensor:
        features = _cells(self.stem, shaped) + self.stem_place(self._places(plate, origin, extent))
        if self.stem_extra is not None:
            features = features + self.stem_extra((plate[:, 3:] - self.extra_mean) * self.extra_scale)
        features = F.relu(features)
        features = features + F.relu(self.first(features))
        skips = [features]
        for down, deep in zip(self.down, self.deep, strict=True):
            features = F.relu(down(features))
            features = features + F.relu(deep(features))
            skips.append(features)
        skips.pop()
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            features = skips.pop() + F.interpolate(up(features), scale_factor=2.0, mode="nearest")
            features = features + F.relu(merge(features))
        return features

    def _places(self, plate: Tensor, origin: Tensor, extent: Tensor) -> Tensor:
        """(N, 2, H/8, W/8): x and y of the cells' centres, -1..1 across the display window."""
        count, _, height, width = plate.shape
        origin = origin.reshape(-1, 2).expand(count, 2)
        planes = []
        for axis, size in ((0, width), (1, height)):
            centres = (
                torch.arange(size // CELL_PX, device=plate.device, dtype=plate.dtype) * CELL_PX + CELL_PX / 2
            )
            place = (origin[:, axis, None] + centres) / extent[axis] * 2 - 1  # (N, size/8)
            place = place[:, None, :] if axis == 0 else place[:, :, None]
            planes.append(place.expand(count, height // CELL_PX, width // CELL_PX))
        return torch.stack(planes, 1)


def load_network(config: Mapping[str, Any], weights: Path) -> ShotNetwork:
    """The network of a model folder: its manifest's `network` and its safetensors, on the CPU."""
    network = ShotNetwork(ShotNetworkConfig(**config))
    network.load_state_dict(safetensors.torch.load_file(weights))
    return network.eval()


def folded_cell_weights(conv: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a cell-sized convolution with the shaper's normalisation folded in."""
    weight = conv.weight * _SHAPER_SCALE
    bias = -_SHAPER_MEAN * weight.sum((1, 2, 3))
    return weight, bias if conv.bias is None else bias + conv.bias


def _cells(conv: nn.Conv2d, shaped: Tensor) -> Tensor:
    weight, bias = folded_cell_weights(conv)
    return F.conv2d(shaped, weight, bias, stride=CELL_PX)
