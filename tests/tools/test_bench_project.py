"""`interpositive bench project`: its parts by name, its table, and the exit status of a miss."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interpositive.bench import project
from interpositive.bench.project import ProjectBench
from interpositive.bench.table import Row
from interpositive.cli import EXIT_ERROR, EXIT_OK, EXIT_USAGE, main


def test_the_named_parts_run_and_a_miss_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def search_rows(bench: ProjectBench, part: str) -> list[Row]:
        assert bench.work == tmp_path
        return [Row(part, "slowest search", 60.0, "ms", 50.0, None, False, {"queries": 3})]

    def good_rows(bench: ProjectBench, part: str) -> list[Row]:
        return [Row(part, "memory", 90.0, "MB", 500.0, None, False)]

    monkeypatch.setattr(project, "PARTS", {"searching": search_rows, "memory": good_rows})
    words = ["bench", "project", "--work", str(tmp_path)]
    assert main([*words, "--only", "memory"]) == EXIT_OK
    assert main([*words, "--only", "films"]) == EXIT_USAGE
    capsys.readouterr()
    assert main([*words, "--json", str(tmp_path / "bench.json")]) == EXIT_ERROR
    told = capsys.readouterr()
    assert "Missed 1 of 2 rows: slowest search." in told.err and "MISS" in told.out
    rows = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["rows"]
    assert [row["part"] for row in rows] == ["searching", "memory"] and rows[0]["details"] == {"queries": 3}
