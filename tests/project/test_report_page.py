"""The report: true numbers, whole files, and names that stay text whatever is in them."""

from __future__ import annotations

import csv
import datetime
import html.parser
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from interpositive.errors import Cancelled, UsageError
from interpositive.grade.cdl_files import read_cdls
from interpositive.models.manifest import Ancestor
from interpositive.progress import Progress, ProgressUpdate
from interpositive.project import scopes
from interpositive.project.model import LearnedClip, LeftOut, PartRecord, save_project_model
from interpositive.project.project_folder import ProjectFolder, create_project
from interpositive.project.report import Report, Request, as_csv, write_report
from interpositive.project.report_page import as_script_text, page
from interpositive.training.backbone import Backbone
from report_project import BRIGHTER, EVIL, UNICODE, make_project, place, write_still

DAY = datetime.date(2027, 1, 31)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectFolder:
    return make_project(tmp_path_factory.mktemp("project"))


def written(project: ProjectFolder, out: Path, **options: Any) -> Report:
    with project.catalogue() as catalogue:
        return write_report(project, catalogue, Request(out, day=DAY, **options), Progress())


@pytest.fixture(scope="module")
def report(project: ProjectFolder) -> Report:
    return written(project, project.report)


def shot(report: Report, name: str) -> dict[str, Any]:
    return next(each for each in report.data["shots"] if each["name"] == name)


def test_the_brighter_shot_is_out_of_line_and_its_cdl_brings_it_back(report: Report) -> None:
    assert [each["name"] for each in report.out_of_line()] == [UNICODE]
    off = shot(report, UNICODE)
    assert off["differences"]["exposure"]["amount"] == pytest.approx(BRIGHTER, abs=0.1)
    before, after = (_mean(report.out / off["pictures"][name]) for name in ("before", "after"))
    assert abs(after - _mean(report.out / shot(report, "sh010")["pictures"]["before"])) < 0.25 * (
        before - after
    )


def _mean(path: Path) -> float:
    return float(cv2.imread(str(path)).mean())


def test_scenes_say_how_they_were_made_and_compared(report: Report) -> None:
    told = [(scene["name"], scene["grouped_by"], scene["shots"]) for scene in report.data["scenes"]]
    assert told == [("1", "scene", 3), ("2", "scene", 1), ("dailies", "folder", 3)]
    assert report.data["scenes"][1]["note"] == "One shot: nothing to compare it with."


def test_a_clip_whose_file_is_gone_is_told_and_the_rest_goes_on(report: Report) -> None:
    gone = shot(report, "gone")
    assert not gone["pictures"] and any("Not compared" in problem for problem in gone["problems"])
    assert shot(report, "dark")["measures"] is None and shot(report, "dark")["why_no_cdl"] == "Not measured."


def test_rights_are_told_for_the_day_that_was_asked(report: Report) -> None:
    assert report.data["rights"]["date"] == "2027-01-31" and report.data["rights"]["allowed"] == 6
    assert "second unit" in shot(report, "alone")["training"]["reason"]
    assert report.data["rights"]["refused"][0]["clips"] == 1


def test_json_has_schema_and_version_and_is_what_the_page_holds(report: Report) -> None:
    stored = json.loads((report.out / "continuity.json").read_text(encoding="utf-8"))
    assert (stored["schema"], stored["version"]) == ("interpositive.continuity", 1)
    assert json.loads(_Elements.of(report.page).data) == stored


