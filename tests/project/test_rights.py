"""Who may train on what: the rights file, its rules, people and dates, and its mistakes."""

from __future__ import annotations

import json
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from clip_samples import a_clip
from interpositive.errors import RightsError
from interpositive.project.rights import Permission, Rights

DAY = date(2026, 11, 24)


def write(folder: Path, **changes: Any) -> Path:
    values = {
        "schema": "interpositive.rights", "version": 1, "owner": "Northlight", "licence": "own production",
        "default": {"training": True}, **changes,
    }  # fmt: skip
    path = folder / "rights.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def permission(
    folder: Path, day: date = DAY, clip: dict[str, Any] | None = None, **changes: Any
) -> Permission:
    return Rights.of(write(folder, **changes)).may_train(a_clip(7, **(clip or {})), day)


def ada(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Ada Example", "consent": "C-17", "scope": ["training", "publicity"], "granted": "2026-01-05",
        "clips": ["A001_C007"], **changes,
    }  # fmt: skip


def test_without_a_rights_file_nothing_may_be_trained_on() -> None:
    found = Rights.absent().may_train(a_clip(), DAY)
    assert found == Permission(False, "The project has no rights file, so nothing may be trained on.")


def test_the_default_decides_where_no_rule_does(tmp_path: Path) -> None:
    assert permission(tmp_path) == Permission(True, "Northlight permits training.")
    found = permission(tmp_path, default={"training": False})
    assert found == Permission(False, "The rights file permits training only where a rule says so.")


def test_a_default_holds_to_its_last_day_and_not_longer(tmp_path: Path) -> None:
    default = {"training": True, "expires": "2026-11-24"}
    assert permission(tmp_path, default=default).allowed
    late = permission(tmp_path, date(2026, 11, 25), default=default)
    assert late == Permission(False, "The permission to train ended on 2026-11-24.")


@pytest.mark.parametrize(
    ("rule", "meets"),
    [
        ({"reel": "a0*"}, True), ({"reel": "A0"}, False), ({"reel": "A00?"}, True),
        ({"scene": "12"}, True), ({"scene": "1"}, False), ({"clip": "*_c007"}, True),
        ({"reel": "A001", "scene": "13"}, False), ({"reel": "A001", "scene": "12"}, True),
        ({"path": "day1"}, True), ({"path": "day"}, False), ({"path": "day1/A001"}, True),
        ({"path": "/dailies"}, True), ({"path": "/day1"}, False), ({"path": "*.exr"}, True),
        ({"path": "dailies/"}, True), ({"reel": "A.01"}, False),
        ({"path": "day1/**/*.exr"}, True), ({"path": "day2/**"}, False),
    ],
)  # fmt: skip
def test_a_rule_forbids_what_all_its_patterns_match(
    tmp_path: Path, rule: dict[str, str], meets: bool
) -> None:
    found = permission(tmp_path, rules=[{**rule, "training": False, "note": "not cleared"}])
    assert found.allowed is not meets
    if meets:
        assert "forbids training (not cleared)" in found.reason and next(iter(rule.values())) in found.reason


def test_a_clip_without_reel_meets_no_rule_about_reels(tmp_path: Path) -> None:
    assert permission(tmp_path, clip={"reel": None}, rules=[{"reel": "*", "training": False}]).allowed


def test_a_prohibition_beats_a_permission_in_any_order(tmp_path: Path) -> None:
    rules = [{"reel": "A001", "training": True}, {"scene": "12", "training": False}]
    assert not permission(tmp_path, rules=rules).allowed
    assert not permission(tmp_path, rules=rules[::-1]).allowed


def test_a_permission_beats_the_default_until_it_expires(tmp_path: Path) -> None:
    rules = [{"reel": "A001", "training": True, "expires": "2026-11-30"}]
    assert permission(tmp_path, default={"training": False}, rules=rules).allowed
    late = permission(tmp_path, date(2026, 12, 1), rules=rules)
    assert late == Permission(False, "The permission for reel A001 ended on 2026-11-30.")


def test_an_embargo_ends_on_its_day(tmp_path: Path) -> None:
    rules = [{"reel": "A001", "training": False, "expires": "2026-11-24"}]
    found = permission(tmp_path, rules=rules)
    assert found == Permission(False, "The rule for reel A001 forbids training until 2026-11-24.")
    assert permission(tmp_path, date(2026, 11, 25), rules=rules).allowed


