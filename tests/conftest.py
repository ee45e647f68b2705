"""What every test stands on: the user's own folders are empty ones, and shared footage may be absent."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED_DATA = CHECKOUT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's logs and settings, nor follows the user's environment."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("INTERPOSITIVE_STATE", str(folder / "state"))
    monkeypatch.setenv("INTERPOSITIVE_CONFIG", str(folder / "config"))
    for name in ("OCIO", "INTERPOSITIVE_ENGINE", "INTERPOSITIVE_VENV", "INTERPOSITIVE_PROJECT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def shared_data() -> Path:
    """The footage beside the checkout; the test is skipped, and says so, where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no footage in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def child_environment() -> dict[str, str]:
    """Variables for a child process that imports this checkout, with warnings as errors."""
    paths = os.pathsep.join([str(CHECKOUT / "core"), str(CHECKOUT / "tests")])
    return {**os.environ, "PYTHONPATH": paths, "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def python() -> str:
    return sys.executable
