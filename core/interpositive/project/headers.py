"""What a clip's own header, its movie tags and its name say about it.

The same fact has many spellings: the standard attributes of OpenEXR, camera makers' attributes such as
com.arri.camera.ReelName, OpenImageIO's names, QuickTime and MXF tags. Names are compared by their last part,
without case and punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..images.image import ImageFile
from .timecode import exact_rate, from_smpte_words, tidy

# Fields of `Clip` and the names that hold them, the most telling first.
_TEXT_NAMES = {
    "reel": ("reelname", "reel", "tapename", "tape", "camerareel", "reelid", "materialpackagename"),
    "scene": ("scene", "scenename", "scenenumber", "sceneno", "slatescene"),
    "take": ("take", "takenumber", "takeno", "slatetake"),
    "camera": ("cameramodel", "model", "cameraname", "cameramodelname", "inputdevice", "cameratype"),
    "lens": ("lensmodel", "lensname", "lenstype", "lens"),
}
_NUMBER_NAMES = {
    "focal_mm": ("nominalfocallength", "lensfocallength", "focallength", "effectivefocallength"),
    "iso": (
        "isospeed", "photographicsensitivity", "exposureindexasa", "exposureindex", "isospeedratings", "iso",
        "asa",
    ),
    "white_balance_k": (
        "cameracctsetting", "whitebalancekelvin", "whitebalance", "colortemperature", "colourtemperature",
    ),
    "tint": ("cameratintsetting", "whitebalancetintcc", "tint", "whitebalancecc"),
}  # fmt: skip
_SENSIBLE = {
    "focal_mm": (1.0, 5000.0),
    "iso": (1.0, 10_000_000.0),
    "white_balance_k": (1000.0, 50_000.0),
    "tint": (-1000.0, 1000.0),
}
_RATE_NAMES = ("framespersecond", "framerate", "temporalframerate", "capturerate", "projectfps")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?")
# ARRI A001C003_210101_R1AB, RED A001_C003_0101AB, Sony A001C003_21010199: camera letter, reel, clip.
_CAMERA_NAME = re.compile(r"^(?P<reel>[A-Z]\d{3})_?C\d{3}(?:_|$)", re.IGNORECASE)


def from_header(image_file: ImageFile, tags: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Those fields of `Clip` that the header of a frame, or the `tags` of its movie, state; no guesses."""
    plain = {**_plain_names(tags or {}), **_plain_names(image_file.main.metadata)}
    found: dict[str, Any] = {}
    for field, names in _TEXT_NAMES.items():
        found[field] = _first(plain, names, _text)
    for field, names in _NUMBER_NAMES.items():
        low, high = _SENSIBLE[field]
        number = _first(plain, names, number_in)
        found[field] = number if number is not None and low <= number <= high else None
    found["fps"] = _frame_rate(plain)
    found["timecode"] = _timecode(plain)
    return {field: value for field, value in found.items() if value is not None}


def frame_timecode(image_file: ImageFile) -> str | None:
    """The timecode of this very frame, hh:mm:ss:ff or hh:mm:ss;ff."""
    metadata = image_file.main.metadata
    own = {"timecode": metadata["smpte:TimeCode"]} if "smpte:TimeCode" in metadata else _plain_names(metadata)
    return _timecode(own)


def from_name(name: str) -> dict[str, Any]:
    """The reel, where `name` is spelled as cameras spell their clips."""
    match = _CAMERA_NAME.match(name)
    return {"reel": match["reel"].upper()} if match else {}


def number_in(value: object) -> float | None:
    """The first number of "5600 K", "50mm", 800 or 24000/1001, or None."""
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, (tuple, list)) and len(value) == 2 and value[1]:
        return float(value[0]) / float(value[1])
    if not isinstance(value, str):
        return None
    match = _NUMBER.search(value)
    return float(match[0].replace(",", ".")) if match else None


def _plain_names(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Entries by the last part of their name; one that a shorter name holds already is not replaced."""
    plain: dict[str, Any] = {}
    for key in sorted(entries, key=len):
        last = re.split(r"[./:]", key)[-1]
        plain.setdefault(re.sub(r"[^a-z0-9]", "", last.lower()), entries[key])
    return plain


def _first(plain: Mapping[str, Any], names: Iterable[str], read: Callable[[object], Any]) -> Any:
    return next((value for name in names if (value := read(plain.get(name))) is not None), None)


def _text(value: object) -> str | None:
    if isinstance(value, (int, float)):
        return f"{value:g}"
    return value.strip() or None if isinstance(value, str) else None


def _frame_rate(plain: Mapping[str, Any]) -> float | None:
    rate = _first(plain, _RATE_NAMES, number_in)
    return exact_rate(rate) if rate is not None and 1.0 <= rate <= 1000.0 else None


def _timecode(plain: Mapping[str, Any]) -> str | None:
    value = plain.get("timecode")
    if isinstance(value, str):
        return tidy(value)
    return from_smpte_words(value) if isinstance(value, (tuple, list)) and value else None
