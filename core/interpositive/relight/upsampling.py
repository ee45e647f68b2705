"""From the reduced shadow raster back to the plate, along the plate's edges.

Where the depth is smooth, visibility is interpolated linearly. Where it jumps, each pixel takes the mean of
the samples around it weighted by how close they are in depth and in colour: joint bilateral upsampling
(Kopf, Cohen, Lischinski and Uyttendaele, ACM TOG 26(3), 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_JUMP = 0.02  # of the disparity, between neighbouring samples beyond their slope
_COLOUR_SCALE = 0.1
_DEPTH_SCALE = 0.01
_RUN = 14  # samples interpolated by one product


@dataclass(frozen=True, eq=False)
class Raster:
    """Samples (h, w) of a full raster: every `stride`-th pixel from `first`, the middles of cells."""

    first: int
    stride: int
    height: int
    width: int

    @classmethod
    def over(cls, height: int, width: int, long_side_px: int) -> Raster:
        """The longer side has at most `long_side_px` samples."""
        stride = max(1, -(-max(height, width) // max(long_side_px, 1)))
        first = min((stride - 1) // 2, height - 1, width - 1)
        return cls(first, stride, len(range(first, height, stride)), len(range(first, width, stride)))

    def sample(self, planes: Tensor) -> Tensor:
        """The samples (..., h, w) of full planes (..., H, W)."""
        return planes[..., self.first :: self.stride, self.first :: self.stride].contiguous()


class Upsampler:
    """Brings planes of one raster to bands of the full one; the edges are found once for all planes."""

    def __init__(self, raster: Raster, planes: Tensor, depth: Tensor, guide: Tensor) -> None:
        """`planes` (n, h, w) to bring up; depth (h, w) and guide (3, h, w), like albedo, at the samples."""
        self._raster, self._planes = raster, planes
        samples = torch.cat([planes, depth[None], guide])
        # A rim of one sample, so that every pixel has 3 x 3 of them around it.
        self._samples = (
            functional.pad(samples[None], (1, 1, 1, 1), mode="replicate")[0].flatten(1).T.contiguous()
        )
        self._jumps = _jumps(depth)
        self._spread = _spread(raster).to(planes)

    def band(self, depth: Tensor, guide: Tensor, first_row: int) -> Tensor:
        """The planes (n, rows, W) on the rows from `first_row`; full depth (rows, W), guide (3, rows, W)."""
        smooth = self._linear(first_row, depth.shape[0], depth.shape[1])
        row, column = self._edge_pixels(first_row, *depth.shape)
        if row.numel() == 0:
            return smooth
        edges = self._weighted(depth[row, column], guide[:, row, column], row + first_row, column)
        every = torch.arange(len(smooth), device=smooth.device)[:, None]
        return smooth.index_put((every, row[None], column[None]), edges)

    def _linear(self, first_row: int, rows: int, width: int) -> Tensor:
        """Linear interpolation. Along rows it is a product with a small matrix, the same for every run of
        `_RUN` samples, which is several times faster than gathering."""
        raster, planes = self._raster, self._planes
        if raster.stride == 1:
            return planes[:, first_row : first_row + rows]
        place = torch.arange(first_row, first_row + rows, device=planes.device) - raster.first
        place = (place / raster.stride).clamp(0, raster.height - 1)
        low = place.floor().long()
        high = (low + 1).clamp_max(raster.height - 1)
        share = (place - low)[:, None]
        tall = torch.lerp(planes.index_select(1, low), planes.index_select(1, high), share)  # (n, rows, w)
        runs = -(-raster.width // _RUN)
        padded = functional.pad(tall, (1, runs * _RUN + 1 - raster.width), mode="replicate")
        pieces = padded.unfold(2, _RUN + 2, _RUN)  # (n, rows, runs, _RUN + 2)
        wide = (pieces @ self._spread).flatten(2)
        if wide.shape[2] < width:  # the last cells are cut off, with no sample of their own
            wide = functional.pad(wide, (0, width - wide.shape[2]), mode="replicate")
        return wide[..., :width]

    def _edge_pixels(self, first_row: int, rows: int, width: int) -> tuple[Tensor, Tensor]:
        """Row within the band and column of the pixels in cells next to a jump."""
        stride = self._raster.stride
        top, bottom = first_row // stride, min(-(-(first_row + rows) // stride), self._raster.height)
        cell_row, cell_column = torch.nonzero(self._jumps[top:bottom], as_tuple=True)
        within = torch.arange(stride, device=cell_row.device)
        row = ((cell_row + top) * stride - first_row)[:, None, None] + within[:, None]
        column = (cell_column * stride)[:, None, None] + within
        row, column = (part.expand(-1, stride, stride).flatten() for part in (row, column))
        kept = torch.nonzero((row >= 0) & (row < rows) & (column < width)).squeeze(1)
        return row[kept], column[kept]

    def _weighted(self, depth: Tensor, guide: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """(n, k) for k pixels of the full raster, from 3 x 3 samples."""
        raster, count = self._raster, len(self._planes)
        place_row = ((row - raster.first) / raster.stride).clamp(0, raster.height - 1)
        place_column = ((column - raster.first) / raster.stride).clamp(0, raster.width - 1)
        near_row, near_column = place_row.round(), place_column.round()
        index = (near_row * (raster.width + 2) + near_column).long()  # the sample above and left, in the rim
        depth_scale = 1 / (depth * _DEPTH_SCALE).clamp_min(1e-6)
        total, weights = torch.zeros(len(row), count, device=depth.device), depth.new_zeros(())
        target = guide.T
        for dy in range(3):
            for dx in range(3):
                found = self._samples.index_select(0, index + (dy * (raster.width + 2) + dx))  # (k, n + 4)
                away = (near_row + (dy - 1) - place_row).square() + (
                    near_column + (dx - 1) - place_column
                ).square()
                step = ((found[:, count] - depth) * depth_scale).square()
                colour = (found[:, count + 1 :] - target).square().sum(1) / _COLOUR_SCALE**2
                weight = torch.exp(-away) / ((1 + step).square() * (1 + colour)) + 1e-12
                total, weights = total + found[:, :count] * weight[:, None], weights + weight
        return (total / weights[:, None]).T


def _spread(raster: Raster) -> Tensor:
    """(_RUN + 2, _RUN * stride): what each of a run's samples, and one on either side, gives its pixels."""
    place = torch.arange(_RUN * raster.stride, dtype=torch.float32)
    place = (place - raster.first) / raster.stride + 1  # the sample before the run is number 0
    return (1 - (place - torch.arange(_RUN + 2)[:, None]).abs()).clamp_min(0.0)


def _jumps(depth: Tensor) -> Tensor:
    """Samples (h, w) beside a jump of depth: what a plane through opposite neighbours does not explain."""
    key = 1 / depth
    padded = functional.pad(key[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    height, width = depth.shape
    bend = torch.zeros_like(key)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        before = padded[1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        after = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        bend = torch.maximum(bend, (before + after - 2 * key).abs())
    return bend > _JUMP * key
