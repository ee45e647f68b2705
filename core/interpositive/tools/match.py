"""Grade continuity: for each shot the CDL that brings it to the hero, and the grade between two plates.

Nothing is written into the footage; every file of the result is small and can be taken or left.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import GradeError, MissingFramesError, UsageError
from ..progress import Progress
from .footage_options import Frames

if TYPE_CHECKING:
    from ..frames import FrameRange
    from ..grade.cdl_files import CutShot, NamedCDL
    from ..grade.lut import Lut
    from ..grade.matching import Corners, Match, Sight
    from ..grade.sheet import SheetRow
    from ..grade.shots import Shot
    from ..grade.steadiness import Steadiness

_STAGE = "match"
_DEFAULT_RATE = 24.0
_STEADY_STOPS, _STEADY_MIREDS = 0.1, 5.0
_RECOVERED = "grade"


class Params(BaseModel):
    """What to match to what."""

    model_config = ConfigDict(extra="forbid")

    hero: str | None = Field(
        default=None,
        title="Hero",
        description="Shot that the others are brought to: pattern, folder or movie.",
    )
    reference: str | None = Field(
        default=None,
        title="Reference",
        description="One still that the shots are brought to instead of a hero.",
    )
    shots: list[str] = Field(
        default=[], title="Shots", description="Shots to match: patterns, folders, frames or movies."
    )
    plate: str | None = Field(
        default=None, title="Plate", description="With --graded: the plate that a grade is read from."
    )
    graded: str | None = Field(
        default=None, title="Graded", description="The graded version of --plate, frame for frame."
    )
    out: str = Field(
        title="Output", description="Folder for CDLs, LUTs, EDL, OTIO and the before/after sheet."
    )
    frames: Frames = None
    samples: int = Field(
        default=3,
        ge=1,
        le=25,
        title="Samples",
        description="Frames that are looked at, spread over each shot.",
    )
    cdl_space: str | None = Field(
        default=None,
        title="CDL space",
        description="Space the CDLs are applied in: a space of the colour config, or linear; without it, "
        "ACEScct.",
    )
    input_space: str | None = Field(
        default=None,
        title="Input colour space",
        description="Colour space of the shots, where their files do not say it.",
    )
    hero_input_space: str | None = Field(
        default=None,
        title="Hero's colour space",
        description="Colour space of the hero or reference; without it, as the shots.",
    )
    hero_cdl: str | None = Field(
        default=None,
        title="Hero's CDL",
        description=".cc, .ccc or .cdl that the hero is graded with already; the shots are brought to that.",
        json_schema_extra={"unit": "path"},
    )
    lut: bool = Field(
        default=True, title="LUT", description="Also write what a CDL leaves over, where that is something."
    )
    keyed: bool = Field(
        default=False,
        title="Keyed",
        description="Also write a CDL for each frame looked at, for shots that drift.",
    )
    hero_chart: str | None = Field(
        default=None,
        title="Hero's chart",
        description="Corners of a 24-patch chart in the hero's first frame looked at: x,y of the dark skin "
        "corner, then clockwise, with commas.",
        json_schema_extra={"advanced": True},
    )
    shot_charts: list[str] = Field(
        default=[],
        title="Shots' charts",
        description="The same for each shot in order; - for one without.",
        json_schema_extra={"advanced": True},
    )

    @model_validator(mode="after")
    def _one_question(self) -> Params:
        if (self.plate is None) != (self.graded is None):
            raise ValueError("--plate and --graded belong together")
        if self.plate is not None:
            if self.hero or self.reference or self.shots:
                raise ValueError("--plate and --graded stand alone: leave out --hero, --reference, --shots")
            return self
        if (self.hero is None) == (self.reference is None):
            raise ValueError("name one of --hero and --reference, or --plate with --graded")
        if not self.shots:
            raise ValueError("--shots is needed: the shots to bring to the hero")
        if self.shot_charts and len(self.shot_charts) != len(self.shots):
            raise ValueError(f"--shot-charts has {len(self.shot_charts)} entries for {len(self.shots)} shots")
        return self


class ShotGrade(BaseModel):
    """One shot's grade. Stops and mireds are the shot minus the hero: brighter and warmer above zero."""

    name: str
    path: str
    frames: list[int]
    basis: str
    confidence: float
    exposure_stops: float
    white_balance_mireds: float
    tint_duv: float
    slope: list[float]
    offset: list[float]
    power: list[float]
    saturation: float
    lut: str | None = None
    drift_stops: float = 0.0
    drift_mireds: float = 0.0
    matches: int = 0

    def line(self) -> str:
        shared = self.basis if self.confidence >= 0.3 else "nothing shared, whole pictures compared"
        text = (
            f"{self.name}: {self.exposure_stops:+.2f} stop, {self.white_balance_mireds:+.0f} mired "
            f"against the hero ({shared}, confidence {self.confidence:.2f})"
        )
        if self.drift_stops >= _STEADY_STOPS or self.drift_mireds >= _STEADY_MIREDS:
            text += f"; drifts by {self.drift_stops:.2f} stop, {self.drift_mireds:.0f} mired"
        return text + ("; with LUT" if self.lut else "")


