"""Which variables the engine starts with."""

from __future__ import annotations

import pytest

from interpositive.host_bridge.environment import engine_environment


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "TMPDIR", "LC_ALL", "XDG_STATE_HOME", "OCIO", "CUDA_VISIBLE_DEVICES"]
)
def test_what_the_engine_needs_is_kept(name: str) -> None:
    assert engine_environment({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    "name",
    [
        "PYTHONPATH",
        "PYTHONHOME",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "DYLD_LIBRARY_PATH",
        "QT_PLUGIN_PATH",
        "OMP_NUM_THREADS",
    ],
)
def test_what_a_host_sets_for_itself_is_dropped(name: str) -> None:
    assert engine_environment({name: "x"}) == {}


def test_what_the_caller_adds_wins() -> None:
    assert engine_environment({"OCIO": "a", "QT_X": "b"}, {"OCIO": "c", "OMP_NUM_THREADS": "2"}) == {
        "OCIO": "c",
        "OMP_NUM_THREADS": "2",
    }
