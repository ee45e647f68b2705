"""How the cores are shared while frames are read, computed and written side by side."""

from __future__ import annotations

from dataclasses import dataclass

from .providers import LoadedDevice


@dataclass(frozen=True)
class CorePlan:
    """`model_threads` is for a model that runs on the CPU."""

    cores: int
    model_threads: int

    def file_threads(self, device: LoadedDevice) -> int:
        """Threads that decode or encode one file while the model runs on `device`."""
        return max(self.cores - self.model_threads, 1) if device == "cpu" else self.cores


def plan_cores(cores: int, model_threads: int | None = None) -> CorePlan:
    """Half of the cores for the model, unless another number is asked for; the rest is for the files.

    If every stage took all cores, they would only get in each other's way: a frame is the same work, and a
    file that several threads pack is a little more.
    """
    return CorePlan(cores, model_threads or max(cores // 2, 1))
