"""The bench of ingest: it compares like with like, and sees what a kill would have broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from interpositive.bench import ingest as bench
from interpositive.progress import Progress
from interpositive.project.catalogue import Catalogue


@pytest.fixture(autouse=True)
def opencv_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def test_reading_and_ingesting_read_the_same_number_of_frames(tmp_path: Path) -> None:
    bench.make_dailies(tmp_path / "dailies", 3, 8, (64, 36))
    read = bench.time_reading(Progress(), tmp_path / "dailies")
    ingested = bench.time_ingest(Progress(), tmp_path / "dailies", tmp_path / "show")
    assert read["frames"] == ingested["frames"] == 3 * 4
    assert ingested["clips"] == 3 and min(read["cpu_s"], ingested["cpu_s"]) > 0
    again = bench.time_ingest(Progress(), tmp_path / "dailies", tmp_path / "show")
    assert (again["clips"], again["frames"]) == (3, 0)


def test_a_clip_that_is_not_whole_is_seen(tmp_path: Path) -> None:
    bench.make_dailies(tmp_path / "dailies", 2, 2, (64, 36))
    bench.time_ingest(Progress(), tmp_path / "dailies", tmp_path / "show")
    assert all(bench._catalogued(tmp_path / "show").values())
    with Catalogue.open(tmp_path / "show") as catalogue:
        first, second = catalogue.records()
        (tmp_path / "show" / first.thumbnails[0]).unlink()
        catalogue.put(second.clip, None, second.thumbnails)
    assert list(bench._catalogued(tmp_path / "show").values()) == ["", ""]


def test_the_dailies_are_clips_of_their_own_though_their_files_are_shared(tmp_path: Path) -> None:
    bench.make_dailies(tmp_path / "dailies", 3, 6, (64, 36))
    files = sorted((tmp_path / "dailies").rglob("*.exr"))
    assert len(files) == 18 and len({file.stat().st_ino for file in files}) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["dailies"]
