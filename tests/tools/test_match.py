from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from grade_samples import GRADE, graded, stops_apart, view, wall
from interpositive.errors import (
    ColourSpaceError,
    DamagedFrameError,
    GradeError,
    MissingFramesError,
    SizeMismatchError,
    UsageError,
)
from interpositive.grade.cdl_files import NamedCDL, read_cdl, read_cdls, write_cdls
from interpositive.grade.grading_space import GradingSpace
from interpositive.grade.recover import graded_by
from interpositive.images.image import Image
from interpositive.images.reading import read_image_file
from interpositive.images.writing import write_exr
from interpositive.progress import Progress
from interpositive.tools.match import Params, Result, run

RGB = ("R", "G", "B")
AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
SPACE = GradingSpace("ACEScct", "ACEScg")
WALL = wall()


class Recorder(Progress):
    """Keeps what the artist would read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def show_log(self, message: str, level: str) -> None:
        assert "\n" not in message
        self.read.append(f"{level}: {message}")


def write_frame(path: Path, pixels: np.ndarray, **metadata: Any) -> None:
    types = {"chromaticities": "float[8]"}
    write_exr(path, Image(pixels, RGB, metadata={"chromaticities": AP1, **metadata}, metadata_types=types))


@pytest.fixture
def show(tmp_path: Path) -> Path:
    """A hero, two graded shots of the same wall, 2 frames each."""
    for frame in (1001, 1002):
        write_frame(tmp_path / "hero" / f"sh010.{frame}.exr", view(WALL, 0))
        write_frame(tmp_path / "a" / f"sh020.{frame}.exr", graded(view(WALL, 1)))
        write_frame(tmp_path / "b" / f"sh030.{frame}.exr", view(WALL, 2) * np.float32(0.5))
    return tmp_path


def match(show: Path, progress: Progress | None = None, **changes: Any) -> Result:
    given: dict[str, Any] = {
        "hero": str(show / "hero" / "sh010.%04d.exr"),
        "shots": [str(show / "a" / "sh020.%04d.exr"), str(show / "b" / "sh030.%04d.exr")],
        "out": str(show / "out"),
        "samples": 1,
    }
    return run(Params(**{**given, **changes}), progress or Progress())


def test_each_shot_gets_its_cdl_in_every_format(show: Path) -> None:
    result = match(show)
    names = sorted(path.name for path in (show / "out").iterdir())
    assert names == [
        "match.ccc", "match.cdl", "match.edl", "match.otio", "match.png", "sh020.cc", "sh030.cc",
    ]  # fmt: skip
    assert sorted(Path(file).name for file in result.files) == names
    named = read_cdl(show / "out" / "sh020.cc")
    assert named.space == "ACEScct" and [one.name for one in read_cdls(show / "out" / "match.ccc")] == [
        "sh020", "sh030",
    ]  # fmt: skip
    brought = graded_by(graded(view(WALL, 1)), SPACE, named.cdl)
    assert stops_apart(brought, view(WALL, 1)) < 0.04
    assert result.grades[1].exposure_stops == pytest.approx(-1.0, abs=0.05)
    assert all(grade.basis == "points" for grade in result.grades)
    assert "2 shots" not in result.lines()[0] and "sh020" in result.lines()[0]


def test_the_same_footage_gives_the_same_files(show: Path) -> None:
    match(show, shots=[str(show / "a" / "sh020.%04d.exr")])
    first = {path.name: path.read_bytes() for path in (show / "out").iterdir()}
    match(show, out=str(show / "again"), shots=[str(show / "a" / "sh020.%04d.exr")])
    assert first == {path.name: path.read_bytes() for path in (show / "again").iterdir()}


def test_a_reference_still_in_srgb(show: Path) -> None:
    codes = np.clip(view(WALL, 0), 0, 1) ** (1 / 2.2)
    still = show / "ref.png"
    cv2.imwrite(str(still), np.rint(codes[..., ::-1] * 255).astype(np.uint8))
    result = match(show, hero=None, reference=str(still), hero_input_space="sRGB - Texture")
    assert all(grade.confidence > 0.3 for grade in result.grades)
    assert result.grades[1].exposure_stops < -0.7


def test_the_hero_may_have_a_grade_of_its_own(show: Path) -> None:
    write_cdls(show / "hero.cc", [NamedCDL("sh010", GRADE, "ACEScct")])
    result = match(show, hero_cdl=str(show / "hero.cc"))
    cdl = read_cdl(show / "out" / "sh020.cc").cdl
    brought = graded_by(graded(view(WALL, 1)), SPACE, cdl)
    assert stops_apart(brought, graded(view(WALL, 1))) < 0.04
    assert abs(result.grades[0].exposure_stops) < 0.05


def test_a_hero_cdl_of_another_space_is_refused(show: Path) -> None:
    write_cdls(show / "hero.cc", [NamedCDL("sh010", GRADE, "ARRI LogC4")])
    with pytest.raises(UsageError, match="--cdl-space 'ARRI LogC4'"):
        match(show, hero_cdl=str(show / "hero.cc"))


def test_a_linear_cdl_is_declared_in_its_file(show: Path) -> None:
    result = match(show, cdl_space="linear")
    assert read_cdl(show / "out" / "sh030.cc").space == "ACEScg (scene-linear)" == result.cdl_space
    np.testing.assert_allclose(read_cdl(show / "out" / "sh030.cc").cdl.slope, 2.0, rtol=0.06)


def test_the_hero_among_the_shots_is_left_as_it_is(show: Path) -> None:
    progress = Recorder()
    result = match(
        show, progress, shots=[str(show / "hero" / "sh010.1001.exr"), str(show / "b" / "sh030.1001.exr")]
    )
    assert [grade.name for grade in result.grades] == ["sh030"]
    assert any("hero itself" in line for line in progress.read)
    with pytest.raises(GradeError, match="besides the hero"):
        match(show, shots=[str(show / "hero")])


def test_two_shots_of_one_name_keep_apart(show: Path) -> None:
    write_frame(show / "c" / "sh020.1001.exr", view(WALL, 2))
    result = match(show, shots=[str(show / "a" / "sh020.%04d.exr"), str(show / "c" / "sh020.1001.exr")])
    assert [grade.name for grade in result.grades] == ["sh020", "sh020_2"]


def test_a_black_shot_is_named_and_the_others_are_matched(show: Path) -> None:
    write_frame(show / "c" / "sh040.1001.exr", np.zeros((40, 60, 3), np.float32))
    result = match(show, shots=[str(show / "c"), str(show / "b")])
    assert [grade.name for grade in result.grades] == ["sh030"]
    assert "sh040 is black" in str(result.problem())


def test_nothing_shared_is_said(show: Path) -> None:
    stripes = np.repeat(np.linspace(0.02, 0.9, 280, dtype=np.float32)[None], 180, axis=0)
    write_frame(show / "c" / "sh040.1001.exr", stripes[..., None] * np.float32([0.3, 0.9, 1.6]))
    progress = Recorder()
    result = match(show, progress, shots=[str(show / "c")])
    assert result.grades[0].confidence < 0.3 and "nothing shared" in result.lines()[0]
    assert any("Check it by eye" in line for line in progress.read)


def test_drift_is_reported_and_keyed_when_asked(show: Path) -> None:
    write_frame(show / "b" / "sh030.1003.exr", view(WALL, 2) * np.float32(0.8))
    progress = Recorder()
    result = match(show, progress, shots=[str(show / "b")], keyed=True, samples=3)
    assert result.grades[0].drift_stops == pytest.approx(np.log2(1.6), abs=0.06)
    assert any("drifts by" in line for line in progress.read)
    keys = read_cdls(show / "out" / "sh030.keys.ccc")
    assert [key.name for key in keys] == ["sh030.1001", "sh030.1002", "sh030.1003"]


def test_missing_and_truncated_frames(show: Path) -> None:
    progress = Recorder()
    write_frame(show / "b" / "sh030.1009.exr", view(WALL, 2) * np.float32(0.5))
    match(show, progress, shots=[str(show / "b")])
    assert any("lacks 6 frames" in line for line in progress.read)
    with pytest.raises(MissingFramesError, match="1003"):
        match(show, shots=[str(show / "b")], frames="1001-1003")
    frame = show / "a" / "sh020.1001.exr"
    frame.write_bytes(frame.read_bytes()[:3000])
    with pytest.raises(DamagedFrameError):
        match(show, shots=[str(show / "a")], samples=2)


def test_footage_that_does_not_say_its_space_is_asked_about(show: Path) -> None:
    cv2.imwrite(str(show / "plain.jpg"), np.full((40, 60, 3), 90, np.uint8))
    with pytest.raises(ColourSpaceError, match="--input-space"):
        match(show, shots=[str(show / "plain.jpg")])


@pytest.mark.parametrize(
    "changes",
    [
        {"hero": None},
        {"reference": "x.exr"},
        {"shots": []},
        {"plate": "p.exr"},
        {"shot_charts": ["-"]},
        {"samples": 0},
    ],
)
def test_options_that_do_not_fit_together(show: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        match(show, **changes)


def test_corners_of_a_chart_are_eight_numbers(show: Path) -> None:
    with pytest.raises(UsageError, match="eight numbers"):
        match(show, hero_chart="1,2,3")


def test_a_grade_is_read_from_a_plate_and_its_graded_version(show: Path) -> None:
    for frame in (1001, 1002):
        write_frame(show / "plate" / f"pl.{frame}.exr", view(WALL, 1))
    params = Params(plate=str(show / "plate"), graded=str(show / "a"), out=str(show / "out"))
    result = run(params, Progress())
    named = read_cdl(show / "out" / "grade.cc")
    assert stops_apart(graded_by(view(WALL, 2), SPACE, named.cdl), graded(view(WALL, 2))) < 0.03
    assert {"grade.lut.cube", "grade.lut.clf", "match.png"} <= {p.name for p in (show / "out").iterdir()}
    assert result.cdl_db is not None and result.cdl_db > 40
    picture = read_image_file(show / "out" / "match.png")
    assert picture.main.width > 1000


def test_a_plate_and_a_grade_of_two_sizes_are_refused(show: Path) -> None:
    write_frame(show / "plate" / "pl.1001.exr", view(WALL, 1)[:90])
    with pytest.raises(SizeMismatchError):
        run(Params(plate=str(show / "plate"), graded=str(show / "a"), out=str(show / "out")), Progress())


def test_a_plate_and_a_grade_without_common_frames_are_refused(show: Path) -> None:
    for frame in (7, 8):
        write_frame(show / "plate" / f"pl.{frame:04d}.exr", view(WALL, 1))
    with pytest.raises(MissingFramesError, match="no frame number in common"):
        run(Params(plate=str(show / "plate"), graded=str(show / "a"), out=str(show / "out")), Progress())
