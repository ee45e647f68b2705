"""The catalogue's bench: honest rows from a small catalogue, and a refusal to measure a used one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interpositive.bench import catalogue as bench_catalogue
from interpositive.bench.catalogue import catalogue_rows, fill, made_up_clip, made_up_look, made_up_measures
from interpositive.bench.children import Measured
from interpositive.bench.project import PARTS, ProjectBench, run_parts
from interpositive.errors import CatalogueError, UsageError
from interpositive.progress import Progress


def in_this_process(
    function: Callable[..., Any], *arguments: Any, threads: int | None, progress: Progress, title: str
) -> Measured[Any]:
    return Measured(function(progress, *arguments), 1.0, 1.0, 200 * 1024**2)


def no_tool(progress: Progress, name: str, values: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError(f"{name} is not needed")


@pytest.fixture
def bench(tmp_path: Path) -> ProjectBench:
    return ProjectBench(tmp_path / "data", tmp_path / "work", no_tool, "cpu", Progress())


def test_every_kind_of_search_has_a_row_with_its_mark(
    bench: ProjectBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_catalogue, "measure", in_this_process)
    rows = catalogue_rows(bench, "catalogue", clips=450)
    marks = {row.what: (row.must, row.passed) for row in rows}
    for kind in ("text", "metadata and look", "picture"):
        assert marks[f"450 clips, slowest search by {kind}"][0] == 50
    assert marks["450 clips, memory while searching"] == (500, True)
    slowest = {row.what: row for row in rows}["450 clips, slowest search by picture"]
    taken = slowest.details["taken_ms"].values()
    assert slowest.measured == max(query["fastest"] for query in taken) > 0
    assert all(query["median"] >= query["fastest"] and query["processor"] > 0 for query in taken)


def test_a_catalogue_of_an_earlier_run_is_not_measured_again(tmp_path: Path) -> None:
    fill(Progress(), tmp_path, 3)
    with pytest.raises(CatalogueError, match="earlier run"):
        fill(Progress(), tmp_path, 3)


def test_a_search_that_finds_the_wrong_clip_is_no_measurement(
    bench: ProjectBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_catalogue, "measure", in_this_process)
    monkeypatch.setattr(bench_catalogue, "search", lambda *_, **__: [])
    with pytest.raises(CatalogueError, match="did not put the clip first"):
        catalogue_rows(bench, "catalogue", clips=20)


def test_made_up_clips_are_always_the_same_and_all_different() -> None:
    assert made_up_clip(7) == made_up_clip(7) and made_up_measures(7) == made_up_measures(7)
    assert (made_up_look(7) == made_up_look(7)).all()
    keys = {(made_up_clip(index).path, made_up_clip(index).first_frame) for index in range(2000)}
    assert len(keys) == 2000


def test_a_part_that_is_none_is_told(bench: ProjectBench) -> None:
    with pytest.raises(UsageError, match=r"--only films is no part of this bench. Parts: catalogue"):
        run_parts(bench, ["films"])
    assert "catalogue" in PARTS
