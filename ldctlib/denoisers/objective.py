"""The plain objective: make the denoised patch equal the full-dose patch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ldctlib.denoisers.method import Precision, Recipe

# Weights of balanced losses are 1 / (noise variance + FLOOR), in normalised units: about (2 HU)^2.
BALANCE_FLOOR = 1.6e-5


def mean_squared_error(test: Tensor, reference: Tensor) -> Tensor:
    """Mean squared difference of two batches (N, C, H, W), in float32."""
    return (test.float() - reference).square().mean()


def balanced_squared_error(test: Tensor, reference: Tensor, low: Tensor) -> Tensor:
    """Squared error of each patch in units of the noise that was in it, averaged over the batch.

    The noise of a chest at a tenth of the dose is a hundred times that of a head at a quarter;
    with a plain mean the head would not count. 1 means: no better than the low-dose patch.

    Args:
        test: denoised patches (N, 1, H, W), normalised.
        reference: the same patches at full dose.
        low: the same patches at low dose.

    >>> low, full = torch.ones(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)
    >>> round(balanced_squared_error(low, full, low).item(), 3)
    1.0
    """
    axes = (1, 2, 3)
    noise = (low - reference).square().mean(axes)
    error = (test.float() - reference).square().mean(axes)
    return (error / (noise + BALANCE_FLOOR)).mean()


def decay(step: int, steps: int) -> float:
    """Factor of the learning rate: a half cosine from 1 at the first step to 0 after the last.

    >>> [round(decay(step, 100), 2) for step in (0, 50, 100)]
    [1.0, 0.5, 0.0]
    """
    return 0.5 + 0.5 * math.cos(math.pi * min(step / steps, 1.0))


class Supervised:
    """One network, one Adam, mean squared error.

    Options of the recipe (none of them in the published recipes): ``balance=True`` weighs every
    patch by its noise (`balanced_squared_error`), ``decay=True`` lets the learning rate fall to
    zero along a half cosine.

    Args:
        network: maps a batch (N, 1, P, P) to one of the same shape, normalised units.
        recipe: hyper-parameters.
        device: where the training runs.
        precision: numeric type and memory format of the forward pass.
        seed: unused, nothing here is random.
        options: override those of the recipe.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        *,
        device: torch.device,
        precision: Precision,
        seed: int,
        **options: Any,
    ) -> None:
        self.network = precision.prepare(network.to(device))
        self.recipe, self.device, self.precision = recipe, device, precision
        self.options = {**recipe.options, **options}
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=recipe.learning_rate, betas=recipe.betas
        )
        self.steps_done = 0

    def step(self, low: Tensor, full: Tensor) -> dict[str, Tensor]:
        """One update on normalised patches (N, 1, P, P); returns {"loss": detached scalar}."""
        if self.options.get("decay"):
            factor = decay(self.steps_done, self.recipe.steps)
            self.optimiser.param_groups[0]["lr"] = self.recipe.learning_rate * factor
        low = self.precision.images(low)
        with self.precision.context(self.device):
            denoised = self.network(low)
        if self.options.get("balance"):
            loss = balanced_squared_error(denoised, full, low)
        else:
            loss = mean_squared_error(denoised, full)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.steps_done += 1
        return {"loss": loss.detach()}

    def state_dict(self) -> dict[str, Any]:
        """Network, optimiser and position."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "steps_done": self.steps_done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps_done = state["steps_done"]
