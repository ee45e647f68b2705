"""What this machine is, and how many multiply-adds it can do."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import psutil

from .. import __version__
from ..memory import usable_cores

_PACKAGES = ("torch", "onnxruntime-gpu", "onnxruntime", "numpy", "OpenImageIO", "opencolorio")
_MATRIX_SIDE = 1024
_CONVOLUTIONS = ("Conv", "ConvTranspose", "FusedConv")


def machine_facts() -> dict[str, Any]:
    """Processor, cores, memory, system and versions, as plain JSON values."""
    versions = {"interpositive": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1024**3, 1),
        "system": f"{platform.system()} {platform.release()}",
        "versions": versions,
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def cpu_model() -> str:
    """The processor's own name where the system tells it, else its architecture."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_memory_bytes() -> int:
    """The most memory that this process has held resident so far."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss would count what the parent held when it forked
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if os.name == "posix":
        import resource

        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    return int(psutil.Process().memory_info().peak_wset)


def matrix_multiply_peak(seconds: float = 2.0) -> float:
    """Multiply-adds per CPU-second of the best float32 matrix product on one thread.

    The better of PyTorch and NumPy, since they bring different libraries. Call it in a process of its own.
    """
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    a, b = (rng.random((_MATRIX_SIDE, _MATRIX_SIDE), dtype=np.float32) for _ in range(2))
    tensor_a, tensor_b = torch.from_numpy(a), torch.from_numpy(b)
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for multiply in (lambda: torch.mm(tensor_a, tensor_b), lambda: np.matmul(a, b)):
            start = time.process_time()
            multiply()
            best = min(best, time.process_time() - start)
    return _MATRIX_SIDE**3 / best


def multiply_adds_per_pixel(model: Path, stride: int) -> float:
    """Multiply-adds of a model's convolutions and matrix products for each plate pixel.

    The graph runs once on a small window with every such node's result as an output, so that the shapes
    are those of the real run and not of an estimate.
    """
    graph_model = onnx.load(str(model))
    weights = {tensor.name: list(tensor.dims) for tensor in graph_model.graph.initializer}
    for constant in (n for n in graph_model.graph.node if n.op_type == "Constant"):
        weights.update((constant.output[0], list(a.t.dims)) for a in constant.attribute if a.name == "value")
    nodes = [n for n in graph_model.graph.node if n.op_type in (*_CONVOLUTIONS, "MatMul", "Gemm")]
    del graph_model.graph.output[:]
    graph_model.graph.output.extend(onnx.ValueInfoProto(name=n.output[0]) for n in nodes)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        graph_model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    side = -(-256 // stride) * stride
    channels = next(i.shape[1] for i in session.get_inputs() if i.name == "plate")
    feed = {
        "plate": np.full((1, channels, side, side), 0.2, np.float32),
        "origin": np.zeros(2, np.float32),
        "extent": np.full(2, side, np.float32),
    }
    names = {i.name for i in session.get_inputs()}
    results = session.run(None, {k: v for k, v in feed.items() if k in names})
    total = sum(_multiply_adds(n, weights, result.shape) for n, result in zip(nodes, results, strict=True))
    return total / (side * side)


def _multiply_adds(node: Any, weights: dict[str, list[int]], shape: tuple[int, ...]) -> float:
    elements = float(np.prod(shape))
    weight = next((weights[name] for name in (*node.input[1:2], node.input[0]) if name in weights), None)
    if weight is None:  # a product of two activations; none of ours has one of any size
        return 0.0
    if node.op_type == "ConvTranspose":  # every input element meets out channels x kernel
        strides = next((list(a.ints) for a in node.attribute if a.name == "strides"), [1, 1])
        return elements * weight[0] * float(np.prod(weight[2:])) / float(np.prod(strides))
    if node.op_type in _CONVOLUTIONS:
        return elements * float(np.prod(weight[1:]))
    return elements * weight[0]
