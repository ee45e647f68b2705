from __future__ import annotations

import numpy as np

from interpositive.bench.colour_transfer import monge_kantorovich, reinhard


def pictures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    mix = rng.uniform(-0.05, 0.1, (3, 3))
    source = 0.45 + rng.standard_normal((60, 60, 3)) @ mix
    reference = 0.5 + rng.standard_normal((50, 70, 3)) @ mix.T * 0.7
    return np.clip(source, 0.02, 0.98), np.clip(reference, 0.02, 0.98)


def test_monge_kantorovich_gives_the_mean_and_covariance_of_the_reference() -> None:
    source, reference = pictures()
    moved, aim = (p.reshape(-1, 3) for p in (monge_kantorovich(source, reference), reference))
    np.testing.assert_allclose(moved.mean(axis=0), aim.mean(axis=0), atol=2e-3)
    np.testing.assert_allclose(np.cov(moved.T), np.cov(aim.T), atol=1e-3)


def test_reinhard_moves_the_mean_to_the_reference() -> None:
    source, reference = pictures()
    before = np.abs(source.mean(axis=(0, 1)) - reference.mean(axis=(0, 1))).max()
    after = np.abs(reinhard(source, reference).mean(axis=(0, 1)) - reference.mean(axis=(0, 1))).max()
    assert after < 0.4 * before


def test_a_picture_brought_to_itself_stays() -> None:
    source, _ = pictures()
    for method in (reinhard, monge_kantorovich):
        np.testing.assert_allclose(method(source, source), source, atol=1e-6)
