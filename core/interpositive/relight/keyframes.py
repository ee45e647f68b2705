"""Values that change over a shot."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

Interpolation = Literal["linear", "smooth"]


@dataclass(frozen=True)
class Curve:
    """Values at frames; before the first and after the last frame they hold.

    Between two frames they change evenly ("linear"), or start and end at rest ("smooth": 3 t^2 - 2 t^3,
    which never overshoots).
    """

    frames: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    interpolation: Interpolation = "linear"

    @classmethod
    def constant(cls, *values: float) -> Curve:
        return cls((0.0,), (tuple(float(v) for v in values),))

    @property
    def is_constant(self) -> bool:
        return len(set(self.values)) == 1

    @property
    def first(self) -> tuple[float, ...]:
        """Where it starts."""
        return self.values[0]

    def at(self, frame: float) -> tuple[float, ...]:
        after = bisect_right(self.frames, frame)
        if after == 0 or after == len(self.frames):
            return self.values[max(after - 1, 0)]
        before = after - 1
        t = (frame - self.frames[before]) / (self.frames[after] - self.frames[before])
        if self.interpolation == "smooth":
            t = t * t * (3 - 2 * t)
        return tuple(a + (b - a) * t for a, b in zip(self.values[before], self.values[after], strict=True))


def read_curve(data: Any, size: int) -> Curve:
    """A value, [[frame, value], ...], or {"keys": [[frame, value], ...], "interpolation": "smooth"}.

    A value is a number (`size` 1) or a list of `size` numbers. Raises ValueError in words for an artist.
    """
    if isinstance(data, Curve):
        return data
    interpolation: Interpolation = "linear"
    if isinstance(data, dict):
        if set(data) - {"keys", "interpolation"} or "keys" not in data:
            raise ValueError(
                'keyframes are written {"keys": [[frame, value], ...], "interpolation": "smooth"}'
            )
        if data.get("interpolation", "linear") not in ("linear", "smooth"):
            raise ValueError("interpolation is linear or smooth")
        interpolation, data = data.get("interpolation", "linear"), data["keys"]
        if not _are_keys(data):
            raise ValueError("keys are a list of [frame, value]")
    if not _are_keys(data):
        return Curve((0.0,), (_value(data, size),))
    frames = tuple(float(key[0]) for key in data)
    if any(a >= b for a, b in pairwise(frames)):
        raise ValueError("the frames of keyframes must rise")
    return Curve(frames, tuple(_value(key[1], size) for key in data), interpolation)


def _are_keys(data: Any) -> bool:
    return (
        isinstance(data, list | tuple)
        and len(data) > 0
        and all(isinstance(key, list | tuple) and len(key) == 2 and _is_number(key[0]) for key in data)
    )


def _value(data: Any, size: int) -> tuple[float, ...]:
    values = (data,) if size == 1 else data
    if not isinstance(values, list | tuple) or len(values) != size or not all(map(_is_number, values)):
        wanted = "a number" if size == 1 else f"{size} numbers"
        raise ValueError(f"{data!r} is not {wanted}, nor keyframes [[frame, value], ...]")
    return tuple(float(value) for value in values)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and value == value
        and abs(value) != float("inf")
    )
