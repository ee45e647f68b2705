"""Finding clips by data, look and picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from clip_samples import LOOK_LENGTH, a_clip, a_look, some_measures
from interpositive.errors import CatalogueError
from interpositive.project.catalogue import Catalogue, timecode_label
from interpositive.project.clips import Clip
from interpositive.project.search import Query, search


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.create(tmp_path) as made:
        yield made


def put(catalogue: Catalogue, *clips: Clip) -> None:
    for number, clip in enumerate(clips, 1):
        catalogue.put(clip, some_measures(number))


def takes(catalogue: Catalogue, query: Query, **more: object) -> str:
    """Takes that were found, in order."""
    return "".join(hit.record.clip.take or "-" for hit in search(catalogue, query, **more))  # type: ignore[arg-type]


def label(text: str) -> float:
    found = timecode_label(text)
    assert found is not None
    return found


def test_nothing_asked_gives_all_in_the_order_of_the_catalogue(catalogue: Catalogue) -> None:
    put(catalogue, *(a_clip(number) for number in range(1, 6)))
    assert takes(catalogue, Query()) == "12345"
    assert takes(catalogue, Query(), limit=2) == "12"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("alexa", "2"), ("ALEX", "2"), ("lexa", ""), ("venice", "13"), ("venice c003", "3"),
        ("A001_C002", "2"), ("josé", "3"), ("jose", "3"), ("50mm", "1"), ("truncated", "2"), ("day2", "3"),
        ("映画", "3"), ("venice AND alexa", ""), ('"', "123"), ("*", "123"), ("venice OR", ""),
        ("NEAR(", ""), ("a001-c002", "2"),
        ("name:", ""), ("(", "123"), ("^venice", "13"), ("{}", "123"), ("'; DROP TABLE clips", ""),
    ],
)  # fmt: skip
def test_every_word_must_begin_a_word_of_the_clip(catalogue: Catalogue, text: str, found: str) -> None:
    put(
        catalogue,
        a_clip(1, camera="Sony VENICE 2", lens=None, focal_mm=50.0),
        a_clip(2, problems=("Truncated after frame 1010",)),
        a_clip(3, camera="Sony VENICE 2", persons=("José Example",), path="/day2/映画/c.mov"),
    )
    assert takes(catalogue, Query(text)) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(scene="12"), "12"), (Query(scene="1"), "3"), (Query(scene="1*"), "123"),
        (Query(take="2"), "2"),
        (Query(camera="alexa"), "13"), (Query(camera="ALEXA ?5"), ""), (Query(camera="*alexa ?5"), "13"),
        (Query(lens="[x]"), "3"), (Query(lens="*[x]*"), "3"), (Query(name="c002"), "2"),
        (Query(iso=(400, 800)), "123"), (Query(iso=(801, 900)), ""), (Query(focal_mm=(40, 60)), "2"),
        (Query(colour_space="logc"), "12"), (Query(reel="a001", scene="12", take="1"), "1"),
        (Query(mhl="failed"), "2"), (Query(problems=True), "2"), (Query(problems=False), "13"),
        (Query("alexa", scene="12"), "1"),
    ],
)  # fmt: skip
def test_filters_hold_together(catalogue: Catalogue, query: Query, found: str) -> None:
    put(
        catalogue,
        a_clip(1),
        a_clip(2, camera="RED", lens="Arri x", focal_mm=50.0, mhl="failed", problems=("x",)),
        a_clip(3, scene="1", lens="Cooke [x]", colour_space=None),
    )
    assert takes(catalogue, query) == found


def test_looks_are_found_in_stops_and_mireds(catalogue: Catalogue) -> None:
    for number, (stops, mireds) in enumerate([(-2.0, 180.0), (0.0, 300.0), (1.0, None)], 1):
        catalogue.put(a_clip(number), some_measures(number, exposure_stops=stops, mireds=mireds))
    catalogue.put(a_clip(4), None)
    assert takes(catalogue, Query(exposure_stops=(-2.0, 0.0))) == "12"
    assert takes(catalogue, Query(mireds=(0, 1000))) == "12"
    assert takes(catalogue, Query(contrast_stops=(5, 7), exposure_stops=(0.5, 2))) == "3"


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("10:00:00:00", "10:00:00:23", "12"), ("10:00:01:23", "10:00:01:23", "2"),
        ("10:00:02:00", "10:00:02:00", ""), ("09:00:00:00", "09:59:59:23", ""),
        ("10:00:59:20", "10:01:00:05", "3"), ("10:01:01:20", "10:01:01:20", ""),
        ("23:59:59:12", "23:59:59:12", "4"), ("00:00:00:00", "23:59:59:23", "12345"),
        ("11:00:00:00", "11:00:00:00", "5"),
    ],
)  # fmt: skip
def test_timecode_finds_every_clip_with_a_frame_in_it(
    catalogue: Catalogue, first: str, last: str, found: str
) -> None:
    put(
        catalogue,
        a_clip(1, timecode="10:00:00:00", last_frame=1024),
        a_clip(2, timecode="10:00:00:00", last_frame=1048),
        a_clip(
            3, timecode="10:00:59;25", fps=29.97, last_frame=1040
        ),  # past the minute that drops two numbers
        a_clip(4, timecode="23:59:59:00"),  # past midnight
        a_clip(5, timecode="11:00:00:00", fps=None),
        a_clip(6, timecode=None),
    )
    assert takes(catalogue, Query(timecode=(label(first), label(last)))) == found


def test_drop_frame_ends_where_the_recorder_said(catalogue: Catalogue) -> None:
    """40 frames from 10:00:59;25 end at 10:01:01;06: numbers 00 and 01 of that minute do not exist."""
    put(catalogue, a_clip(1, timecode="10:00:59;25", fps=29.97, last_frame=1040))
    assert takes(catalogue, Query(timecode=(label("10:01:01;06"), label("10:01:01;06")))) == "1"
    assert takes(catalogue, Query(timecode=(label("10:01:01;07"), label("10:01:02;00")))) == ""


def test_a_picture_finds_the_most_similar_first(catalogue: Catalogue) -> None:
    looks = np.stack([a_look(number) for number in range(1, 301)])
    for number in range(1, 301):
        catalogue.put(a_clip(number), some_measures(number))
    like = a_look(7) + 0.3 * a_look(1234)
    exact = looks @ (like / np.linalg.norm(like))
    hits = search(catalogue, Query(), like=5.0 * like, limit=300)
    assert len(hits) == 300 and hits[0].record.clip.take == "7"
    found = np.array([hit.similarity for hit in hits])
    assert np.all(np.diff(found) <= 0)
    order = [int(hit.record.clip.take or 0) - 1 for hit in hits]
    assert np.abs(found - exact[order]).max() < 0.01
    assert sorted(order) == list(range(300))


@pytest.mark.parametrize("first_look", [3, 5000], ids=["beyond the best few", "among them"])
def test_a_picture_and_filters_give_what_comparing_one_by_one_gives(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, first_look: int
) -> None:
    monkeypatch.setattr("interpositive.project.search._BEST_FIRST", first_look)
    for number in range(1, 61):
        clip = a_clip(number, scene=str(number % 7), camera=("RED", "ALEXA")[number % 2])
        catalogue.put(clip, some_measures(number) if number % 5 else None)
    everything = search(catalogue, Query(), like=a_look(9), limit=100)
    assert len(everything) == 48

    def meets(clip: Clip, query: Query) -> bool:
        camera = "alexa" if query.text else query.camera
        right_camera = camera in (None, (clip.camera or "").lower())
        return right_camera and query.scene in (None, clip.scene)

    for query in (Query(scene="3"), Query("alexa", scene="3"), Query(camera="red"), Query(scene="99")):
        wanted = [hit.record.clip_id for hit in everything if meets(hit.record.clip, query)]
        found = search(catalogue, query, like=a_look(9), limit=100)
        assert [hit.record.clip_id for hit in found] == wanted
        few = search(catalogue, query, like=a_look(9), limit=2)
        assert [hit.record.clip_id for hit in few] == wanted[:2]


def test_what_is_accepted_is_asked_until_enough_are_found(catalogue: Catalogue) -> None:
    put(catalogue, *(a_clip(number) for number in range(1, 200)))

    def is_late(clip: Clip) -> bool:
        return int(clip.take or 0) > 190

    assert takes(catalogue, Query(), limit=3, accept=is_late) == "191192193"
    near = search(catalogue, Query(), like=a_look(195), limit=100, accept=is_late)
    assert near[0].record.clip.take == "195" and len(near) == 9


def test_a_picture_against_an_empty_catalogue_finds_nothing(catalogue: Catalogue) -> None:
    catalogue.put(a_clip(), None)
    assert search(catalogue, Query(), like=a_look(1)) == []


def test_a_look_of_another_length_is_refused(catalogue: Catalogue) -> None:
    put(catalogue, a_clip())
    with pytest.raises(CatalogueError, match=f"looks of {LOOK_LENGTH} values, and this one has 7"):
        search(catalogue, Query(), like=np.ones(7, np.float32))


@pytest.mark.parametrize("text", [None, "", "10:00", "10:00:00", "x", "10:00:00:0", "1000000"])
def test_what_is_no_timecode_has_no_label(text: str | None) -> None:
    assert timecode_label(text) is None


def test_labels_sort_as_timecode_does() -> None:
    texts = ["00:00:00:00", "00:00:00:59", "00:00:01;00", "00:59:59:29", "01:00:00:00", "23:59:59:23"]
    labels = [label(text) for text in texts]
    assert labels == sorted(set(labels))
