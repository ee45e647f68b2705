"""Verdicts and how they are printed."""

from __future__ import annotations

from interpositive.bench.table import Row, table_lines


def test_a_row_passes_at_its_mark_and_misses_below_it() -> None:
    assert Row("p", "w", 31.5, "dB", 31.5, 33.0).passed is True
    assert Row("p", "w", 31.4, "dB", 31.5, 33.0).passed is False
    assert Row("p", "w", 33.0, "dB", 31.5, 33.0).aimed is True


def test_lower_is_better_turns_the_mark_around() -> None:
    assert Row("p", "w", 0.4, "dB", 0.5, None, False).passed is True
    assert Row("p", "w", 0.6, "dB", 0.5, None, False).passed is False


def test_without_a_mark_there_is_no_verdict() -> None:
    assert Row("p", "w", 1.0).passed is None


def test_the_table_names_misses() -> None:
    lines = table_lines(
        [Row("a", "car relit", 30.0, "dB", 31.5, 33.0), Row("b", "flicker", 1.0, "x", 1.05, 1.0, False)]
    )
    assert lines[1].split() == ["car", "relit", "30", "dB", "31.50", "33", "MISS"]
    assert lines[2].endswith("pass, aim reached")
