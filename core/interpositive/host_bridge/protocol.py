"""Wire protocol 1 between a host and the engine: JSON objects, UTF-8, one a line.

    engine   {"type": "hello", "protocol": 1, "version", "tools", "pid"}                         once, first
    host     {"type": "run", "id", "tool", "params"}   {"type": "cancel", "id"}   {"type": "shutdown"}
    engine   {"type": "progress", "id", "stage", "done", "total", "seconds_left", "note"}
             {"type": "log", "id", "level", "message"}
             {"type": "result", "id", "result"}                                                  ends a run
             {"type": "failure", "id", "kind": "expected" | "cancelled" | "bug", "error", "message"}      "

Runs are done one at a time, in the order in which they were asked for. The end of the host's stream means
that the host is gone. Pixels never travel here. JSON has no NaN and no infinity: both become null.
"""

from __future__ import annotations

import json
import math
from typing import Any, Dict

from ..errors import ProtocolError

PROTOCOL_VERSION = 1
LONGEST_LINE_BYTES = 4 * 1024 * 1024
_SHOWN_CHARACTERS = 80


def encode(message: Dict[str, Any]) -> bytes:
    """One line, its newline included. ASCII only, so no line separator of any library can be inside."""
    return json.dumps(finite(message), allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> Dict[str, Any]:
    """The message in one line; raises ProtocolError for whatever is not a JSON object with a "type"."""
    try:
        message = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"Expected one JSON object a line, found {_shown(line)}: {error}") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError(f'Expected a JSON object with a "type", found {_shown(line)}')
    return message


def finite(value: Any) -> Any:
    """`value` with every NaN and infinity replaced by None, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def one_line(text: str) -> str:
    """`text` with its line breaks and runs of blanks made single blanks."""
    return " ".join(text.split())


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace").strip()
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")
