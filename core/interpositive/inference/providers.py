"""Which device inference runs on: what onnxruntime really loads, not what it lists.

`onnxruntime.get_available_providers()` names CUDA on every machine that has the package; only a session
knows. Providers are always passed explicitly, and a device that was asked for by name is never replaced
by another.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from ..errors import UsageError

Device = Literal["auto", "cuda", "mps", "cpu"]
LoadedDevice = Literal["cuda", "mps", "cpu"]

# What onnxruntime raises; its classes have no common root but Exception.
ORT_ERRORS: tuple[type[Exception], ...] = (
    _state.Fail,
    _state.EPFail,
    _state.InvalidArgument,
    _state.InvalidGraph,
    _state.InvalidProtobuf,
    _state.NoSuchFile,
    _state.NotImplemented,
    _state.RuntimeException,
)

_CPU = "CPUExecutionProvider"
# Single precision throughout: TF32 and the half-precision neural engine are switched off, so that a frame
# is the same picture on every machine.
_PROVIDERS: dict[LoadedDevice, tuple[str, dict[str, str]]] = {
    "cuda": (
        "CUDAExecutionProvider",
        {
            "use_tf32": "0",
            "cudnn_conv_algo_search": "HEURISTIC",
            "arena_extend_strategy": "kSameAsRequested",
        },
    ),
    "mps": ("CoreMLExecutionProvider", {"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU"}),
    "cpu": (_CPU, {}),
}
# y = Identity(x), x of one float: the smallest model that shows whether a provider loads.
_PROBE_MODEL = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201705a0f0a0178120a0a08080112040a020801620f0a0179120a0a08"
    "080112040a02080142040a001011"
)
_REASON = re.compile(r"with error: (.+)|Failed to create \w+\. (.+)|CUDA failure \d+: ([^;]+)")
_silence_lock = threading.Lock()


@dataclass
class CapturedNoise:
    """What the process wrote to its standard streams meanwhile, filled in at the end of the block."""

    text: str = field(default="")

    def reason(self) -> str:
        """The line that says why a library did not load, or "" without one."""
        match = _REASON.search(self.text)
        if match is None:
            return ""
        return next(group for group in match.groups() if group).strip().rstrip(".")


def loading_devices() -> dict[LoadedDevice, str]:
    """Each device with "" where its provider really loads, else with the reason why not."""
    return {device: _probe(device) for device in _PROVIDERS}


def choose(device: Device) -> LoadedDevice:
    """The device that `device` stands for here: "auto" is CUDA, else CoreML on macOS, else the CPU.

    Raises `UsageError` when a device asked for by name does not load.
    """
    return open_session(_PROBE_MODEL, device, onnxruntime.SessionOptions())[1]


def open_session(
    model: str | bytes, device: Device, options: onnxruntime.SessionOptions
) -> tuple[onnxruntime.InferenceSession, LoadedDevice]:
    """An onnxruntime session of `model` (path or bytes) on `device`, and the device it really runs on.

    Raises `UsageError` as `choose` does, and `ORT_ERRORS` for a model that cannot be run at all.
    """
    if device != "auto":
        session, reason = _try_open(model, device, options)
        if session is None:
            raise UsageError(
                f"--device {device} does not load here: {reason}. "
                "Install what is missing, or use --device auto."
            )
        return session, device
    accelerators: tuple[LoadedDevice, ...] = ("mps",) if sys.platform == "darwin" else ("cuda",)
    for accelerator in accelerators:
        with suppress(*ORT_ERRORS):  # a driver without memory left, say; the CPU does it too
            session, _ = _try_open(model, accelerator, options)
            if session is not None:
                return session, accelerator
    session, reason = _try_open(model, "cpu", options)
    if session is None:
        raise UsageError(f"onnxruntime does not run on this machine: {reason}. Install it again.")
    return session, "cpu"


def _try_open(
    model: str | bytes, device: LoadedDevice, options: onnxruntime.SessionOptions
) -> tuple[onnxruntime.InferenceSession | None, str]:
    provider, settings = _PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        return None, f"this onnxruntime is built without {provider}"
    providers: list[Any] = [(provider, settings)]
    if provider != _CPU:
        providers.append(_CPU)
    with silenced() as noise:
        if device == "cuda":
            onnxruntime.preload_dlls()
        session = onnxruntime.InferenceSession(model, options, providers=providers)
    if session.get_providers()[0] != provider:
        return None, noise.reason() or f"{provider} was refused without a reason"
    return session, ""


def _probe(device: LoadedDevice) -> str:
    try:
        return _try_open(_PROBE_MODEL, device, onnxruntime.SessionOptions())[1]
    except ORT_ERRORS as error:
        return str(error).splitlines()[0]


@contextmanager
def silenced() -> Iterator[CapturedNoise]:
    """Catch what native libraries print to file descriptors 1 and 2 within the block.

    The whole process is silent meanwhile, so keep the block short.
    """
    noise = CapturedNoise()
    with _silence_lock, tempfile.TemporaryFile() as sink:
        _flush()
        saved = [os.dup(1), os.dup(2)]
        try:
            os.dup2(sink.fileno(), 1)
            os.dup2(sink.fileno(), 2)
            with (
                open(os.dup(sink.fileno()), "w", encoding="utf-8") as stream,
                redirect_stdout(stream),
                redirect_stderr(stream),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")
                yield noise
        finally:
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            for descriptor in saved:
                os.close(descriptor)
            sink.seek(0)
            noise.text = sink.read().decode("utf-8", "replace")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
