"""One model, loaded once, run on one window of pixels at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ..errors import DamagedModelError, ModelError
from ..memory import usable_cores
from ..models.manifest import TilingRecord
from .providers import ORT_ERRORS, Device, open_session

Pixels = npt.NDArray[np.float32]

_INPUTS = ["plate", "origin", "extent"]
_OUTPUT = "result"
_SIZE_NAMES = ("height", "width")  # of the free axes in the graph
_OUT_OF_MEMORY = (
    "out of memory",
    "failed to allocate",
    "available memory",
    "cudnn_status_alloc_failed",
    "bad_alloc",
)


class DeviceMemoryError(Exception):
    """The window was too large for the device; `run_tiled` answers with smaller tiles."""


class InferenceSession:
    """`model.onnx` on one device.

    `device` is where it really runs; `tiling` has the stride and the receptive field (px) of the network
    and the bytes that a pixel of a window costs. `threads` limits the cores that the CPU provider uses.
    """

    def __init__(
        self, onnx_path: Path, tiling: TilingRecord, device: Device = "auto", threads: int | None = None
    ) -> None:
        self._path, self._threads = onnx_path, threads or usable_cores()
        self._model = onnx_path.read_bytes()  # opened again for another size, whatever became of the file
        self._session, self.device = self._opened(device)
        self._size: tuple[int, int] | None = None  # height and width that the session is fixed to
        self._validate_signature(onnx_path)
        self.tiling = tiling
        self._buffer: Pixels | None = None  # (1, C, H, W), kept between windows of one size

    def _opened(
        self, device: Device, size: tuple[int, int] | None = None
    ) -> tuple[onnxruntime.InferenceSession, Device]:
        """A session and where it runs; for windows of height and width `size` only, or of any."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.enable_mem_pattern = False  # no faster here
        options.log_severity_level = 4  # errors arrive as exceptions
        # Waiting threads would otherwise spin, on the cores that read and write frames meanwhile.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        for name, length in zip(_SIZE_NAMES, size or (), strict=False):
            options.add_free_dimension_override_by_name(name, length)
        try:
            return open_session(self._model, device, options)
        except ORT_ERRORS as error:
            raise DamagedModelError(
                f"{self._path} is not a model that onnxruntime can run: {_first_line(error)}"
            ) from error

    def _fix_size(self, size: tuple[int, int]) -> None:
        """Open the model for windows of this size, if it is not.

        On the CPU additions then become part of convolutions, which saves 4 % of the time. Frames and
        tiles of a shot have one size; opening takes 0.05 s.
        """
        if self.device == "cpu" and self._size != size:
            self._session, self.device = self._opened(self.device, size)
            self._size = size

    def run(self, pixels: Pixels, origin: tuple[float, float], extent: tuple[float, float]) -> Pixels:
        """Run the network on a window: (H, W, C_in) scene-linear -> (H, W, C_out) scene-linear.

        `origin` is the window's top-left pixel (x, y) and `extent` the display window's (width, height),
        both in px. The window is padded to the stride by repeating its last row and column; the result is
        a view of a (C_out, H, W) buffer that belongs to the caller. Raises `DeviceMemoryError`.
        """
        height, width = pixels.shape[:2]
        plate = self._padded(pixels)
        self._fix_size(plate.shape[2:])
        feed = {
            "plate": plate,
            "origin": np.asarray(origin, np.float32),
            "extent": np.asarray(extent, np.float32),
        }
        try:
            result: Any = self._session.run([_OUTPUT], feed)[0]  # (1, C_out, H', W')
        except ORT_ERRORS as error:
            if any(sign in str(error).lower() for sign in _OUT_OF_MEMORY):
                raise DeviceMemoryError(_first_line(error)) from error
            raise ModelError(
                f"The model stopped on a window of {width}x{height} with {pixels.shape[2]} channels "
                f"({self.device}): {_first_line(error)}"
            ) from error
        return result[0, :, :height, :width].transpose(1, 2, 0)

    def _padded(self, pixels: Pixels) -> Pixels:
        """(H, W, C) -> contiguous (1, C, H', W') with H' and W' multiples of the stride."""
        height, width, channels = pixels.shape
        stride = self.tiling.stride
        shape = (1, channels, round_up(height, stride), round_up(width, stride))
        if self._buffer is None or self._buffer.shape != shape:
            self._buffer = np.empty(shape, np.float32)
        plane = self._buffer[0]  # (C, H', W')
        plane[:, :height, :width] = pixels.transpose(2, 0, 1)
        plane[:, height:, :width] = plane[:, height - 1 : height, :width]
        plane[:, :, width:] = plane[:, :, width - 1 : width]
        return self._buffer

    def _validate_signature(self, onnx_path: Path) -> None:
        inputs = [node.name for node in self._session.get_inputs()]
        outputs = [node.name for node in self._session.get_outputs()]
        if sorted(inputs) != sorted(_INPUTS) or outputs != [_OUTPUT]:
            raise DamagedModelError(
                f"{onnx_path} takes {inputs} and gives {outputs}, expected {_INPUTS} and ['{_OUTPUT}']. "
                "Train again."
            )


def round_up(value: int, step: int) -> int:
    """The smallest multiple of `step` that is not below `value`."""
    return -(-value // step) * step


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
