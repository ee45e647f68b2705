"""The tools, by the name that people and hosts call them by.

A tool is one module beside this file with

    Params                   pydantic model, extra="forbid": the command line, the worker, node and dialogs
    Result                   pydantic model; `lines()` -> list[str] is what the command line prints,
                             `problem()` -> str | None is one line that makes it exit 1 all the same
    run(params, progress)    -> Result

TOOLS holds names and not modules, so that `interpositive --help` imports neither pydantic nor torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from ..progress import Progress

if TYPE_CHECKING:
    from pydantic import BaseModel


class ToolModule(Protocol):
    """What `Tool.load` gives."""

    Params: type[BaseModel]
    Result: type[BaseModel]

    def run(self, params: Any, progress: Progress) -> BaseModel: ...


@dataclass(frozen=True)
class Tool:
    """Where a tool is and, in one line, what it does."""

    module: str
    summary: str

    def load(self) -> ToolModule:
        """Import the module."""
        return cast(ToolModule, importlib.import_module(self.module))


TOOLS: Mapping[str, Tool] = {
    "analyse": Tool(
        "interpositive.tools.analyse", "Find a plate's normals, depth, albedo, shading and light."
    ),
    "apply": Tool("interpositive.tools.apply", "Apply a shot model to a plate: EXR in, EXR out."),
    "bench match": Tool(
        "interpositive.tools.bench_match", "Measure matched and recovered grades against known ones."
    ),
    "bench project": Tool(
        "interpositive.tools.bench_project", "Measure the catalogue, ingest and the project model."
    ),
    "bench relight": Tool(
        "interpositive.tools.bench_relight", "Measure analysis and relighting on objects and exact scenes."
    ),
    "bench shot": Tool(
        "interpositive.tools.bench_shot", "Measure shot models on footage with known answers."
    ),
    "demo": Tool(
        "interpositive.tools.demo", "Render a sample shot, train on three keyframes of it, apply, measure."
    ),
    "demo relight": Tool(
        "interpositive.tools.demo_relight", "Analyse and light a sample shot, and your own plate."
    ),
    "doctor": Tool(
        "interpositive.tools.doctor", "Say what works on this machine, and what to do about the rest."
    ),
    "ingest": Tool(
        "interpositive.tools.ingest", "Take dailies into a project: clips, facts, checksums, measures."
    ),
    "match": Tool(
        "interpositive.tools.match", "Find the CDL that brings shots to a hero, or a plate to its grade."
    ),
    "prior render": Tool(
        "interpositive.tools.prior_render", "Render the scenes that the base prior learns from."
    ),
    "prior train": Tool("interpositive.tools.prior_train", "Train a base prior on rendered scenes."),
    "project create": Tool(
        "interpositive.tools.project_create", "Make the folder of a new production and its catalogue."
    ),
    "project report": Tool(
        "interpositive.tools.project_report", "Say which shots fall out of line with their scene: a page."
    ),
    "project search": Tool(
        "interpositive.tools.project_search", "Find clips by their data, by look, or by a picture."
    ),
    "project status": Tool(
        "interpositive.tools.project_status", "Say what is in a project and what may be trained on."
    ),
    "project train": Tool(
        "interpositive.tools.project_train", "Train the production's own model on what its rights permit."
    ),
    "relight": Tool("interpositive.tools.relight", "Light a plate again: passes and artist lights, EXR out."),
    "suggest-keyframes": Tool(
        "interpositive.tools.suggest_keyframes", "Say which frames of a shot to change by hand."
    ),
    "train": Tool("interpositive.tools.train", "Train a shot model on a few frames that you have changed."),
}
