"""The camera that passes were seen by: picture positions and depth to points in camera space.

Pinhole with `focal` in picture heights, or orthographic with none. Points are (x, y, z), x right, y up, z
towards the camera; a point of depth d lies at z = -d.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .passes import DEFAULT_FOCAL


@dataclass(frozen=True)
class View:
    """Lens and raster. `width` and `height` are the picture's (display window), in px; `origin_x`, `origin_y`
    the position in it of the top-left pixel of the passes (data window)."""

    width: int
    height: int
    focal: float | None = DEFAULT_FOCAL
    origin_x: int = 0
    origin_y: int = 0

    def offsets(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Right and up (in picture heights, from the middle) of pixel centres given by row and column of the
        passes."""
        right = (columns + (self.origin_x + 0.5 - self.width / 2)) / self.height
        up = (self.height / 2 - 0.5 - self.origin_y - rows) / self.height
        return right, up

    def positions(self, depth: Tensor, first_row: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """x, y, z of a band of depth (h, w) that starts at `first_row`."""
        device = depth.device
        rows = torch.arange(first_row, first_row + depth.shape[-2], device=device, dtype=torch.float32)
        columns = torch.arange(depth.shape[-1], device=device, dtype=torch.float32)
        right, up = self.offsets(rows[:, None], columns)
        if self.focal is None:
            return right.expand_as(depth), up.expand_as(depth), -depth
        return depth * (right / self.focal), depth * (up / self.focal), -depth
