"""The shot network as an ONNX graph, written operator by operator.

The graph is built here rather than by torch's exporter: it uses operators that every runtime since ONNX
opset 17 has, does not change with the version of torch, and keeps the window's size free.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto

from .network import CELL_PX, LEAST_GAIN, ShotNetwork, folded_cell_weights
from .onnx_graph import OnnxGraph


def export_onnx(network: ShotNetwork, path: Path) -> None:
    """Write the network to `path`: "plate" (1, C_in, H, W), "origin" (2,), "extent" (2,) -> "result".

    See `ShotNetwork.forward` for what they are.
    """
    path.write_bytes(onnx_bytes(network))


def onnx_bytes(network: ShotNetwork) -> bytes:
    """The model as `export_onnx` writes it."""
    config = network.config
    graph = OnnxGraph({name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()})
    rgb = graph.slice("plate", 0, 3) if config.extra_inputs else "plate"
    scale = graph.node("Add", [graph.node("Abs", [rgb]), graph.constant(config.toe)])  # |plate| + toe
    shaped = graph.node("Log", [scale])
    features = _features(graph, network, shaped)
    hidden = graph.node(
        "Relu",
        [graph.node("Add", [graph.conv(features, "head"), _cells(graph, shaped, network, "head_pixels")])],
    )
    cells = graph.node("Add", [graph.conv(hidden, "out"), _cells(graph, shaped, network, "detail")])
    heads = _unfold(graph, cells, config.heads)
    _composite(graph, network, rgb, scale, shaped, heads)
    window: list[int | str] = ["height", "width"]
    inputs: dict[str, list[int | str]] = {
        "plate": [1, config.inputs, *window],
        "origin": [2],
        "extent": [2],
    }
    model = graph.model("interpositive_shot", inputs, {"result": [1, config.outputs, *window]})
    return model.SerializeToString()


def _features(graph: OnnxGraph, network: ShotNetwork, shaped: str) -> str:
    config = network.config
    features = graph.node(
        "Add", [_cells(graph, shaped, network, "stem"), graph.conv(_places(graph), "stem_place", bias=False)]
    )
    if config.extra_inputs:
        extra = graph.slice("plate", 3, config.inputs)
        extra = graph.node("Sub", [extra, graph.weight("extra_mean")])
        extra = graph.node("Mul", [extra, graph.weight("extra_scale")])
        features = graph.node("Add", [features, graph.conv(extra, "stem_extra", stride=CELL_PX, bias=False)])
    features = graph.residual(graph.node("Relu", [features]), "first")
    skips = [features]
    for level in range(config.levels - 1):
        features = graph.node("Relu", [graph.conv(features, f"down.{level}", stride=2)])
        features = graph.residual(features, f"deep.{level}")
        skips.append(features)
    skips.pop()
    for level in reversed(range(config.levels - 1)):
        twice = graph.constant(np.asarray([1, 1, 2, 2], np.float32))
        larger = graph.node(
            "Resize",
            [graph.conv(features, f"up.{level}"), "", twice],
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )
        features = graph.residual(graph.node("Add", [skips.pop(), larger]), f"merge.{level}")
    return features


def _places(graph: OnnxGraph) -> str:
    """(1, 2, H/8, W/8): see `ShotNetwork._places`."""
    shape = graph.node("Shape", ["plate"])
    cells: dict[int, str] = {}
    places: dict[int, str] = {}
    for axis, dimension in ((0, 3), (1, 2)):
        size = graph.node("Gather", [shape, graph.constant(np.asarray(dimension, np.int64))])
        cells[axis] = graph.node("Div", [size, graph.constant(np.asarray(CELL_PX, np.int64))])
        steps = graph.node(
            "Range",
            [graph.constant(np.asarray(0, np.int64)), cells[axis], graph.constant(np.asarray(1, np.int64))],
        )
        px = graph.node("Cast", [steps], to=TensorProto.FLOAT)
        px = graph.node("Mul", [px, graph.constant(float(CELL_PX))])
        px = graph.node("Add", [px, graph.constant(CELL_PX / 2)])
        index = graph.constant(np.asarray(axis, np.int64))
        px = graph.node("Add", [px, graph.node("Gather", ["origin", index])])
        place = graph.node("Div", [px, graph.node("Gather", ["extent", index])])
        place = graph.node("Sub", [graph.node("Mul", [place, graph.constant(2.0)]), graph.constant(1.0)])
        new_axes = np.asarray([0, 1, 2] if axis == 0 else [0, 1, 3], np.int64)
        places[axis] = graph.node("Unsqueeze", [place, graph.constant(new_axes)])
    one = graph.constant(np.asarray([1], np.int64))
    axis0 = graph.constant(np.asarray([0], np.int64))
    sides = [graph.node("Unsqueeze", [cells[axis], axis0]) for axis in (1, 0)]
    shape = graph.node("Concat", [one, one, *sides], axis=0)
    planes = [graph.node("Expand", [places[axis], shape]) for axis in (0, 1)]
    return graph.node("Concat", planes, axis=1)


def _unfold(graph: OnnxGraph, cells: str, heads: int) -> str:
    """(1, heads x 8 x 8, H/8, W/8) -> (1, heads, H, W): a pixel shuffle as two transpositions.

    Each moves whole lines of memory, for which runtimes have quick ways; their DepthToSpace moves single
    values and takes twice as long.
    """
    shape = graph.node("Shape", [cells])
    rows, columns = graph.slice(shape, 2, 3, axis=0), graph.slice(shape, 3, 4, axis=0)
    cell = graph.constant(np.asarray([CELL_PX], np.int64))
    height, width = graph.node("Mul", [rows, cell]), graph.node("Mul", [columns, cell])
    to_lines = graph.constant(np.asarray([heads * CELL_PX, CELL_PX, -1], np.int64))
    lines = graph.node("Reshape", [cells, to_lines])  # (heads x 8 rows, 8 columns, cells)
    lines = graph.node("Transpose", [lines], perm=[0, 2, 1])  # (heads x 8 rows, cells x 8 columns)
    count = graph.constant(np.asarray([heads], np.int64))
    lines = graph.node("Reshape", [lines, graph.node("Concat", [count, cell, rows, width], axis=0)])
    lines = graph.node("Transpose", [lines], perm=[0, 2, 1, 3])  # (heads, H/8, 8, W)
    one = graph.constant(np.asarray([1], np.int64))
    return graph.node("Reshape", [lines, graph.node("Concat", [one, count, height, width], axis=0)])


def _composite(graph: OnnxGraph, network: ShotNetwork, rgb: str, scale: str, shaped: str, heads: str) -> None:
    config = network.config
    parts: list[str] = []
    first = 0
    if config.changes_rgb:
        first = 3
        gain = heads if config.outputs + config.has_region == 3 else graph.slice(heads, 0, 3)
        if config.curve_units:
            curves = graph.node("Relu", [graph.conv(shaped, "curves_in")])
            gain = graph.node("Add", [gain, graph.conv(curves, "curves_out", bias=False)])
        changed = graph.node("Add", [rgb, graph.node("Mul", [scale, gain])])
        if config.has_region:
            logits = graph.slice(heads, config.outputs, config.outputs + 1)
            inside = graph.node("Greater", [logits, graph.weight("region_threshold")])
            counts = graph.node("Greater", [graph.node("Abs", [gain]), graph.constant(LEAST_GAIN)])
            inside = graph.node("And", [inside, counts])
            changed = graph.node("Where", [inside, changed, rgb])
        parts.append(changed)
    if config.matte_outputs:
        parts.append(graph.node("Sigmoid", [graph.slice(heads, first, first + config.matte_outputs)]))
        first += config.matte_outputs
    if config.data_outputs:
        parts.append(graph.slice(heads, first, first + config.data_outputs))
    if len(parts) > 1:
        parts = [graph.node("Concat", parts, axis=1)]
    graph.node("Identity", parts, output="result")


def _cells(graph: OnnxGraph, shaped: str, network: ShotNetwork, name: str) -> str:
    """A cell-sized convolution with the shaper's normalisation folded in."""
    weight, bias = folded_cell_weights(network.get_submodule(name))
    names = [graph.constant(tensor.detach().cpu().numpy()) for tensor in (weight, bias)]
    return graph.node("Conv", [shaped, *names], strides=[CELL_PX, CELL_PX])
