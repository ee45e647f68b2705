"""An ONNX graph under construction: what the exporters of our networks have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8

Shape = list[int | str]


class OnnxGraph:
    """Nodes and weights of one ONNX graph under construction; values are named after their operators."""

    def __init__(self, weights: dict[str, NDArray[Any]]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, NDArray[Any]] = {}

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, value: float | NDArray[Any]) -> str:
        name = f"constant_{len(self._initializers)}"
        self._initializers[name] = np.asarray(value, np.float32) if isinstance(value, float) else value
        return name

    def weight(self, name: str) -> str:
        self._initializers[name] = self._weights[name]
        return name

    def slice(self, value: str, first: int, end: int, axis: int = 1) -> str:
        ends = [self.constant(np.asarray([number], np.int64)) for number in (first, end, axis)]
        return self.node("Slice", [value, *ends])

    def conv(self, value: str, name: str, stride: int = 1, bias: bool = True) -> str:
        weights = [self.weight(f"{name}.weight")] + ([self.weight(f"{name}.bias")] if bias else [])
        padding = 1 if self._weights[f"{name}.weight"].shape[-1] == 3 else 0
        return self.node("Conv", [value, *weights], strides=[stride, stride], pads=[padding] * 4)

    def residual(self, value: str, name: str) -> str:
        return self.node("Add", [value, self.node("Relu", [self.conv(value, name)])])

    def model(self, name: str, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]) -> onnx.ModelProto:
        """The finished model, checked; axes that are free have a name for their length."""

        def tensors(shapes: Mapping[str, Shape]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(k, TensorProto.FLOAT, shape) for k, shape in shapes.items()]

        graph = helper.make_graph(
            self._nodes,
            name,
            tensors(inputs),
            tensors(outputs),
            [
                numpy_helper.from_array(np.asarray(value, order="C"), key)
                for key, value in self._initializers.items()
            ],
        )
        model = helper.make_model(
            graph,
            producer_name="interpositive",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        onnx.checker.check_model(model)
        return model
