"""Timecode, exactly: text, rates and the packed words of headers. The arithmetic is OpenTimelineIO's.

Drop-frame is written hh:mm:ss;ff (SMPTE ST 12-1); a timecode that a rate does not have is an error and is
never shifted to one that it has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from opentimelineio.opentime import RationalTime, from_timecode

from ..errors import PlateError

_TEXT = re.compile(r"\d{1,2}[:;]\d{2}[:;]\d{2}[:;.,]\d{2}")
_RATE_TOLERANCE = 0.02  # "23.98" is 24000/1001
DROP_BASES = (30, 60)  # rounded rates that have drop-frame numbers


def exact_rate(fps: float) -> float:
    """23.98 as 24000/1001, 29.97 as 30000/1001; a rate that timecode does not know stays what it is."""
    nearest = float(RationalTime.nearest_smpte_timecode_rate(fps))
    return nearest if abs(nearest - fps) < _RATE_TOLERANCE else fps


def is_drop(timecode: str) -> bool:
    """Whether it is written as drop-frame."""
    return ";" in timecode or "," in timecode


def tidy(text: str) -> str | None:
    """`text` as hh:mm:ss:ff or hh:mm:ss;ff, or None where it is no timecode."""
    text = text.strip()
    if _TEXT.fullmatch(text) is None:
        return None
    fields = [int(field) for field in re.split(r"[:;.,]", text)]
    hours, minutes, seconds, frames = fields
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if is_drop(text) else ':'}{frames:02d}"


def to_time(timecode: str, fps: float) -> RationalTime:
    """Frames since midnight. Raises PlateError for a timecode that does not exist at `fps`."""
    rate = exact_rate(fps)
    try:
        return from_timecode(timecode, rate)
    except ValueError as error:
        reason = (
            f"{rate:.6g} frames a second has no drop-frame timecode"
            if is_drop(timecode) and round(rate) not in DROP_BASES
            else f"there is no such frame at {rate:.6g} frames a second"
        )
        raise PlateError(f"Timecode {timecode}: {reason}. Correct it, or the frame rate.") from error


def to_text(time: RationalTime, drop: bool) -> str:
    """hh:mm:ss:ff of a time, in drop-frame numbers when `drop`. Raises PlateError."""
    rate = exact_rate(time.rate)
    if drop and round(rate) not in DROP_BASES:
        raise PlateError(f"{rate:.6g} frames a second has no drop-frame timecode. Correct the frame rate.")
    try:
        return str(RationalTime(time.value, rate).to_timecode(rate, drop))
    except ValueError as error:
        raise PlateError(f"{time.value:g} frames at {rate:.6g} are no timecode: {error}.") from error


def later(timecode: str, frames: int, fps: float) -> str:
    """The timecode `frames` later. Raises PlateError."""
    start = to_time(timecode, fps)
    return to_text(RationalTime(start.value + frames, start.rate), is_drop(timecode))


def from_smpte_words(words: Sequence[int]) -> str | None:
    """hh:mm:ss:ff of the packed words that EXR and DPX headers hold (SMPTE ST 12-1, OpenEXR's bit order).

    None where the digits are no time of day, as in headers that were never filled in.
    """
    word = int(words[0]) & 0xFFFFFFFF
    masks = ((24, 0x3F), (16, 0x7F), (8, 0x7F), (0, 0x3F))
    codes = [(word >> shift) & mask for shift, mask in masks]
    hours, minutes, seconds, frames = (10 * (code >> 4) + (code & 15) for code in codes)
    if any(code & 15 > 9 for code in codes) or hours > 23 or minutes > 59 or seconds > 59:
        return None
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if word & 1 << 6 else ':'}{frames:02d}"
