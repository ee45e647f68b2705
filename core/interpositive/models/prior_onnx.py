"""The base prior as an ONNX graph, written operator by operator; weights are kept as float16.

All arithmetic is float32: each weight passes a Cast, which runtimes fold away when they load the model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from .onnx_graph import OnnxGraph, Shape
from .prior_network import (
    CELL_PX,
    LEAST_LENGTH,
    LIGHT_VALUES,
    NORM_EPSILON,
    ONNX_OUTPUTS,
    PLANES,
    SHAPER_MEAN,
    SHAPER_SCALE,
    STRIDE_PX,
    WINDOW_PX,
    PriorNetwork,
)


def prior_onnx_bytes(network: PriorNetwork) -> bytes:
    """The model: "picture" (N, 3, H, W), "matte" (N, 1, H, W), "light" (N, 4) -> `ONNX_OUTPUTS`."""
    graph = _PriorGraph(network)
    toe = graph.constant(network.config.toe)
    lit = graph.node("Add", [graph.node("Max", ["picture", graph.constant(0.0)]), toe])
    log_picture = graph.node("Log", [lit])
    shaped = graph.node("Sub", [log_picture, graph.constant(SHAPER_MEAN)])
    shaped = graph.node("Mul", [shaped, graph.constant(SHAPER_SCALE)])
    linear = graph.node("Clip", ["picture", graph.constant(0.0), graph.constant(2.0)])
    linear = graph.node("ReduceMean", [linear], axes=[1], keepdims=1)
    stem = graph.node("Concat", [shaped, linear, "matte"], axis=1)
    stem = graph.relu(graph.layer("stem", stem, CELL_PX, (WINDOW_PX - CELL_PX) // 2))
    units = _light_units(graph)
    features, deep = _features(graph, stem, units)
    hidden = graph.node("Add", [graph.layer("head", features), graph.layer("head_stem", stem, bias=False)])
    planes = graph.node(
        "DepthToSpace", [graph.layer("out", graph.relu(hidden))], blocksize=CELL_PX, mode="CRD"
    )
    light = graph.linear("light_out", graph.node("Concat", [deep, units], axis=1))
    _assembled(graph, planes, log_picture, light)
    window: Shape = ["batch", 1, "height", "width"]
    counts = {**PLANES, "confidence": 1}
    inputs: dict[str, Shape] = {
        "picture": ["batch", 3, *window[2:]],
        "matte": window,
        "light": ["batch", 4],
    }
    outputs: dict[str, Shape] = {name: ["batch", counts[name], *window[2:]] for name in ONNX_OUTPUTS[:-1]}
    outputs[ONNX_OUTPUTS[-1]] = ["batch", LIGHT_VALUES]
    return graph.model("interpositive_prior", inputs, outputs).SerializeToString()


class _PriorGraph(OnnxGraph):
    """Layers of the network by their names."""

    def __init__(self, network: PriorNetwork) -> None:
        super().__init__({name: t.detach().cpu().numpy() for name, t in network.state_dict().items()})

    def half(self, values: NDArray[np.float32]) -> str:
        return self.node("Cast", [self.constant(values.astype(np.float16))], to=TensorProto.FLOAT)

    def layer(self, name: str, value: str, stride: int = 1, padding: int = 0, bias: bool = True) -> str:
        """A convolution, without padding unless said."""
        names = [self.half(self._weights[f"{name}.{part}"]) for part in (("weight", "bias")[: 1 + bias])]
        return self.node("Conv", [value, *names], strides=[stride, stride], pads=[padding] * 4)

    def linear(self, name: str, value: str) -> str:
        names = [self.half(self._weights[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self.node("Gemm", [value, *names], transB=1)

    def relu(self, value: str) -> str:
        return self.node("Relu", [value])

    def maps(self, vector: str) -> str:
        """(N, C) -> (N, C, 1, 1)."""
        return self.node("Unsqueeze", [vector, self.constant(np.asarray([2, 3], np.int64))])

    def part(self, value: str, first: int, end: int) -> str:
        """Channels first..end."""
        return self.slice(value, first, end)

    def block(self, name: str, value: str, units: str, channels: int) -> str:
        """`_Block` of the network."""
        film = self.linear(f"{name}.film", units)
        gain, offset = self.part(film, 0, channels), self.part(film, channels, 2 * channels)
        gain = self.node("Add", [self.maps(gain), self.constant(1.0)])
        square = self.node("ReduceMean", [self.node("Mul", [value, value])], axes=[1], keepdims=1)
        root = self.node("Sqrt", [self.node("Add", [square, self.constant(NORM_EPSILON)])])
        inner = self.node("Mul", [self.node("Div", [value, root]), gain])
        inner = self.node("Add", [inner, self.maps(offset)])
        inner = self.relu(self.layer(f"{name}.first", inner, padding=1))
        return self.node("Add", [value, self.layer(f"{name}.second", inner, padding=1)])


def _light_units(graph: _PriorGraph) -> str:
    x, y, z, known = (graph.part("light", k, k + 1) for k in range(4))
    products = [graph.node("Mul", list(pair)) for pair in ((x, y), (x, z), (y, z))]
    features = graph.node("Concat", [x, y, z, known, *products], axis=1)
    return graph.relu(graph.linear("light_hidden", graph.relu(graph.linear("light_in", features))))


def _features(graph: _PriorGraph, stem: str, units: str) -> tuple[str, str]:
    widths = [graph._weights[f"encoder.{level}.first.bias"].shape[0] for level in range(4)]
    features = graph.layer("enter", stem)
    skips = []
    for level in range(4):
        if level:
            features = graph.layer(f"down.{level - 1}", features, stride=2)
        features = graph.block(f"encoder.{level}", features, units, widths[level])
        skips.append(features)
    deep = _context(graph, features)
    context = graph.maps(graph.linear("context_out", deep))
    features = graph.block("deepest", graph.node("Add", [features, context]), units, widths[3])
    for level in (2, 1, 0):
        twice = graph.constant(np.asarray([1, 1, 2, 2], np.float32))
        larger = graph.node(
            "Resize",
            [graph.layer(f"up.{level}", features), "", twice],
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )
        merged = graph.node("Add", [skips[level], larger])
        features = graph.block(f"decoder.{level}", merged, units, widths[level])
    return features, deep


def _context(graph: _PriorGraph, features: str) -> str:
    """Mean inside the matte and maximum of the deepest maps, through one layer."""
    side = [STRIDE_PX, STRIDE_PX]
    weight = graph.node("AveragePool", ["matte"], kernel_shape=side, strides=side)
    weight = graph.node("Add", [weight, graph.constant(1e-3)])
    axes = graph.constant(np.asarray([2, 3], np.int64))
    both = [
        graph.node("ReduceSum", [value, axes], keepdims=0)
        for value in (graph.node("Mul", [features, weight]), weight)
    ]
    largest = graph.node("ReduceMax", [features], axes=[2, 3], keepdims=0)
    pooled = graph.node("Concat", [graph.node("Div", both), largest], axis=1)
    return graph.relu(graph.linear("context_in", pooled))


def _assembled(graph: _PriorGraph, planes: str, log_picture: str, light: str) -> None:
    """`_assembled` of the network."""
    ends = np.cumsum([0, *PLANES.values()])
    part = {
        name: graph.part(planes, int(a), int(b)) for name, a, b in zip(PLANES, ends, ends[1:], strict=False)
    }

    def length_of(value: str) -> str:
        square = graph.node("Mul", [value, value])
        axis = graph.constant(np.asarray([1], np.int64))
        root = graph.node("Sqrt", [graph.node("ReduceSum", [square, axis], keepdims=1)])
        return graph.node("Max", [root, graph.constant(LEAST_LENGTH)])

    def exponential(value: str, offset: float, least: float, most: float, output: str) -> None:
        value = graph.node("Add", [value, graph.constant(offset)])
        value = graph.node("Clip", [value, graph.constant(least), graph.constant(most)])
        graph.node("Exp", [value], output)

    length = length_of(part["normal"])
    graph.node("Div", [part["normal"], length], "normal")
    graph.node("Tanh", [length], "confidence")
    graph.node("Identity", [part["log_depth"]], "log_depth")
    exponential(graph.node("Add", [part["albedo"], log_picture]), 1.0, -7.0, 3.0, "albedo")
    exponential(part["shading"], -1.0, -9.0, 5.0, "shading")
    graph.node("Sigmoid", [part["roughness"]], "roughness")
    graph.node("Sigmoid", [graph.node("Mul", [part["visibility"], graph.constant(2.0)])], "visibility")
    direction = graph.part(light, 0, 3)
    direction = graph.node("Div", [direction, length_of(direction)])
    colour = graph.node("Softplus", [graph.part(light, 3, 6)])
    graph.node("Concat", [direction, colour, graph.part(light, 6, LIGHT_VALUES)], ONNX_OUTPUTS[-1], axis=1)
