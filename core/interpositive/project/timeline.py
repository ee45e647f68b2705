"""Timelines in: OTIO, CMX3600 EDL with ASC_SOP and ASC_SAT, FCP7 XML; each event with its shot,
clip, ranges and CDL.

Read through OpenTimelineIO and its adapters. An EDL is given to its adapter event by event: a bad event is a
problem line instead of the end of the list, and every event keeps the record times that are written there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import unquote, urlparse

import opentimelineio as otio
from opentimelineio.opentime import RationalTime

from ..errors import InterpositiveError, PlateError, UsageError
from . import timecode
from .ale import cdl_from_text
from .clips import Cdl, Clip, Event

SUFFIXES = (".otio", ".edl", ".xml")
_EVENT_LINE = re.compile(
    r"^(?P<number>\d+)\s+(?P<reel>\S+)\s+(?P<channel>\S+)\s+(?P<kind>C|D|W\d+|K\S*)(?:\s+(?P<length>\d+))?"
    r"\s+(?P<source_in>\d\d[:;.]\S+)\s+(?P<source_out>\d\d[:;.]\S+)"
    r"\s+(?P<record_in>\d\d[:;.]\S+)\s+(?P<record_out>\d\d[:;.]\S+)\s*$"
)
_UNNAMED = "000000"  # the event number that the adapter gives to a clip as its name where it has none
_TIMES = ("source_in", "source_out", "record_in", "record_out")


@dataclass(frozen=True)
class Cut:
    """An event before its clip is found. `names` are what the clip may be called, lower case.

    `is_counted` says that the source timecodes were written as such; else they were made from frame numbers,
    and are made again in the counting of the clip that is found.
    """

    event: Event
    names: tuple[str, ...]
    take: str | None = None
    is_counted: bool = True


@dataclass
class Timeline:
    """The events of one file, and what could not be read of it."""

    path: Path
    cuts: list[Cut] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_timeline(path: Path, fps: float | None = None) -> Timeline:
    """The video events of an OTIO, EDL or FCP7 XML file. `fps` is the rate of an EDL, which does not hold it.

    Raises UsageError (an EDL without `fps`, an unknown kind of file), PlateError (unreadable).
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"--timeline {path}: pass an .otio, .edl or .xml (FCP7) file.")
    timeline = Timeline(path)
    if suffix == ".edl":
        if fps is None:
            raise UsageError(
                f"--timeline {path.name}: an EDL does not hold its frame rate and the clips do not agree on "
                "one. Pass --timeline-fps."
            )
        timeline.cuts.extend(_edl_cuts(timeline, _text(path), timecode.exact_rate(fps)))
        return timeline
    try:
        loaded = otio.adapters.read_from_file(str(path))
        timeline.cuts.extend(_otio_cuts(timeline, loaded))
    except (otio.exceptions.OTIOError, OSError, ValueError, SyntaxError, KeyError, AttributeError) as error:
        raise PlateError(f"Cannot read the timeline {path}: {_line(error)}. Export it again.") from error
    return timeline


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise PlateError(f"Cannot read {path}: {error.strerror}. Check --timeline.") from error


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")


# EDL


def _edl_cuts(timeline: Timeline, text: str, rate: float) -> Iterator[Cut]:
    number = 0
    for lines, comments, drop in _edl_events(text):
        for fields in lines:
            if not _is_picture(fields) or fields["record_in"] == fields["record_out"]:
                continue
            try:
                cut = _edl_cut(timeline.path, number + 1, _marked(fields, drop), comments, rate)
            except InterpositiveError as error:
                timeline.problems.append(f"{timeline.path.name} event {fields['number']}: {error}")
                continue
            number += 1
            yield cut


