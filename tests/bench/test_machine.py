"""Counting a graph's work, and facts about the machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from interpositive.bench.machine import machine_facts, multiply_adds_per_pixel, peak_memory_bytes


def save_graph(path: Path, nodes: list, weights: dict[str, np.ndarray]) -> Path:
    inputs = [
        helper.make_tensor_value_info("plate", TensorProto.FLOAT, [1, 3, "h", "w"]),
        helper.make_tensor_value_info("origin", TensorProto.FLOAT, [2]),
        helper.make_tensor_value_info("extent", TensorProto.FLOAT, [2]),
    ]
    output = helper.make_tensor_value_info("result", TensorProto.FLOAT, [1, None, None, None])
    tensors = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, [output], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


def test_a_convolution_counts_channels_times_kernel_a_pixel(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["plate", "w"], ["result"], pads=[1, 1, 1, 1])
    path = save_graph(tmp_path / "m.onnx", [node], {"w": np.zeros((8, 3, 3, 3))})
    assert multiply_adds_per_pixel(path, 8) == 8 * 3 * 9


def test_strided_and_grouped_convolutions_count_less(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["plate", "w"], ["low"], strides=[4, 4]),
        helper.make_node("Conv", ["low", "g"], ["result"], group=16, pads=[1, 1, 1, 1]),
    ]
    weights = {"w": np.zeros((16, 3, 4, 4)), "g": np.zeros((16, 1, 3, 3))}
    path = save_graph(tmp_path / "m.onnx", nodes, weights)
    assert multiply_adds_per_pixel(path, 4) == pytest.approx((16 * 3 * 16 + 16 * 9) / 16)


def test_a_transposed_convolution_counts_its_input(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["plate", "w"], ["low"], strides=[2, 2]),
        helper.make_node("ConvTranspose", ["low", "t"], ["result"], strides=[2, 2]),
    ]
    weights = {"w": np.zeros((4, 3, 2, 2)), "t": np.zeros((4, 3, 2, 2))}
    path = save_graph(tmp_path / "m.onnx", nodes, weights)
    assert multiply_adds_per_pixel(path, 2) == pytest.approx((4 * 3 * 4) / 4 + (4 * 3 * 4) / 4)


def test_facts_name_the_processor_and_the_versions() -> None:
    facts = machine_facts()
    assert facts["cpu"] and facts["cores"] >= 1
    assert {"interpositive", "numpy", "torch"} <= facts["versions"].keys()


def test_peak_memory_is_at_least_what_numpy_takes() -> None:
    assert 20 * 1024**2 < peak_memory_bytes() < 64 * 1024**3
