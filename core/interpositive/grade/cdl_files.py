"""CDLs in files: .cc, .ccc, .cdl through OpenColorIO, and cut lists (EDL, OTIO) that carry them.

ASC CDL has no field for the space that a grade works in, so each correction says it in its
InputDescription and ViewingDescription, and each SOPNode in its Description.
"""

from __future__ import annotations

import math
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PyOpenColorIO as ocio

from ..errors import GradeError
from ..images.writing import whole_file
from .cdl import CDL

_FORMATS = {".cc": "ColorCorrection", ".ccc": "ColorCorrectionCollection", ".cdl": "ColorDecisionList"}
_TRIPLES = ("Slope", "Offset", "Power")
_LARGEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class NamedCDL:
    """A CDL with the id it has in a file, the space it works in, and a line about it."""

    name: str
    cdl: CDL
    space: str = ""
    note: str = ""


@dataclass(frozen=True)
class CutShot:
    """A shot of a cut list: `first_timecode_frame` counts frames from midnight at `rate`."""

    graded: NamedCDL
    path: str
    first_timecode_frame: int
    frame_count: int
    rate: float


def write_cdls(path: str | Path, grades: Sequence[NamedCDL]) -> None:
    """A .cc of one correction, or a .ccc or .cdl of several. Raises GradeError, OutputError."""
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise GradeError(f"{path}: a CDL file is called .cc, .ccc or .cdl.")
    if not grades or (suffix == ".cc" and len(grades) > 1):
        raise GradeError(f"{path} cannot hold {len(grades)} corrections. Use .ccc or .cdl for several.")
    group = ocio.GroupTransform([_transform(grade) for grade in grades])
    text = group.write(config=ocio.Config.CreateRaw(), formatName=_FORMATS[suffix])
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def read_cdls(path: str | Path) -> list[NamedCDL]:
    """Every correction of a .cc, .ccc or .cdl, in order. Raises GradeError with what is wrong in the file."""
    file = Path(path).expanduser()
    if file.suffix.lower() not in _FORMATS:
        raise GradeError(f"{file} is not a .cc, .ccc or .cdl file.")
    _check_numbers(file)
    try:
        group = ocio.CDLTransform.CreateGroupFromFile(str(file))
    except (ocio.Exception, ocio.ExceptionMissingFile) as error:
        raise GradeError(f"Cannot read {file}: {str(error).splitlines()[0]} Write it again.") from error
    found = [_named(transform, file, k) for k, transform in enumerate(group)]
    if not found:
        raise GradeError(f"{file} holds no colour correction.")
    return found


def read_cdl(path: str | Path, name: str | None = None) -> NamedCDL:
    """One correction: the only one of a file, or the one with the id `name`. Raises GradeError."""
    found = read_cdls(path)
    chosen = [one for one in found if name is None or one.name == name]
    if len(chosen) != 1:
        known = ", ".join(one.name or "(no id)" for one in found)
        wanted = "one correction" if name is None else f"one correction '{name}'"
        raise GradeError(f"{path} should hold {wanted}; it has {known}. Name the id or make a .cc of it.")
    return chosen[0]


