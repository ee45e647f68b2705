"""Finding clips: by what they are, by how they look, and by a picture that they resemble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .catalogue import Catalogue
from .clips import Clip, Record
from .looks import Look, similarities
from .rights import folded
from .schema import TEXT_INDEX, plain_errors

Range = tuple[float, float]  # both ends belong to it

_EXACT = ("reel", "scene", "take", "mhl")
_CONTAINED = ("name", "camera", "lens", "colour_space")
_BETWEEN = ("exposure_stops", "mireds", "contrast_stops", "iso", "focal_mm")
_BEST_FIRST = 256  # most similar clips that are looked through before all that match are listed
_READ_AT_A_TIME = 256


@dataclass(frozen=True)
class Query:
    """What a clip must be; None and empty ask for nothing.

    `text`: every word begins a word of the clip's name, path or data. Reel, scene and take are whole, the
    other texts may be a part; all know * and ?, and case does not count. Ranges include both ends;
    `timecode` is a pair of `timecode_label`s, met by every clip that has a frame between them.
    """

    text: str = ""
    name: str | None = None
    camera: str | None = None
    lens: str | None = None
    colour_space: str | None = None
    reel: str | None = None
    scene: str | None = None
    take: str | None = None
    mhl: str | None = None
    timecode: Range | None = None
    exposure_stops: Range | None = None
    mireds: Range | None = None
    contrast_stops: Range | None = None
    iso: Range | None = None
    focal_mm: Range | None = None
    problems: bool | None = None


@dataclass(frozen=True)
class Hit:
    """A clip that was found. `similarity`: cosine of the looks, 1 for the same; None without a picture."""

    record: Record
    similarity: float | None


def search(
    catalogue: Catalogue,
    query: Query,
    like: Look | None = None,
    limit: int = 20,
    accept: Callable[[Clip], bool] | None = None,
) -> list[Hit]:
    """At most `limit` clips that meet `query`, the most similar to `like` (float32 (K,)) first, else in the
    order of the catalogue. `accept` is asked last and may be slow.
    """
    hits: list[Hit] = []
    size = _READ_AT_A_TIME if accept is not None else min(limit, _READ_AT_A_TIME)
    for clip_ids, scores in _candidates(catalogue, query, like, size):
        known = dict(zip(clip_ids, scores, strict=True))
        if accept is not None:
            clips = catalogue.clips_of(clip_ids)
            clip_ids = [clip_id for clip_id in clip_ids if clip_id in clips and accept(clips[clip_id])]
        hits += [Hit(record, known[record.clip_id]) for record in catalogue.several(clip_ids)]
        if len(hits) >= limit:
            return hits[:limit]
    return hits


_Page = tuple[list[int], list[float | None]]
_Ids = NDArray[np.int64]


def _candidates(catalogue: Catalogue, query: Query, like: Look | None, size: int) -> Iterator[_Page]:
    """Ids and similarities, best first, `size` at a time."""
    if like is None:
        with plain_errors(catalogue.path):
            cursor = catalogue.connection.execute(*_statement(query))
            while rows := cursor.fetchmany(size):
                yield [row[0] for row in rows], [None] * len(rows)
        return
    with plain_errors(catalogue.path):
        found = similarities(catalogue.connection, like)
    for ids in _by_similarity(catalogue, query, found):
        for start in range(0, len(ids), size):
            page = ids[start : start + size]
            yield page.tolist(), found[page - 1].tolist()


def _by_similarity(catalogue: Catalogue, query: Query, found: Look) -> Iterator[_Ids]:
    """Clip ids that meet `query`, most similar first, in a few pieces; the first are quickly there."""
    ids = np.flatnonzero(np.isfinite(found)) + 1
    if query == Query():
        yield from _ranked(ids, found)
        return
    best = next(_ranked(ids, found), ids)
    near = _matching(catalogue, query, among=best)
    yield best[np.isin(best, near)]
    met = _matching(catalogue, query)
    met = met[met <= len(found)]
    met = met[np.isfinite(found[met - 1])]
    yield from _ranked(np.setdiff1d(met, near, assume_unique=True), found)


def _ranked(ids: _Ids, found: Look) -> Iterator[_Ids]:
    """`ids` by falling similarity, equal ones by id: the best few, then the rest."""
    scores = found[ids - 1]
    if len(ids) <= _BEST_FIRST:
        yield ids[np.argsort(-scores, kind="stable")]
        return
    least = np.partition(scores, len(ids) - _BEST_FIRST)[len(ids) - _BEST_FIRST]
    for part in (scores >= least, scores < least):
        yield ids[part][np.argsort(-scores[part], kind="stable")]


def _matching(catalogue: Catalogue, query: Query, among: _Ids | None = None) -> _Ids:
    """The ids of all clips that meet `query`, rising."""
    connection = catalogue.connection
    with plain_errors(catalogue.path):
        if among is not None and query.text:
            # For a word of every clip the whole index takes far longer than a small one of these clips.
            connection.execute("DROP TABLE IF EXISTS temp.few")
            connection.execute(f"CREATE VIRTUAL TABLE temp.few USING {TEXT_INDEX}")
            connection.execute(
                "INSERT INTO few (rowid, words) SELECT rowid, words FROM texts "
                f"WHERE rowid IN ({_listed(among)})"
            )
            rows = connection.execute(*_statement(query, index="few")).fetchall()
        else:
            rows = connection.execute(*_statement(query, among)).fetchall()
    return np.fromiter((row[0] for row in rows), np.int64, len(rows))


def _statement(query: Query, among: _Ids | None = None, index: str = "texts") -> tuple[str, list[Any]]:
    """SQL that gives the ids of the clips that meet `query`, rising, and its values."""
    conditions: list[str] = []
    values: list[Any] = []
    for condition, more in _conditions(query):
        conditions.append(condition)
        values += more
    if among is not None:
        conditions.append(f"facts.id IN ({_listed(among)})")
    words = _match_expression(query.text)
    if not words:
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT facts.id FROM facts{where} ORDER BY facts.id", values
    # The index gives its clips in the order of their ids, so a search with a limit stops early.
    facts = f" CROSS JOIN facts ON facts.id = {index}.rowid" if conditions else ""
    where = " AND ".join([f"{index} MATCH ?", *conditions])
    return f"SELECT {index}.rowid FROM {index}{facts} WHERE {where} ORDER BY {index}.rowid", [words, *values]


def _listed(ids: _Ids) -> str:
    return ", ".join(map(str, ids.tolist()))


def _conditions(query: Query) -> Iterator[tuple[str, list[Any]]]:
    for name in (*_EXACT, *_CONTAINED):
        if (text := getattr(query, name)) is not None:
            condition, value = _text_condition(folded(text), contained=name in _CONTAINED)
            table, column = ("clips", "name") if name == "name" else ("terms", "text")
            own = "facts.id" if name == "name" else f"facts.{name}"
            yield f"{own} IN (SELECT id FROM {table} WHERE {condition.format(column)})", [value]
    for name in _BETWEEN:
        if (ends := getattr(query, name)) is not None:
            yield f"facts.{name} BETWEEN ? AND ?", list(ends)
    if query.timecode is not None:
        yield "facts.first_label <= ? AND facts.last_label >= ?", [query.timecode[1], query.timecode[0]]
    if query.problems is not None:
        yield f"(facts.problems > 0) = {int(query.problems)}", []


def _text_condition(text: str, contained: bool) -> tuple[str, str]:
    if "*" in text or "?" in text:
        return "{} GLOB ?", text.replace("[", "[[]")
    return ("instr({}, ?) > 0" if contained else "{} = ?"), text


def _match_expression(text: str) -> str:
    """Every word, as the beginning of a word; nothing in it is an operator of the index."""
    words = (word for word in folded(text).replace('"', " ").split() if any(map(str.isalnum, word)))
    return " ".join(f'"{word}"*' for word in words)
