"""`interpositive project search`: metadata, look, and a real picture against ingested dailies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_samples import a_clip, some_measures
from interpositive.cli import EXIT_ERROR, EXIT_OK, EXIT_USAGE, main
from interpositive.errors import InterpositiveError, UsageError
from interpositive.images.writing import write_exr
from interpositive.progress import Progress
from interpositive.project.project_folder import ProjectFolder, create_project
from interpositive.tools import ingest
from interpositive.tools.project_search import Params, Result, run
from tiny_shot import rgb_image

SIZE = (48, 27)


class Log(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def show_log(self, message: str, level: str) -> None:
        self.lines.append(message)


def find(project: ProjectFolder, progress: Progress | None = None, **options: object) -> Result:
    return run(Params.model_validate({"project": str(project.folder), **options}), progress or Progress())


def names(result: Result) -> list[str]:
    return [clip.name for clip in result.clips]


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    """Five clips in the catalogue, without media."""
    made = create_project(tmp_path / "show", "The Long Take")
    with made.catalogue() as catalogue:
        for number in range(1, 5):
            measures = some_measures(number, exposure_stops=number - 3.0, mireds=100.0 * number)
            catalogue.put(a_clip(number, scene=str(10 + number // 3)), measures, [f"thumbnails/{number}.jpg"])
        catalogue.put(a_clip(5, camera="RED", problems=("Truncated.",)), None)
    return made


def picture(hue: tuple[float, float, float], left_bright: bool, seed: int) -> NDArray[np.float32]:
    """(27, 48, 3) scene-linear: one side brighter, coloured, with texture."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    ramp = np.linspace(2.0, 0.1, width) if left_bright else np.linspace(0.1, 2.0, width)
    texture = rng.uniform(0.8, 1.2, (height, width, 1))
    return (ramp[None, :, None] * np.array(hue) * texture * 0.3).astype(np.float32)


def write_shot(folder: Path, hue: tuple[float, float, float], left_bright: bool) -> None:
    folder.mkdir(parents=True)
    for frame in range(1001, 1004):
        image = rgb_image(picture(hue, left_bright, frame))
        write_exr(folder / f"{folder.name}.{frame}.exr", image)


@pytest.fixture
def ingested(tmp_path: Path) -> ProjectFolder:
    """Three shots as EXR, taken in: two of one warm set-up, one cold."""
    dailies = tmp_path / "dailies"
    write_shot(dailies / "warm_take1", (1.0, 0.6, 0.3), True)
    write_shot(dailies / "warm_take2", (1.0, 0.62, 0.31), True)
    write_shot(dailies / "cold", (0.3, 0.5, 1.0), False)
    made = create_project(tmp_path / "show", "Show")
    params = ingest.Params(folders=[str(dailies)], project=str(made.folder))
    ingest.run(params, Progress())
    return made


def test_words_and_filters_find_clips(project: ProjectFolder) -> None:
    assert names(find(project, text=["alexa"], scene="11")) == ["A001_C003", "A001_C004"]
    assert names(find(project, exposure=[-2, -1])) == ["A001_C001", "A001_C002"]
    assert names(find(project, exposure=[1, 0.5], mireds=[350, 450])) == ["A001_C004"]
    assert names(find(project, camera="red", problems=True)) == ["A001_C005"]
    assert names(find(project, timecode="10:00:02:00-10:00:02:05")) == ["A001_C001", "A001_C002"]
    assert names(find(project, take="3")) == ["A001_C003"]
    assert names(find(project, text=["nothing-like-it"])) == []


