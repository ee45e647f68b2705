"""Shards of light stacks: safetensors files of a few scenes each, made one after the other and resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import OutputError
from .stack_render import Stack, render_stack
from .stack_scenes import draw_scene

SCHEMA = "interpositive.light-stack"
VERSION = 1
SCENES_A_SHARD = 32

Arrays = dict[str, npt.NDArray[Any]]


def shard_path(folder: Path, number: int) -> Path:
    """stack_00000.safetensors and so on."""
    return folder / f"stack_{number:05d}.safetensors"


def shard_sizes(scenes: int) -> list[int]:
    """How many scenes each shard holds: all SCENES_A_SHARD, the last one perhaps fewer."""
    full, rest = divmod(scenes, SCENES_A_SHARD)
    return [SCENES_A_SHARD] * full + ([rest] if rest else [])


def render_scene(seed: int, number: int, size: int, lights: int) -> Stack:
    """Scene `number` of a seed; the same again with the same versions and kind of processor."""
    rng = np.random.default_rng([seed, number])
    return render_stack(draw_scene(rng, lights), size, rng)


def render_shard(seed: int, number: int, scenes: int, size: int, lights: int) -> Iterator[Stack]:
    """The scenes of one shard, one by one."""
    first = number * SCENES_A_SHARD
    for scene in range(first, first + scenes):
        yield render_scene(seed, scene, size, lights)


def pack(stacks: Sequence[Stack]) -> Arrays:
    """The arrays of a shard, as they are stored."""
    half, limit = np.float16, np.float32(65504)

    def stored(name: str) -> npt.NDArray[np.float16]:
        return np.stack([getattr(stack, name).clip(-limit, limit).astype(half) for stack in stacks])

    return {
        "normal": np.stack([np.rint(stack.normal * 127).astype(np.int8) for stack in stacks]),
        "depth": stored("depth"),
        "matte": np.stack([np.rint(stack.matte * np.float32(255)).astype(np.uint8) for stack in stacks]),
        "part": np.stack([stack.part for stack in stacks]),
        "position": stored("position"),
        "light_direction": np.stack([stack.light_direction for stack in stacks]),
        "light_radius": np.stack([stack.light_radius for stack in stacks]),
        "direct": stored("direct"),
        "bounce": stored("bounce"),
        "ambient": stored("ambient"),
        "ambient_tilt": stored("ambient_tilt"),
        "focal": np.array([stack.focal for stack in stacks], np.float32),
    }


def write_shard(path: Path, arrays: Mapping[str, npt.NDArray[Any]], about: Mapping[str, object]) -> None:
    """Write a shard under a temporary name, then give it its own: a reader never sees half of one."""
    from safetensors.numpy import save

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    # One entry: safetensors writes several in an order that differs from run to run.
    metadata = {"about": json.dumps({"schema": SCHEMA, "version": VERSION, **about}, sort_keys=True)}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        temporary.write_bytes(save(contiguous, metadata))
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error}. Free some space or choose another folder."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
