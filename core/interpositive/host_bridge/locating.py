"""Where the engine is: the Python of the environment that it is installed in.

Looked for in this order; the first that is set or exists decides:
    1. INTERPOSITIVE_ENGINE      path of that Python
    2. INTERPOSITIVE_VENV        the environment that the bootstrap was told to make
    3. `.venv` beside this checkout
    4. `engine.json` in the user's configuration folder, which `bootstrap.py setup` writes
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Optional

from ..errors import EngineNotFoundError
from .folders import config_folder

_SCHEMA = {"schema": "interpositive.engine", "version": 1}
_SET_UP = (
    "Run `python3 install/bootstrap.py setup` in the Interpositive folder, "
    "or set INTERPOSITIVE_ENGINE to the engine's Python."
)


def find_engine(checkout: Optional[Path] = None) -> Path:
    """Path of the engine's Python; raises EngineNotFoundError. `checkout` replaces this file's own."""
    chosen = os.environ.get("INTERPOSITIVE_ENGINE")
    if chosen:
        return _existing(Path(chosen).expanduser(), "INTERPOSITIVE_ENGINE")
    environment = os.environ.get("INTERPOSITIVE_VENV")
    if environment:
        return _existing(environment_python(Path(environment).expanduser()), "INTERPOSITIVE_VENV")
    beside = environment_python((checkout or Path(__file__).resolve().parents[3]) / ".venv")
    if beside.is_file():
        return beside
    remembered = remembered_engine()
    if remembered is not None:
        return _existing(remembered, str(_settings_path()))
    raise EngineNotFoundError(
        f"The Interpositive engine is neither at {beside} nor named in {_settings_path()}. {_SET_UP}"
    )


def remember_engine(python: str) -> Path:
    """Write `python` where hosts outside the checkout look. Returns the path of that file."""
    path = _settings_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps({**_SCHEMA, "python": str(python)}, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
    return path


def remembered_engine() -> Optional[Path]:
    """What `remember_engine` wrote, or None. Raises EngineNotFoundError for a file that is not ours."""
    try:
        settings = json.loads(_settings_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EngineNotFoundError(f"{_settings_path()} cannot be read: {error}. {_SET_UP}") from None
    if not isinstance(settings, dict) or settings.get("schema") != _SCHEMA["schema"]:
        raise EngineNotFoundError(f"{_settings_path()} is not Interpositive's. {_SET_UP}")
    if settings.get("version") != _SCHEMA["version"] or not isinstance(settings.get("python"), str):
        found = settings.get("version")
        raise EngineNotFoundError(
            f"{_settings_path()} has version {found}, and this plug-in reads version 1. {_SET_UP}"
        )
    return Path(settings["python"])


def environment_python(folder: Path) -> Path:
    """The interpreter of a virtual environment on this system."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _settings_path() -> Path:
    return config_folder() / "engine.json"


def _existing(python: Path, source: str) -> Path:
    if not python.is_file():
        raise EngineNotFoundError(
            f"{source} says that the engine is {python}, and there is no such file. {_SET_UP}"
        )
    return python
