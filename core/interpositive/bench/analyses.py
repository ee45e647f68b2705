"""The analyse tool as the rows run it: in a fresh process, with one prior."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .children import Measured
from .runs import Runs


@dataclass(frozen=True)
class Analyses:
    """`prior` is a folder, None the shipped one."""

    runs: Runs
    prior: Path | None = None

    def analyse(
        self, plate: str, out: str, title: str, threads: int | None = None, **more: Any
    ) -> Measured[dict[str, Any]]:
        """Passes of `plate` at the pattern `out`; `more` are other parameters of the tool."""
        params = {"plate": plate, "out": out, "contact_sheet": False, **more}
        if self.prior is not None:
            params["prior"] = str(self.prior)
        return self.runs.tool("analyse", params, threads=threads, title=title)
