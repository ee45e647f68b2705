from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interpositive.errors import ColourSpaceError
from interpositive.grade.grading_space import GradingSpace


def test_the_log_space_is_acescct_and_its_middle_grey_is_published() -> None:
    space = GradingSpace.of(None, "ACEScg")
    assert space.name == "ACEScct"
    grey = space.encode(np.full((1, 1, 3), 0.18, np.float32))
    np.testing.assert_allclose(grey, 0.4135884, atol=1e-5)  # S-2016-001, annex A


def test_negatives_and_highlights_come_back() -> None:
    space = GradingSpace.of(None, "lin_rec709")
    pixels = np.float32([[[-0.05, 0.0, 0.18], [2.0, 60.0, 900.0]]])
    np.testing.assert_allclose(space.decode(space.encode(pixels)), pixels, rtol=2e-3, atol=1e-3)


def test_linear_is_the_plates_own_light() -> None:
    space = GradingSpace.of("linear", "ACEScg")
    pixels = np.float32([[[-1.0, 0.5, 7.0]]])
    assert space.is_linear and space.matching.name == "ACEScct"
    assert space.encode(pixels).tolist() == pixels.tolist()
    assert "ACEScg" in space.described


def test_an_unknown_space_is_named() -> None:
    with pytest.raises(ColourSpaceError, match="ACEScccct"):
        GradingSpace.of("ACEScccct", "ACEScg")


def test_a_config_without_a_log_space_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.ocio"
    config.write_text(
        "ocio_profile_version: 2\nroles:\n  default: lin\n  scene_linear: lin\n"
        "file_rules:\n  - !<Rule> {name: Default, colorspace: lin}\n"
        "displays:\n  d:\n    - !<View> {name: v, colorspace: lin}\n"
        "colorspaces:\n  - !<ColorSpace>\n    name: lin\n"
    )
    monkeypatch.setenv("OCIO", str(config))
    with pytest.raises(ColourSpaceError, match="--cdl-space"):
        GradingSpace.of(None, "lin")