def _edl_events(text: str) -> Iterator[tuple[list[dict[str, str]], list[str], bool]]:
    """(edit lines, comments, whether FCM says drop-frame) of each event number."""
    drop, lines, comments = False, list[dict[str, str]](), list[str]()
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("FCM"):
            if lines:
                yield lines, comments, drop
                lines, comments = [], []
            drop = "NON" not in line.upper()
            continue
        match = _EVENT_LINE.match(line)
        if match is None:
            if line and lines:
                comments.append(line)
            continue
        fields = {name: value or "" for name, value in match.groupdict().items()}
        if lines and fields["number"] != lines[0]["number"]:
            yield lines, comments, drop
            lines, comments = [], []
        lines.append(fields)
    if lines:
        yield lines, comments, drop


def _is_picture(fields: dict[str, str]) -> bool:
    return "V" in fields["channel"].upper() or fields["channel"].upper() in ("B", "BL")


def _marked(fields: dict[str, str], drop: bool) -> dict[str, str]:
    """Fields with drop-frame timecodes written as such, where only the FCM line says so."""
    marked = dict(fields)
    says_itself = any(timecode.is_drop(fields[name]) for name in _TIMES)
    for name in _TIMES:
        text = fields[name].replace(".", ":")
        marked[name] = f"{text[:8]};{text[9:]}" if drop and not says_itself else text
    return marked


def _edl_cut(path: Path, number: int, fields: dict[str, str], comments: list[str], rate: float) -> Cut:
    times = {name: timecode.tidy(fields[name]) for name in _TIMES}
    for name, value in times.items():
        if value is None:
            raise PlateError(f"'{fields[name]}' is no timecode. Correct the event.")
        timecode.to_time(value, rate)
    sop = next((line.partition("ASC_SOP")[2] for line in comments if "ASC_SOP" in line), None)
    saturation = next((line.partition("ASC_SAT")[2] for line in comments if "ASC_SAT" in line), None)
    clip = _adapted(fields, [line for line in comments if "ASC_" not in line], rate)
    file = _media_name(clip)
    name = "" if clip.name == _UNNAMED else clip.name
    event = Event(
        timeline=path.as_posix(),
        number=number,
        shot=name or file or fields["reel"],
        reel=None if fields["reel"].upper() in ("AX", "BL") else fields["reel"],
        fps=rate,
        cdl=_edl_cdl(sop, saturation),
        source_in=times["source_in"],
        source_out=times["source_out"],
        record_in=times["record_in"],
        record_out=times["record_out"],
    )
    return Cut(event, _names(name, file, event.reel, *_source_files(comments)))


def _adapted(fields: dict[str, str], comments: list[str], rate: float) -> Any:
    """The adapter's clip of one event, as a cut: its name, media and locators follow from the comments."""
    times = " ".join(fields[name] for name in _TIMES)
    text = "\n".join([f"{_UNNAMED}  {fields['reel']}  V  C  {times}", *comments])
    try:
        loaded = otio.adapters.read_from_string(text, "cmx_3600", rate=rate, ignore_timecode_mismatch=True)
    except (otio.exceptions.OTIOError, ValueError, IndexError, AttributeError) as error:
        raise PlateError(f"{_line(error)}. Correct the event.") from error
    return next(iter(loaded.find_clips()))


def _edl_cdl(sop: str | None, saturation: str | None) -> Cdl | None:
    number = re.search(r"[-+]?\d*\.?\d+", saturation) if saturation else None
    value = float(number[0]) if number else None
    if sop is not None:
        return cdl_from_text(sop, value if value is not None else 1.0)
    return Cdl(saturation=value) if value is not None else None


def _source_files(comments: list[str]) -> Iterator[str]:
    for line in comments:
        found = re.match(r"^\*?\s*SOURCE FILE:\s*(.+)$", line)
        if found:
            yield _stem(found[1].strip())


# OTIO and FCP7 XML


