"""Checksums against ASC MHL folders and lone lists."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import pytest
import xxhash
from ascmhl.commands import create
from click.testing import CliRunner

from interpositive.errors import Cancelled, PlateError, UsageError
from interpositive.project.mhl import read_checksums


@pytest.fixture
def dailies(tmp_path: Path) -> Path:
    """Two clips of which `ascmhl create` has made a first generation."""
    folder = tmp_path / "day1"
    for name in ("A001/a.0001.exr", "A001/a.0002.exr", "b.mov"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 99)
    make_generation(folder, "xxh64")
    return folder


def make_generation(folder: Path, hash_format: str, exit_code: int = 0) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        done = CliRunner().invoke(create, [str(folder), "-h", hash_format])
    assert done.exit_code == exit_code, done.output


def version_1(folder: Path, **replaced: str) -> Path:
    data = (folder / "b.mov").read_bytes()
    values = {
        "file": "b.mov",
        "size": str(len(data)),
        "xxhash64be": xxhash.xxh64(data).hexdigest(),
        **replaced,
    }
    entries = "".join(f"<{tag}>{value}</{tag}>" for tag, value in values.items())
    path = folder / "day1.mhl"
    path.write_text(f'<?xml version="1.0"?>\n<hashlist version="1.1"><hash>{entries}</hash></hashlist>')
    return path


@pytest.mark.parametrize("inside", ["", "ascmhl"])
def test_whole_files_are_verified_by_the_folders_own_history(dailies: Path, inside: str) -> None:
    checksums = read_checksums([dailies / inside])
    files = sorted((dailies / "A001").iterdir())
    assert checksums.verify(files) == ("verified", [])
    assert checksums.problems == checksums.absent_files() == []


def test_a_generation_named_alone_is_read_too(dailies: Path) -> None:
    (generation,) = (dailies / "ascmhl").glob("*.mhl")
    assert read_checksums([generation]).verify([dailies / "b.mov"]) == ("verified", [])


def test_one_flipped_bit_is_found(dailies: Path) -> None:
    data = bytearray((dailies / "b.mov").read_bytes())
    data[7] ^= 1
    (dailies / "b.mov").write_bytes(data)
    state, (problem,) = read_checksums([dailies]).verify([dailies / "b.mov"])
    assert state == "failed"
    assert "b.mov has xxh64" in problem and "instead of" in problem


def test_a_short_file_is_found_without_reading_it(dailies: Path) -> None:
    (dailies / "b.mov").write_bytes(b"short")
    state, (problem,) = read_checksums([dailies]).verify([dailies / "b.mov"])
    assert state == "failed" and "5 bytes instead of 495" in problem


def test_an_older_good_statement_is_not_overruled_by_a_newer_one(dailies: Path) -> None:
    original = read_checksums([dailies]).expected[str(dailies / "b.mov")]
    (dailies / "b.mov").write_bytes(b"y" * 495)
    make_generation(dailies, "md5", exit_code=11)  # a new list, in which the mismatch is noted
    assert read_checksums([dailies]).expected[str(dailies / "b.mov")] == original


def test_files_in_no_list_are_said_to_be_so(dailies: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mov"
    other.write_bytes(b"x")
    (dailies / "A001" / "a.0003.exr").write_bytes(b"x")
    checksums = read_checksums([dailies])
    assert checksums.verify([other]) == ("not listed", [])
    state, (problem,) = checksums.verify(sorted((dailies / "A001").iterdir()))
    assert state == "not listed" and "1 of 3" in problem


def test_a_listed_file_that_is_gone_is_told(dailies: Path) -> None:
    (dailies / "b.mov").unlink()
    checksums = read_checksums([dailies])
    assert checksums.absent_files() == [str(dailies / "b.mov")]
    assert checksums.verify([dailies / "b.mov"])[0] == "failed"


def test_a_changed_list_is_told_and_still_used(dailies: Path) -> None:
    (generation,) = (dailies / "ascmhl").glob("*.mhl")
    generation.write_text(generation.read_text().replace("</hashlist>", "<!-- x --></hashlist>"))
    checksums = read_checksums([dailies])
    assert "Modified ASC MHL manifest" in checksums.problems[0]
    assert checksums.verify([dailies / "b.mov"])[0] == "verified"


def test_lists_of_the_older_kind_are_read(dailies: Path) -> None:
    checksums = read_checksums([version_1(dailies)])
    assert checksums.verify([dailies / "b.mov"]) == ("verified", [])
    digest = hashlib.md5((dailies / "b.mov").read_bytes()).hexdigest()
    with_md5 = read_checksums([version_1(dailies, xxhash64be="", md5=digest.upper())])
    assert with_md5.verify([dailies / "b.mov"]) == ("verified", [])
    wrong = read_checksums([version_1(dailies, xxhash64be="0" * 16)])
    assert wrong.verify([dailies / "b.mov"])[0] == "failed"


def test_what_is_no_list_is_one_clear_line(dailies: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ascmhl"):
        read_checksums([tmp_path])
    with pytest.raises(UsageError, match="no such file"):
        read_checksums([tmp_path / "day9.mhl"])
    (dailies / "bad.mhl").write_text("<hashlist")
    with pytest.raises(PlateError, match=r"bad\.mhl"):
        read_checksums([dailies / "bad.mhl"])


def test_a_long_check_can_be_stopped(dailies: Path) -> None:
    def stop() -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        read_checksums([dailies]).verify([dailies / "b.mov"], stop)
