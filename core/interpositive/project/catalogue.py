"""The catalogue of a production's clips: one SQLite file that many may read while one writes.

Every `put` is one transaction, so a killed ingest loses nothing that it had put and leaves nothing in
halves. A clip is known by its path and first frame: putting it again replaces what was known and keeps its
id.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from ..errors import CatalogueError, PlateError
from .clips import Cdl, Clip, Event, Measures, Record
from .looks import read_looks, write_look
from .rights import folded
from .schema import CATALOGUE_FILE, connect, damaged, plain_errors, transaction
from .timecode import later, tidy

__all__ = ["CATALOGUE_FILE", "TERMS", "Catalogue", "Counts", "timecode_label"]

_Stored = TypeVar("_Stored", Clip, Measures, Cdl)

_PAGE = 256  # records read at a time, so that no reader holds up a writer's log
_DAY_LABELS = 86400.0
_NAMES = ("name", "timecode")  # columns of the table of clips
TERMS = ("kind", "reel", "scene", "take", "camera", "lens", "colour_space", "mhl")  # columns that hold terms


@dataclass(frozen=True)
class Counts:
    """How much there is. The dictionaries go from a value, or "" for not known, to the number of clips."""

    clips: int
    measured: int
    frames: int
    seconds: float  # of the clips whose frame rate is known
    with_problems: int
    same_name: int  # clips that share name and timecode with another
    events: int
    cameras: dict[str, int]
    colour_spaces: dict[str, int]
    checksums: dict[str, int]


class Catalogue:
    """`with Catalogue.open(project.folder) as catalogue: ...`; one object for each thread and process.

    Every method raises CatalogueError for a damaged file, FolderBusyError where another run keeps writing for
    longer than 20 seconds, and, when it writes, OutputError.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Make an empty catalogue in `folder`, or open the one that is there."""
        return cls._connect(folder / CATALOGUE_FILE, create=True)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the catalogue in `folder`; for reading alone where that is read-only."""
        return cls._connect(folder / CATALOGUE_FILE, create=False)

    @classmethod
    def _connect(cls, path: Path, create: bool) -> Self:
        path = path.absolute()
        return cls(connect(path, create), path)

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- clips

    def put(
        self,
        clip: Clip,
        measures: Measures | None,
        thumbnails: Sequence[str] = (),
        replaces: int | None = None,
    ) -> int:
        """Insert the clip, or replace the one of its path and first frame; returns its id.

        `replaces`: id of the clip that this one was before, where its path or first frame is another now.
        """
        _refuse_undecodable(clip)
        facts, texts = _facts(clip, measures), _texts(clip)
        with transaction(self.connection, self.path):
            clip_id = self._put_key(clip, replaces)
            facts.update(self._term_numbers(texts))
            names, places = ", ".join(facts), ", ".join("?" * len(facts))
            self.connection.execute(
                f"INSERT OR REPLACE INTO facts (id, {names}) VALUES (?, {places})", (clip_id, *facts.values())
            )
            stored = (clip_id, _json(clip.to_json()), None if measures is None else _json(measures.to_json()))
            self.connection.execute(
                "INSERT OR REPLACE INTO details (id, clip, measures, thumbnails) VALUES (?, ?, ?, ?)",
                (*stored, _json(list(thumbnails))),
            )
            self.connection.execute(
                "INSERT OR REPLACE INTO texts (rowid, words) VALUES (?, ?)", (clip_id, _words(clip))
            )
            write_look(self.connection, clip_id, None if measures is None else measures.look)
        return clip_id

    def _put_key(self, clip: Clip, replaces: int | None) -> int:
        key = (clip.path, clip.first_frame)
        known = (clip.stamp, folded(clip.name), clip.timecode)
        found = self._one("SELECT id FROM clips WHERE path = ? AND first_frame = ?", key)
        if replaces is not None and found != (replaces,):
            if found is not None:
                self._delete(int(found[0]))
            found = self._one("SELECT id FROM clips WHERE id = ?", (replaces,))
        if found is not None:
            self.connection.execute(
                "UPDATE clips SET path = ?, first_frame = ?, stamp = ?, name = ?, timecode = ? WHERE id = ?",
                (*key, *known, found[0]),
            )
            return int(found[0])
        cursor = self.connection.execute(
            "INSERT INTO clips (path, first_frame, stamp, name, timecode) VALUES (?, ?, ?, ?, ?)", key + known
        )
        return int(cursor.lastrowid or 0)

    def _term_numbers(self, texts: dict[str, str | None]) -> dict[str, int | None]:
        """The number of each text, a new one where it has none yet."""
        wanted = sorted({text for text in texts.values() if text is not None})
        query = f"SELECT text, id FROM terms WHERE text IN ({', '.join('?' * len(wanted))})"
        numbers: dict[str, int] = dict(self.connection.execute(query, wanted))
        for text in wanted:
            if text not in numbers:
                added = self.connection.execute("INSERT INTO terms (text) VALUES (?)", (text,))
                numbers[text] = int(added.lastrowid or 0)
        return {column: None if text is None else numbers[text] for column, text in texts.items()}

    def forget(self, clip_id: int) -> None:
        """Take a clip out; events keep their names and lose the link. Its id is never given again."""
        with transaction(self.connection, self.path):
            self._delete(clip_id)

    def _delete(self, clip_id: int) -> None:
        for table, key in (("clips", "id"), ("facts", "id"), ("details", "id"), ("texts", "rowid")):
            self.connection.execute(f"DELETE FROM {table} WHERE {key} = ?", (clip_id,))
        self.connection.execute("UPDATE events SET clip_id = NULL WHERE clip_id = ?", (clip_id,))
        write_look(self.connection, clip_id, None)

    def stamp_of(self, path: str, first_frame: int) -> str | None:
        """`Clip.stamp` as it was catalogued; None where the clip is not there."""
        with plain_errors(self.path):
            row = self._one("SELECT stamp FROM clips WHERE path = ? AND first_frame = ?", (path, first_frame))
        return None if row is None else str(row[0])

    def get(self, clip_id: int) -> Record:
        """The clip with that id. Raises CatalogueError where there is none."""
        found = self.several([clip_id])
        if not found:
            raise CatalogueError(f"Catalogue {self.path} has no clip number {clip_id}.")
        return found[0]

    def by_path(self, path: str, first_frame: int | None = None) -> Record | None:
        """The clip of that path; the one with the lowest first frame, unless a first frame is given."""
        wanted = "" if first_frame is None else " AND first_frame = ?"
        values = (path,) if first_frame is None else (path, first_frame)
        with plain_errors(self.path):
            row = self._one(f"SELECT id FROM clips WHERE path = ?{wanted} ORDER BY first_frame", values)
        return None if row is None else self.get(int(row[0]))

    def by_name(self, name: str) -> list[Record]:
        """All clips of that name; case does not count."""
        return list(self.records(name=name))

    def records(self, **equal: str | None) -> Iterator[Record]:
        """Clips in the order of their ids, in constant memory, such as records(scene="12", reel="A001").

        None asks for those where it is not known. Clips put meanwhile may or may not be among them.
        """
        wanted, values = self._equal(equal)
        last = 0
        while True:
            with plain_errors(self.path):
                rows = self.connection.execute(
                    f"SELECT id FROM clips JOIN facts USING (id) WHERE id > ?{wanted} "
                    f"ORDER BY id LIMIT {_PAGE}",
                    (last, *values),
                ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield from self.several([row[0] for row in rows])

    def _equal(self, equal: Mapping[str, str | None]) -> tuple[str, list[str]]:
        unknown = set(equal) - {*_NAMES, *TERMS}
        if unknown:
            raise TypeError(f"not a name to choose records by: {sorted(unknown)}; known: {_NAMES + TERMS}")
        wanted, values = "", []
        for column, value in equal.items():
            if value is None:
                wanted += f" AND {column} IS NULL"
                continue
            number = "?" if column in _NAMES else "(SELECT id FROM terms WHERE text = ?)"
            wanted += f" AND {column} = {number}"
            values.append(value if column == "timecode" else folded(value))
        return wanted, values

    def clips(self) -> Iterator[Clip]:
        """As `records`, the clips alone, which is several times faster."""
        last = 0
        while found := self._some_clips(f"id > ? ORDER BY id LIMIT {_PAGE}", [last]):
            last = max(found)
            yield from found.values()

    def clips_of(self, clip_ids: Sequence[int]) -> dict[int, Clip]:
        """As `several`, the clips alone."""
        return self._some_clips(f"id IN ({', '.join('?' * len(clip_ids))})", clip_ids)

    def _some_clips(self, condition: str, values: Sequence[int]) -> dict[int, Clip]:
        with plain_errors(self.path):
            rows = self.connection.execute(
                f"SELECT id, clip FROM details WHERE {condition}", tuple(values)
            ).fetchall()
        return {clip_id: self._built(Clip, self._parsed(text)) for clip_id, text in rows}

    def several(self, clip_ids: Sequence[int]) -> list[Record]:
        """The clips with those ids, in that order, without those that are not there."""
        found: dict[int, Record] = {}
        among = f"id IN ({', '.join('?' * len(clip_ids))})"
        with plain_errors(self.path):
            looks = read_looks(self.connection, clip_ids)
            same_name = self._same_name(among, clip_ids)
            rows = self.connection.execute(
                f"SELECT id, clip, measures, thumbnails FROM details WHERE {among}", tuple(clip_ids)
            ).fetchall()
        for clip_id, clip, measures, thumbnails in rows:
            known = None if measures is None else {**self._parsed(measures), "look": looks.get(clip_id)}
            found[clip_id] = Record(
                clip_id,
                self._built(Clip, self._parsed(clip)),
                None if known is None else self._built(Measures, known),
                tuple(self._parsed(thumbnails)),
                tuple(same_name.get(clip_id, ())),
            )
        return [found[clip_id] for clip_id in clip_ids if clip_id in found]

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise damaged(self.path, error) from None

    def _built(self, kind: type[_Stored], values: dict[str, Any]) -> _Stored:
        try:
            return kind.from_json(values)
        except TypeError as error:
            raise damaged(self.path, error) from None

    def _same_name(self, among: str, clip_ids: Sequence[int]) -> dict[int, list[str]]:
        """Paths of the other clips with the name and timecode of each clip that has such."""
        others: dict[int, list[str]] = {}
        for clip_id, path in self.connection.execute(
            "SELECT this.id, other.path FROM clips AS this JOIN clips AS other USING (name, timecode) "
            f"WHERE this.{among} AND other.id <> this.id ORDER BY other.id",
            tuple(clip_ids),
        ):
            others.setdefault(clip_id, []).append(path)
        return others

    def counts(self) -> Counts:
        """How much there is, from one moment of the catalogue."""
        with plain_errors(self.path):
            self.connection.execute("BEGIN")
            try:
                return self._counts()
            finally:
                self.connection.execute("ROLLBACK")

    def _counts(self) -> Counts:
        totals = self._one(
            "SELECT count(*), count(exposure_stops), total(frames), total(frames / fps), total(problems > 0) "
            "FROM facts"
        )
        twins = self._one(
            "SELECT total(n) FROM (SELECT count(*) AS n FROM clips WHERE timecode IS NOT NULL "
            "GROUP BY name, timecode HAVING n > 1)"
        )
        events = self._one("SELECT count(*) FROM events")
        assert totals is not None and twins is not None and events is not None
        return Counts(
            clips=totals[0], measured=totals[1], frames=int(totals[2]), seconds=totals[3],
            with_problems=int(totals[4]), same_name=int(twins[0]), events=events[0],
            cameras=self._by("camera"), colour_spaces=self._by("colour_space"), checksums=self._by("mhl"),
        )  # fmt: skip

    def _by(self, column: str) -> dict[str, int]:
        """Number of clips by a value as it is written, most first."""
        rows = self.connection.execute(
            f"SELECT n, json_extract(clip, '$.{column}') FROM details JOIN (SELECT count(*) AS n, "
            f"min(id) AS id FROM facts GROUP BY {column}) USING (id) ORDER BY n DESC, id"
        )
        return {value or "": count for count, value in rows}

    def _one(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self.connection.execute(query, tuple(values)).fetchone()
        return row

    # ---- timelines

    def put_events(self, timeline: str, events: Iterable[Event]) -> None:
        """Replace the events of one timeline file."""
        rows = [(timeline, event.number, event.clip_id, _json(_event_json(event))) for event in events]
        with transaction(self.connection, self.path):
            self.connection.execute("DELETE FROM events WHERE timeline = ?", (timeline,))
            self.connection.executemany(
                "INSERT INTO events (timeline, number, clip_id, event) VALUES (?, ?, ?, ?)", rows
            )

    def events(self, timeline: str | None = None) -> list[Event]:
        """The events of one timeline, or of all, in their order."""
        wanted = "" if timeline is None else " WHERE timeline = ?"
        values = () if timeline is None else (timeline,)
        with plain_errors(self.path):
            rows = self.connection.execute(
                f"SELECT clip_id, event FROM events{wanted} ORDER BY timeline, number", values
            ).fetchall()
        return [self._event(clip_id, self._parsed(text)) for clip_id, text in rows]

    def _event(self, clip_id: int | None, values: dict[str, Any]) -> Event:
        cdl = values.pop("cdl", None)
        try:
            return Event(**values, clip_id=clip_id, cdl=None if cdl is None else self._built(Cdl, cdl))
        except TypeError as error:
            raise damaged(self.path, error) from None


def timecode_label(text: str | None) -> float | None:
    """hh:mm:ss:ff as a number that sorts as timecode does at any frame rate; None where it is no timecode."""
    plain = tidy(text) if text is not None else None
    if plain is None:
        return None
    hours, minutes, seconds, frames = (int(part) for part in plain.replace(";", ":").split(":"))
    return 3600.0 * hours + 60.0 * minutes + seconds + frames / 1000.0


def _labels(clip: Clip) -> tuple[float | None, float | None]:
    """First and last frame's timecode; a clip without usable frame rate is found by its first frame."""
    first = timecode_label(clip.timecode)
    if first is None or clip.timecode is None or clip.fps is None:
        return first, first
    try:
        last = timecode_label(later(clip.timecode, clip.frame_count - 1, clip.fps))
    except PlateError:
        return first, first
    if last is not None and last < first:
        last += _DAY_LABELS  # past midnight
    return first, last


def _facts(clip: Clip, measures: Measures | None) -> dict[str, Any]:
    """The numbers of the row in `facts`."""
    first_label, last_label = _labels(clip)
    measured = {
        name: None
        if measures is None
        else float(value)
        if (value := getattr(measures, name)) is not None
        else None
        for name in ("exposure_stops", "mireds", "contrast_stops")
    }
    plain = {name: getattr(clip, name) for name in ("focal_mm", "iso", "fps")}
    counted = {"frames": clip.frame_count, "problems": len(clip.problems)}
    return {"first_label": first_label, "last_label": last_label, **measured, **plain, **counted}


def _texts(clip: Clip) -> dict[str, str | None]:
    """The texts of the row in `facts`."""
    return {column: None if (value := getattr(clip, column)) is None else folded(value) for column in TERMS}


def _refuse_undecodable(clip: Clip) -> None:
    try:
        clip.path.encode("utf-8")
    except UnicodeEncodeError:
        raise CatalogueError(
            f"{clip.path!r} has a name that is not valid Unicode text. Rename the file to catalogue it."
        ) from None


def _words(clip: Clip) -> str:
    """What free text is searched in."""
    focal = None if clip.focal_mm is None else f"{clip.focal_mm:g}mm"
    told = (
        clip.name, clip.path, clip.reel, clip.scene, clip.take, clip.camera, clip.lens, focal,
        clip.colour_space, *clip.persons, *clip.problems,
    )  # fmt: skip
    return folded("\n".join(text for text in told if text))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"cannot be catalogued: {value!r}")


def _event_json(event: Event) -> dict[str, Any]:
    values = {name: value for name, value in vars(event).items() if name not in ("clip_id", "cdl")}
    return {**values, "cdl": None if event.cdl is None else event.cdl.to_json()}
