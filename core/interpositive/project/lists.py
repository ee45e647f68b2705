"""What comes beside the media - ALE, timelines, checksum lists - and how it is joined to catalogued clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from ..errors import ColourSpaceError, PlateError
from ..images.colour import space_name
from ..progress import Progress
from . import timecode
from .ale import Ale, AleRow
from .catalogue import Catalogue
from .clips import Clip, Event
from .mhl import Checksums
from .sampling import stated
from .tally import Tally
from .timeline import Cut, drop_mismatch, located, read_timeline

CHECKSUM = "Checksum: "
_ALE = "ALE: "
_TIMECODE = "Timecode: "


@dataclass
class Lists:
    """The lists of one run. `path_of_row` fills up with the clip of each ALE row, by the row's `id`."""

    ale: Ale | None = None
    checksums: Checksums | None = None
    timelines: Sequence[Path] = ()
    timeline_fps: float | None = None
    path_of_row: dict[int, str] = field(default_factory=dict)

    def tell(self, clip: Clip) -> Clip:
        """The clip with what the ALE says of it; where the two disagree on timecode, a problem."""
        row = self.ale.row_of(clip.name, clip.reel, clip.timecode, clip.fps) if self.ale is not None else None
        if row is None:
            return clip
        self.path_of_row[id(row)] = clip.path
        problems = list(without(clip.problems, _ALE, _TIMECODE))
        values = {name: value for name, value in row.fields.items() if name != "colour_space"}
        if clip.sources.get("timecode") == "header" and row.start is not None and clip.timecode is not None:
            problem = _timecode_problem(row, row.start, clip, clip.timecode)
            if problem is not None:
                problems.append(problem)
        if row.start is not None:
            values["fps"] = row.fps
        space = row.fields.get("colour_space")
        if space is not None and clip.colour_space is None and _known_space(space) is None:
            problems.append(f"{_ALE}the colour config has no space '{space}'. Pass --input-space.")
        return replace(stated(clip, values, "ale"), problems=tuple(problems))

    def ale_space(self, clip_name: str) -> str | None:
        """The colour space that the ALE names for a clip, where the colour config knows it."""
        row = self.ale.row_of(clip_name, None, None, None) if self.ale is not None else None
        space = row.fields.get("colour_space") if row is not None else None
        return _known_space(space) if space is not None else None


def without(problems: Sequence[str], *starts: str) -> tuple[str, ...]:
    """The problems that begin otherwise."""
    return tuple(problem for problem in problems if not problem.startswith(starts))


def put_lists(
    catalogue: Catalogue, lists: Lists, clips_fps: float | None, tally: Tally, progress: Progress
) -> None:
    """Put the events of the timelines and the CDLs of the ALE into the catalogue, joined to its clips.

    `clips_fps` is the one rate that all clips have, for EDLs. Raises UsageError, PlateError.
    """
    for path in lists.timelines:
        progress.raise_if_cancelled()
        _put_timeline(catalogue, path, lists.timeline_fps or clips_fps, tally)
    if lists.ale is not None:
        _put_ale(catalogue, lists.ale, lists.path_of_row, tally)
    if lists.checksums is not None:
        for problem in lists.checksums.problems:
            tally.complain(problem)
        _tell_about_absent_files(lists.checksums, tally)


def _put_timeline(catalogue: Catalogue, path: Path, fps: float | None, tally: Tally) -> None:
    timeline = read_timeline(path, fps)
    events: list[Event] = []
    for problem in timeline.problems:
        tally.complain(problem)
    for cut in timeline.cuts:
        event, clip_id, reason = located(cut, lambda name: _candidates(catalogue, name))
        events.append(event)
        if reason is not None:
            tally.complain(reason)
        if clip_id is not None:
            _tell_clip(catalogue, clip_id, cut)
    _put_events(catalogue, path, events, tally)


def _put_ale(catalogue: Catalogue, ale: Ale, path_of_row: dict[int, str], tally: Tally) -> None:
    """The rows that carry a CDL, as events of their file."""
    events: dict[Path, list[Event]] = {}
    for row in ale.rows:
        if row.cdl is not None:
            own = events.setdefault(row.path, [])
            own.append(_ale_event(catalogue, row, path_of_row.get(id(row)), len(own) + 1))
    for path, rows in events.items():
        _put_events(catalogue, path, rows, tally)
    for problem in ale.problems:
        tally.complain(problem)
    tally.unlisted_rows = len(ale.rows) - len(path_of_row)


def _ale_event(catalogue: Catalogue, row: AleRow, clip_path: str | None, number: int) -> Event:
    record = catalogue.by_path(clip_path) if clip_path is not None else None
    return Event(
        timeline=row.path.as_posix(),
        number=number,
        shot=row.label,
        clip_id=record.clip_id if record is not None else None,
        reel=row.fields.get("reel"),
        source_in=row.start,
        source_out=row.end,
        fps=row.fps,
        scene=row.fields.get("scene"),
        cdl=row.cdl,
    )


def _put_events(catalogue: Catalogue, path: Path, events: list[Event], tally: Tally) -> None:
    catalogue.put_events(path.as_posix(), events)
    tally.events += len(events)
    tally.events_joined += sum(event.clip_id is not None for event in events)


def _candidates(catalogue: Catalogue, name: str) -> list[tuple[int, Clip]]:
    named = catalogue.by_name(name)
    records = named or list(catalogue.records(reel=name))
    return [(record.clip_id, record.clip) for record in records]


def _tell_clip(catalogue: Catalogue, clip_id: int, cut: Cut) -> None:
    """Scene, take and reel of the timeline for a clip that does not know them."""
    facts = {"scene": cut.event.scene, "take": cut.take, "reel": cut.event.reel}
    record = catalogue.get(clip_id)
    clip = stated(record.clip, {name: value for name, value in facts.items() if value}, "timeline")
    if clip != record.clip:
        catalogue.put(clip, record.measures, record.thumbnails)


def _tell_about_absent_files(checksums: Checksums, tally: Tally) -> None:
    absent = checksums.absent_files()
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        tally.complain(f"{CHECKSUM}{absent[0]}{more}: in the list, not on the disk. Copy it again.")
        tally.absent_files += len(absent)


def _timecode_problem(row: AleRow, start: str, clip: Clip, in_file: str) -> str | None:
    """What is wrong between the timecode of the log and that of the file."""
    mismatch = drop_mismatch(start, in_file, "the ALE")
    if mismatch is not None or start == in_file:
        return mismatch
    rate = clip.fps or row.fps
    try:
        offset = timecode.to_time(in_file, rate) - timecode.to_time(start, rate)
    except PlateError as error:
        return f"{_TIMECODE}{error}"
    if clip.fps is not None and abs(clip.fps - row.fps) > 0.001:
        return f"{_TIMECODE}the ALE counts {row.fps:.6g} frames a second but the file {clip.fps:.6g}."
    return (
        f"{_TIMECODE}the ALE starts at {start} but the file at {in_file}, "
        f"{offset.value:+.0f} frames. The file's is kept."
    )


@lru_cache(maxsize=256)
def _known_space(text: str) -> str | None:
    try:
        return space_name(text)
    except ColourSpaceError:
        return None