def test_a_consent_is_relied_on_by_its_id(tmp_path: Path) -> None:
    found = permission(tmp_path, persons=[ada(), ada(name="Bo", consent="C-18", clips=["B*"])])
    assert found.allowed and found.consent_ids == ("C-17",)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"withdrawn": "2026-11-24"}, "Ada Example's consent C-17 was withdrawn on 2026-11-24."),
        ({"expires": "2026-11-23"}, "Ada Example's consent C-17 ended on 2026-11-23."),
        ({"granted": "2026-11-25"}, "Ada Example's consent C-17 begins on 2026-11-25."),
        ({"scope": ["publicity"]}, "Ada Example's consent C-17 does not cover training."),
        ({"granted": None}, "Ada Example has not given consent."),
        ({"consent": None}, "Ada Example has not given consent."),
    ],
)
def test_without_valid_consent_a_clip_is_left_out(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    assert permission(tmp_path, persons=[ada(**change)]) == Permission(False, reason)
    elsewhere = permission(tmp_path, persons=[ada(**change, clips=["B*"])])
    assert elsewhere.allowed and elsewhere.consent_ids == ()


def test_a_withdrawal_counts_from_its_day(tmp_path: Path) -> None:
    assert permission(tmp_path, date(2026, 11, 23), persons=[ada(withdrawn="2026-11-24")]).allowed


def test_whoever_the_clip_names_needs_consent_too(tmp_path: Path) -> None:
    clip = {"persons": ("ada example", "Stranger")}
    found = permission(tmp_path, clip=clip, persons=[ada(clips=[])])
    assert found == Permission(False, "Stranger is in it, and the rights file has no consent of theirs.")
    clip = {"persons": ("ada example",)}
    assert permission(tmp_path, clip=clip, persons=[ada(clips=[])]).consent_ids == ("C-17",)


def test_every_missing_consent_is_told(tmp_path: Path) -> None:
    persons = [ada(granted=None), ada(name="Bo", consent="C-18", scope=[])]
    found = permission(tmp_path, persons=persons)
    assert found.reason == "Ada Example has not given consent; Bo's consent C-18 does not cover training."


def test_composed_and_decomposed_letters_are_the_same(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Café")
    assert decomposed != "Café"
    found = permission(tmp_path, clip={"scene": decomposed}, rules=[{"scene": "CAFÉ", "training": False}])
    assert not found.allowed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"default": {"training": "yes"}}, "default.training is 'yes' and should be a valid boolean"),
        ({"default": {}}, "default.training is missing"),
        ({"owner": None}, "owner is None and should be a valid string"),
        ({"rules": [{"reel": "A", "training": True}, {"training": False}]}, "rules.2: expected a pattern"),
        ({"rules": [{"reals": "A", "training": True}]}, "rules.1.reals is not known there"),
        ({"rules": [{"reel": "A", "training": False, "expires": "31.1.2027"}]},
         "rules.1.expires is '31.1.2027', expected a date such as 2027-01-31"),
        ({"rules": [{"reel": "A", "training": False, "expires": "2027-02-30"}]}, "rules.1.expires"),
        ({"persons": [ada(granted=20260105)]}, "persons.1.granted is 20260105, expected a date"),
        ({"persons": [ada(), ada(name="ADA EXAMPLE")]}, "stands in persons more than once"),
        ({"version": 2}, "version 2, and this Interpositive reads up to 1"),
        ({"version": "1"}, "version is '1' and should be 1"),
        ({"schema": "interpositive.model"}, "is not a rights file"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(RightsError) as caught:
        Rights.of(write(tmp_path, **change))
    assert told in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not sound JSON"), ("[1]", "is not a rights file"), ("", "is not sound JSON"),
        ('{"owner": "a", "owner": "b"}', '"owner" stands twice'),
        ("[" * 100_000, "is not sound JSON"),
    ],
    ids=["cut", "list", "empty", "twice", "deep"],
)  # fmt: skip
def test_a_file_that_is_no_rights_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "rights.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RightsError, match=told):
        Rights.of(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RightsError, match=r"cannot be read: No such file or directory. Check the path."):
        Rights.of(tmp_path / "absent.json")


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"Northlight", "Nördlich".encode("latin-1")))
    with pytest.raises(RightsError, match=r"is not sound JSON: 'utf-8' codec"):
        Rights.of(path)
