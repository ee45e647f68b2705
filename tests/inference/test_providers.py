from __future__ import annotations

import os
import sys

import onnxruntime
import pytest

from interpositive.errors import UsageError
from interpositive.inference.providers import choose, loading_devices, silenced


def test_the_cpu_always_loads() -> None:
    assert loading_devices()["cpu"] == ""
    assert choose("cpu") == "cpu"


def test_a_device_that_does_not_load_has_a_reason_of_one_line() -> None:
    for reason in loading_devices().values():
        assert "\n" not in reason
    if loading_devices()["mps"]:
        assert "CoreML" in loading_devices()["mps"]


def test_auto_is_the_first_device_that_loads() -> None:
    devices = loading_devices()
    wanted = "mps" if sys.platform == "darwin" else "cuda"
    assert choose("auto") == ("cpu" if devices[wanted] else wanted)


def test_a_device_asked_for_by_name_is_never_replaced() -> None:
    for device, reason in loading_devices().items():
        if reason:
            with pytest.raises(UsageError, match=f"--device {device} does not load") as raised:
                choose(device)
            assert reason[:20] in str(raised.value)


def test_start_up_noise_of_providers_is_not_seen(capfd: pytest.CaptureFixture[str]) -> None:
    choose("auto")
    assert capfd.readouterr() == ("", "")


def test_output_is_silenced_only_within_the_block(capfd: pytest.CaptureFixture[str]) -> None:
    with silenced() as noise:
        os.write(2, b"library: with error: libmissing.so not found\n")
        print("from Python")
    os.write(1, b"seen")
    assert capfd.readouterr().out == "seen"
    assert noise.reason() == "libmissing.so not found"
    assert "from Python" in noise.text


def test_output_comes_back_after_an_error_in_the_block(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), silenced():
        raise KeyError
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


def test_only_the_provider_that_was_asked_for_is_in_the_session() -> None:
    from interpositive.inference.providers import _PROBE_MODEL, open_session

    session, device = open_session(_PROBE_MODEL, "cpu", onnxruntime.SessionOptions())
    assert (session.get_providers(), device) == (["CPUExecutionProvider"], "cpu")