class Result(BaseModel):
    """What was found and written. `cdl_db` and `lut_db` are of a recovered grade, in display values."""

    out: str
    cdl_space: str
    grades: list[ShotGrade]
    files: list[str]
    failed: list[str] = []
    cdl_db: float | None = None
    lut_db: float | None = None
    seconds: float

    def lines(self) -> list[str]:
        found = [grade.line() for grade in self.grades]
        if self.cdl_db is not None and self.lut_db is not None:
            found = [
                f"CDL {self.cdl_db:.1f} dB, CDL + LUT {self.lut_db:.1f} dB on the frames it was read from."
            ]
        return [
            *found,
            f"CDLs work in {self.cdl_space}. {len(self.files)} files in {self.seconds:.1f} s: {self.out}",
        ]

    def problem(self) -> str | None:
        return f"Not matched: {' '.join(self.failed)}" if self.failed else None


@dataclass(frozen=True, eq=False)
class _Graded:
    """A shot with what was found for it."""

    shot: Shot
    match: Match
    lut: Lut | None
    steady: Steadiness


def run(params: Params, progress: Progress) -> Result:
    """Match, or recover a grade. Raises UsageError, GradeError, PlateError, ColourSpaceError, OutputError."""
    from ..frames import FrameRange

    start = time.perf_counter()
    frames = FrameRange.parse(params.frames) if params.frames is not None else None
    out = Path(params.out).expanduser()
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file. Name a folder.")
    result = _recover(params, out, frames) if params.plate else _match(params, out, frames, progress)
    return result.model_copy(update={"seconds": time.perf_counter() - start})


# ------------------------------------------------------------------------------------------------ matching


def _match(params: Params, out: Path, frames: FrameRange | None, progress: Progress) -> Result:
    from ..grade.cdl_files import read_cdl
    from ..grade.matching import look_at
    from ..grade.shots import read_shot

    source = str(params.hero or params.reference)
    hero_space = params.hero_input_space or params.input_space
    hero = read_shot(source, params.samples, params.cdl_space, hero_space, frames if params.hero else None)
    if params.hero_cdl is not None:
        named = read_cdl(Path(params.hero_cdl).expanduser())
        _check_space(named, hero)
        hero = hero.graded(named.cdl)
    sight = look_at(hero.pictures, hero.space, _corners(params.hero_chart, "--hero-chart"), hero.name)
    if hero.is_log_or_display and params.reference is not None:
        progress.log(
            f"{hero.name} is a display picture of {hero.colour.input_space}: compared as if scene-linear."
        )
    graded: list[_Graded] = []
    failed: list[str] = []
    for index, text in enumerate(params.shots):
        progress.report(_STAGE, index, len(params.shots), text)
        try:
            one = _match_shot(params, index, frames, hero, sight, progress)
        except GradeError as error:
            failed.append(str(error))
            progress.log(str(error), "error")
            continue
        if one is not None:
            graded.append(one)
    progress.report(_STAGE, len(params.shots), len(params.shots))
    if not graded:
        raise GradeError(
            " ".join(failed) or "There is no shot to match besides the hero. Name others in --shots."
        )
    return _write(params, out, hero, graded, failed)


def _match_shot(
    params: Params, index: int, frames: FrameRange | None, hero: Shot, sight: Sight, progress: Progress
) -> _Graded | None:
    """One shot, or None where it is the hero itself."""
    from ..grade.matching import estimate, look_at
    from ..grade.remainder import remainder
    from ..grade.shots import read_shot
    from ..grade.steadiness import steadiness

    shot = read_shot(params.shots[index], params.samples, params.cdl_space, params.input_space, frames)
    if params.hero is not None and shot.sequence.name == hero.sequence.name:
        progress.log(f"{shot.name} is the hero itself and is left as it is.")
        return None
    missing = shot.sequence.missing()
    if missing:
        progress.log(f"{shot.name} lacks {len(missing)} frames; matched by those that are there.", "warning")
    chart = params.shot_charts[index] if params.shot_charts else None
    mine = look_at(shot.pictures, shot.space, _corners(chart, "--shot-charts"), shot.name)
    match = estimate(sight, mine, shot.space)
    if not match.is_shared:
        progress.log(
            f"{shot.name} and the hero share nothing that was found (confidence {match.confidence:.2f}): "
            "its CDL compares whole pictures. Check it by eye.",
            "warning",
        )
    steady = steadiness(shot.frames, match.cdl, shot.space)
    if steady.largest_stops >= _STEADY_STOPS or steady.largest_mireds >= _STEADY_MIREDS:
        hint = "" if params.keyed else " --keyed writes a CDL a frame."
        progress.log(
            f"{shot.name} drifts by {steady.largest_stops:.2f} stop and {steady.largest_mireds:.0f} mired "
            f"within itself; it has one CDL.{hint}",
            "warning",
        )
    return _Graded(shot, match, remainder(match) if params.lut else None, steady)


