from __future__ import annotations

import torch

from interpositive.training.processes import Processes, join_processes


def test_alone_there_is_nothing_to_share() -> None:
    with join_processes("cpu") as processes:
        assert processes == Processes(0, 1) and processes.is_first
        gradient = torch.ones(3)
        processes.average([gradient])
        assert torch.equal(gradient, torch.ones(3))
        assert processes.from_first(0.25, 1.0) == (0.25, 1.0)


def test_no_gradients_are_no_reason_to_talk() -> None:
    Processes(1, 2).average([])
