"""Messages on the wire."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpositive.errors import ProtocolError
from interpositive.host_bridge.protocol import decode, encode, finite, one_line

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), JSON))
def test_every_message_is_one_line_of_strict_json_and_comes_back(content: dict[str, object]) -> None:
    message = {**content, "type": "log"}
    line = encode(message)
    assert line.count(b"\n") == 1 and line.endswith(b"\n") and len(line.splitlines()) == 1
    assert decode(line) == finite(message) == json.loads(line)


def test_nan_and_infinity_become_null_at_any_depth() -> None:
    message = {"type": "log", "a": [float("nan"), {"b": (float("inf"), -float("inf"), 1.5)}]}
    assert decode(encode(message))["a"] == [None, {"b": [None, None, 1.5]}]


@pytest.mark.parametrize(
    "line", [b"", b"3", b"{}", b'{"type": null}', b'{"type": "x", "y": Infinity}', b"\xff", b"{'a': 1}"]
)
def test_whatever_is_no_message_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(line)


def test_error_shows_the_beginning_of_a_long_line_only() -> None:
    with pytest.raises(ProtocolError) as error:
        decode(b"x" * 10_000)
    assert len(str(error.value)) < 250


def test_one_line_joins_lines_and_blanks() -> None:
    assert one_line(" a\n  b\tc \r\n") == "a b c"
