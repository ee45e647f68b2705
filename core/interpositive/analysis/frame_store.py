"""Small pictures of a whole shot: in memory while they fit, else in a file that vanishes with the process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from .prediction import Map


class FrameStore:
    """`count` arrays (h, w, C), kept as float16 or float32 and given as float32.

    Up to `memory_bytes` stay in memory; more go to an unnamed file in `folder`. `close` it, or use it as a
    context manager. Raises OutputError when the disk is full.
    """

    def __init__(
        self,
        count: int,
        shape: tuple[int, int, int],
        folder: Path,
        memory_bytes: int,
        dtype: type[np.float16] | type[np.float32] = np.float16,
    ) -> None:
        self._shape, self._dtype = (count, *shape), dtype
        self._folder, self._memory_bytes = folder, memory_bytes
        self._file: Any = None
        size = int(np.prod(self._shape)) * np.dtype(dtype).itemsize
        self._frames: NDArray[Any]
        if size <= memory_bytes:
            self._frames = np.zeros(self._shape, dtype)
        else:
            self._frames = self._on_disk(size)

    def __len__(self) -> int:
        return self._shape[0]

    def __enter__(self) -> FrameStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        return self._shape[1:]

    def get(self, k: int) -> Map:
        """Array `k`, a copy."""
        return np.array(self._frames[k], np.float32)

    def put(self, k: int, values: NDArray[Any]) -> None:
        """Keep array `k`; values too large for half are held at its maximum."""
        if self._dtype is np.float16:
            values = np.clip(values, -65504.0, 65504.0)
        self._frames[k] = values

    def alike(self, channels: int, dtype: type[np.float16] | type[np.float32] = np.float16) -> FrameStore:
        """An empty store of the same count and size with other channels."""
        shape = (self._shape[1], self._shape[2], channels)
        return FrameStore(self._shape[0], shape, self._folder, self._memory_bytes, dtype)

    def close(self) -> None:
        self._frames = np.zeros((0, *self._shape[1:]), self._dtype)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _on_disk(self, size: int) -> NDArray[Any]:
        try:
            self._file = tempfile.TemporaryFile(dir=self._folder)
            for _ in range(size // (1 << 24) + 1):  # claimed now: a full disk would later be a crash
                self._file.write(bytes(1 << 24))
            self._file.flush()
            frames: NDArray[Any] = np.memmap(self._file, self._dtype, "r+", shape=self._shape)
            return frames
        except OSError as error:
            raise OutputError(
                f"Cannot keep {size >> 20} MB of working pictures in {self._folder}: "
                f"{error.strerror}. Free space, "
                "choose another folder, or analyse fewer frames at a time with --frames."
            ) from error
