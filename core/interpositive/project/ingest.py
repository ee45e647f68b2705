"""Dailies into the catalogue: find, look, measure, put. Incremental, resumable; the media are only read.

One thread lists folders and writes the catalogue, others read. Clips are put in the order of their paths,
each in one transaction, so a killed run leaves whole clips and the next one goes on behind them. In memory
are the clips in flight, not the clips there are.

A clip is known by the sizes and times of its files. Where these are as catalogued it is not opened. A clip
whose files vanish, or change while they are read, keeps what was known of it, is marked, and is looked at the
next time.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag

import cv2

from ..errors import Cancelled, PlateError
from ..images.colour import is_scene_linear
from ..images.reading import io_threads
from ..images.writing import remove_unfinished
from ..memory import usable_cores
from ..progress import Progress
from .catalogue import Catalogue
from .clips import Checksum, Clip, Record
from .discovery import Found, find_clips, raw_advice
from .lists import CHECKSUM, Lists, put_lists, without
from .sampling import (
    LIST_SOURCES,
    NOT_WHOLE,
    SCENE_LINEAR_SUFFIXES,
    Reading,
    Settings,
    Vanished,
    read_clip,
    stated,
)
from .tally import Tally
from .timeline import common_rate

STAGE = "ingest"
MOST_THREADS = 8
_MARK = "!"  # before the stamp of a clip that must be looked at again
_VANISHED = "Vanished: "
_CHANGED = "Changed: "
_OPEN_PROBLEMS = (*NOT_WHOLE, _VANISHED, _CHANGED)  # that a person has to see to
_POLL_S = 0.1
_FRAME_PLACE = re.compile(r"^(.*)%(?:0(\d+))?d([^/%]*)$", re.DOTALL)


@dataclass(frozen=True)
class _Outcome:
    """What a reading thread found of a clip; `reading` None where it is as catalogued."""

    found: Found
    stamp: str = ""
    reading: Reading | None = None
    checksum: tuple[Checksum, list[str]] | None = None
    vanished: str = ""
    has_changed: bool = False


def ingest(
    catalogue: Catalogue,
    roots: list[Path],
    settings: Settings,
    lists: Lists,
    progress: Progress,
    threads: int | None = None,
) -> Tally:
    """Bring the catalogue up to date with the folders `roots`; the caller holds the project's lock.

    Raises PlateError (a root that is not there), Cancelled, OutputError, CatalogueError. What was put stays.
    """
    for root in roots:
        if not root.exists():
            raise PlateError(f"There is no folder {root}. Check the path and that the drive is attached.")
    run = _Ingest(catalogue, settings, lists, progress)
    _remove_unfinished_thumbnails(settings.project_folder)
    with io_threads(1), _one_opencv_thread():
        run.clips(roots, threads or min(usable_cores(), MOST_THREADS))
    run.take_stock(roots)
    run.tell_about_raw()
    put_lists(catalogue, lists, common_rate(run.rates), run.tally, progress)
    return run.tally


class _Ingest:
    def __init__(self, catalogue: Catalogue, settings: Settings, lists: Lists, progress: Progress) -> None:
        self._catalogue, self._settings, self._lists, self._progress = catalogue, settings, lists, progress
        self.tally = Tally()
        self._raw_names: list[str] = []
        self._raw_suffixes: set[str] = set()
        self._stop = Flag()
        self.rates: Counter[float] = Counter()
        # Whole clips are fetched from the catalogue, and not only stamps, where a list may change them.
        self._must_compare = bool(lists.ale or lists.checksums or settings.input_space)

    # clips

    def clips(self, roots: list[Path], threads: int) -> None:
        """Look at every clip under the roots."""
        total = 0
        for found in find_clips(roots, lambda line: None):
            total += not found.is_raw
            self._progress.raise_if_cancelled()
        started = time.monotonic()
        waiting: deque[Future[_Outcome]] = deque()
        with ThreadPoolExecutor(threads, thread_name_prefix="clip reader") as pool:
            try:
                for found in find_clips(roots, self._complain_of_folder):
                    if found.is_raw:
                        self._note_raw(found)
                        continue
                    waiting.append(pool.submit(self._look, found, *self._known(found)))
                    if len(waiting) > 2 * threads:
                        self._finish(waiting.popleft(), total, started)
                while waiting:
                    self._finish(waiting.popleft(), total, started)
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        self._progress.report(STAGE, total, total, self._rate(started))

    def _complain_of_folder(self, line: str) -> None:
        self.tally.unreadable_folders += 1
        self.tally.complain(line)

    def _known(self, found: Found) -> tuple[str | None, Record | None]:
        stamp = self._catalogue.stamp_of(found.path, found.frames[0])
        if stamp is not None and not self._must_compare and not stamp.startswith(_MARK):
            return stamp, None
        record = self._catalogue.by_path(found.path)
        return (record.clip.stamp if record is not None else None), record

    def _look(self, found: Found, known_stamp: str | None, record: Record | None) -> _Outcome:
        """In a reading thread."""
        try:
            stamp = found.stamp()
            checksum = self._checksum(found, record, stamp)
            is_known = known_stamp is not None and known_stamp.removeprefix(_MARK) == stamp
            if is_known and (record is None or not self._must_read(found, record)):
                return _Outcome(found, stamp, checksum=checksum)
            reading = read_clip(
                found, self._settings, self._lists.ale_space(found.name), self._raise_if_stopped
            )
            return _Outcome(found, stamp, reading, checksum, has_changed=found.stamp() != stamp)
        except OSError as error:
            return _Outcome(found, vanished=error.strerror or str(error))
        except Vanished as error:
            return _Outcome(found, vanished=str(error))

    def _must_read(self, found: Found, record: Record) -> bool:
        """Whether a clip whose files are as catalogued has to be read all the same: an earlier run could not,
        or its colour space is another one now."""
        clip, wanted = record.clip, self._settings.input_space
        if clip.stamp.startswith(_MARK):
            return record.measures is None or not _has(clip, _VANISHED)
        if clip.colour_space is None:
            return clip.width > 0 and bool(wanted or self._lists.ale_space(found.name))
        if wanted is None or wanted == clip.colour_space:
            return False
        is_encoding = not is_scene_linear(wanted)
        if Path(found.path).suffix.lower() in SCENE_LINEAR_SUFFIXES:
            return not is_encoding and clip.sources.get("colour_space") == "file format"
        return is_encoding

    def _checksum(self, found: Found, record: Record | None, stamp: str) -> tuple[Checksum, list[str]] | None:
        lists = self._lists.checksums
        if lists is None:
            return None
        is_same = record is not None and record.clip.stamp == stamp
        if is_same and record is not None and record.clip.mhl == "verified":
            return "verified", []
        return lists.verify(found.files(), self._raise_if_stopped)

    def _raise_if_stopped(self) -> None:
        if self._stop.is_set():
            raise Cancelled("Stopped.")

    def _finish(self, future: Future[_Outcome], total: int, started: float) -> None:
        outcome = self._result(future)
        self.tally.found += 1
        if outcome.vanished:
            self._put_vanished(outcome.found, outcome.vanished)
        else:
            self._put(outcome)
        note = f"{outcome.found.name}, {self._rate(started)}"
        self._progress.report(STAGE, self.tally.found, max(total, self.tally.found), note)

    def _result(self, future: Future[_Outcome]) -> _Outcome:
        while True:
            self._progress.raise_if_cancelled()
            try:
                return future.result(timeout=_POLL_S)
            except NotYet:
                if future.done():
                    raise
                continue

    def _rate(self, started: float) -> str:
        return f"{self.tally.found / max(time.monotonic() - started, 1e-3):.1f} clips/s"

    def _put(self, outcome: _Outcome) -> None:
        found, reading = outcome.found, outcome.reading
        known = self._catalogue.stamp_of(found.path, found.frames[0]) if reading is None else None
        if reading is None and not self._must_compare and known == outcome.stamp:
            self.tally.unchanged += 1
            return
        record = self._catalogue.by_path(found.path)
        clip = self._clip_of(outcome, record)
        measures, thumbnails = None, tuple[str, ...]()
        if reading is not None:
            measures, thumbnails = reading.measures, reading.thumbnails
        elif record is not None:
            measures, thumbnails = record.measures, record.thumbnails
        if outcome.has_changed:
            measures, thumbnails = (None, ()) if record is None else (record.measures, record.thumbnails)
        if record is None or clip != record.clip or reading is not None:
            before = None if record is None else record.clip_id  # its first frame may be another now
            self._catalogue.put(clip, measures, thumbnails, before)
        self._count(outcome, record, clip, measures is not None)

    def _clip_of(self, outcome: _Outcome, record: Record | None) -> Clip:
        """The clip with what the file, the lists of this run and the lists of earlier runs say of it."""
        before = None if record is None else record.clip
        if outcome.reading is not None:
            clip = outcome.reading.clip if before is None else _carried_over(outcome.reading.clip, before)
        else:
            assert before is not None
            clip = replace(before, problems=without(before.problems, _VANISHED, _CHANGED))
        must_look_again = outcome.has_changed or (outcome.reading is not None and outcome.reading.is_unread)
        clip = replace(clip, stamp=_MARK + outcome.stamp if must_look_again else outcome.stamp)
        if outcome.has_changed:
            line = f"{_CHANGED}the files changed while they were read. Run again when the copy is finished."
            clip = replace(clip, problems=(*clip.problems, line))
        clip = self._lists.tell(clip)
        if outcome.checksum is not None:
            state, problems = outcome.checksum
            kept = without(clip.problems, CHECKSUM)
            clip = replace(clip, mhl=state, problems=(*kept, *problems))
        return clip

    def _count(self, outcome: _Outcome, record: Record | None, clip: Clip, is_measured: bool) -> None:
        tally = self.tally
        if outcome.reading is None:
            tally.unchanged += 1
        else:
            tally.new += record is None
            tally.changed += record is not None
            tally.measured += is_measured
            tally.frames_read += outcome.reading.frames_read
            for problem in clip.problems:
                tally.complain(f"{clip.path}: {problem}")
        if outcome.checksum is not None:
            state, problems = outcome.checksum
            tally.verified += state == "verified"
            tally.failed_checksums += state == "failed"
            for problem in problems if outcome.reading is None else ():
                tally.complain(f"{clip.path}: {problem}")

    # what is not there any more

    def _put_vanished(self, found: Found, reason: str) -> None:
        """Mark a clip whose files went away; what was known of it stays."""
        line = f"{_VANISHED}the files could not be read any more ({reason}). Attach the drive and run again."
        self.tally.vanished += 1
        self.tally.complain(f"{found.path}: {line}")
        record = self._catalogue.by_path(found.path)
        if record is not None:
            self._mark(record, line)
            return
        clip = Clip(found.name, found.path, found.kind, found.frames[0], found.frames[-1], found.missing)
        self._catalogue.put(replace(clip, stamp=_MARK, problems=(line,)), None)

    def _mark(self, record: Record, line: str) -> None:
        stamp = _MARK + record.clip.stamp.removeprefix(_MARK)
        problems = (*without(record.clip.problems, _VANISHED), line)
        self._catalogue.put(
            replace(record.clip, stamp=stamp, problems=problems), record.measures, record.thumbnails
        )

    def take_stock(self, roots: list[Path]) -> None:
        """Count the catalogued clips of these folders that are not in order, and mark those whose first file
        is gone; none is taken out. Where a whole folder is gone its clips stay as they are."""
        inside = tuple(f"{root.as_posix().rstrip('/')}/" for root in roots if root.is_dir())
        for root in roots:
            if not root.exists():
                self._complain_of_folder(f"Folder {root} is gone. What was catalogued of it is kept.")
        gone: list[tuple[str, int]] = []
        for clip in self._catalogue.clips():
            self._progress.raise_if_cancelled()
            if clip.fps:
                self.rates[round(clip.fps, 3)] += 1
            if not clip.path.startswith(inside):
                continue
            is_gone = not _has(clip, _VANISHED) and not os.path.exists(_first_file(clip))
            if is_gone:
                gone.append((clip.path, clip.first_frame))
            self.tally.open_clips += is_gone or clip.mhl == "failed" or _has(clip, *_OPEN_PROBLEMS)
        line = f"{_VANISHED}the files are gone. Attach the drive or copy them back, and run again."
        for path, first_frame in gone:
            record = self._catalogue.by_path(path, first_frame)
            if record is not None:
                self._mark(record, line)
                self.tally.vanished += 1
                self.tally.complain(f"{path}: {line}")

    # camera raw

    def _note_raw(self, found: Found) -> None:
        if not self._catalogue.by_name(found.name):
            self._raw_names.append(found.name)
        self._raw_suffixes.add(Path(found.path).suffix.lower())

    def tell_about_raw(self) -> None:
        """Name the camera raw that has no transcode in the catalogue."""
        lacking = [name for name in self._raw_names if not self._catalogue.by_name(name)]
        advice = raw_advice(lacking, self._raw_suffixes)
        if advice is not None:
            self.tally.complain(advice)


def _carried_over(clip: Clip, before: Clip) -> Clip:
    """A clip that was read again, with what lists of earlier runs and people said of it."""
    for source in LIST_SOURCES:
        values = {name: getattr(before, name) for name, kept in before.sources.items() if kept == source}
        clip = stated(clip, values, source)
    return replace(clip, persons=before.persons)


def _has(clip: Clip, *starts: str) -> bool:
    return any(problem.startswith(starts) for problem in clip.problems)


def _first_file(clip: Clip) -> str:
    """The file of the first frame. Folders and names may hold # and % of their own."""
    match = _FRAME_PLACE.match(clip.path) if clip.kind == "images" else None
    if match is None or os.path.exists(clip.path):
        return clip.path
    before, padding, after = match.groups()
    return f"{before}{clip.first_frame:0{padding or 1}d}{after}"


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Clips are read side by side; OpenCV's own threads would only be in their way."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _remove_unfinished_thumbnails(project_folder: Path) -> None:
    with suppress(OSError):
        for folder in (project_folder / "thumbnails").iterdir():
            if folder.is_dir():
                remove_unfinished(folder)
