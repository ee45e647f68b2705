"""What the catalogue knows of one clip: facts, measures, and where they came from.

Everything here is a frozen dataclass of plain values, so that it goes into JSON as it is (`to_json`,
`from_json`); only the look vector is an array and is kept beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

Kind = Literal["images", "video"]
Checksum = Literal["verified", "failed", "not listed"]
Triple = tuple[float, float, float]


class _Jsonable:
    """A dataclass of plain values and tuples to a JSON object and back."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; arrays are left out."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if not isinstance(value, np.ndarray)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; lists become tuples. Raises TypeError for a name that is no field."""
        return cls(**{name: _plain(value) for name, value in values.items()})


def _plain(value: Any) -> Any:
    return tuple([_plain(item) for item in value]) if type(value) is list else value


@dataclass(frozen=True)
class Clip(_Jsonable):
    """One image sequence or video file. None, or empty text, is "not known".

    `path` is absolute and posix: the pattern with %04d of a sequence, or the file. Frames are inclusive; a
    video counts from its own first frame. `sources` names for each field where it was found.
    """

    name: str
    path: str
    kind: Kind
    first_frame: int
    last_frame: int
    missing: str = ""  # frame range text of the gaps
    fps: float | None = None
    timecode: str | None = None  # of the first frame; hh:mm:ss:ff, or hh:mm:ss;ff drop-frame
    reel: str | None = None
    scene: str | None = None
    take: str | None = None
    camera: str | None = None
    lens: str | None = None
    focal_mm: float | None = None
    iso: float | None = None
    white_balance_k: float | None = None
    tint: float | None = None
    colour_space: str | None = None  # declared or read
    width: int = 0
    height: int = 0
    bit_depth: str = ""  # as the file stores it: "half", "float", "uint10"
    persons: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    stamp: str = ""  # hash of the files' sizes and times; a different one means: look again
    mhl: Checksum | None = None
    problems: tuple[str, ...] = ()

    @property
    def frame_count(self) -> int:
        """From the first frame to the last, gaps included."""
        return self.last_frame - self.first_frame + 1


@dataclass(frozen=True)
class Measures(_Jsonable):
    """What was measured on a few sampled frames of a clip, in scene-linear ACEScg (AP1) unless it says so.

    `look` describes colour, tone and coarse layout: float32 (K,), unit length, the same K for every clip of
    a catalogue. The catalogue keeps it in 8 bits a value, which moves a similarity by less than 0.01.
    """

    frames: tuple[int, ...]  # that were sampled
    exposure_stops: float  # log2 of the trimmed mean luminance over 0.18
    neutral_rgb: Triple  # estimated illuminant, green 1
    mireds: float | None  # correlated colour temperature of `neutral_rgb`; None far from the Planckian locus
    contrast_stops: float  # 95th less 5th percentile of log2 luminance
    palette: tuple[tuple[float, float, float, float], ...] = ()  # (L, a, b, share), largest share first
    sharpness: float = 0.0
    noise: float = 0.0
    motion_px: float | None = None  # median flow at sampled neighbours; None for a single frame
    boundaries: tuple[int, ...] = ()  # frames at which another shot begins inside the clip
    key_direction: Triple | None = None  # unit vector towards the key light, x right, y up, z to the camera
    look: NDArray[np.float32] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Record:
    """A clip as the catalogue holds it; `Rights.may_train` says whether it may be learned from.

    `thumbnails` are paths relative to the project folder. `same_name` holds the paths of the other clips
    that have this one's name and timecode.
    """

    clip_id: int
    clip: Clip
    measures: Measures | None
    thumbnails: tuple[str, ...] = ()
    same_name: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """The clip's own problems, and that another clip has its name and timecode."""
        if not self.same_name:
            return self.clip.problems
        others = f"{len(self.same_name)} other clips have" if len(self.same_name) > 1 else "Another clip has"
        told = f"{others} this name and timecode: {self.same_name[0]}."
        return (*self.clip.problems, told)


@dataclass(frozen=True)
class Cdl(_Jsonable):
    """ASC CDL values as an edit decision list carries them."""

    slope: Triple = (1.0, 1.0, 1.0)
    offset: Triple = (0.0, 0.0, 0.0)
    power: Triple = (1.0, 1.0, 1.0)
    saturation: float = 1.0


@dataclass(frozen=True)
class Event:
    """One event of a timeline: a shot, and the piece of a clip that is cut into it.

    Timecodes are text as in `Clip`; out points are exclusive, as edit decision lists have them. `clip_id` is
    None where the clip is not in the catalogue.
    """

    timeline: str  # path of the EDL, OTIO or XML
    number: int  # from 1, in the order of the timeline
    shot: str
    clip_id: int | None = None
    reel: str | None = None
    source_in: str | None = None
    source_out: str | None = None
    record_in: str | None = None
    record_out: str | None = None
    fps: float | None = None
    scene: str | None = None
    cdl: Cdl | None = None