def _check_space(named: NamedCDL, hero: Shot) -> None:
    if named.space and named.space != hero.space.described:
        raise UsageError(
            f"--hero-cdl works in {named.space} but this match in {hero.space.described}. Pass --cdl-space "
            f"'{named.space}', or a CDL of the other space."
        )


def _corners(text: str | None, option: str) -> Corners | None:
    if text is None or text.strip() == "-":
        return None
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) != 8:
        raise UsageError(f"{option} '{text}' should be eight numbers: x,y of four corners.")
    return [(numbers[k], numbers[k + 1]) for k in range(0, 8, 2)]


# ------------------------------------------------------------------------------------------------- writing


def _write(params: Params, out: Path, hero: Shot, graded: list[_Graded], failed: list[str]) -> Result:
    from ..grade.cdl_files import write_cdls, write_edl, write_otio

    names = _unique([one.shot.name for one in graded])
    files: list[Path] = []
    named: list[NamedCDL] = []
    rows: list[SheetRow] = []
    grades: list[ShotGrade] = []
    for name, one in zip(names, graded, strict=True):
        grade, mine = _write_shot(out, name, one, hero, params.keyed)
        files += mine
        grades.append(grade)
        named.append(_named(name, one, hero))
        rows.append(_sheet_row(name, one))
    for suffix in (".ccc", ".cdl"):
        write_cdls(out / f"match{suffix}", named)
    cut = [_cut_shot(one.shot, grade) for one, grade in zip(graded, named, strict=True)]
    write_otio(out / "match.otio", f"matched to {hero.name}", cut)
    files += [out / "match.ccc", out / "match.cdl", out / "match.otio"]
    if len({shot.rate for shot in cut}) == 1:
        write_edl(out / "match.edl", f"matched to {hero.name}", cut)
        files.append(out / "match.edl")
    files.append(_sheet(out, hero, rows))
    return Result(
        out=str(out), cdl_space=graded[0].shot.space.described, grades=grades,
        files=sorted(str(file) for file in files), failed=failed, seconds=0.0,
    )  # fmt: skip


def _write_shot(out: Path, name: str, one: _Graded, hero: Shot, keyed: bool) -> tuple[ShotGrade, list[Path]]:
    from ..grade.cdl_files import NamedCDL, write_cdls

    files = [out / f"{name}.cc"]
    write_cdls(files[0], [_named(name, one, hero)])
    if one.lut is not None:
        files += _write_lut(out, name, one.lut, f"for {name}, after its CDL, in and out {one.lut.space}")
    if keyed and len(one.steady.keys) > 1:
        space = one.shot.space.described
        keys = [NamedCDL(f"{name}.{frame}", cdl, space) for frame, cdl in one.steady.keys.items()]
        write_cdls(out / f"{name}.keys.ccc", keys)
        files.append(out / f"{name}.keys.ccc")
    match, cdl = one.match, one.match.cdl
    grade = ShotGrade(
        name=name, path=one.shot.sequence.name, frames=list(one.shot.frames), basis=match.basis,
        confidence=round(match.confidence, 3), exposure_stops=round(match.exposure_stops, 4),
        white_balance_mireds=round(match.white_balance_mireds, 2), tint_duv=round(match.tint_duv, 5),
        slope=list(cdl.slope), offset=list(cdl.offset), power=list(cdl.power), saturation=cdl.saturation,
        lut=str(files[1]) if one.lut is not None else None, drift_stops=round(one.steady.largest_stops, 4),
        drift_mireds=round(one.steady.largest_mireds, 2), matches=match.matches,
    )  # fmt: skip
    return grade, files


def _write_lut(out: Path, name: str, lut: Lut, description: str) -> list[Path]:
    from ..grade.lut import write_clf, write_cube

    cube, clf = out / f"{name}.lut.cube", out / f"{name}.lut.clf"
    write_cube(cube, lut, description)
    write_clf(clf, lut, description)
    return [cube, clf]


