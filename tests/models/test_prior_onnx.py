from __future__ import annotations

import onnx
import onnxruntime
import pytest
import torch

from interpositive.models.prior_network import ONNX_OUTPUTS, PriorNetwork, PriorNetworkConfig
from interpositive.models.prior_onnx import prior_onnx_bytes

SMALL = PriorNetworkConfig(widths=(8, 16, 16, 8), stem=8, hidden=8, light_units=8)


def as_float16(network: PriorNetwork) -> PriorNetwork:
    network.load_state_dict({name: tensor.half().float() for name, tensor in network.state_dict().items()})
    return network


@pytest.mark.parametrize("size", [(1, 32, 32), (2, 64, 96)])
def test_onnx_runtime_gives_what_torch_gives(size: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    network = as_float16(PriorNetwork(SMALL))
    session = onnxruntime.InferenceSession(prior_onnx_bytes(network), providers=["CPUExecutionProvider"])
    count, height, width = size
    picture, matte = torch.rand(count, 3, height, width), torch.rand(count, 1, height, width)
    light = torch.tensor([[0.8, 0.1, 0.6, 1.0], [0.0, 0.0, 0.0, 0.0]])[:count]
    feed = {"picture": picture.numpy(), "matte": matte.numpy(), "light": light.numpy()}
    with torch.no_grad():
        expected = network(picture, matte, light)
    for found, values in zip(session.run(list(ONNX_OUTPUTS), feed), expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(found), values, rtol=1e-4, atol=1e-5)


def test_the_file_holds_float16_and_opset_17() -> None:
    data = prior_onnx_bytes(PriorNetwork())
    model = onnx.load_from_string(data)
    assert model.opset_import[0].version == 17
    assert len(data) < 10e6
