"""The catalogue's tables, how an older file becomes one of today, and what SQLite's errors mean to a person.

clips        one narrow row a clip: what is searched and sorted by. Text is folded (case and Unicode
             composition do not count)
details      the clip, its measures and thumbnails as JSON
look_blocks  look vectors, `looks.BLOCK_CLIPS` of them a row
texts        full text index
events       timelines
settings     the length of the look vectors
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from ..errors import (
    CatalogueError,
    DamagedCatalogueError,
    FolderBusyError,
    NewerCatalogueError,
    OutputError,
)

CATALOGUE_FILE = "catalogue.sqlite"
APPLICATION_ID = 0x49504354  # "IPCT" in the file's header
BUSY_S = 20.0

TEXT_INDEX = "fts5 (words, tokenize = 'unicode61 remove_diacritics 2')"
_UNDECODABLE = "Could not decode to UTF-8"
_ADVICE = (
    "Restore it from a copy, or move it away, make a new one with `interpositive project create` and ingest "
    "again; the dailies are not affected."
)
_LONGEST_PATH = 500  # SQLite refuses file names from 512 bytes on


def _first_version(connection: sqlite3.Connection) -> None:
    for statement in _FIRST_VERSION.split(";"):
        connection.execute(statement)


_FIRST_VERSION = f"""
CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE clips (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL, first_frame INTEGER NOT NULL, stamp TEXT NOT NULL, name TEXT NOT NULL, timecode TEXT,
    UNIQUE (path, first_frame)
);
CREATE INDEX clips_name ON clips (name, timecode);
CREATE TABLE facts (
    id INTEGER PRIMARY KEY,
    first_label REAL, last_label REAL, exposure_stops REAL, mireds REAL, contrast_stops REAL,
    kind INTEGER, reel INTEGER, scene INTEGER, take INTEGER, camera INTEGER, lens INTEGER,
    colour_space INTEGER, mhl INTEGER,
    focal_mm REAL, iso REAL, fps REAL, frames INTEGER NOT NULL, problems INTEGER NOT NULL
);
CREATE INDEX facts_reel ON facts (reel);
CREATE INDEX facts_scene ON facts (scene, take);
CREATE TABLE terms (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE details (
    id INTEGER PRIMARY KEY, clip TEXT NOT NULL, measures TEXT, thumbnails TEXT NOT NULL
);
CREATE TABLE look_blocks (block INTEGER PRIMARY KEY, looks BLOB NOT NULL);
CREATE VIRTUAL TABLE texts USING {TEXT_INDEX};
CREATE TABLE events (
    timeline TEXT NOT NULL, number INTEGER NOT NULL, clip_id INTEGER, event TEXT NOT NULL,
    PRIMARY KEY (timeline, number)
) WITHOUT ROWID;
CREATE INDEX events_clip ON events (clip_id)
"""

# The step at index n takes a catalogue of version n to n + 1. Version 0 is an empty file.
UPGRADES: tuple[Callable[[sqlite3.Connection], None], ...] = (_first_version,)


def connect(path: Path, create: bool) -> sqlite3.Connection:
    """Open the catalogue file, brought up to today's version. Raises CatalogueError, OutputError.

    Where folder or file are read-only it is opened for reading.
    """
    refuse_long_path(path)
    if not create and not path.is_file():
        raise CatalogueError(f"There is no catalogue {path}. {_ADVICE}")
    with plain_errors(path):
        connection = sqlite3.connect(_address(path, create), timeout=BUSY_S, isolation_level=None, uri=True)
        try:
            _prepare(connection, path, create)
        except BaseException:
            connection.close()
            raise
    return connection


def refuse_long_path(path: Path) -> None:
    """Raises CatalogueError for a path that SQLite would not open."""
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise CatalogueError(
            f"Catalogue {path}: the path has more than {_LONGEST_PATH} bytes, which SQLite does not take. "
            "Keep the project in a shorter path; those of the dailies may be longer."
        )


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All or nothing, the only writer meanwhile. Waits for another writer up to BUSY_S."""
    with plain_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """SQLite's errors as ours, one line each."""
    try:
        yield
    except sqlite3.Error as error:
        raise _in_words(error, path) from None


def damaged(path: Path, reason: object) -> DamagedCatalogueError:
    """The error for content that no version has written."""
    return DamagedCatalogueError(f"Catalogue {path} is damaged: {reason}. {_ADVICE}")


def _address(path: Path, create: bool) -> str:
    return f"file:{quote(str(path))}?mode={'rwc' if create else 'rw'}"


def _prepare(connection: sqlite3.Connection, path: Path, create: bool) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if owner != APPLICATION_ID and (owner or tables or version):
        raise DamagedCatalogueError(f"{path} is another program's database, not a catalogue. {_ADVICE}")
    if version > len(UPGRADES):
        raise NewerCatalogueError(
            f"Catalogue {path} has version {version}, and this Interpositive reads up to {len(UPGRADES)}. "
            "Update Interpositive; nothing was changed."
        )
    if version == 0 and not create:
        raise DamagedCatalogueError(f"Catalogue {path} is empty. {_ADVICE}")
    if version < len(UPGRADES):
        _upgrade(connection, path)
    connection.execute("PRAGMA synchronous = NORMAL")


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Step by step, each whole or not at all; another process may have done it in the meantime."""
    connection.execute("PRAGMA journal_mode = WAL")
    while True:
        with transaction(connection, path):
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version >= len(UPGRADES):
                return
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            UPGRADES[version](connection)
            connection.execute(f"PRAGMA user_version = {version + 1}")


def _in_words(error: sqlite3.Error, path: Path) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return FolderBusyError(
            f"Another run has been writing to {path} for {BUSY_S:.0f} seconds. Wait until it is done, and "
            "run the same command again."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return OutputError(
            f"Catalogue {path} cannot be written: {error}. What is in it is whole; free the disk or the "
            "permissions and run the same command again."
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return CatalogueError(
            f"Catalogue {path} cannot be opened: {error}. Check the permissions of its folder."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT) or _UNDECODABLE in str(
        error
    ):
        return damaged(path, error)
    return error
