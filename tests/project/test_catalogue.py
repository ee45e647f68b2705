"""The catalogue: nothing lost, nothing double, whatever is killed, damaged, newer or read-only."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import clip_samples
from clip_samples import a_clip, a_look, some_measures
from interpositive.errors import (
    CatalogueError,
    DamagedCatalogueError,
    FolderBusyError,
    NewerCatalogueError,
    OutputError,
)
from interpositive.project import schema
from interpositive.project.catalogue import Catalogue
from interpositive.project.clips import Cdl, Event
from interpositive.project.looks import similarities
from interpositive.project.search import Query, search


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.create(tmp_path) as made:
        yield made


def is_sound(catalogue: Catalogue) -> bool:
    return catalogue.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# what is put comes back


def test_a_clip_comes_back_whole(catalogue: Catalogue) -> None:
    clip, measures = a_clip(persons=("José",), problems=("truncated",)), some_measures()
    clip_id = catalogue.put(clip, measures, ["thumbnails/a.jpg", "thumbnails/b.jpg"])
    record = catalogue.get(clip_id)
    assert (record.clip, record.measures) == (clip, measures)
    assert record.thumbnails == ("thumbnails/a.jpg", "thumbnails/b.jpg")
    assert record.measures is not None and record.measures.look is not None
    assert record.measures.look.dtype == np.float32
    assert float(record.measures.look @ a_look(1)) > 0.999


def test_numpy_numbers_are_taken_as_numbers(catalogue: Catalogue) -> None:
    measures = some_measures(exposure_stops=np.float32(0.5), boundaries=(np.int64(7),))
    record = catalogue.get(catalogue.put(a_clip(), measures))
    assert record.measures == some_measures(exposure_stops=0.5, boundaries=(7,))


def test_putting_again_replaces_and_keeps_the_id(catalogue: Catalogue) -> None:
    first = catalogue.put(a_clip(1, camera="RED", problems=("truncated",)), some_measures(1), ["a.jpg"])
    catalogue.put(a_clip(2), some_measures(2))
    changed = a_clip(1, stamp="new")
    assert catalogue.put(changed, None) == first
    assert (catalogue.get(first).clip, catalogue.get(first).measures) == (changed, None)
    assert catalogue.counts().clips == 2
    assert not search(catalogue, Query("red")) and not search(catalogue, Query(problems=True))
    assert [hit.record.clip.take for hit in search(catalogue, Query(), like=a_look(1))] == ["2"]


def test_the_stamp_says_whether_to_look_again(catalogue: Catalogue) -> None:
    clip = a_clip()
    assert catalogue.stamp_of(clip.path, clip.first_frame) is None
    catalogue.put(clip, None)
    assert catalogue.stamp_of(clip.path, clip.first_frame) == clip.stamp
    assert catalogue.stamp_of(clip.path, 1) is None


def test_two_pieces_of_one_sequence_are_two_clips(catalogue: Catalogue) -> None:
    late = a_clip(first_frame=2001, last_frame=2010)
    catalogue.put(late, None)
    catalogue.put(a_clip(), None)
    found = catalogue.by_path(late.path)
    assert found is not None and found.clip.first_frame == 1001
    exact = catalogue.by_path(late.path, 2001)
    assert exact is not None and exact.clip == late
    assert catalogue.by_path(late.path, 5) is None


def test_clips_of_one_name_and_timecode_stay_two_and_are_flagged(catalogue: Catalogue) -> None:
    first = catalogue.put(a_clip(path="/day1/a.mov"), None)
    second = catalogue.put(a_clip(path="/copy/a.mov"), None)
    catalogue.put(a_clip(path="/other/a.mov", timecode="11:00:00:00"), None)
    assert [record.clip.path for record in catalogue.by_name("a001_c001")] == [
        "/day1/a.mov", "/copy/a.mov", "/other/a.mov",
    ]  # fmt: skip
    assert catalogue.get(first).same_name == ("/copy/a.mov",)
    assert catalogue.counts().same_name == 2
    catalogue.forget(second)
    assert catalogue.get(first).same_name == () and catalogue.counts().same_name == 0


def test_clips_without_timecode_are_not_called_the_same(catalogue: Catalogue) -> None:
    ids = [catalogue.put(a_clip(path=path, timecode=None), None) for path in ("/a.mov", "/b.mov")]
    assert catalogue.get(ids[0]).same_name == () and catalogue.counts().same_name == 0


def test_a_forgotten_clip_is_gone_from_everything(catalogue: Catalogue) -> None:
    gone, kept = (catalogue.put(a_clip(number), some_measures(number)) for number in (1, 2))
    catalogue.put_events("/cut.edl", [Event("/cut.edl", 1, "sh010", gone)])
    catalogue.forget(gone)
    with pytest.raises(CatalogueError, match=f"no clip number {gone}"):
        catalogue.get(gone)
    assert [record.clip_id for record in catalogue.records()] == [kept]
    assert not search(catalogue, Query("c001"))
    assert [hit.record.clip_id for hit in search(catalogue, Query(), like=a_look(1))] == [kept]
    assert similarities(catalogue.connection, a_look(1))[gone - 1] == -np.inf
    assert catalogue.events()[0].clip_id is None
    assert catalogue.put(a_clip(1), None) not in (gone, kept)


def test_a_sequence_that_grew_to_the_front_stays_the_same_clip(catalogue: Catalogue) -> None:
    first = catalogue.put(a_clip(1), some_measures(1))
    other = catalogue.put(a_clip(1, first_frame=990), None)
    catalogue.put_events("/cut.edl", [Event("/cut.edl", 1, "sh010", first)])
    grown = a_clip(1, first_frame=990, stamp="new")
    assert catalogue.put(grown, some_measures(1), replaces=first) == first
    assert [(record.clip_id, record.clip) for record in catalogue.records()] == [(first, grown)]
    assert other != first and catalogue.events()[0].clip_id == first
    assert len(search(catalogue, Query(), like=a_look(1))) == len(search(catalogue, Query("alexa"))) == 1


def test_records_are_chosen_by_value_and_by_not_known(catalogue: Catalogue) -> None:
    for number, camera in enumerate(("ALEXA 35", None, "alexa 35"), 1):
        catalogue.put(a_clip(number, camera=camera), None)
    assert [record.clip.take for record in catalogue.records(camera="Alexa 35")] == ["1", "3"]
    assert [record.clip.take for record in catalogue.records(camera=None, reel="a001")] == ["2"]
    with pytest.raises(TypeError, match="stamp"):
        next(catalogue.records(stamp="x"))


def test_records_may_be_put_while_they_are_read(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interpositive.project.catalogue._PAGE", 2)
    for number in range(1, 8):
        catalogue.put(a_clip(number), some_measures(number))
    for record in catalogue.records():
        catalogue.put(replace(record.clip, scene="13"), record.measures)
    assert [record.clip.take for record in catalogue.records(scene="13")] == list("1234567")
    assert [clip.take for clip in catalogue.clips()] == list("1234567")


def test_counts_add_up(catalogue: Catalogue) -> None:
    catalogue.put(a_clip(1, mhl="verified"), some_measures())
    catalogue.put(a_clip(2, camera="arri alexa 35", problems=("a", "b")), None)
    catalogue.put(a_clip(3, camera=None, fps=None, colour_space=None), None)
    counts = catalogue.counts()
    assert (counts.clips, counts.measured, counts.with_problems, counts.frames) == (3, 1, 1, 144)
    assert counts.seconds == pytest.approx(4.0)
    assert counts.cameras == {"ARRI ALEXA 35": 2, "": 1}
    assert counts.colour_spaces == {"ARRI LogC4": 2, "": 1}
    assert counts.checksums == {"": 2, "verified": 1}


def test_events_of_a_timeline_are_replaced_together(catalogue: Catalogue) -> None:
    cdl = Cdl((1.1, 1.0, 0.9), (0.0, 0.01, 0.0), (1.0, 1.0, 1.0), 0.9)
    first = Event("/a.edl", 1, "sh010", None, "A001", "10:00:00:00", "10:00:02:00", cdl=cdl, fps=24.0)
    second = Event("/a.edl", 2, "sh020", scene="12")
    other = Event("/b.otio", 1, "sh010")
    catalogue.put_events("/b.otio", [other])
    catalogue.put_events("/a.edl", [second, first])
    assert catalogue.events() == [first, second, other]
    catalogue.put_events("/a.edl", [second])
    assert catalogue.events("/a.edl") == [second] and catalogue.counts().events == 2


def test_a_timeline_that_numbers_twice_changes_nothing(catalogue: Catalogue) -> None:
    catalogue.put_events("/a.edl", [Event("/a.edl", 1, "sh010")])
    with pytest.raises(sqlite3.IntegrityError):
        catalogue.put_events("/a.edl", [Event("/a.edl", 7, "x"), Event("/a.edl", 7, "y")])
    assert [event.shot for event in catalogue.events()] == ["sh010"]


def test_very_long_and_foreign_paths_are_kept(catalogue: Catalogue) -> None:
    long = "/" + "/".join(["Пример 映画 🎞"] * 400) + "/a'b\"c%d.%04d.exr"
    record = catalogue.get(catalogue.put(a_clip(path=long), None))
    assert record.clip.path == long and catalogue.by_path(long) is not None
    with pytest.raises(CatalogueError, match="not valid Unicode"):
        catalogue.put(a_clip(path=os.fsdecode(b"/day1/\xff.mov")), None)


@pytest.mark.parametrize("look", [np.zeros(16), np.full(16, np.nan), np.ones(15)])
def test_a_bad_look_leaves_the_clip_as_it_was(catalogue: Catalogue, look: np.ndarray) -> None:
    catalogue.put(a_clip(1), some_measures(1))
    with pytest.raises(CatalogueError):
        catalogue.put(a_clip(1, stamp="new"), some_measures(look=look.astype(np.float32)))
    assert catalogue.stamp_of(a_clip().path, 1001) == a_clip().stamp
    assert [hit.similarity for hit in search(catalogue, Query(), like=a_look(1))] == [
        pytest.approx(1, abs=1e-3)
    ]


# several processes


def start_writer(python: str, environment: dict[str, str], folder: Path, clips: int) -> subprocess.Popen[str]:
    command = [python, str(Path(clip_samples.__file__)), str(folder), str(clips)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def hold_together(catalogue: Catalogue, least: dict[int, int]) -> None:
    """Every clip once; stamp, take and look of one moment; no earlier than round `least[take]`."""
    records = list(catalogue.records())
    takes = [int(record.clip.take or 0) for record in records]
    assert len(set(takes)) == len(takes) and set(least) <= set(takes)
    for take, record in zip(takes, records, strict=True):
        turn, _, number = record.clip.stamp.partition(" of ")
        assert int(number) == take and int(turn) >= least.get(take, 0)
        assert record.measures is not None and record.measures.look is not None
        assert float(record.measures.look @ a_look(1000 * int(turn) + take)) > 0.99


def test_a_killed_writer_loses_nothing_and_readers_see_whole_clips_meanwhile(
    tmp_path: Path, python: str, child_environment: dict[str, str]
) -> None:
    """Three times: read while another process writes, kill -9 it in the middle, look, let it go on."""
    Catalogue.create(tmp_path).close()
    least: dict[int, int] = {}
    for _ in range(3):
        writer = start_writer(python, child_environment, tmp_path, 30)
        assert writer.stdout is not None
        for _ in range(40):
            turn, number = map(int, writer.stdout.readline().split())
            least[number] = turn
        with Catalogue.open(tmp_path) as reader:
            for _ in range(3):
                assert reader.counts().clips >= len(least)
                assert len(search(reader, Query("alexa"), like=a_look(1), limit=50)) >= len(least)
        writer.send_signal(signal.SIGKILL)
        for line in writer.communicate()[0].splitlines(keepends=True):
            if line.endswith("\n"):
                least[int(line.split()[1])] = int(line.split()[0])
        with Catalogue.open(tmp_path) as after:
            assert is_sound(after)
            hold_together(after, least)
            assert after.counts().clips == 30


def test_a_second_writer_waits(tmp_path: Path) -> None:
    def put() -> None:
        with Catalogue.open(tmp_path) as second:
            second.put(a_clip(), None)

    with Catalogue.create(tmp_path) as first:
        first.connection.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=put)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and not list(first.clips())
        first.connection.execute("COMMIT")
        waiting.join()
        assert first.counts().clips == 1


def test_a_writer_that_waited_too_long_is_told_who_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_S", 0.02)
    with Catalogue.create(tmp_path) as first, Catalogue.open(tmp_path) as second:
        first.connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            FolderBusyError, match=r"Another run has been writing .* run the same command again"
        ):
            second.put(a_clip(), None)
        first.connection.execute("ROLLBACK")
        second.put(a_clip(), None)


# damage, versions, permissions


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def strike_pages(content: bytes) -> bytes:
    return content[:8192] + b"\x5a" * (len(content) - 8192)


def swap(new: bytes) -> Callable[[bytes], bytes]:
    """Another text of the same length in every clip's JSON."""
    return lambda content: content.replace(b'"kind":"images"', new)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (cut, "is damaged"),
    "struck": (strike_pages, "is damaged"),
    "other content": (lambda content: b"GIF89a" + content[6:], "is damaged: file is not a database"),
    "empty": (lambda content: b"", "is empty"),
    "json": (swap(b'"kind":"images}'), "is damaged"),
    "letters": (swap(b'"kind":"\xff\xff\xff\xff\xff\xff"'), "is damaged"),
    "names": (swap(b'"kine":"images"'), "is damaged"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_catalogue_says_so_and_what_to_do(tmp_path: Path, name: str) -> None:
    damage, told = DAMAGES[name]
    with Catalogue.create(tmp_path) as made:
        for number in range(1, 60):
            made.put(a_clip(number), some_measures(number))
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        DamagedCatalogueError, match=f"(?s){told}.*Restore it from a copy, or move it away"
    ) as caught:
        with Catalogue.open(tmp_path) as opened:
            list(opened.records())
            opened.counts()
            search(opened, Query("alexa"), like=a_look(1))
    assert "\n" not in str(caught.value)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "catalogue.sqlite")
    other.execute("CREATE TABLE shots (name)")
    other.close()
    before = files(tmp_path)
    for way in (Catalogue.open, Catalogue.create):
        with pytest.raises(DamagedCatalogueError, match="another program's database"):
            way(tmp_path)
    assert files(tmp_path) == before


