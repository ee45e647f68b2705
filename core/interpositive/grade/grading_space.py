"""The space that a CDL is applied in, and the way there from scene-linear pixels and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ColourSpaceError
from ..images.colour import PlateColour, config, convert, picture_space, space_name
from ..images.image import Pixels

LOG_SPACE = "ACEScct"
LINEAR = "linear"  # the plate's own scene-linear values


@dataclass(frozen=True)
class GradingSpace:
    """`name` is a space of the colour config, or "linear"; `working_space` the config space of the
    scene-linear pixels that `encode` takes and `decode` gives."""

    name: str
    working_space: str

    @classmethod
    def of(cls, name: str | None = None, working_space: str = "ACEScg") -> GradingSpace:
        """By name; None is the config's grading space: ACEScct, else its role color_timing.

        Raises ColourSpaceError for an unknown space, or where the config has no log space to grade in.
        """
        working = space_name(working_space)
        if name is not None and name.lower() == LINEAR:
            return cls(LINEAR, working)
        return cls(space_name(name) if name is not None else _log_space(), working)

    @classmethod
    def for_plate(cls, name: str | None, colour: PlateColour) -> GradingSpace:
        """For the working pixels of a plate."""
        return cls.of(name, picture_space(colour))

    @property
    def is_linear(self) -> bool:
        """Whether the CDL multiplies light rather than moving log values."""
        return self.name == LINEAR

    @property
    def matching(self) -> GradingSpace:
        """The log space in which colours are compared, whatever the CDL is applied in."""
        return GradingSpace(_log_space(), self.working_space) if self.is_linear else self

    @property
    def described(self) -> str:
        """What a file says of it."""
        return f"{self.working_space} (scene-linear)" if self.is_linear else self.name

    def encode(self, pixels: Pixels) -> Pixels:
        """Scene-linear (H, W, 3) to the space of the CDL, a new array; NaN and infinity become numbers."""
        finite = np.nan_to_num(pixels, nan=0.0, posinf=65504.0, neginf=-65504.0).astype(np.float32)
        return finite if self.is_linear else convert(finite, self.working_space, self.name)

    def decode(self, encoded: Pixels) -> Pixels:
        """The inverse of `encode`."""
        if self.is_linear:
            return np.array(encoded, np.float32)
        return convert(np.asarray(encoded, np.float32), self.name, self.working_space)


def _log_space() -> str:
    loaded = config()
    for name in (LOG_SPACE, "color_timing", "compositing_log"):
        space = loaded.getColorSpace(name)
        if space is not None:
            return str(space.getName())
    raise ColourSpaceError(
        "The config $OCIO has neither ACEScct nor a color_timing role. Name the space of the CDL with "
        "--cdl-space, or unset $OCIO."
    )
