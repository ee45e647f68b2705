"""Several processes on one training, as torchrun starts them: each computes a part of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """This process's `rank` among `count`. Only rank 0 writes and talks."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def average(self, gradients: Iterable[Tensor]) -> None:
        """Make gradients the mean of all processes', in place."""
        if self.count == 1:
            return
        tensors = list(gradients)
        if not tensors:  # nothing to learn, in every process alike
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.count
        position = 0
        for tensor in tensors:
            tensor.copy_(flat[position : position + tensor.numel()].view_as(tensor))
            position += tensor.numel()

    def from_first(self, *values: float) -> tuple[float, ...]:
        """The first process's values, everywhere."""
        if self.count == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64)
        if dist.get_backend() == "nccl":
            shared = shared.cuda()
        dist.broadcast(shared, 0)
        return tuple(shared.tolist())


@contextmanager
def join_processes(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started; alone when it did not."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), count)
    finally:
        dist.destroy_process_group()
