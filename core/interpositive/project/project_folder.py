"""The folder of one production, and how a tool finds it.

    SHOW/project.json        title, id, colour default
    SHOW/rights.json         who may do what; may be absent
    SHOW/catalogue.sqlite    the clips
    SHOW/thumbnails/  SHOW/model/  SHOW/report/

A tool takes `--project FOLDER`, else the folder in $INTERPOSITIVE_PROJECT, else the nearest folder above the
current one that is a project.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import __version__
from ..errors import OutputError, ProjectError, UsageError
from ..images.colour import space_name
from ..images.writing import whole_file
from .catalogue import CATALOGUE_FILE, Catalogue
from .rights import Rights
from .schema import refuse_long_path

SCHEMA = "interpositive.project"
VERSION = 1
PROJECT_FILE = "project.json"
RIGHTS_FILE = "rights.json"
PROJECT_VARIABLE = "INTERPOSITIVE_PROJECT"

_LARGEST_BYTES = 1024**2

# version -> the function that turns a project file of that version into one of the next.
_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


class _Colour(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    input_space: str | None = None


class _ProjectFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    schema_name: Literal["interpositive.project"] = Field(default="interpositive.project", alias="schema")
    version: Literal[1] = 1
    title: Annotated[str, Field(min_length=1, max_length=1000)]
    id: uuid.UUID
    created: str
    made_by: str
    colour: _Colour = _Colour()


@dataclass(frozen=True)
class ProjectFolder:
    """An existing project. Title and id are what its models are locked to."""

    folder: Path
    title: str
    project_id: str
    created: str  # UTC
    input_space: str | None  # colour space of dailies that do not say theirs

    @property
    def catalogue_path(self) -> Path:
        return self.folder / CATALOGUE_FILE

    @property
    def rights_path(self) -> Path:
        return self.folder / RIGHTS_FILE

    @property
    def thumbnails(self) -> Path:
        return self.folder / "thumbnails"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def report(self) -> Path:
        return self.folder / "report"

    def rights(self) -> Rights:
        """The rights file as it is now; `Rights.absent()` where there is none. Raises RightsError."""
        return Rights.of(self.rights_path) if os.path.lexists(self.rights_path) else Rights.absent()

    def catalogue(self) -> Catalogue:
        """Open the catalogue. Raises CatalogueError."""
        return Catalogue.open(self.folder)


def create_project(
    folder: Path, title: str, rights: Path | None = None, input_space: str | None = None
) -> ProjectFolder:
    """Make a project in `folder`, which may exist and hold other things. `rights` is copied in.

    `project.json` is written last, so an interrupted creation is simply done again. Raises ProjectError where
    there is a project already or around it, RightsError, ColourSpaceError, OutputError.
    """
    folder = folder.expanduser().absolute()
    if not title.strip():
        raise UsageError("The title is empty. Give the production's name with --title.")
    refuse_long_path(folder / CATALOGUE_FILE)
    _refuse_existing(folder)
    if rights is not None:
        Rights.of(rights.expanduser())
    colour = _Colour(input_space=None if input_space is None else space_name(input_space))
    file = _ProjectFile(
        title=" ".join(title.split()),
        id=uuid.uuid4(),
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        made_by=f"Interpositive {__version__}",
        colour=colour,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "thumbnails").mkdir(exist_ok=True)
        if rights is not None:
            with whole_file(folder / RIGHTS_FILE) as unfinished:
                unfinished.write_bytes(rights.expanduser().read_bytes())
        Catalogue.create(folder).close()
        text = json.dumps(file.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
        with whole_file(folder / PROJECT_FILE) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"Project folder {folder} cannot be written: {error.strerror}. Choose a folder that you may "
            "write to."
        ) from None
    return open_project(folder)


def open_project(folder: Path) -> ProjectFolder:
    """The project in `folder` itself. Raises ProjectError."""
    folder = folder.expanduser().absolute()
    path = folder / PROJECT_FILE
    if not os.path.isdir(folder):
        raise ProjectError(f"There is no project folder {folder}. Check the path, or {_CREATE}.")
    if not os.path.isfile(path):
        raise ProjectError(f"{folder} has no {PROJECT_FILE}: not a project of Interpositive. {_CREATE_HERE}.")
    file = _read(path)
    return ProjectFolder(folder, file.title, str(file.id), file.created, file.colour.input_space)


def find_project(text: str | None) -> ProjectFolder:
    """The project that `text` (--project), the environment or the current folder names.

    Raises ProjectError.
    """
    found = optional_project(text)
    if found is None:
        raise ProjectError(
            f"No project is named, and no folder above {Path.cwd()} is one. Pass --project FOLDER, set "
            f"{PROJECT_VARIABLE}, or {_CREATE}."
        )
    return found


def optional_project(text: str | None) -> ProjectFolder | None:
    """As `find_project`; None where nothing is named and none is around.

    Raises ProjectError for a wrong name.
    """
    named = text or os.environ.get(PROJECT_VARIABLE)
    if named:
        return open_project(Path(named))
    here = Path.cwd()
    around = _nearest(here)
    return None if around is None else open_project(around)


_CREATE = 'make one with `interpositive project create FOLDER --title "..."`'
_CREATE_HERE = 'Make one with `interpositive project create FOLDER --title "..."`'


def _nearest(folder: Path) -> Path | None:
    """`folder` or the nearest one above it that is a project; other programs' project.json do not count."""
    return next((place for place in (folder, *folder.parents) if _is_ours(place / PROJECT_FILE)), None)


def _is_ours(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_BYTES:
            return False
        return SCHEMA in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _refuse_existing(folder: Path) -> None:
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ProjectError(f"{folder} is a file. Name a folder for the project.")
    if os.path.exists(folder / PROJECT_FILE):
        if not _is_ours(folder / PROJECT_FILE):
            raise ProjectError(
                f"{folder} holds another program's {PROJECT_FILE}. Name a folder of its own, such as "
                f"{folder / 'interpositive'}."
            )
        title = open_project(folder).title
        raise ProjectError(
            f"{folder} is already the project '{title}'; nothing was changed. Go on with interpositive "
            f"ingest; its rights are in {folder / RIGHTS_FILE}, which you may edit."
        )
    around = _nearest(folder.parent)
    if around is not None:
        title = open_project(around).title
        raise ProjectError(
            f"{folder} would lie inside the project '{title}' in {around}. Make the new project beside it."
        )


def _read(path: Path) -> _ProjectFile:
    advice = "Restore it from a copy"
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ProjectError(f"{path} is larger than {_LARGEST_BYTES} bytes: not a project file. {advice}.")
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(f"Project file {path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise ProjectError(f"Project file {path} is damaged: {reason}. {advice}.") from None
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise ProjectError(
            f"{path} is another program's file, not a project of Interpositive. {_CREATE_HERE}."
        )
    found = values.get("version")
    if isinstance(found, int) and found > VERSION:
        raise ProjectError(
            f"Project file {path} has version {found}, and this Interpositive reads up to {VERSION}. "
            "Update Interpositive."
        )
    while found in _UPGRADES:
        values = _UPGRADES[found](values)
        found = values.get("version")
    try:
        return _ProjectFile.model_validate(values)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        where = ".".join(map(str, detail["loc"]))
        raise ProjectError(f"Project file {path} is damaged at {where}: {detail['msg']}. {advice}.") from None
