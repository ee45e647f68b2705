"""Where a host finds the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from interpositive.errors import EngineNotFoundError
from interpositive.host_bridge.folders import config_folder
from interpositive.host_bridge.locating import environment_python, find_engine, remember_engine


def make_python(folder: Path) -> Path:
    python = environment_python(folder)
    python.parent.mkdir(parents=True)
    python.touch()
    return python


def test_named_engine_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_python(tmp_path / ".venv")
    named = make_python(tmp_path / "named")
    monkeypatch.setenv("INTERPOSITIVE_ENGINE", str(named))
    assert find_engine(tmp_path) == named


def test_named_engine_that_is_absent_is_an_error_and_not_a_reason_to_look_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_python(tmp_path / ".venv")
    monkeypatch.setenv("INTERPOSITIVE_ENGINE", str(tmp_path / "gone"))
    with pytest.raises(EngineNotFoundError, match="INTERPOSITIVE_ENGINE says that the engine is"):
        find_engine(tmp_path)


def test_named_environment_comes_before_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_python(tmp_path / ".venv")
    named = make_python(tmp_path / "elsewhere")
    monkeypatch.setenv("INTERPOSITIVE_VENV", str(tmp_path / "elsewhere"))
    assert find_engine(tmp_path) == named


def test_checkout_comes_before_the_settings(tmp_path: Path) -> None:
    remember_engine(str(make_python(tmp_path / "other")))
    beside = make_python(tmp_path / ".venv")
    assert find_engine(tmp_path) == beside


def test_settings_are_read_last(tmp_path: Path) -> None:
    other = make_python(tmp_path / "other")
    assert remember_engine(str(other)) == config_folder() / "engine.json"
    assert find_engine(tmp_path) == other


def test_nothing_found_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineNotFoundError) as error:
        find_engine(tmp_path)
    for part in (str(tmp_path), "engine.json", "bootstrap.py setup", "INTERPOSITIVE_ENGINE"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "is not Interpositive's"),
        ('{"schema": "other"}', "is not Interpositive's"),
        ('{"schema": "interpositive.engine", "version": 2, "python": "/p"}', "has version 2"),
        ('{"schema": "interpositive.engine", "version": 1, "python": "/gone"}', "there is no such file"),
    ],
)
def test_settings_that_cannot_be_used_say_why(tmp_path: Path, text: str, said: str) -> None:
    config_folder().mkdir(parents=True)
    (config_folder() / "engine.json").write_text(text)
    with pytest.raises(EngineNotFoundError, match=said):
        find_engine(tmp_path)
