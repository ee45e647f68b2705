"""Avid Log Exchange: what the set's log says about each clip.

Cells are read as text and one bad row costs that row. otio-ale-adapter is not used for reading: it drops an
ASC_SOP that holds an integer, forgets whether a timecode was drop-frame, and gives the file up at the first
row that it cannot read. Layout: Avid Log Exchange specification (tab delimited; Heading, Column, Data).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from ..errors import PlateError
from . import timecode
from .clips import Cdl
from .headers import number_in

_SECTIONS = ("Heading", "Column", "Data")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TEXT_COLUMNS = {
    "reel": ("tape", "reel", "reelname", "tapename", "camroll", "labroll", "cameraroll", "sourcetape"),
    "scene": ("scene", "slatescene"),
    "take": ("take", "slatetake"),
    "camera": ("cameramodel", "cameratype", "camera", "cameraid"),
    "lens": ("lens", "lensmodel", "lenstype", "lensname"),
    "colour_space": ("colorspace", "colourspace", "inputcolorspace"),
}
_NUMBER_COLUMNS = {
    "focal_mm": ("focallength", "focallengthmm", "lensfocallength"),
    "iso": ("iso", "asa", "ei", "exposureindex"),
    "white_balance_k": ("whitebalance", "whitepoint", "wb", "colortemperature", "whitepointkelvin"),
    "tint": ("tint", "ccshift", "whitepointtint", "gmshift"),
}
_NAME_COLUMNS = ("sourcefile", "sourcefilename", "filename", "name", "clipname", "sourcepath", "uncpath")


@dataclass(frozen=True)
class AleRow:
    """One line of the log: the clip that it means, and the fields of `Clip` that it states."""

    path: Path  # of the file
    label: str  # the clip's name as it is written
    names: tuple[str, ...]  # lower case, without folder and extension
    start: str | None
    end: str | None
    fps: float
    fields: Mapping[str, Any]
    cdl: Cdl | None = None


@dataclass
class Ale:
    """The rows of one or more ALE files, found by clip name, else by reel and timecode."""

    by_name: dict[str, list[AleRow]] = field(default_factory=dict)
    by_reel: dict[str, list[AleRow]] = field(default_factory=dict)
    rows: list[AleRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, row: AleRow) -> None:
        self.rows.append(row)
        for name in row.names:
            self.by_name.setdefault(name, []).append(row)
        if row.start and "reel" in row.fields:
            self.by_reel.setdefault(str(row.fields["reel"]).lower(), []).append(row)

    def row_of(self, name: str, reel: str | None, start: str | None, fps: float | None) -> AleRow | None:
        """The row of a clip, or None. Of several with its name, the one whose timecodes hold the clip's."""
        rows = self.by_name.get(name.lower(), [])
        if len(rows) == 1:
            return rows[0]
        if not rows and reel is not None:
            rows = self.by_reel.get(reel.lower(), [])
        holding = [row for row in rows if _holds(row, start, fps)]
        return holding[0] if len(holding) == 1 else None


def read_ale(paths: list[Path]) -> Ale:
    """All rows of the files. A row that cannot be read is a problem line. Raises PlateError (not an ALE)."""
    ale = Ale()
    for path in paths:
        _read_file(path, ale)
    return ale


def _read_file(path: Path, ale: Ale) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlateError(f"Cannot read {path}: {error.strerror}. Check --ale.") from error
    lines = _decoded(data).splitlines()
    sections = _sections(lines)
    if sections is None:
        raise PlateError(f"{path} is not an ALE: it lacks a Column or a Data section. Export it again.")
    heading, columns, rows = sections
    rate_text = heading.get("fps", "")
    rate = number_in(rate_text)
    if rate is None or not 1 <= rate <= 1000:
        raise PlateError(f"{path} does not say its frame rate (FPS is '{rate_text}'). Export it again.")
    for number, line in rows:
        try:
            ale.add(_row(path, line.split("\t"), columns, timecode.exact_rate(rate)))
        except PlateError as error:
            ale.problems.append(f"ALE {path.name} line {number}: {error}")


