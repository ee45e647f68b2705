"""The continuity report in a real browser, opened from disk without a server and without a network.

Skipped, with the reason, where no Chromium and no Playwright are installed.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interpositive.progress import Progress
from interpositive.project.project_folder import create_project
from interpositive.project.report import Report, Request, write_report
from interpositive.project.report_page import page as page_of
from report_project import EVIL, UNICODE, make_project

OPENS_WITHIN_S = 2.0
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def _chromium() -> str:
    """A Chromium that starts; some systems have a program of that name that only tells where to get one."""
    named = os.environ.get("INTERPOSITIVE_CHROMIUM")
    if named == "none":
        pytest.skip("INTERPOSITIVE_CHROMIUM=none leaves the browser tests out")
    found = named or next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium: install the package chromium, or set INTERPOSITIVE_CHROMIUM to its path")
    try:
        started = subprocess.run([found, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{found} does not start: {error}")
    if started.returncode != 0:
        pytest.skip(f"{found} does not start: {started.stderr.decode(errors='replace').strip()[-200:]}")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    executable = _chromium()
    with sync_api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=executable, args=_FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    project = make_project(tmp_path_factory.mktemp("project"))
    with project.catalogue() as catalogue:
        return write_report(project, catalogue, Request(project.report), Progress())


Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """Opens a page file; whatever it asks of a network, says in its log or throws fails the test."""
    contexts, faults = [], []

    def open_page(path: Path, width: int = 1280, height: int = 800, measured: bool = False) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
        contexts.append(context)
        tab = context.new_page()
        if measured:
            tab.thread_time = context.new_cdp_session(tab)
            tab.thread_time.send("Performance.enable", {"timeDomain": "threadTicks"})
        tab.on("console", lambda message: faults.append(message.text))
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
        tab.on("request", lambda request: faults.append(request.url) if not _is_file(request.url) else None)
        tab.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
        tab.goto(path.as_uri())
        tab.wait_for_selector("html[data-ready]")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def _is_file(url: str) -> bool:
    return url.startswith("file:")


def shown(tab: Any) -> list[str]:
    tab.wait_for_selector("html[data-rows=all]")
    names: list[str] = tab.locator("#rows tr.shot td.name b").all_inner_texts()
    return names


def chosen(tab: Any) -> str:
    text: str = tab.locator("#detail h2").inner_text()
    return text


def test_it_opens_with_the_first_shot_that_is_out_of_line(opened: Open, report: Report) -> None:
    tab = opened(report.page)
    assert chosen(tab) == UNICODE and len(shown(tab)) == 7
    row = tab.locator("tr[aria-selected=true]")
    assert "out of line" in row.inner_text().lower() and "+0." in row.locator("td.out .amount").inner_text()
    assert (
        "Scene 2" in tab.locator("#rows").inner_text()
        and "Folder dailies" in tab.locator("#rows").inner_text()
    )


def test_evil_names_are_text(opened: Open, report: Report) -> None:
    tab = opened(report.page)
    assert EVIL in shown(tab) and tab.title().startswith("Title <i>& ")
    tab.get_by_text(EVIL, exact=True).first.click()
    assert chosen(tab) == EVIL and tab.title().startswith("Title <i>& ")
    assert tab.locator("script").count() == 2 and tab.locator(
        "main i, #notes b, #rows img[onerror]"
    ).count() == (tab.locator("#rows .bar i").count())


def test_pictures_load_from_the_folder(opened: Open, report: Report) -> None:
    tab = opened(report.page)
    tab.wait_for_function(
        "[...document.querySelectorAll('#detail .wipe img')].every(i => i.naturalWidth > 0)"
    )
    assert tab.locator("#detail .wipe img").count() == 2 and tab.locator("#detail .scopes img").count() == 2
    assert tab.evaluate("document.querySelector('#rows td.picture img').naturalWidth") > 0


def test_the_wipe_moves_by_slider_drag_and_key(opened: Open, report: Report) -> None:
    tab = opened(report.page)
    at = "getComputedStyle(document.querySelector('.wipe')).getPropertyValue('--at')"
    assert tab.evaluate(at) == "50%"
    tab.locator("#wipe").fill("80")
    assert tab.evaluate(at) == "80%"
    box = tab.locator(".wipe").bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    tab.mouse.down()
    assert tab.evaluate(at) == "25%"
    tab.mouse.up()
    tab.keyboard.press("w")
    assert tab.evaluate(at) == "100%"


def test_keys_step_search_and_go_back(opened: Open, report: Report) -> None:
    tab = opened(report.page)
    order = shown(tab)
    tab.keyboard.press("k")
    assert chosen(tab) == order[0]
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("j")
    assert chosen(tab) == order[2]
    tab.keyboard.press("/")
    tab.keyboard.type("küche 東京")
    assert shown(tab) == [UNICODE]
    tab.keyboard.press("Escape")
    assert len(shown(tab)) == 7 and chosen(tab) == order[2]
    tab.keyboard.press("/")
    tab.keyboard.type("no such shot")
    assert shown(tab) == [] and "Esc clears" in tab.locator("#nothing").inner_text()


def test_filters_and_sorting(opened: Open, report: Report) -> None:
    tab = opened(report.page)
    tab.keyboard.press("o")
    assert shown(tab) == [UNICODE] and "1 of 7" in tab.locator("#shown").inner_text()
    tab.keyboard.press("o")
    tab.locator("#scene").select_option("1")
    assert shown(tab) == ["alone"]
    tab.locator("#scene").select_option("")
    tab.get_by_role("button", name="Exposure").click()
    assert shown(tab)[0] == UNICODE
    assert tab.locator("th[data-key=exposure]").get_attribute("aria-sort") == "descending"
    tab.get_by_role("button", name="Exposure").click()
    assert shown(tab)[-1] == UNICODE and tab.locator("tr.scene").count() == 0
    tab.get_by_role("button", name="Shot").click()
    assert tab.locator("tr.scene").count() == 3


def test_it_tells_rights_problems_and_that_there_is_no_model(opened: Open, report: Report) -> None:
    tab = opened(report.page)
    notes = tab.locator("#notes").inner_text()
    assert "6 of 7 clips may be trained on" in notes and "second unit" in notes
    assert "damaged <b>file</b>" in notes and "There is none" in notes
    tab.get_by_text("gone", exact=True).click()
    assert "Not compared" in tab.locator("#detail").inner_text()


def test_every_control_has_a_name_and_focus_is_visible(opened: Open, report: Report) -> None:
    tab = opened(report.page)
    nameless = tab.evaluate(
        "[...document.querySelectorAll('input, select, button')].filter(e => !(e.labels && e.labels.length)"
        " && !e.getAttribute('aria-label') && !e.textContent.trim()).length"
    )
    assert nameless == 0
    assert tab.evaluate("[...document.querySelectorAll('img')].every(i => i.hasAttribute('alt'))")
    seen = set()
    for _ in range(6):
        tab.keyboard.press("Tab")
        seen.add(tab.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert {"search", "scene", "only-out", "surround"} <= seen


_CONTRAST = """() => {
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const level = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map((v) => linear(Number(v) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$/.test(colour) && colour !== "transparent") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const hasText = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!hasText || !e.getClientRects().length || /SCRIPT|STYLE|OPTION/.test(e.tagName)) continue;
    const [a, b] = [level(getComputedStyle(e).color), level(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push(`${e.tagName}.${e.className} ${e.textContent}`);
  }
  return found;
}"""


@pytest.mark.parametrize("surround", ["dim", "grey", "black"])
def test_text_has_the_contrast_of_wcag_aa_and_no_colour(opened: Open, report: Report, surround: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    tab = opened(report.page)
    tab.locator("#surround").select_option(surround)
    assert tab.evaluate(_CONTRAST) == []
    colours = tab.evaluate(
        "[...document.querySelectorAll('body *')].flatMap(e => { const s = getComputedStyle(e);"
        " return [s.color, s.backgroundColor, s.borderTopColor]; })"
    )
    for colour in set(colours):
        red, green, blue = colour.removeprefix("rgb").strip("a()").split(",")[:3]
        assert red.strip() == green.strip() == blue.strip(), colour


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (3840, 2160)])
def test_the_table_fits_without_scrolling_sideways(
    opened: Open, report: Report, width: int, height: int
) -> None:
    tab = opened(report.page, width, height)
    for part in ("#list", "#detail", "html"):
        over = tab.evaluate(f"(e => e.scrollWidth - e.clientWidth)(document.querySelector('{part}'))")
        assert over <= 1, part


def test_an_empty_report_says_what_to_do(opened: Open, tmp_path: Path) -> None:
    project = create_project(tmp_path / "empty", "Nothing yet")
    with project.catalogue() as catalogue:
        made = write_report(project, catalogue, Request(project.report), Progress())
    tab = opened(made.page)
    assert "interpositive ingest" in tab.locator("#nothing").inner_text()
    tab.keyboard.press("j")


def test_five_hundred_shots_open_in_under_two_seconds(opened: Open, report: Report, tmp_path: Path) -> None:
    data = copy.deepcopy(report.data)
    first = next(shot for shot in data["shots"] if shot["name"] == UNICODE)
    scene = data["scenes"][0]
    data["scenes"] = [{**scene, "index": n, "name": str(n), "shots": 20} for n in range(25)]
    data["shots"] = [{**first, "id": n + 1, "name": f"sh{n:04d}", "scene": n // 20} for n in range(500)]
    shutil.copytree(report.out / "pictures", tmp_path / "pictures")
    (tmp_path / "index.html").write_text(page_of(json.dumps(data), "Five hundred"), encoding="utf-8")
    started = time.perf_counter()
    tab = opened(tmp_path / "index.html", measured=True)
    seconds = time.perf_counter() - started
    assert len(shown(tab)) == 500
    metrics = {
        item["name"]: item["value"] for item in tab.thread_time.send("Performance.getMetrics")["metrics"]
    }
    print(f"500 shots: {metrics['TaskDuration']:.2f} s of the page's thread; shown after {seconds:.2f} s")
    assert (
        metrics["TaskDuration"] < OPENS_WITHIN_S
    )  # its own seconds: other loads of the machine do not count
    tab.keyboard.press("/")
    tab.keyboard.type("0499")
    assert shown(tab) == ["sh0499"]


def test_it_prints_on_white_with_the_table_and_without_the_controls(opened: Open, report: Report) -> None:
    tab = opened(report.page)
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not tab.locator("#tools").is_visible() and tab.locator("#shots").is_visible()
    assert tab.evaluate(_CONTRAST) == []
    assert len(tab.pdf(width="297mm", height="210mm")) > 10_000
