"""The acceptance table of a production: which parts there are, run one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..progress import Progress
from .catalogue import catalogue_rows
from .continuity import continuity_rows
from .ingest import ingest_rows
from .project_model import halved_clip_rows, production_rows, project_kill_rows
from .runs import Runs, RunTool
from .set_ups import set_up_rows
from .table import Row


@dataclass(frozen=True)
class ProjectBench:
    """What every part is given. `data`: the folder of real clips, which may be absent; `work`: scratch."""

    data: Path
    work: Path
    run_tool: RunTool
    device: str
    progress: Progress

    @property
    def runs(self) -> Runs:
        """Tools and measurements in fresh processes."""
        return Runs(self.run_tool, self.work, self.device, self.progress)


# name -> (bench, name) -> rows, in the order of the table
PARTS: Mapping[str, Callable[[ProjectBench, str], list[Row]]] = {
    "catalogue": catalogue_rows,
    "set-ups": set_up_rows,
    "ingest": ingest_rows,
    "continuity": continuity_rows,
    "project-model": production_rows,
    "project-model-clips": halved_clip_rows,
    "project-model-kills": project_kill_rows,
}


def run_parts(bench: ProjectBench, only: Sequence[str]) -> list[Row]:
    """The rows of the named parts, or of all. Raises UsageError for a name that is no part."""
    for name in only:
        if name not in PARTS:
            raise UsageError(f"--only {name} is no part of this bench. Parts: {', '.join(PARTS)}.")
    chosen = list(only) or list(PARTS)
    rows: list[Row] = []
    for index, name in enumerate(chosen):
        bench.progress.log(f"{index + 1} of {len(chosen)}: {name}")
        bench.progress.raise_if_cancelled()
        rows += PARTS[name](bench, name)
    return rows