def _decoded(data: bytes) -> str:
    for encoding in ("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _sections(lines: list[str]) -> tuple[dict[str, str], list[str], list[tuple[int, str]]] | None:
    """Heading entries, column names, and (line number, line) of the data."""
    content: dict[str, list[tuple[int, str]]] = {}
    section = ""
    for number, line in enumerate(lines, 1):
        if line.strip() in _SECTIONS:
            section = line.strip()
            content.setdefault(section, [])
        elif section and line.strip():
            content[section].append((number, line))
    if not content.get("Column") or "Data" not in content:
        return None
    pairs = (line.split("\t") for _, line in content.get("Heading", []))
    heading = {pair[0].strip().lower(): pair[1].strip() for pair in pairs if len(pair) > 1}
    columns = [_plain(name) for name in content["Column"][0][1].split("\t")]
    return heading, columns, content["Data"]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _row(path: Path, cells: list[str], columns: list[str], rate: float) -> AleRow:
    if len([cell for cell in cells if cell.strip()]) > len(columns):
        raise PlateError(f"it has {len(cells)} cells for {len(columns)} columns. Correct the row.")
    entries = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if cell.strip()}
    fields: dict[str, Any] = {}
    for target, names in _TEXT_COLUMNS.items():
        fields[target] = next((entries[name] for name in names if name in entries), None)
    for target, names in _NUMBER_COLUMNS.items():
        fields[target] = next((number_in(entries[name]) for name in names if name in entries), None)
    start, end = (_timecode(entries, name, rate) for name in ("start", "end"))
    fields["timecode"] = start
    own_rate = number_in(entries.get("fps"))
    labels = [entries[name] for name in ("name", "clipname", *_NAME_COLUMNS) if name in entries]
    stems = [_stem(label) for label in labels]
    return AleRow(
        path=path,
        label=labels[0] if labels else "",
        names=tuple(dict.fromkeys(stem for stem in stems if stem)),
        start=start,
        end=end,
        fps=timecode.exact_rate(own_rate) if own_rate else rate,
        fields={name: value for name, value in fields.items() if value is not None},
        cdl=_cdl(entries),
    )


def _stem(text: str) -> str:
    """The lower case file name of a path of either spelling, without a known kind of extension."""
    name = PureWindowsPath(text).name  # takes / as well
    stem, dot, suffix = name.rpartition(".")
    is_extension = bool(dot) and suffix.isalnum() and len(suffix) <= 4 and not suffix.isdigit()
    return (stem if is_extension else name).lower()


def _timecode(entries: Mapping[str, str], column: str, rate: float) -> str | None:
    if column not in entries:
        return None
    tidied = timecode.tidy(entries[column])
    if tidied is None:
        raise PlateError(f"'{entries[column]}' is no timecode. Correct the row.")
    timecode.to_time(tidied, rate)
    return tidied


def _cdl(entries: Mapping[str, str]) -> Cdl | None:
    """ASC_SOP and ASC_SAT, or the column CDL; whole numbers count as numbers."""
    text = entries.get("ascsop") or entries.get("cdl")
    saturation = number_in(entries.get("ascsat"))
    if text is None:
        return Cdl(saturation=saturation) if saturation is not None else None
    return cdl_from_text(text, saturation)


def cdl_from_text(text: str, saturation: float | None = None) -> Cdl:
    """The CDL in "(1 1 1)(0 0 0)(1.1 1 1)", commas or not, a tenth number being the saturation.

    Raises PlateError when there are not nine or ten numbers.
    """
    numbers = [float(number) for number in re.findall(_NUMBER, text)]
    if len(numbers) not in (9, 10):
        raise PlateError(f"ASC_SOP '{text}' has {len(numbers)} numbers instead of 9. Correct it.")
    if saturation is None:
        saturation = numbers[9] if len(numbers) == 10 else 1.0
    slope, offset, power = (tuple(numbers[k : k + 3]) for k in (0, 3, 6))
    return Cdl(slope, offset, power, saturation)  # type: ignore[arg-type]  # three numbers each


def _holds(row: AleRow, start: str | None, fps: float | None) -> bool:
    """Whether the clip's first frame lies in the row; as timecodes of different counting it never does."""
    if row.start is None or start is None or timecode.is_drop(start) != timecode.is_drop(row.start):
        return False
    rate = fps or row.fps
    try:
        wanted, first = timecode.to_time(start, rate), timecode.to_time(row.start, rate)
        return first == wanted if row.end is None else first <= wanted < timecode.to_time(row.end, rate)
    except PlateError:
        return False