def test_no_catalogue_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="There is no catalogue"):
        Catalogue.open(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_newer_catalogue_is_refused_untouched(tmp_path: Path) -> None:
    with Catalogue.create(tmp_path) as made:
        made.connection.execute("PRAGMA user_version = 7")
    before = files(tmp_path)
    with pytest.raises(NewerCatalogueError, match=r"version 7, and this Interpositive reads up to 1. Update"):
        Catalogue.open(tmp_path)
    assert files(tmp_path) == before


def add_weather(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE clips ADD COLUMN weather TEXT")
    connection.execute("UPDATE clips SET weather = 'dry'")


def add_weather_and_fail(connection: sqlite3.Connection) -> None:
    add_weather(connection)
    raise sqlite3.OperationalError("stopped in the middle")


def test_an_older_catalogue_is_brought_up_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalogue.create(tmp_path) as made:
        made.put(a_clip(), some_measures())
    monkeypatch.setattr(schema, "UPGRADES", (*schema.UPGRADES, add_weather))
    with Catalogue.open(tmp_path) as opened, Catalogue.open(tmp_path):
        assert opened.connection.execute("SELECT weather FROM clips").fetchall() == [("dry",)]
        assert opened.connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert [record.clip for record in opened.records()] == [a_clip()]
    monkeypatch.undo()
    with pytest.raises(NewerCatalogueError):
        Catalogue.open(tmp_path)


def test_an_upgrade_that_fails_leaves_the_old_version_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalogue.create(tmp_path) as made:
        made.put(a_clip(), some_measures())
    monkeypatch.setattr(schema, "UPGRADES", (*schema.UPGRADES, add_weather_and_fail))
    with pytest.raises(sqlite3.OperationalError, match="stopped in the middle"):
        Catalogue.open(tmp_path)
    monkeypatch.undo()
    with Catalogue.open(tmp_path) as opened:
        columns = [row[1] for row in opened.connection.execute("PRAGMA table_info (clips)")]
        assert "weather" not in columns and is_sound(opened)
        assert [record.clip for record in opened.records()] == [a_clip()]


def test_a_full_disk_is_told_and_what_was_put_is_whole(catalogue: Catalogue) -> None:
    catalogue.put(a_clip(1), some_measures(1))
    pages = catalogue.connection.execute("PRAGMA page_count").fetchone()[0]
    catalogue.connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    put = 1
    with pytest.raises(
        OutputError, match=r"cannot be written: database or disk is full. What is in it is whole"
    ):
        for put in range(2, 1000):
            catalogue.put(a_clip(put, problems=("x" * 3000,)), some_measures(put))
    assert is_sound(catalogue) and catalogue.counts().clips == put - 1


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, for a test that must not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="interpositive-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def as_a_plain_user(work: Callable[[], str]) -> str:
    """What `work` returns in a forked process that is not root."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            told = work()
        except BaseException as error:  # noqa: BLE001 - told to the parent, who compares it
            told = f"{type(error).__name__}: {error}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answer:
        told = answer.read()
    os.waitpid(child, 0)
    return told


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs another user's process")
@pytest.mark.parametrize("has_log", [False, True], ids=["closed", "open elsewhere"])
def test_a_read_only_folder_can_be_searched_and_says_so_when_written(
    open_folder: Path, has_log: bool
) -> None:
    made = Catalogue.create(open_folder)
    made.put(a_clip(1), some_measures(1))
    if not has_log:
        made.close()
    for path in open_folder.iterdir():
        path.chmod(0o444)
    open_folder.chmod(0o555)

    def work() -> str:
        with Catalogue.open(open_folder) as opened:
            found = search(opened, Query("alexa"), like=a_look(1))
            assert [hit.record.clip for hit in found] == [a_clip(1)]
            with pytest.raises(OutputError) as caught:
                opened.put(a_clip(2), None)
        return str(caught.value)

    told = as_a_plain_user(work)
    made.close()
    assert "cannot be written: attempt to write a readonly database" in told, told
