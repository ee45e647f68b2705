"""Where logs and settings lie."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from interpositive.host_bridge.folders import config_folder, state_folder


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("INTERPOSITIVE_STATE", "INTERPOSITIVE_CONFIG", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_linux_follows_the_xdg_specification(system: pytest.MonkeyPatch) -> None:
    system.setattr(sys, "platform", "linux")
    assert state_folder() == Path.home() / ".local/state/interpositive"
    assert config_folder() == Path.home() / ".config/interpositive"
    system.setenv("XDG_STATE_HOME", "/elsewhere")
    assert state_folder() == Path("/elsewhere/interpositive")


def test_macos_keeps_logs_and_settings_in_the_library(system: pytest.MonkeyPatch) -> None:
    system.setattr(sys, "platform", "darwin")
    assert state_folder() == Path.home() / "Library/Logs/Interpositive"
    assert config_folder() == Path.home() / "Library/Application Support/Interpositive"


def test_windows_uses_local_application_data(system: pytest.MonkeyPatch) -> None:
    system.setattr(sys, "platform", "win32")
    system.setenv("LOCALAPPDATA", "/users/a/local")
    assert state_folder() == config_folder() == Path("/users/a/local/Interpositive")


def test_own_variables_replace_both(system: pytest.MonkeyPatch) -> None:
    system.setenv("INTERPOSITIVE_STATE", "/studio/logs")
    system.setenv("INTERPOSITIVE_CONFIG", "/studio/settings")
    assert (state_folder(), config_folder()) == (Path("/studio/logs"), Path("/studio/settings"))