def _named(name: str, one: _Graded, hero: Shot) -> NamedCDL:
    from ..grade.cdl_files import NamedCDL

    match = one.match
    note = f"{name} to {hero.name}: by {match.basis}, confidence {match.confidence:.2f}"
    return NamedCDL(name, match.cdl, one.shot.space.described, note)


def _sheet_row(name: str, one: _Graded) -> SheetRow:
    from ..grade.sheet import SheetRow

    return SheetRow(name, one.shot.middle, one.shot.colour, one.shot.space, one.match.cdl, one.lut)


def _sheet(out: Path, hero: Shot, rows: list[SheetRow], title: str | None = None) -> Path:
    from ..grade.sheet import write_sheet

    path = out / "match.png"
    write_sheet(path, hero.middle, hero.colour, rows, title or f"hero {hero.name}")
    return path


def _cut_shot(shot: Shot, named: NamedCDL) -> CutShot:
    """Timecode and rate from the header; else the frame number, at 24 frames a second."""
    from ..grade.cdl_files import CutShot
    from ..images.image import ImageFile
    from ..project.headers import from_header
    from ..project.timecode import to_time

    numbers = shot.sequence.frames
    read = min(shot.frames)
    facts: dict[str, Any] = from_header(ImageFile((shot.first,), shot.sequence.path(read), ""))
    rate = float(facts.get("fps", _DEFAULT_RATE))
    first = numbers[0]
    if "timecode" in facts:
        first = round(to_time(facts["timecode"], rate).value) - (read - numbers[0])
    path = shot.sequence.name
    return CutShot(named, path, max(first, 0), numbers[-1] - numbers[0] + 1, rate)


def _unique(names: list[str]) -> list[str]:
    """sh020 and sh020_2 for two shots of one name."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique


# ---------------------------------------------------------------------------------------------- recovering


def _recover(params: Params, out: Path, frames: FrameRange | None) -> Result:
    """From --plate and --graded."""
    import math

    from ..grade.cdl_files import NamedCDL, write_cdls
    from ..grade.recover import recover
    from ..grade.sheet import SheetRow

    plate, graded = _same_frames(params, frames)
    found = recover(plate.pictures, graded.pictures, plate.space)
    space = plate.space.described
    named = NamedCDL(_RECOVERED, found.cdl, space, f"{plate.name} to {graded.name}")
    files = [out / f"{_RECOVERED}{suffix}" for suffix in (".cc", ".ccc", ".cdl")]
    for file in files:
        write_cdls(file, [named])
    if params.lut:
        files += _write_lut(out, _RECOVERED, found.lut, f"after the CDL, in and out {found.lut.space}")
    lut = found.lut if params.lut else None
    row = SheetRow(plate.name, plate.middle, plate.colour, plate.space, found.cdl, lut)
    files.append(_sheet(out, graded, [row], f"graded {graded.name}"))
    cdl = found.cdl
    grade = ShotGrade(
        name=plate.name, path=plate.sequence.name, frames=list(plate.frames), basis="frame for frame",
        confidence=1.0, exposure_stops=0.0, white_balance_mireds=0.0, tint_duv=0.0, slope=list(cdl.slope),
        offset=list(cdl.offset), power=list(cdl.power), saturation=cdl.saturation,
        lut=str(files[3]) if params.lut else None,
    )  # fmt: skip
    return Result(
        out=str(out), cdl_space=space, grades=[grade], files=sorted(map(str, files)),
        cdl_db=round(-20 * math.log10(max(found.cdl_rms, 1e-6)), 2),
        lut_db=round(-20 * math.log10(max(found.rms, 1e-6)), 2), seconds=0.0,
    )  # fmt: skip


def _same_frames(params: Params, frames: FrameRange | None) -> tuple[Shot, Shot]:
    """The same frames of the plate and of its graded version; two stills are one frame."""
    from ..grade.shots import frames_of, spread
    from ..images.sequence import find_sequence

    plate, graded = (find_sequence(str(text), frames) for text in (params.plate, params.graded))
    common = sorted(set(plate.frames) & set(graded.frames))
    if not common and len(plate.frames) == len(graded.frames) == 1:
        return tuple(  # type: ignore[return-value]
            frames_of(sequence, sequence.frames, params.cdl_space, params.input_space)
            for sequence in (plate, graded)
        )
    if not common:
        raise MissingFramesError(
            f"{plate.name} and {graded.name} have no frame number in common. Renumber one of them."
        )
    numbers = spread(common, params.samples)
    first, second = (
        frames_of(sequence, numbers, params.cdl_space, params.input_space) for sequence in (plate, graded)
    )
    return first, second