def _otio_cuts(timeline: Timeline, loaded: Any) -> Iterator[Cut]:
    if not isinstance(loaded, otio.schema.Timeline):
        first = next((item for item in loaded if isinstance(item, otio.schema.Timeline)), None)
        if first is None:
            raise PlateError(f"{timeline.path} holds no timeline. Export the sequence itself.")
        loaded = first
    number = 0
    for track in loaded.video_tracks():
        for clip in track.find_clips():
            number += 1
            try:
                yield _otio_cut(timeline.path, number, clip, loaded)
            except InterpositiveError as error:
                timeline.problems.append(f"{timeline.path.name} event {number} ({clip.name}): {error}")


def _otio_cut(path: Path, number: int, clip: Any, timeline: Any) -> Cut:
    source = clip.trimmed_range()
    record = clip.transformed_time_range(
        otio.opentime.TimeRange(source.start_time, source.duration), timeline.tracks
    )
    zero = timeline.global_start_time or RationalTime(0, record.start_time.rate)
    rate = float(zero.rate) if timeline.global_start_time else float(record.start_time.rate)
    record_in = record.start_time.rescaled_to(rate) + zero
    record_out = record_in + record.duration.rescaled_to(rate)
    counting = _counting(clip.media_reference, clip)
    record_drop = _counting(timeline, timeline.tracks) or False
    file = _media_name(clip)
    facts = _facts(clip)
    event = Event(
        timeline=path.as_posix(),
        number=number,
        shot=clip.name or file or f"event {number}",
        reel=facts.get("reel"),
        source_in=timecode.to_text(source.start_time, counting or False),
        source_out=timecode.to_text(source.end_time_exclusive(), counting or False),
        record_in=timecode.to_text(record_in, record_drop),
        record_out=timecode.to_text(record_out, record_drop),
        fps=timecode.exact_rate(float(source.start_time.rate)),
        scene=facts.get("scene"),
        cdl=_otio_cdl(clip.metadata.get("cdl")),
    )
    return Cut(event, _names(clip.name, file, event.reel), facts.get("take"), counting is not None)


def _otio_cdl(value: Any) -> Cdl | None:
    if not value:
        return None
    sop = value.get("asc_sop") or {}
    triples = {
        name: tuple(float(number) for number in sop[name])
        for name in ("slope", "offset", "power")
        if len(sop.get(name, ())) == 3
    }
    return Cdl(saturation=float(value.get("asc_sat", 1.0)), **triples)  # type: ignore[arg-type]


def _counting(*items: Any) -> bool | None:
    """True for drop-frame, False for non-drop, by FCP7 XML's <displayformat> anywhere in the metadata; or
    None."""
    for item in items:
        for key, value in _entries(item):
            if key == "displayformat":
                return str(value).upper() == "DF"
    return None


def _facts(clip: Any) -> dict[str, str]:
    """Reel, scene and take of logging information, wherever the adapter has put it."""
    wanted = {
        "scene": "scene",
        "Scene": "scene",
        "shottake": "take",
        "Take": "take",
        "reel": "reel",
        "Tape": "reel",
    }
    facts: dict[str, str] = {}
    for key, value in (*_entries(clip), *_entries(clip.media_reference)):
        if key in wanted and isinstance(value, str) and value.strip():
            facts.setdefault(wanted[key], value.strip())
        elif key == "reel" and hasattr(value, "get") and value.get("name"):
            facts.setdefault("reel", str(value["name"]))
    return facts


def _entries(item: Any) -> Iterator[tuple[str, Any]]:
    """Every (key, value) of nested metadata, outer ones first."""
    waiting: list[Any] = [getattr(item, "metadata", None)]
    while waiting:
        value = waiting.pop(0)
        if hasattr(value, "items"):
            for key, inner in value.items():
                yield key, inner
                waiting.append(inner)


def _media_name(clip: Any) -> str:
    """The file that the clip's media reference names, without folder, extension and frame numbers."""
    media = clip.media_reference
    url = getattr(media, "target_url", None)
    if url:
        return _stem(unquote(urlparse(url).path or url))
    prefix = getattr(media, "name_prefix", None)
    return str(prefix).rstrip("._- ") if prefix else str(getattr(media, "name", "") or "")


