from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from interpositive.errors import FolderBusyError, OutputError
from interpositive.folder_lock import LOCK_FILE, lock_folder


def foreign_lock(folder: Path, **changes: object) -> Path:
    fields = {
        "token": "x",
        "pid": os.getpid(),
        "process_started": psutil.Process().create_time(),
        "host": socket.gethostname(),
        "since_utc": "2026-05-04T10:00:00Z",
        "purpose": "train",
    }
    path = folder / LOCK_FILE
    path.write_text(json.dumps({**fields, **changes}))
    return path


def test_the_lock_is_there_only_while_held(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "new", "train"):
        assert (tmp_path / "new" / LOCK_FILE).is_file()
    assert list((tmp_path / "new").iterdir()) == []


def test_a_second_run_on_the_folder_is_told_about_the_first(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path, "train"),
        pytest.raises(FolderBusyError, match=f"interpositive train .process {os.getpid()} on"),
        lock_folder(tmp_path, "apply"),
    ):
        pass


def test_an_error_inside_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(KeyError), lock_folder(tmp_path, "train"):
        raise KeyError
    assert not (tmp_path / LOCK_FILE).exists()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    script = (
        f"import sys, os; sys.path[:0] = {sys.path!r}; from pathlib import Path\n"
        "from interpositive.folder_lock import lock_folder\n"
        f"lock = lock_folder(Path({str(tmp_path)!r}), 'train'); lock.__enter__(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    assert (tmp_path / LOCK_FILE).exists()
    with lock_folder(tmp_path, "train"):
        pass


def test_a_process_number_that_was_given_out_again_does_not_hold_the_folder(tmp_path: Path) -> None:
    foreign_lock(tmp_path, process_started=psutil.Process().create_time() - 3600)
    with lock_folder(tmp_path, "train"):
        pass


def test_a_lock_of_another_machine_is_respected_and_its_age_told(tmp_path: Path) -> None:
    path = foreign_lock(tmp_path, host="render-17")
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 7260))
    with (
        pytest.raises(FolderBusyError, match=r"on render-17 .* 2 h 1 min ago") as raised,
        lock_folder(tmp_path, "train"),
    ):
        pass
    assert str(path) in str(raised.value)
    assert path.exists()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"pid": "x"}'])
def test_a_lock_that_was_never_wholly_written_is_taken_over(tmp_path: Path, content: str) -> None:
    (tmp_path / LOCK_FILE).write_text(content)
    with lock_folder(tmp_path, "train"):
        pass


def test_of_many_that_take_over_at_once_one_wins(tmp_path: Path) -> None:
    for _ in range(20):
        foreign_lock(tmp_path, process_started=1.0)
        start, leave, outcomes = threading.Barrier(4), threading.Event(), []

        def take(
            start: threading.Barrier = start, leave: threading.Event = leave, outcomes: list = outcomes
        ) -> None:
            start.wait()
            try:
                with lock_folder(tmp_path, "train"):
                    outcomes.append("won")
                    leave.wait(5)
            except FolderBusyError:
                outcomes.append("busy")
            if len(outcomes) == 4:
                leave.set()

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(outcomes) < 4:
            leave.wait(0.001)
        leave.set()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["busy", "busy", "busy", "won"]
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="cannot be written"),
        lock_folder(tmp_path / "file" / "model", "train"),
    ):
        pass
