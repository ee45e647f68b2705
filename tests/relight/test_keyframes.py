from __future__ import annotations

import pytest

from interpositive.relight.keyframes import Curve, read_curve


def test_a_value_holds_on_every_frame() -> None:
    assert read_curve(3, 1).at(-50) == (3.0,) and read_curve(3, 1).is_constant


def test_linear_keys_change_evenly_and_hold_outside() -> None:
    curve = read_curve([[1001, 0], [1011, 5]], 1)
    assert [curve.at(frame)[0] for frame in (900, 1001, 1006, 1011, 2000)] == [0, 0, 2.5, 5, 5]


def test_smooth_keys_start_and_end_at_rest_and_never_overshoot() -> None:
    curve = read_curve({"keys": [[0, 0.0], [10, 1.0], [20, 1.0]], "interpolation": "smooth"}, 1)
    values = [curve.at(frame / 10)[0] for frame in range(0, 201)]
    assert values[50] == pytest.approx(0.5) and values[1] < 0.001
    assert max(values) == 1.0 and min(values) == 0.0


def test_vectors_are_keyed_as_a_whole() -> None:
    curve = read_curve([[1, [0, 0, 0]], [3, [2, 4, 6]]], 3)
    assert curve.at(2) == (1, 2, 3)
    assert read_curve([1, 2, 3], 3).at(9) == (1, 2, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("bright", "not a number"),
        (float("nan"), "not a number"),
        (True, "not a number"),
        ([1, 2], "not a number"),
        ([[5, 1], [5, 2]], "must rise"),
        ([[1, "a"]], "not a number"),
        ({"keys": 3}, "list of"),
        ({"keys": [[1, 2]], "interpolation": "cubic"}, "linear or smooth"),
        ({"values": []}, "keyframes are written"),
    ],
)
def test_what_is_no_value_is_told_in_words(data: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_curve(data, 1)


def test_a_curve_is_taken_as_it_is() -> None:
    curve = Curve.constant(1, 2, 3)
    assert read_curve(curve, 3) is curve
