"""A pinhole camera on the stage: x right, y up, looking along -z in its own axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .shading import Colour
from .shapes import Array


@dataclass(frozen=True)
class Camera:
    """Where the camera stands, what it looks at, and the lens; `roll_deg` turns it about its axis."""

    position: Colour
    target: Colour
    roll_deg: float
    focal_mm: float
    sensor_width_mm: float
    width: int
    height: int

    @property
    def pixel_angle(self) -> float:
        """Angle in radians that one pixel covers at the middle of the picture."""
        return self.sensor_width_mm / (self.focal_mm * self.width)

    def axes(self) -> Array:
        """Camera right, up and backward as columns (3, 3) in stage axes."""
        backward = np.asarray(self.position, np.float64) - np.asarray(self.target, np.float64)
        backward /= np.linalg.norm(backward)
        right = np.cross([0.0, 1.0, 0.0], backward)
        right /= np.linalg.norm(right)
        up = np.cross(backward, right)
        roll = np.radians(self.roll_deg)
        turned_right = np.cos(roll) * right + np.sin(roll) * up
        turned_up = np.cos(roll) * up - np.sin(roll) * right
        return np.stack([turned_right, turned_up, backward], axis=1).astype(np.float32)

    def rays(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Origins and unit directions (3, N) through picture positions in px from the top-left corner."""
        along_x = (x - np.float32(self.width / 2)) * np.float32(self.pixel_angle)
        along_y = (np.float32(self.height / 2) - y) * np.float32(self.pixel_angle)
        local = np.stack([along_x, along_y, np.full_like(along_x, -1)])
        local /= np.sqrt((local * local).sum(axis=0))
        origin = np.repeat(np.asarray(self.position, np.float32)[:, None], x.size, axis=1)
        return origin, self.axes() @ local

    def world_to_camera(self) -> tuple[float, ...]:
        """The 4 x 4 matrix of OpenEXR's `worldToCamera`, row vectors, row by row; the camera looks along
        +z there."""
        right, up, backward = self.axes().T.astype(np.float64)
        rotation = np.stack([right, up, -backward], axis=1)
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        matrix[3, :3] = -np.asarray(self.position) @ rotation
        return tuple(float(v) for v in matrix.ravel())
