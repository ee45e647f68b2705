"""How the shipped prior is trained: one loop - draw, step, validate, checkpoint, export.

A batch is a function of seed, step and the list of shards, and is made by worker processes while the step
before runs. Pictures are small in the first half and larger in the second: early on, small ones teach as much
a picture and cost half. The weights that are kept are a running mean.
"""

from __future__ import annotations

import json
import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..errors import Cancelled, DamagedModelError
from ..images.writing import whole_file
from ..models.prior_network import PriorNetwork, PriorNetworkConfig, load_prior_network
from ..progress import Progress
from ..training.optimiser import ShotOptimiser
from ..training.schedule import Length, WorkClock, rate_factor
from .losses import LossWeights, prior_loss
from .picture_maker import Mixture, make_example, stacked
from .reliefs import random_relief
from .stacks import LightStack, StackFolder
from .validation import validate
from .weights_folder import WEIGHTS_FILE, checked_file, read_prior_manifest, save_prior

CHECKPOINT_FILE, LOG_FILE = "checkpoint.safetensors", "training.jsonl"
_AHEAD = 6  # batches in the making
_RELIST_STEPS = 200  # after so many the folder is looked through for new shards


@dataclass(frozen=True)
class Recipe:
    """All that decides the result, but for the light stacks themselves."""

    length: Length
    seed: int = 1
    start: str | None = None  # SHA-256 of the weights that training starts from; None: new ones
    batch: int = 16
    crops: tuple[tuple[float, int], ...] = ((0.0, 96), (0.6, 128))  # from this share on: px
    rate: float = 1.0  # times the optimiser's own rates
    mean_steps: int = 400  # the kept weights are a mean of about so many steps
    network: PriorNetworkConfig = field(default_factory=PriorNetworkConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    mixture: Mixture = field(default_factory=Mixture)
    validation_pictures: int = 64
    validation_px: int = 128

    def crop_px(self, share: float) -> int:
        return [px for start, px in self.crops if share >= start][-1]

    def to_json(self) -> dict[str, Any]:
        document = asdict(self)
        document["length"] = {name: v for name, v in document["length"].items() if v is not None}
        return document


@dataclass(frozen=True)
class Machine:
    """What may differ from one machine to the next."""

    device: str = "cpu"
    precision: str = "float32"  # of the network; "bfloat16": autocast
    workers: int = 1  # processes that make pictures; 0: made in between
    checkpoint_every_s: float = 120.0
    export_every_s: float = 300.0


@dataclass(frozen=True)
class StartingPoint:
    """A trained prior that another one is trained on from."""

    network: PriorNetwork
    sha256: str  # of its weights
    training: dict[str, Any]  # how it was trained, from its manifest

    @staticmethod
    def of(folder: Path) -> StartingPoint:
        """The prior in `folder`. Raises `ModelError`."""
        manifest = read_prior_manifest(folder)
        weights = checked_file(folder, WEIGHTS_FILE, manifest)
        network = load_prior_network(manifest["network"], weights)
        return StartingPoint(network, manifest["files"][WEIGHTS_FILE]["sha256"], manifest["training"])


class PriorTrainer:
    """One training. Resumes from the checkpoint in `out` when it is of the same recipe."""

    def __init__(
        self,
        recipe: Recipe,
        machine: Machine,
        stacks: Path,
        out: Path,
        progress: Progress,
        start: StartingPoint | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.machine, self.out = recipe, machine, out
        self._stacks, self._progress, self._start = StackFolder(stacks), progress, start
        self.network = PriorNetwork(recipe.network).to(machine.device)
        if start is not None:
            self.network.load_state_dict(start.network.state_dict())
        self.mean = PriorNetwork(recipe.network).to(machine.device).requires_grad_(False)
        self.mean.load_state_dict(self.network.state_dict())
        self._optimiser = ShotOptimiser(self.network, slower=recipe.rate)
        self.step, self._clock = 0, WorkClock()
        self._names: list[str] = []
        self.measured: dict[str, float] = {}

    def run(self) -> dict[str, float]:
        """Train to the end of the recipe's length; what was measured last."""
        out, length = self.out, self.recipe.length
        out.mkdir(parents=True, exist_ok=True)
        self._resume()
        last_saved = last_exported = self._clock.wall_seconds
        sums: dict[str, float] = {}
        with self._batches() as batches, self._saved_when_cancelled():
            while (share := length.done(self.step, self._clock)) < 1.0:
                losses = self._train_step(next(batches), share)
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0.0) * 0.98 + value * 0.02
                now = self._clock.wall_seconds
                self._report(share, losses["total"])
                if now - last_saved > self.machine.checkpoint_every_s:
                    last_saved = now
                    self._save()
                if now - last_exported > self.machine.export_every_s:
                    last_exported = now
                    self._measure_and_export(sums, share)
        self._measure_and_export(sums, 1.0)
        self._save()
        return self.measured

    def _report(self, share: float, loss: float) -> None:
        left = self.recipe.length.seconds_left(self._clock)
        note = f"step {self.step}, loss {loss:.3f}"
        self._progress.report("train", round(share * 1000), 1000, note, left)

    @contextmanager
    def _saved_when_cancelled(self) -> Iterator[None]:
        try:
            yield
        except Cancelled:
            self._save()
            raise

    def _train_step(self, batch: dict[str, Tensor], share: float) -> dict[str, float]:
        batch = {name: tensor.to(self.machine.device).float() for name, tensor in batch.items()}
        with torch.autocast(
            self.machine.device.split(":")[0], torch.bfloat16, enabled=self.machine.precision == "bfloat16"
        ):
            output = self.network(batch["picture"], batch["matte"], batch["light"])
        output = type(output)(*(tensor.float() for tensor in output))
        total, parts = prior_loss(output, batch, self.recipe.losses)
        total.backward()
        if torch.isfinite(total):  # a picture that breaks a step must not break the network
            self._optimiser.step(rate_factor(share))
            self._follow()
        self.network.zero_grad(set_to_none=True)
        self.step += 1
        return {name: float(value.detach()) for name, value in {"total": total, **parts}.items()}

    def _follow(self) -> None:
        """Move the running mean; young means forget quickly."""
        share = max(1.0 / self.recipe.mean_steps, 1.0 / (self.step / 4 + 1))
        pairs = zip(self.mean.parameters(), self.network.parameters(), strict=True)
        with torch.no_grad():
            for mean, current in pairs:
                mean.lerp_(current, share)

    @contextmanager
    def _batches(self) -> Iterator[Iterator[dict[str, Tensor]]]:
        """Batches from the current step on."""
        if not self.machine.workers:
            yield self._made_here()
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.machine.workers, context, _start_worker) as pool:
            try:
                yield self._made_by(pool)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _made_here(self) -> Iterator[dict[str, Tensor]]:
        while True:
            yield make_batch(*self._order(self.step))

    def _made_by(self, pool: ProcessPoolExecutor) -> Iterator[dict[str, Tensor]]:
        waiting: deque[Future[dict[str, Tensor]]] = deque()
        ordered = self.step
        while True:
            while len(waiting) < _AHEAD:
                waiting.append(pool.submit(make_batch, *self._order(ordered)))
                ordered += 1
            yield waiting.popleft().result()

    def _order(self, step: int) -> tuple[Path, list[str], int, int, int, int, Mixture]:
        """What `make_batch` needs for `step`."""
        if not self._names or step % _RELIST_STEPS == 0:
            self._names = self._stacks.split()[0]
        recipe = self.recipe
        px = recipe.crop_px(recipe.length.done(step, self._clock))
        return self._stacks.folder, self._names, recipe.seed, step, recipe.batch, px, recipe.mixture

    def _measure_and_export(self, sums: dict[str, float], share: float) -> None:
        with self._clock.evaluation():
            recipe = self.recipe
            names = self._stacks.split()[1][:1]  # the same, however much the folder grows
            self.measured = validate(
                self.mean, self._stacks, names, recipe.validation_pictures, recipe.validation_px
            )
        training = {
            "recipe": recipe.to_json(),
            "machine": asdict(self.machine),
            "steps": self.step,
            "pictures": self.step * recipe.batch,
            "cpu_seconds": round(self._clock.cpu_seconds),
            "wall_seconds": round(self._clock.wall_seconds),
            "shards": len(self._stacks.split()[0]),
            "is_finished": share >= 1.0,
        }
        if self._start is not None:
            training["started_from"] = {"sha256": self._start.sha256, "training": self._start.training}
        save_prior(self.out, self.mean, training, self.measured)
        line = {"share": round(share, 4), **training, "losses": sums, "measured": self.measured}
        for name in ("recipe", "machine", "started_from"):
            line.pop(name, None)
        with (self.out / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        told = ", ".join(f"{name} {value:.3f}" for name, value in self.measured.items())
        self._progress.log(f"step {self.step}, {share:.0%}: {told}")

    def _save(self) -> None:
        tensors = {
            **{f"network.{name}": tensor for name, tensor in self.network.state_dict().items()},
            **{f"mean.{name}": tensor for name, tensor in self.mean.state_dict().items()},
            **{f"optimiser.{name}": tensor for name, tensor in self._optimiser.state().items()},
        }
        state = {
            "recipe": self.recipe.to_json(),
            "step": self.step,
            "cpu_seconds": self._clock.cpu_seconds,
            "wall_seconds": self._clock.wall_seconds,
            "names": self._names,
        }
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        data = safetensors.torch.save(tensors, {"state": json.dumps(state)})
        with whole_file(self.out / CHECKPOINT_FILE) as unfinished:
            unfinished.write_bytes(data)

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one. Raises `DamagedModelError` for another's."""
        path = self.out / CHECKPOINT_FILE
        if not path.is_file():
            return
        try:
            with safetensors.safe_open(str(path), framework="pt") as file:
                state = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise DamagedModelError(
                f"Checkpoint {path} cannot be read. Delete it to start the training again."
            ) from error
        if state["recipe"] != json.loads(json.dumps(self.recipe.to_json())):
            raise DamagedModelError(
                f"Checkpoint {path} is of another recipe. Give another --out, or delete it to start again."
            )

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.mean.load_state_dict(part("mean."))
        self._optimiser.load(part("optimiser."))
        self.step, self._names = int(state["step"]), list(state["names"])
        self._clock.add(state["cpu_seconds"], state["wall_seconds"])
        self._progress.log(f"Resumed at step {self.step}.")


def make_batch(
    folder: Path, names: list[str], seed: int, step: int, count: int, crop_px: int, mixture: Mixture
) -> dict[str, Tensor]:
    """The batch of `step`: see `picture_maker.Example`; planes in float16 to travel lightly."""
    stacks = _open_folder(folder)
    examples = []
    relief: LightStack | None = None
    for place in range(count):
        random = np.random.default_rng([seed, step, place])
        if random.random() < mixture.relief or not names:
            # Each is lit and painted twice: its shape costs as much as a picture of it.
            stack = relief or random_relief(random, round(crop_px * 1.15))
            relief = None if relief else stack
        else:
            stack = stacks.draw(names, random)
        examples.append(make_example(stack, crop_px, random, mixture))
    batch = stacked(examples)
    return {
        name: tensor.clamp(-6e4, 6e4).half() if tensor.ndim == 4 else tensor for name, tensor in batch.items()
    }


_OPEN: dict[Path, StackFolder] = {}  # of this process


def _open_folder(folder: Path) -> StackFolder:
    return _OPEN.setdefault(folder, StackFolder(folder))


def _start_worker() -> None:
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
