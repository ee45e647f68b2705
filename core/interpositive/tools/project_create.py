"""Make the folder of a new production: its title and id, its rights, an empty catalogue."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ..progress import Progress


class Params(BaseModel):
    """Where the project goes, what it is called and who permits what."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(
        title="Folder",
        description="Folder of the project; made where it does not exist.",
        json_schema_extra={"positional": True},
    )
    title: str = Field(
        title="Title",
        description="Name of the production. Models trained in the project are locked to it.",
    )
    rights: str | None = Field(
        default=None,
        title="Rights",
        description="Rights file, which is copied in; without one, nothing may be trained on.",
        json_schema_extra={"unit": "FILE"},
    )
    input_space: str | None = Field(
        default=None,
        title="Input space",
        description="Colour space of dailies that do not say theirs, such as 'ARRI LogC4'.",
    )


class Result(BaseModel):
    """The new project."""

    folder: str
    title: str
    id: str
    input_space: str | None
    rights_owner: str | None

    def lines(self) -> list[str]:
        rights = Path(self.folder) / "rights.json"
        told = f"Rights: {self.rights_owner}, in {rights}."
        if self.rights_owner is None:
            told = f"No rights file: nothing may be trained on until there is one at {rights}."
        return [
            f"Made the project '{self.title}' in {self.folder}.",
            told,
            f"Next: interpositive ingest DAILIES --project {self.folder}",
        ]


def run(params: Params, progress: Progress) -> Result:
    """Make it. Raises ProjectError, RightsError, ColourSpaceError, OutputError, UsageError."""
    from ..project.project_folder import create_project

    rights = None if params.rights is None else Path(params.rights)
    project = create_project(Path(params.folder), params.title, rights, params.input_space)
    return Result(
        folder=str(project.folder),
        title=project.title,
        id=project.project_id,
        input_space=project.input_space,
        rights_owner=project.rights().owner,
    )
