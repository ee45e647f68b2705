from __future__ import annotations

import numpy as np
import pytest
import torch

from interpositive.prior.orientation import Orientation, light_from_right
from interpositive.relight.shot_light import sh_irradiance_basis

ALL = [Orientation(turns, mirrored) for turns in range(4) for mirrored in (False, True)]


@pytest.mark.parametrize("orientation", ALL)
def test_inverse_brings_pictures_vectors_and_environments_back(orientation: Orientation) -> None:
    random = np.random.default_rng(1)
    picture = random.random((5, 7, 3), np.float32)
    vectors = random.normal(size=(4, 3)).astype(np.float32)
    environment = random.normal(size=(9, 3)).astype(np.float32)
    back = orientation.inverse
    np.testing.assert_array_equal(back.picture(orientation.picture(picture)), picture)
    np.testing.assert_array_equal(back.vectors(orientation.vectors(vectors)), vectors)
    np.testing.assert_array_equal(back.environment(orientation.environment(environment)), environment)


@pytest.mark.parametrize("orientation", ALL)
def test_vectors_turn_with_the_picture(orientation: Orientation) -> None:
    """A picture whose brightness grows along a direction grows along the turned direction."""
    line = np.arange(-3, 4, dtype=np.float32)
    direction = np.asarray([0.8, 0.3, 0.5], np.float32)
    ramp = direction[0] * line[None, :] - direction[1] * line[:, None]
    turned = orientation.picture(ramp)
    x, y, _ = orientation.vectors(direction)
    np.testing.assert_allclose(turned, x * line[None, :] - y * line[:, None], rtol=1e-6)


@pytest.mark.parametrize("orientation", ALL)
def test_environment_lights_turned_normals_as_before(orientation: Orientation) -> None:
    random = np.random.default_rng(2)
    normal = random.normal(size=(50, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    environment = random.normal(size=(9, 3)).astype(np.float32)
    before = sh_irradiance_basis(torch.from_numpy(normal)) @ torch.from_numpy(environment)
    turned = torch.from_numpy(orientation.vectors(normal))
    after = sh_irradiance_basis(turned) @ torch.from_numpy(orientation.environment(environment))
    torch.testing.assert_close(before, after, rtol=1e-5, atol=1e-5)


def test_known_lights_come_from_the_right() -> None:
    for degrees in range(0, 360, 17):
        angle = np.radians(degrees)
        direction = np.asarray([np.cos(angle), np.sin(angle), 0.5], np.float32)
        x, y, z = light_from_right(direction).vectors(direction)
        assert x >= abs(y) - 1e-6
        assert z == pytest.approx(0.5)