def test_rights_choose_clips(project: ProjectFolder) -> None:
    assert len(find(project, rights="denied").clips) == 5
    rights = {
        "schema": "interpositive.rights", "version": 1, "owner": "Northlight", "licence": "own",
        "default": {"training": True}, "rules": [{"clip": "*_C00[12]", "training": False},
                                                 {"clip": "*_C001", "training": False}],
    }  # fmt: skip
    project.rights_path.write_text(json.dumps(rights), encoding="utf-8")
    assert names(find(project, rights="denied")) == ["A001_C001"]
    found = find(project, rights="allowed", limit=3)
    assert names(found) == ["A001_C002", "A001_C003", "A001_C004"] and found.more
    assert found.clips[0].rights == "Northlight permits training."


def test_a_clip_finds_its_like_and_not_itself(project: ProjectFolder) -> None:
    found = find(project, like_clip="a001_c002")
    assert len(found.clips) == 3 and "A001_C002" not in names(found)
    similarities = [clip.similarity or 0.0 for clip in found.clips]
    assert similarities == sorted(similarities, reverse=True)
    assert len(find(project, like_clip="a001_c002", limit=1).clips) == 1


def test_a_name_that_several_clips_have_is_told(project: ProjectFolder) -> None:
    with project.catalogue() as catalogue:
        catalogue.put(a_clip(2, path="/copy/a.mov"), some_measures(9))
    progress = Log()
    find(project, progress, like_clip="A001_C002")
    assert progress.lines == [
        f"2 clips are called A001_C002; taking {a_clip(2).path}. Give a path to choose."
    ]
    by_path = find(project, like_clip="/copy/a.mov")
    assert "/copy/a.mov" not in [clip.path for clip in by_path.clips]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"like_clip": "absent"}, "no clip of that name or path"),
        ({"like_clip": "A001_C005"}, "has not been measured"),
        ({"like": "a.exr", "like_clip": "A001_C001"}, "do not go together"),
        ({"timecode": "10:00-11:00"}, "is not FROM-TO"),
    ],
)
def test_what_cannot_be_asked_is_told(project: ProjectFolder, options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        find(project, **options)


def test_a_picture_finds_the_set_up_that_it_is_of(ingested: ProjectFolder, tmp_path: Path) -> None:
    still = tmp_path / "still.exr"
    write_exr(still, rgb_image(picture((0.31, 0.5, 0.98), False, 7)))
    found = find(ingested, like=str(still))
    assert names(found)[0].startswith("cold")
    assert (found.clips[0].similarity or 0) > 0.9 > (found.clips[1].similarity or 0)
    pattern = tmp_path / "dailies" / "warm_take1" / "warm_take1.%04d.exr"
    assert names(find(ingested, like=f"{pattern}:1002"))[0].startswith("warm_take")
    others = find(ingested, like_clip=names(found)[-1])
    assert names(others)[0].startswith("warm_take") and (others.clips[0].similarity or 0) > 0.9


def test_a_picture_that_cannot_be_read_is_told(ingested: ProjectFolder, tmp_path: Path) -> None:
    with pytest.raises(InterpositiveError, match="1009"):
        find(ingested, like=f"{tmp_path / 'dailies' / 'cold' / 'cold.%04d.exr'}:1009")
    with pytest.raises(InterpositiveError, match=r"absent.exr"):
        find(ingested, like=str(tmp_path / "absent.exr"))


def test_the_command_line_prints_a_table(project: ProjectFolder, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["project", "search", "c003", "--exposure", "-0.5", "0.5", "--project", str(project.folder)]
    assert main(words) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "clip", "scene/take", "reel", "frames", "timecode", "camera", "lens", "stops", "mireds", "training",
    ]  # fmt: skip
    assert lines[1].split("  ")[0] == "A001_C003" and "+0.0" in lines[1] and lines[1].endswith("no")
    assert main(["project", "search", "zzz", "--project", str(project.folder)]) == EXIT_OK
    assert capsys.readouterr().out == "No clip was found.\n"
    assert main(["project", "search", "--exposure", "1", "--project", str(project.folder)]) == EXIT_USAGE
    assert main(["project", "search", "--project", str(project.folder / "absent")]) == EXIT_ERROR