def write_edl(path: str | Path, title: str, shots: Sequence[CutShot]) -> None:
    """A CMX 3600 EDL, an event a shot, with *ASC_SOP and *ASC_SAT. All shots must have one rate.

    Raises GradeError, OutputError.
    """
    import opentimelineio as otio

    rate = _one_rate(shots, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = otio.adapters.write_to_string(_timeline(title, shots), "cmx_3600", rate=rate)
    kept = [line for line in text.splitlines() if not line.startswith("* OTIO TRUNCATED")]
    with whole_file(path) as unfinished:
        unfinished.write_text("\n".join(kept) + "\n", encoding="utf-8")


def write_otio(path: str | Path, title: str, shots: Sequence[CutShot]) -> None:
    """An OpenTimelineIO timeline whose clips carry their CDL in `metadata["cdl"]`. Raises OutputError."""
    text = _timeline(title, shots).to_json_string(indent=4)
    with whole_file(path) as unfinished:
        unfinished.write_text(text + "\n", encoding="utf-8")


def _transform(grade: NamedCDL) -> Any:
    cdl = grade.cdl.rounded()
    transform = ocio.CDLTransform(
        slope=list(cdl.slope), offset=list(cdl.offset), power=list(cdl.power), sat=cdl.saturation
    )
    transform.setID(grade.name)
    metadata = transform.getFormatMetadata()
    for text in (grade.note, f"Applied in {grade.space}." if grade.space else ""):
        if text:
            metadata.addChildElement("Description", text)
    if grade.space:
        metadata.addChildElement("InputDescription", grade.space)
        metadata.addChildElement("ViewingDescription", grade.space)
        metadata.addChildElement("SOPDescription", f"in {grade.space}")
    return transform


def _named(transform: Any, file: Path, index: int) -> NamedCDL:
    children: dict[str, str] = {}
    for child in transform.getFormatMetadata().getChildElements():
        children.setdefault(child.getElementName(), child.getElementValue())
    name = transform.getID()
    try:
        cdl = CDL.of(
            [*transform.getSlope(), *transform.getOffset(), *transform.getPower(), transform.getSat()]
        )
    except GradeError as error:
        raise GradeError(f"{file}, correction {name or index + 1}: {error}") from None
    return NamedCDL(name, cdl, children.get("InputDescription", ""), children.get("Description", ""))


def _check_numbers(file: Path) -> None:
    """Decimal commas, missing numbers and words are named before they are misread."""
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise GradeError(f"{file} is larger than any CDL file. Check the path.")
        root = ElementTree.fromstring(file.read_bytes())
    except OSError as error:
        raise GradeError(f"Cannot read {file}: {error.strerror}. Check the path.") from error
    except ElementTree.ParseError as error:
        raise GradeError(f"{file} is not whole XML: {error}. Write it again.") from error
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        if tag in (*_TRIPLES, "Saturation"):
            _check_values(file, tag, (element.text or "").split(), 3 if tag in _TRIPLES else 1)


def _check_values(file: Path, tag: str, words: list[str], count: int) -> None:
    shown = " ".join(words) or "nothing"
    if any("," in word for word in words):
        raise GradeError(f"{file}: {tag} is '{shown}'. CDL numbers have a decimal point and no commas.")
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise GradeError(f"{file}: {tag} is '{shown}', which are not numbers. Correct the file.") from None
    if not all(math.isfinite(number) for number in numbers):
        raise GradeError(f"{file}: {tag} is '{shown}', which is not finite. Correct the file.")
    if len(numbers) != count:
        raise GradeError(f"{file}: {tag} is '{shown}': expected {count} numbers. Correct the file.")
    if tag != "Offset" and (min(numbers) < 0 or (tag == "Power" and min(numbers) == 0)):
        raise GradeError(f"{file}: {tag} is '{shown}', and ASC CDL has none below zero. Correct the file.")


def _one_rate(shots: Sequence[CutShot], path: str | Path) -> float:
    rates = sorted({shot.rate for shot in shots})
    if len(rates) != 1:
        raise GradeError(f"{path}: an EDL has one frame rate; the shots have {rates}. Use the .otio.")
    return rates[0]


def _timeline(title: str, shots: Sequence[CutShot]) -> Any:
    import opentimelineio as otio

    timeline = otio.schema.Timeline(title)
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)
    for shot in shots:
        start = otio.opentime.RationalTime(shot.first_timecode_frame, shot.rate)
        span = otio.opentime.TimeRange(start, otio.opentime.RationalTime(shot.frame_count, shot.rate))
        media = otio.schema.ExternalReference(shot.path, span)
        clip = otio.schema.Clip(shot.graded.name, media, span)
        cdl = shot.graded.cdl.rounded()
        clip.metadata["cdl"] = {
            "asc_sop": {"slope": list(cdl.slope), "offset": list(cdl.offset), "power": list(cdl.power)},
            "asc_sat": cdl.saturation,
        }
        clip.metadata["interpositive"] = {"cdl_space": shot.graded.space, "note": shot.graded.note}
        clip.metadata["cmx_3600"] = {
            "reel": shot.graded.name,
            "comments": [f"CDL SPACE: {shot.graded.space}"] if shot.graded.space else [],
        }
        track.append(clip)
    return timeline