def test_csv_has_a_row_a_shot_and_no_formulas(report: Report) -> None:
    text = (report.out / "continuity.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(report.data["shots"])
    by_name = {row["shot"]: row for row in rows}
    assert by_name["alone"]["reel"] == "'=1+1" and by_name[EVIL]["hero"] in ("", "yes")
    assert float(by_name[UNICODE]["exposure_stops"]) == pytest.approx(BRIGHTER, abs=0.1)
    assert by_name["alone"]["may_train"] == "no"


def test_the_collection_holds_every_proposal(report: Report) -> None:
    proposed = [each["name"] for each in report.data["shots"] if each["cdl"]]
    grades = read_cdls(report.out / "proposed.ccc")
    assert UNICODE in proposed and [grade.name for grade in grades] == proposed


def test_running_again_gives_the_same_and_removes_only_its_own_old_pictures(report: Report) -> None:
    folder = report.out / "pictures"
    (folder / "999_before.jpg").write_bytes(b"old")
    (folder / "my_notes.txt").write_text("mine")
    kept = {path.name for path in folder.iterdir()} - {"999_before.jpg"}
    with_key = shot(report, UNICODE)["cdl"]
    again = written_again(report)
    assert {path.name for path in folder.iterdir()} == kept
    assert shot(again, UNICODE)["cdl"] == with_key
    assert not list(report.out.glob(".*")) and not list(folder.glob(".*"))


def written_again(report: Report) -> Report:
    from interpositive.project.project_folder import open_project

    return written(open_project(report.out.parent), report.out)


def test_a_named_hero_is_used_and_a_wrong_one_is_an_error(project: ProjectFolder, tmp_path: Path) -> None:
    found = written(project, tmp_path, heroes=[UNICODE])
    assert found.data["scenes"][0]["hero_is_named"] and shot(found, UNICODE)["hero"]
    assert shot(found, "sh010")["differences"]["exposure"]["amount"] == pytest.approx(-BRIGHTER, abs=0.1)
    with pytest.raises(UsageError, match="sh010"):
        written(project, tmp_path, heroes=["sh011"])
    with pytest.raises(UsageError, match="one scene"):
        written(project, tmp_path, heroes=["sh010", UNICODE])


def test_a_cancel_leaves_the_former_page(project: ProjectFolder, report: Report) -> None:
    class Stopping(Progress):
        def show(self, update: ProgressUpdate) -> None:
            if update.done == 2:
                self.cancel()

    before = report.page.read_bytes()
    with project.catalogue() as catalogue, pytest.raises(Cancelled):
        write_report(project, catalogue, Request(project.report, day=DAY), Stopping())
    assert report.page.read_bytes() == before


def test_an_empty_catalogue_gives_an_empty_report(tmp_path: Path) -> None:
    project = create_project(tmp_path / "empty", "Nothing yet")
    found = written(project, project.report)
    assert found.data["shots"] == [] and found.page.is_file()
    assert len((project.report / "continuity.csv").read_text(encoding="utf-8-sig").splitlines()) == 1


def test_it_tells_what_the_project_model_was_trained_on(tmp_path: Path) -> None:
    project = create_project(tmp_path / "show", "Little Show")
    assert written(project, project.report).data["model"] is None
    save_project_model(project.model, _manifest(project), Backbone(2, 2, {"w": torch.zeros(2)}), None)
    model = written(project, project.report).data["model"]
    assert model["trained_on"] == [{"clip": EVIL, "scene": "1", "frames": [1001, 1003]}]
    assert model["left_out"] == [{"clip": "sh030", "reason": "no consent"}] and model["consents"] == ["C-1"]
    assert "2 frames of 1 clips" in model["lines"][0] and "base prior" in model["lines"][3]


def test_a_damaged_or_foreign_project_model_is_told_and_stops_nothing(tmp_path: Path) -> None:
    project = create_project(tmp_path / "show", "Little Show")
    foreign = {**_manifest(project), "project_id": "0" * 8, "title": "Another Show"}
    save_project_model(project.model, foreign, Backbone(2, 2, {"w": torch.zeros(2)}), None)
    assert "Another Show" in written(project, project.report).data["model"]["lines"][0]
    (project.model / "manifest.json").write_text("{")
    assert "cannot be used" in written(project, project.report).data["model"]["lines"][0]


def _manifest(project: ProjectFolder) -> dict[str, Any]:
    sha = "a" * 64
    return {
        "title": project.title, "project_id": project.project_id, "created_utc": "2026-06-01T00:00:00Z",
        "created_by": "test", "software": {}, "device": "cpu", "seed": 1,
        "lineage": (Ancestor(name="base prior", kind="base", weights_sha256=sha),), "owner": "Northlight",
        "licence": "own", "rights_sha256": None, "rights_judged_on": "2026-06-01",
        "footage": (LearnedClip(clip=EVIL, scene="1", frames={1001: sha, 1003: sha}, permission="p",
                                consent_ids=("C-1",)),),
        "left_out": (LeftOut(clip="sh030", reason="no consent"),),
        "parts": {"backbone": PartRecord(steps=1, cpu_seconds=0.1)}, "fingerprint": sha,
    }  # fmt: skip


# ------------------------------------------------------------------------------------------- the page


class _Elements(html.parser.HTMLParser):
    """Elements of a page and what is in its data element, as a browser parses it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data = self.title = ""
        self._inside = ""

    @classmethod
    def of(cls, path: Path) -> _Elements:
        parser = cls()
        parser.feed(path.read_text(encoding="utf-8"))
        return parser

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = "data" if dict(attrs).get("id") == "data" else tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "data":
            self.data += data
        elif self._inside == "title":
            self.title += data


def test_names_from_the_project_never_become_markup(report: Report) -> None:
    found = _Elements.of(report.page)
    assert [tag for tag, _ in found.tags].count("script") == 2 and "img" not in [tag for tag, _ in found.tags]
    assert found.title.startswith("Title <i>& ") and "i" not in [tag for tag, _ in found.tags]
    assert "<script>document" not in report.page.read_text(encoding="utf-8")


def test_the_page_refers_to_nothing_outside_its_folder(report: Report) -> None:
    for _, attributes in _Elements.of(report.page).tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith("#")
    text = report.page.read_text(encoding="utf-8")
    assert "http:" not in text and "https:" not in text and "fetch(" not in text and "innerHTML" not in text


def test_the_page_allows_only_its_own_script_and_style(report: Report) -> None:
    policy = next(a["content"] for tag, a in _Elements.of(report.page).tags if "http-equiv" in a)
    assert policy is not None and "default-src 'none'" in policy and "unsafe" not in policy
    assert policy.count("sha256-") == 2


def test_data_in_a_script_element_cannot_end_it() -> None:
    text = json.dumps({"name": EVIL + "\u2028<!--"}, ensure_ascii=False)
    safe = as_script_text(text)
    assert not set("<>&\u2028") & set(safe) and json.loads(safe) == json.loads(text)
    assert "@@" in page(json.dumps({"name": "@@STYLE@@"}), "t")  # text like the template's is left alone


def test_a_text_like_a_formula_is_marked_for_spreadsheets() -> None:
    plain: dict[str, Any] = dict.fromkeys(("reel", "take", "timecode", "path"), "")
    row = {**plain, "scene": 0, "name": "@SUM(A1)", "hero": False, "out": [], "differences": {},
           "match": None, "cdl": None, "training": {"allowed": True}, "problems": ["-1"]}  # fmt: skip
    text = as_csv({"scenes": [{"name": "+1"}], "shots": [row]})
    assert "'@SUM(A1)" in text and "'+1" in text and "'-1" in text


# ------------------------------------------------------------------------------------------- scopes


def test_the_histogram_puts_middle_grey_at_zero_and_a_stop_where_it_says() -> None:
    def column(level: float) -> int:
        flat = np.full((20, 20, 3), level, np.float32)
        drawn = scopes.stops_histogram(flat)[scopes.STOPS_HEIGHT - 26, :, 0]
        return int(np.flatnonzero(drawn > 0.6).mean())

    stop = (column(0.18 * 16) - column(0.18 / 16)) / 8
    assert column(0.36) - column(0.18) == pytest.approx(stop, abs=2)
    width = (scopes.WIDTH - 42) / (scopes.HIGHEST_STOP - scopes.LOWEST_STOP)
    assert stop == pytest.approx(width, rel=0.03)


def test_the_vectorscope_puts_grey_in_the_middle_and_red_towards_its_mark() -> None:
    cb, cr = scopes.colour_difference(np.array([1.0, 0.0, 0.0], np.float32))
    assert (float(cb), float(cr)) == pytest.approx((-0.11457, 0.5), abs=1e-4)  # BT.709-6
    drawn = scopes.vectorscope(np.full((8, 8, 3), 0.5, np.float32)) - scopes.vectorscope(
        np.full((8, 8, 3), (0.5, 0.2, 0.2), np.float32)
    )
    grey, red = np.argwhere(drawn[..., 0] > 0.3)[0], np.argwhere(drawn[..., 0] < -0.3)[0]
    assert abs(int(grey[1]) - scopes.WIDTH // 2) <= 2 and red[0] < grey[0] and red[1] < grey[1]


def test_the_parade_puts_values_where_its_lines_say() -> None:
    drawn = scopes.parade(np.full((8, 8, 3), (1.0, 0.5, 0.0), np.float32)).max(axis=2)[18:]
    third = (scopes.WIDTH - 42) // 3
    rows = [int(drawn[:, 40 + k * third : 130 + k * third].mean(axis=1).argmax()) for k in range(3)]
    assert rows[0] < rows[1] < rows[2]
    assert rows[1] == pytest.approx((rows[0] + rows[2]) / 2, abs=1.5)


def test_scopes_stand_nan_infinity_and_odd_sizes() -> None:
    pixels = place(3)[:33, :47].copy()
    pixels[0, 0], pixels[1, 1], pixels[2, 2] = np.nan, np.inf, -5.0
    drawn = scopes.scopes(np.clip(np.nan_to_num(pixels), 0, 1), pixels)
    assert drawn.shape == (scopes.HEIGHT, scopes.WIDTH, 3) and drawn.dtype == np.uint8


def test_a_clip_of_one_colour_or_black_is_told_and_not_compared(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    with project.catalogue() as catalogue:
        record = catalogue.by_name("sh010")[0]
        path = tmp_path / "dailies" / "black.%04d.exr"
        black = replace(record.clip, name="black", path=write_still(path, np.zeros((18, 32, 3), np.float32)))
        catalogue.put(black, record.measures)
    found = shot(written(project, project.report), "black")
    assert any("black" in problem for problem in found["problems"]) and found["cdl"] is None
    assert found["pictures"]["before"]
