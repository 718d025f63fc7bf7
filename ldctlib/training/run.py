"""One training: everything that changes while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ldctlib.denoisers import Method, Precision, Recipe, denoiser_of
from ldctlib.denoisers.network_denoiser import NetworkDenoiser
from ldctlib.denoisers.weights import read_weights, write_weights
from ldctlib.files import write_table
from ldctlib.training import checkpoint
from ldctlib.training.folder import BEST, HISTORY, LAST
from ldctlib.training.precision import as_facts
from ldctlib.training.sampler import Sampler
from ldctlib.training.validation import Validation


class Run:
    """The state of a training, which `save` writes and `resume` continues exactly.

    Args:
        method: what is trained.
        recipe: hyper-parameters.
        sampler: where the batches come from.
        validation: where the figures come from.
        precision: how the network computes.
        identity: the facts of the training, see `identify`; among them "seed" and "criterion".
        options: of the objective.

    Attributes:
        step: updates done.
        history: for every validation, a dict: step, seconds, mean losses since the one before,
            figures.
        denoiser: the network as it stands.
    """

    def __init__(
        self,
        method: Method,
        recipe: Recipe,
        sampler: Sampler,
        validation: Validation,
        precision: Precision,
        identity: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None:
        self.method, self.sampler, self.validation = method, sampler, validation
        self.precision, self.identity = precision, identity
        torch.manual_seed(identity["seed"])
        self.objective = method.trainable.objective(
            method.trainable.network(),
            recipe,
            device=sampler.device,
            precision=precision,
            seed=identity["seed"],
            **options,
        )
        self.denoiser = self._denoiser(self.objective.network, "in training")
        self.objective.network.train()
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.best = -math.inf
        self.best_weights = self._weights()
        self._losses: dict[str, Tensor] = {}
        self._counted = 0
        self._began = time.perf_counter()

    def count(self, losses: Mapping[str, Tensor]) -> None:
        """One more step is done; its losses stay on the device until somebody looks at them."""
        self.step += 1
        self._counted += 1
        for name, loss in losses.items():
            self._losses[name] = self._losses.get(name, 0) + loss.float()

    def validate(self) -> dict[str, float]:
        """Judge the network, remember its weights if they are the best; the row of the history.

        Raises:
            FloatingPointError: a loss, or a denoised image, is not finite any more.
        """
        losses = {name: float(total) / self._counted for name, total in self._losses.items()}
        for name, loss in losses.items():
            if not math.isfinite(loss):
                raise self._diverged(f"The {name!r} is {loss}.")
        threads = torch.get_num_threads()
        self.objective.network.eval()
        try:
            figures = self.validation(self.denoiser)
        except FloatingPointError as problem:
            raise self._diverged(str(problem)) from problem
        self.objective.network.train()
        # Numba's parallel loops leave PyTorch with their own number, and sums with other last bits.
        torch.set_num_threads(threads)
        if figures[self._criterion] > self.best:
            self.best, self.best_weights = figures[self._criterion], self._weights()
        self._losses, self._counted = {}, 0
        row = {"step": self.step, "seconds": round(self._seconds(), 1), **losses, **figures}
        self.history.append(row)
        return row

    def _diverged(self, sign: str) -> FloatingPointError:
        where = f"{self.method.name} has diverged after {self.step} steps"
        return FloatingPointError(f"{where}: take a lower learning rate. {sign}")

    def best_denoiser(self) -> NetworkDenoiser:
        """A denoiser with the best weights so far."""
        network = self.method.trainable.network()
        network.load_state_dict(self.best_weights)
        return self._denoiser(network, f"trained for {self.step} steps")

    def save(self, folder: Path) -> None:
        """Write the best weights, the history as a table, and the state to continue from."""
        if self.history:
            best = max(self.history, key=lambda row: row[self._criterion])
            facts = {**self.identity, "steps": self.step, "validation": best}
            write_weights(
                folder / BEST,
                self.method.name,
                self.best_weights,
                normalization=self.sampler.normalization,
                facts=facts,
            )
            write_table(folder / HISTORY, self.history)
        # The state comes last: killed before it, the steps since the one before are done again.
        checkpoint.save(self._state(), folder / LAST)

    def resume(self, state: Mapping[str, Any], folder: Path) -> None:
        """Continue from a state that `save` wrote to a folder."""
        self.step, self.history = state["step"], state["history"]
        self.best, self._counted = state["best"], state["counted"]
        self._losses = {k: v.to(self.sampler.device) for k, v in state["losses"].items()}
        self._began = time.perf_counter() - state["seconds"]
        self.objective.load_state_dict(state["objective"])
        self.sampler.load_state_dict(state["sampler"])
        torch.set_rng_state(state["random"]["cpu"])
        if "cuda" in state["random"] and self.sampler.device.type == "cuda":
            torch.cuda.set_rng_state(state["random"]["cuda"], self.sampler.device)
        if self.history:
            methods = {self.method.name: self.method}
            self.best_weights = read_weights(folder / BEST, methods, self.method.name).state

    def _state(self) -> dict[str, Any]:
        # PyTorch's own generators are part of it, for methods that use them, e.g. in dropout.
        random = {"cpu": torch.get_rng_state()}
        if self.sampler.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.sampler.device)
        return {
            "identity": self.identity,
            "precision": as_facts(self.precision),
            "step": self.step,
            "seconds": self._seconds(),
            "history": self.history,
            "best": self.best,
            "losses": self._losses,
            "counted": self._counted,
            "objective": self.objective.state_dict(),
            "sampler": self.sampler.state_dict(),
            "random": random,
        }

    @property
    def _criterion(self) -> str:
        return str(self.identity["criterion"])

    def _denoiser(self, network: nn.Module, source: str) -> NetworkDenoiser:
        return denoiser_of(
            self.method,
            network,
            normalization=self.sampler.normalization,
            source=source,
            device=self.sampler.device,
            precision=Precision(channels_last=self.precision.channels_last),
        )

    def _weights(self) -> dict[str, Tensor]:
        state = self.objective.network.state_dict()
        return {name: value.detach().cpu().clone() for name, value in state.items()}

    def _seconds(self) -> float:
        return time.perf_counter() - self._began
