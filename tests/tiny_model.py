"""A small ONNX graph with the contract's inputs and output, for tests of what runs models.

Three 3x3 convolutions on space-to-depth 4 (a receptive field of 16 px around a pixel's 4x4 cell), plus a
term of the coordinates, inside a region given by the plate's first channel; outside of it, plate.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from interpositive.models.manifest import TilingRecord

STRIDE = 4
TILING = TilingRecord(stride=STRIDE, receptive_px=16, bytes_per_pixel=400.0)
_HIDDEN = 8


def write_tiny_model(path: Path, channels: int = 3, outputs: int = 3, seed: int = 1) -> Path:
    """Write the graph; `outputs` equal to `channels` gives a change of the plate, else plain planes."""
    random = np.random.default_rng(seed)
    packed = channels * STRIDE**2
    nodes: list[onnx.NodeProto] = []
    weights: dict[str, np.ndarray] = {}

    def node(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(name: str, value: np.ndarray) -> str:
        weights[name] = value
        return name

    current = node("SpaceToDepth", ["plate"], "packed", blocksize=STRIDE)
    sizes = [packed, _HIDDEN, _HIDDEN, outputs * STRIDE**2]
    for index, (before, after) in enumerate(pairwise(sizes)):
        kernel = random.normal(0, (9 * before) ** -0.5, (after, before, 3, 3)).astype(np.float32)
        constant(f"kernel{index}", kernel)
        current = node("Conv", [current, f"kernel{index}"], f"conv{index}", pads=[1, 1, 1, 1])
        if index < 2:
            current = node("Tanh", [current], f"tanh{index}")
    change = node("DepthToSpace", [current], "change", blocksize=STRIDE)  # (1, C_out, H, W)

    change = node("Add", [change, _coordinate_term(node, constant)], "placed")
    if outputs == channels:
        first = node("Gather", ["plate", constant("zero_index", np.asarray([0], np.int64))], "first", axis=1)
        inside = node("Greater", [first, constant("threshold", np.float32(0.5))], "inside")
        changed = node("Add", ["plate", change], "changed")
        node("Where", [inside, changed, "plate"], "result")
    else:
        node("Identity", [change], "result")
    return _save(path, nodes, weights, channels, outputs)


def _coordinate_term(node, constant) -> str:
    """(1, 1, H, W): the pixel's x over the display width plus its y over the display height."""
    shape = node("Shape", ["plate"], "shape")
    terms = []
    for axis, (name, size_index, unsqueezed) in enumerate((("x", 3, [0, 1, 2]), ("y", 2, [0, 1, 3]))):
        size = node(
            "Gather",
            [shape, constant(f"{name}_size_index", np.asarray(size_index, np.int64))],
            f"{name}_size",
        )
        steps = node(
            "Range",
            [
                constant(f"{name}_from", np.asarray(0, np.int64)),
                size,
                constant(f"{name}_step", np.asarray(1, np.int64)),
            ],
            f"{name}_range",
        )
        index = constant(f"{name}_axis", np.asarray(axis, np.int64))
        place = node("Cast", [steps], f"{name}_float", to=TensorProto.FLOAT)
        place = node("Add", [place, node("Gather", ["origin", index], f"{name}_origin")], f"{name}_px")
        place = node("Div", [place, node("Gather", ["extent", index], f"{name}_extent")], f"{name}_place")
        axes = constant(f"{name}_axes", np.asarray(unsqueezed, np.int64))
        terms.append(node("Unsqueeze", [place, axes], f"{name}_plane"))
    return node("Add", terms, "coordinates")


def _save(path: Path, nodes: list, weights: dict, channels: int, outputs: int) -> Path:
    def tensor(name: str, shape: list) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        nodes,
        "tiny",
        [tensor("plate", [1, channels, "h", "w"]), tensor("origin", [2]), tensor("extent", [2])],
        [tensor("result", [1, outputs, "h", "w"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path