def _stem(path: str) -> str:
    name = PureWindowsPath(path).name
    return re.sub(r"[._-]?(?:\[[\d-]+\]|%0?\d*d|#+)$", "", name.rpartition(".")[0] or name)


def _names(*texts: str | None) -> tuple[str, ...]:
    """What the clip may be called: each text, and it without an extension."""
    names: dict[str, None] = {}
    for text in texts:
        if text:
            names.update({text.lower(): None, _stem(text).lower(): None})
    return tuple(names)


# events and clips

Candidates = Callable[[str], list[tuple[int, Clip]]]


def located(cut: Cut, candidates: Candidates) -> tuple[Event, int | None, str | None]:
    """(event with its clip's id, that id, problem). `candidates` gives the (id, clip) of a lower case name.

    The clip is the one that has the event's name and whose timecodes hold the event. Where none is sure the
    event stays without a clip, and the problem says why.
    """
    found = {clip_id: clip for name in cut.names for clip_id, clip in candidates(name)}
    if not found:
        return cut.event, None, None
    label = f"{Path(cut.event.timeline).name} event {cut.event.number} ({cut.event.shot})"
    holding: list[int] = []
    reasons: list[str] = []
    for clip_id, clip in found.items():
        reason = _why_not(_counted_as(cut, clip), clip)
        if reason is None:
            holding.append(clip_id)
        else:
            reasons.append(reason)
    if len(holding) == 1:
        return replace(_counted_as(cut, found[holding[0]]), clip_id=holding[0]), holding[0], None
    if holding:
        paths = " and ".join(sorted(found[clip_id].path for clip_id in holding)[:2])
        return cut.event, None, f"{label}: {len(holding)} clips have its name and timecode: {paths}."
    return cut.event, None, f"{label}: {reasons[0]}"


def _counted_as(cut: Cut, clip: Clip) -> Event:
    """The event, its source timecodes in the clip's counting where the timeline holds frame numbers."""
    event = cut.event
    if cut.is_counted or not clip.timecode or not timecode.is_drop(clip.timecode) or not event.fps:
        return event
    if not event.source_in or not event.source_out or round(event.fps) not in timecode.DROP_BASES:
        return event
    first, end = (timecode.to_time(text, event.fps) for text in (event.source_in, event.source_out))
    return replace(event, source_in=timecode.to_text(first, True), source_out=timecode.to_text(end, True))


def _why_not(event: Event, clip: Clip) -> str | None:
    """Why the event cannot lie in the clip of its name, or None where nothing speaks against it."""
    if clip.timecode is None or event.source_in is None or clip.fps is None:
        return None
    mismatch = drop_mismatch(event.source_in, clip.timecode, "the timeline")
    if mismatch is not None:
        return f"{mismatch} It is not joined to {clip.path}."
    try:
        start, wanted = timecode.to_time(clip.timecode, clip.fps), timecode.to_time(event.source_in, clip.fps)
    except PlateError as error:
        return str(error)
    if start.value <= wanted.value < start.value + clip.frame_count:
        return None
    return f"source {event.source_in} is not in {clip.path}, which starts at {clip.timecode}. Check the reel."


def drop_mismatch(stated: str, in_file: str, who: str) -> str | None:
    """A line when one timecode counts drop-frame and the other does not; nothing is ever shifted for it."""
    if timecode.is_drop(stated) == timecode.is_drop(in_file):
        return None
    kinds = {True: "drop-frame", False: "non-drop"}
    return (
        f"Timecode: {who} says {stated} ({kinds[timecode.is_drop(stated)]}) but the file {in_file} "
        f"({kinds[timecode.is_drop(in_file)]}). The file's is kept; export the list again in its counting."
    )


def common_rate(rates: Iterable[float | None]) -> float | None:
    """The one frame rate that all clips have, or None."""
    counts = Counter(round(rate, 3) for rate in rates if rate)
    return timecode.exact_rate(next(iter(counts))) if len(counts) == 1 else None
