"""Light stacks on disk: scenes rendered once, under one light at a time, to be lit again while training.

A shard is one safetensors file of N scenes of S x S px with L lights:

    normal           int8     (N, S, S, 3)  camera space times 127
    depth            float16  (N, S, S)     along the view axis, picture heights, about its own centre
    matte            uint8    (N, S, S)     255 on the object, 0 behind it
    part             uint8    (N, S, S)     which part of the surface: parts are painted differently
    position         float16  (N, S, S, 3)  object space, for solid textures
    light_direction  float32  (N, L, 3)     towards the light, camera space
    direct           float16  (N, L, S, S)  max(n.l, 0) * visibility
    bounce           float16  (N, L, S, S)  light that comes by way of other grey (0.5) surfaces
    ambient          float16  (N, S, S)     shading by an even white environment; 1 is wide open
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors

from ..errors import TrainingError

PATTERN = "*.safetensors"
_NUMBER = re.compile(r"(\d+)\.safetensors$")
_NEEDED = ("normal", "depth", "matte", "part", "position", "light_direction", "direct", "bounce", "ambient")


@dataclass(frozen=True, eq=False)
class LightStack:
    """One scene, arrays as stored, without the leading axis of the table above."""

    normal: npt.NDArray[np.int8]
    depth: npt.NDArray[np.float16]
    matte: npt.NDArray[np.uint8]
    part: npt.NDArray[np.uint8]
    position: npt.NDArray[np.float16]
    light_direction: npt.NDArray[np.float32]
    direct: npt.NDArray[np.float16]
    bounce: npt.NDArray[np.float16]
    ambient: npt.NDArray[np.float16]

    @property
    def size_px(self) -> int:
        return int(self.matte.shape[0])

    @property
    def lights(self) -> int:
        return len(self.light_direction)


@dataclass
class Shard:
    """One open file; scenes are read one at a time, so a shard never has to fit into memory."""

    path: Path
    _file: Any = field(default=None, repr=False)

    @cached_property
    def scenes(self) -> int:
        return int(self._slice("light_direction").get_shape()[0])

    def read(self, index: int) -> LightStack:
        """Scene `index`. Raises `TrainingError` for a file that is not a shard."""
        return LightStack(**{name: np.asarray(self._slice(name)[index]) for name in _NEEDED})

    def _slice(self, name: str) -> Any:
        try:
            if self._file is None:
                self._file = safetensors.safe_open(str(self.path), framework="numpy")
            return self._file.get_slice(name)
        except (safetensors.SafetensorError, OSError) as error:
            raise TrainingError(
                f"Light stacks {self.path} cannot be read ({str(error).splitlines()[0]}). "
                "Delete the file and render it again with `interpositive prior render`."
            ) from error


@dataclass
class StackFolder:
    """The shards of a folder and of the folders in it.

    Those whose number in the name is a multiple of `held_out_every` are for validation only: a folder may
    grow while it is trained on, and nothing moves from one side to the other.
    """

    folder: Path
    held_out_every: int = 16
    _shards: dict[str, Shard] = field(default_factory=dict, repr=False)

    def names(self) -> list[str]:
        """Paths relative to the folder, sorted. Raises `TrainingError` when there is none."""
        paths = (path.relative_to(self.folder) for path in self.folder.rglob(PATTERN))
        names = sorted(path.as_posix() for path in paths if not path.name.startswith("."))
        if not names:
            raise TrainingError(
                f"No light stacks ({PATTERN}) in {self.folder}. Make some with `interpositive prior render`."
            )
        return names

    def split(self) -> tuple[list[str], list[str]]:
        """(names to train on, names held out). A folder with one shard has it in both."""
        names = self.names()
        held = [name for name in names if self._number(name) % self.held_out_every == 0] or names[:1]
        return [name for name in names if name not in held] or names, held

    @staticmethod
    def _number(name: str) -> int:
        match = _NUMBER.search(name)
        return int(match[1]) if match else 1

    def shard(self, name: str) -> Shard:
        if name not in self._shards:
            self._shards[name] = Shard(self.folder / name)
        return self._shards[name]

    def draw(self, names: Sequence[str], random: np.random.Generator) -> LightStack:
        """A scene at random from the shards `names`."""
        shard = self.shard(names[int(random.integers(len(names)))])
        return shard.read(int(random.integers(shard.scenes)))
