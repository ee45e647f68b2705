"""Quarter turns and mirrors of pictures and of what points somewhere in them. numpy.

A picture of a scene and its light, turned together, is again a picture of a scene and its light. So the
network only ever learns known lights from the right: the picture is turned first, and the answer turned back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

# What a counter-clockwise quarter turn, (x, y) -> (-y, x), and a vertical mirror do to the nine coefficients
# of a real SH function: coefficient k becomes _SIGN[k] times coefficient _FROM[k].
_TURN_FROM, _TURN_SIGN = (0, 3, 2, 1, 4, 7, 6, 5, 8), (1, 1, 1, -1, -1, 1, 1, -1, -1)
_MIRROR_SIGN = (1, -1, 1, 1, -1, -1, 1, 1, 1)


@dataclass(frozen=True)
class Orientation:
    """`quarter_turns` counter-clockwise, then, if `mirrored`, up and down exchanged."""

    quarter_turns: int = 0
    mirrored: bool = False

    @property
    def inverse(self) -> Orientation:
        """What brings everything back."""
        turns = self.quarter_turns if self.mirrored else -self.quarter_turns
        return Orientation(turns % 4, self.mirrored)

    def picture(self, planes: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """(H, W, ...) moved; a view."""
        moved = np.rot90(planes, self.quarter_turns)
        return moved[::-1] if self.mirrored else moved

    def vectors(self, vectors: Array) -> Array:
        """Directions (..., 3) changed accordingly; pixels stay where they are."""
        x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
        for _ in range(self.quarter_turns % 4):
            x, y = -y, x
        return np.stack([x, -y if self.mirrored else y, z], -1)

    def environment(self, coefficients: Array) -> Array:
        """SH coefficients (9, ...), in the order of `relight.shot_light`, changed accordingly."""
        for _ in range(self.quarter_turns % 4):
            coefficients = _signed(coefficients[list(_TURN_FROM)], _TURN_SIGN)
        return _signed(coefficients, _MIRROR_SIGN) if self.mirrored else coefficients


def light_from_right(direction: npt.ArrayLike) -> Orientation:
    """The turn after which a light (3,) comes from within 45 degrees of the picture's right."""
    x, y = np.asarray(direction, float)[:2]
    return Orientation(-round(math.atan2(y, x) / (math.pi / 2)) % 4)


def _signed(coefficients: Array, signs: tuple[int, ...]) -> Array:
    return coefficients * np.asarray(signs, np.float32).reshape(9, *[1] * (coefficients.ndim - 1))
