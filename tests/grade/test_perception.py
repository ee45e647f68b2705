from __future__ import annotations

import numpy as np

from grade_samples import SPACE
from interpositive.grade.perception import encoded_from, perceived, sensitivity
from interpositive.images.colour import SRGB, convert


def test_neutrals_equal_srgb() -> None:
    linear = np.repeat(np.float32([0.001, 0.02, 0.18, 0.7, 1.0])[:, None], 3, axis=1)
    shown = perceived(SPACE.encode(linear[None])[0], SPACE)
    np.testing.assert_allclose(shown, convert(linear[None], "ACEScg", SRGB)[0], atol=2e-3)


def test_it_can_be_undone_below_zero_and_above_one() -> None:
    encoded = np.random.default_rng(1).uniform(-0.1, 0.95, (200, 3)).astype(np.float32)
    back = encoded_from(perceived(encoded, SPACE), SPACE)
    np.testing.assert_allclose(back, encoded, atol=5e-3)


def test_the_eye_sees_less_in_the_dark() -> None:
    relative = sensitivity(np.array([[0.1, 0.4135884, 0.55]]), SPACE)[0]
    assert relative[0] < 0.6 < relative[1] < relative[2]
    assert abs(relative[1] - 1) < 0.02
