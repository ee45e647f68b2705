from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from interpositive import memory
from interpositive.errors import UsageError
from interpositive.memory import GIB, budget_bytes, free_bytes, usable_cores


def test_the_budget_is_a_quarter_of_the_free_memory_and_at_most_two_gb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for free, expected in ((100 * GIB, 2 * GIB), (4 * GIB, GIB), (GIB // 2, GIB // 4)):
        monkeypatch.setattr(memory, "free_bytes", lambda free=free: free)
        assert budget_bytes() == expected


def test_the_artists_wish_is_taken_unless_the_machine_cannot_meet_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 8 * GIB)
    assert budget_bytes(5.5) == int(5.5 * GIB)
    with pytest.raises(UsageError, match=r"--memory-gb 9 is more than the 8\.0 GB"):
        budget_bytes(9)


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "max").write_text("1000000\n")
    (tmp_path / "current").write_text("400000\n")
    monkeypatch.setattr(memory, "_CGROUPS", ((tmp_path, "max", "current", ("active_file", "inactive_file")),))
    assert free_bytes() == 600000
    (tmp_path / "memory.stat").write_text("anon 5\nactive_file 1000\ninactive_file 200\n")
    assert free_bytes() == 601200  # the cache of read frames gives way
    (tmp_path / "max").write_text("max\n")
    assert free_bytes() > 1000000


def test_there_is_at_least_one_core() -> None:
    assert usable_cores() >= 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_freed_memory_is_kept_and_not_faulted_in_again() -> None:
    script = (
        "import resource, numpy as np\n"
        "from interpositive.memory import keep_freed_memory\n"
        "assert keep_freed_memory()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "np.ones(4_000_000); before = faults()\n"
        "for _ in range(20): np.ones(4_000_000)\n"
        "print(faults() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert int(done.stdout) < 2000  # 20 arrays of 8000 pages
