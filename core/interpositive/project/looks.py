"""Look vectors of all clips, packed so that comparing one with a hundred thousand takes milliseconds.

The clip with id n lies in block (n - 1) // BLOCK_CLIPS at slot (n - 1) % BLOCK_CLIPS, so a block needs no
list of whose vectors it holds, and a changed vector is written in place. A slot is a float32 scale, then
int8 values: vector = scale * values; scale 0 is "none".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CatalogueError

BLOCK_CLIPS = 256
_STEPS = 127.0

Look = NDArray[np.float32]


def write_look(connection: sqlite3.Connection, clip_id: int, look: Look | None) -> None:
    """Put `look` (float32 (K,), any length but zero) into its slot, or empty the slot. Inside a transaction.

    Raises CatalogueError where K is not that of the vectors already there.
    """
    length = look_length(connection)
    if look is None and length is None:
        return
    if look is not None and length is None:
        length = int(look.size)
        connection.execute("INSERT INTO settings (name, value) VALUES ('look_length', ?)", (length,))
    assert length is not None
    if look is not None and look.shape != (length,):
        raise _other_length(length, look)
    slot = _slot_type(length)
    block, index = divmod(clip_id - 1, BLOCK_CLIPS)
    packed = np.zeros(1, slot) if look is None else _pack(look, slot)
    connection.execute(
        "INSERT OR IGNORE INTO look_blocks (block, looks) VALUES (?, zeroblob(?))",
        (block, BLOCK_CLIPS * slot.itemsize),
    )
    with connection.blobopen("look_blocks", "looks", block) as blob:
        blob.seek(index * slot.itemsize)
        blob.write(packed.tobytes())


def read_looks(connection: sqlite3.Connection, clip_ids: Iterable[int]) -> dict[int, Look]:
    """Unit-length looks, float32 (K,), of those clips that have one."""
    length = look_length(connection)
    looks: dict[int, Look] = {}
    if length is None:
        return looks
    wanted: dict[int, list[int]] = {}
    for clip_id in clip_ids:
        wanted.setdefault((clip_id - 1) // BLOCK_CLIPS, []).append(clip_id)
    for block, members in wanted.items():
        row = connection.execute("SELECT looks FROM look_blocks WHERE block = ?", (block,)).fetchone()
        slots = np.frombuffer(row[0] if row is not None else b"", _slot_type(length))
        for clip_id in members if row is not None else ():
            slot = slots[(clip_id - 1) % BLOCK_CLIPS]
            if slot["scale"] > 0:
                looks[clip_id] = _unit(slot["values"].astype(np.float32))
    return looks


def similarities(connection: sqlite3.Connection, like: Look) -> NDArray[np.float32]:
    """Cosine of the angle between `like` (K,) and every clip's look: float32 (N,), index = clip id - 1.

    Clips without look have -inf. Raises CatalogueError where K is not that of the catalogue.
    """
    length = look_length(connection)
    if length is None:
        return np.empty(0, np.float32)
    if like.shape != (length,):
        raise _other_length(length, like)
    last = connection.execute("SELECT max(block) FROM look_blocks").fetchone()[0]
    found, scales = np.zeros((2, int(last) + 1, BLOCK_CLIPS), np.float32)
    unit = _unit(np.asarray(like, np.float32))
    for block, slots in _blocks(connection, length):
        found[block] = slots["values"].astype(np.float32) @ unit
        scales[block] = slots["scale"]
    found *= scales
    found[scales <= 0] = -np.inf
    return found.reshape(-1)


def look_length(connection: sqlite3.Connection) -> int | None:
    """K of the catalogue's look vectors; None before the first."""
    row = connection.execute("SELECT value FROM settings WHERE name = 'look_length'").fetchone()
    return None if row is None else int(row[0])


def _blocks(connection: sqlite3.Connection, length: int) -> Iterator[tuple[int, NDArray[Any]]]:
    slot = _slot_type(length)
    for block, looks in connection.execute("SELECT block, looks FROM look_blocks"):
        yield block, np.frombuffer(looks, slot)


@lru_cache(maxsize=4)
def _slot_type(length: int) -> np.dtype[Any]:
    return np.dtype([("scale", "<f4"), ("values", "i1", (length,))])


def _pack(look: Look, slot: np.dtype[Any]) -> NDArray[Any]:
    """The scale makes the stored vector, not the given one, unit length."""
    largest = float(np.abs(look).max())
    if not np.isfinite(look).all() or largest == 0:
        raise CatalogueError("A look vector must be finite and not zero. Measure the clip again.")
    packed = np.zeros(1, slot)
    values = np.rint(look * (_STEPS / largest))
    packed["values"] = values
    packed["scale"] = 1.0 / np.linalg.norm(values)
    return packed


def _other_length(length: int, look: Look) -> CatalogueError:
    return CatalogueError(
        f"The catalogue holds looks of {length} values, and this one has {look.size}: it was measured by "
        "another version. Make a new project and ingest again."
    )


def _unit(vector: Look) -> Look:
    return vector / np.linalg.norm(vector)
