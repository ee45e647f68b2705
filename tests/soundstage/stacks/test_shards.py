"""Shards hold what the documentation says, repeat byte for byte, and are whole or absent."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from interpositive.errors import OutputError
from interpositive.soundstage.stacks.shards import (
    SCENES_A_SHARD,
    pack,
    render_scene,
    render_shard,
    shard_path,
    shard_sizes,
    write_shard,
)

SIZE, LIGHTS = 32, 3


def test_shards_are_full_but_for_the_last() -> None:
    assert shard_sizes(SCENES_A_SHARD * 2 + 5) == [SCENES_A_SHARD, SCENES_A_SHARD, 5]
    assert shard_sizes(SCENES_A_SHARD) == [SCENES_A_SHARD]
    assert shard_sizes(1) == [1]


def test_a_shard_has_the_documented_arrays(tmp_path: Path) -> None:
    path = shard_path(tmp_path, 3)
    write_shard(path, pack(list(render_shard(5, 0, 2, SIZE, LIGHTS))), {"seed": 5})
    arrays = load_file(path)
    plane = (2, SIZE, SIZE)
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {
        "normal": ((*plane, 3), "int8"),
        "depth": (plane, "float16"),
        "matte": (plane, "uint8"),
        "part": (plane, "uint8"),
        "position": ((*plane, 3), "float16"),
        "light_direction": ((2, LIGHTS, 3), "float32"),
        "light_radius": ((2, LIGHTS), "float32"),
        "direct": ((2, LIGHTS, SIZE, SIZE), "float16"),
        "bounce": ((2, LIGHTS, SIZE, SIZE), "float16"),
        "ambient": (plane, "float16"),
        "ambient_tilt": ((*plane, 3), "float16"),
        "focal": ((2,), "float32"),
    }
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    about = {"schema": "interpositive.light-stack", "version": 1, "seed": 5}
    assert json.loads(metadata["about"]) == about
    assert [entry.name for entry in tmp_path.iterdir()] == ["stack_00003.safetensors"]


def test_stored_values_are_finite_and_in_range() -> None:
    arrays = pack([render_scene(2, number, SIZE, LIGHTS) for number in range(6)])
    for name, array in arrays.items():
        assert np.isfinite(array.astype(np.float32)).all(), name
    for name in ("direct", "bounce", "ambient"):
        assert 0 <= arrays[name].min() <= arrays[name].max() <= 1, name
    length = np.linalg.norm(arrays["normal"].astype(np.float32) / 127, axis=-1)
    np.testing.assert_allclose(length[arrays["part"] > 0], 1, atol=0.02)
    assert not arrays["matte"][(arrays["part"] == 0)].any()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_shard(tmp_path / name, pack([render_scene(7, 1, SIZE, LIGHTS)]), {})
    write_shard(tmp_path / "c", pack([render_scene(8, 1, SIZE, LIGHTS)]), {})
    one, two, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert one == two
    assert one != other


def test_a_scene_does_not_depend_on_the_scenes_before_it() -> None:
    stacks = list(render_shard(7, 0, 2, SIZE, LIGHTS))
    np.testing.assert_array_equal(stacks[1].direct, render_scene(7, 1, SIZE, LIGHTS).direct)


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    blocked = tmp_path / "stack_00000.safetensors"
    blocked.mkdir()
    (blocked / "inside").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        write_shard(blocked, {"focal": np.zeros(1, np.float32)}, {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["stack_00000.safetensors"]
