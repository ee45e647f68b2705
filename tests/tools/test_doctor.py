"""What the doctor finds, and what it says about what it does not find."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from interpositive.host_bridge.folders import config_folder, state_folder
from interpositive.tools import doctor
from interpositive.tools.doctor import Check, Params, Result, run


@pytest.fixture(scope="module")
def result() -> Result:
    from interpositive.progress import Progress

    return run(Params(), Progress())


def found(checks: object, name: str) -> Check:
    return next(check for check in checks if check.name == name)  # type: ignore[attr-defined]


def test_this_machine_passes(result: Result) -> None:
    assert result.problem() is None, "\n".join(result.lines())


def test_every_version_is_told(result: Result) -> None:
    versions = {check.name: check.found for check in result.checks if check.group == "Versions"}
    libraries = "python torch numpy OpenImageIO opencolorio onnxruntime av opencv-python-headless"
    assert set(libraries.split()) <= set(versions)
    assert "unknown" not in versions.values()


def test_inference_on_the_cpu_really_loads(result: Result) -> None:
    assert found([check for check in result.checks if check.group == "Inference"], "cpu").found == "loads"


def test_nothing_is_written(result: Result) -> None:
    assert not state_folder().exists() and not config_folder().exists()


def test_table_has_a_line_for_each_check_with_advice_under_it() -> None:
    checks = [
        Check(group="Colour", name="config", status="fail", found="no config", advice="Unset $OCIO."),
        Check(group="Hosts", name="Nuke", status="ok", found="/opt/Nuke16"),
    ]
    assert Result(version="1", checks=checks).lines() == [
        "Interpositive 1",
        "",
        "Colour",
        "  fail  config  no config",
        "                -> Unset $OCIO.",
        "",
        "Hosts",
        "  ok    Nuke    /opt/Nuke16",
        "",
        "0 warn, 1 fail.",
    ]


def test_problem_names_what_failed_and_a_warning_is_none() -> None:
    warned = Check(group="Memory", name="memory", status="warn", found="1 GB free")
    failed = Check(group="Colour", name="config", status="fail", found="no config")
    assert Result(version="1", checks=[warned]).problem() is None
    assert "config" in str(Result(version="1", checks=[warned, failed]).problem())


def test_library_that_does_not_import_fails_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    check = found(doctor.version_checks(), "av")
    assert (check.status, "av" in check.found, "bootstrap.py setup" in check.advice) == ("fail", True, True)


def test_broken_colour_config_fails_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OCIO", str(tmp_path / "gone.ocio"))
    check = found(doctor.colour_checks(), "config")
    assert check.status == "fail"
    assert "OCIO" in check.found + check.advice


def test_hosts_are_found_in_their_places_with_the_version_of_their_bundle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "Nuke15.1v5").mkdir()
    contents = tmp_path / "DaVinci Resolve.app" / "Contents"
    contents.mkdir(parents=True)
    (contents / "Info.plist").write_text(
        "<plist><dict><key>CFBundleShortVersionString</key><string>20.1</string></dict></plist>"
    )
    monkeypatch.setattr(doctor, "_NUKE_PLACES", {sys.platform: (str(tmp_path / "Nuke*"),)})
    monkeypatch.setattr(doctor, "_RESOLVE_PLACES", {sys.platform: (str(contents.parent),)})
    checks = list(doctor.host_checks())
    assert found(checks, "Nuke").found == str(tmp_path / "Nuke15.1v5")
    assert found(checks, "Resolve").found == f"{contents.parent} (20.1)"


def test_hosts_that_cannot_find_the_engine_are_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERPOSITIVE_ENGINE", str(tmp_path / "gone"))
    check = found(doctor.host_checks(), "engine")
    assert check.status == "warn" and "bootstrap.py setup" in check.advice


def test_folder_that_cannot_be_written_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> bool:
        return False

    monkeypatch.setattr(doctor, "_can_write", refuse)
    check = found(doctor.folder_checks(), "logs")
    assert check.status == "warn" and "INTERPOSITIVE_STATE" in check.advice
