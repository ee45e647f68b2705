"""Rendering light stacks: resumed, cancelled, refused, the same with any number of processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from interpositive.errors import Cancelled, OutputError, UsageError
from interpositive.progress import Progress, ProgressUpdate
from interpositive.soundstage.stacks import shards
from interpositive.tools import TOOLS
from interpositive.tools.prior_render import Params, run


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SCENES_A_SHARD", 2)


def params(folder: Path, scenes: int = 4, **more: int) -> Params:
    return Params(out=str(folder), scenes=scenes, size=32, lights=2, **more)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.usefixtures("small_shards")
def test_scenes_become_shards(tmp_path: Path) -> None:
    result = run(params(tmp_path / "stacks", 3), Progress())
    assert (result.shards, result.scenes, result.rendered_scenes) == (2, 3, 3)
    assert names(tmp_path / "stacks") == ["stack_00000.safetensors", "stack_00001.safetensors", "stacks.json"]
    assert "3 scenes in 2 shards" in result.lines()[0]


@pytest.mark.usefixtures("small_shards")
def test_shards_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    run(params(tmp_path, 2), Progress())
    first = tmp_path / "stack_00000.safetensors"
    first.write_bytes(b"kept")
    result = run(params(tmp_path, 4), Progress())
    assert result.rendered_scenes == 2
    assert first.read_bytes() == b"kept"
    assert run(params(tmp_path, 4), Progress()).rendered_scenes == 0


class StopsAfter(Progress):
    def __init__(self, scenes: int) -> None:
        super().__init__()
        self._scenes = scenes

    def show(self, update: ProgressUpdate) -> None:
        if update.done >= self._scenes:
            self.cancel()


@pytest.mark.usefixtures("small_shards")
def test_a_cancel_loses_only_the_current_shard(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        run(params(tmp_path, 6), StopsAfter(3))
    assert names(tmp_path) == ["stack_00000.safetensors", "stacks.json"]
    assert run(params(tmp_path, 6), Progress()).rendered_scenes == 4


@pytest.mark.usefixtures("small_shards")
def test_progress_counts_every_scene_up_to_all_of_them(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    class Listens(Progress):
        def show(self, update: ProgressUpdate) -> None:
            seen.append((update.done, update.total))

    run(params(tmp_path, 3), Listens())
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_two_processes_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    run(params(tmp_path / "one", 2), Progress())
    run(params(tmp_path / "two", 2, workers=2), Progress())
    one, two = ((tmp_path / name / "stack_00000.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize("change", [{"seed": 2}, {"size": 48}, {"lights": 3}])
def test_stacks_of_other_settings_are_not_mixed(tmp_path: Path, change: dict[str, int]) -> None:
    run(params(tmp_path, 1), Progress())
    with pytest.raises(UsageError, match=next(iter(change))):
        run(params(tmp_path, 1).model_copy(update=change), Progress())


def test_a_damaged_note_is_told(tmp_path: Path) -> None:
    (tmp_path / "stacks.json").write_text("{")
    with pytest.raises(OutputError, match="damaged"):
        run(params(tmp_path, 1), Progress())


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        run(params(tmp_path / "file" / "stacks", 1), Progress())


def test_the_tool_is_registered() -> None:
    assert TOOLS["prior render"].load().run is run
