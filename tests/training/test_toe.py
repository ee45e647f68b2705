from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from interpositive.training.toe import TOE, chosen_toe

Pixels = NDArray[np.float32]


def pair(change: Callable[[Pixels], Pixels], seed: int = 1) -> tuple[Pixels, Pixels, NDArray[np.bool_]]:
    random = np.random.default_rng(seed)
    plate = (random.random((64, 96, 3), np.float32) ** 3).astype(np.float32)
    return plate, change(plate).astype(np.float32), np.ones((64, 96), np.bool_)


def test_a_change_of_light_gets_the_smallest_toe() -> None:
    across = np.linspace(0.4, 1.8, 96)[None, :, None]
    assert chosen_toe([pair(lambda plate: plate * across)], 1.0) == pytest.approx(TOE / 4)


def test_a_lift_of_the_blacks_keeps_the_largest_toe() -> None:
    assert chosen_toe([pair(lambda plate: 0.9 * plate + 0.05)], 1.0) == TOE


def test_a_gain_above_a_toe_finds_that_toe() -> None:
    for toe in (TOE, TOE / 2, TOE / 4):
        assert chosen_toe([pair(lambda plate, toe=toe: plate - 0.4 * (plate + toe))], 1.0) == toe  # type: ignore[misc]


def test_all_keyframes_are_heard() -> None:
    light, lift = pair(lambda plate: plate * 0.5), pair(lambda plate: plate + 0.1, seed=2)
    assert chosen_toe([light], 1.0) < chosen_toe([light, lift, lift], 1.0)


def test_only_changed_cells_count() -> None:
    plate, target, changed = pair(lambda plate: plate * 0.5)
    target[:, 48:] = plate[:, 48:] + 0.1
    changed[:, 48:] = False
    assert chosen_toe([(plate, target, changed)], 1.0) == pytest.approx(TOE / 4)


def test_without_a_changed_cell_it_is_the_largest() -> None:
    plate, target, changed = pair(lambda plate: plate * 0.5)
    assert chosen_toe([(plate, target, np.zeros_like(changed))], 1.0) == TOE
    assert chosen_toe([], 1.0) == TOE


def test_darker_plates_get_toes_in_proportion_and_bright_ones_no_more() -> None:
    assert chosen_toe([], 0.1) == pytest.approx(0.1 * TOE)
    assert chosen_toe([], 60.0) == TOE
