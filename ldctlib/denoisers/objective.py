"""The plain objective: make the denoised patch equal the full-dose patch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ldctlib.denoisers.method import Precision, Recipe

# Added to the noise variance, (2 HU)^2: a patch almost without noise must not count without limit.
FLOOR = (2 / 502) ** 2


def noise_scale(low: Tensor, full: Tensor) -> Tensor:
    """(N,) variance of the noise in each low-dose patch (N, 1, P, P), in the units of the patches.

    A loss divided by it weighs all patches alike. The noise variance of a chest at a tenth of the
    dose is thousands of times that of a head at a quarter: a plain mean would not see the head.

    >>> round(noise_scale(torch.full((1, 1, 8, 8), 0.5), torch.zeros(1, 1, 8, 8)).item(), 4)
    0.25
    """
    return (low.float() - full).square().mean((1, 2, 3)) + FLOOR


def decay(step: int, steps: int) -> float:
    """Factor of the learning rate: a half cosine from 1 at the first step to 0 after the last.

    >>> [round(decay(step, 100), 2) for step in (0, 50, 100)]
    [1.0, 0.5, 0.0]
    """
    return 0.5 + 0.5 * math.cos(math.pi * min(step / steps, 1.0))


def start_as_identity(network: nn.Module) -> None:
    """Let a network begin as the identity, so that training begins at the low-dose image.

    Where the network adds its input to its output (it says so: ``adds_input``), the last layer
    becomes zero. In a chain of zero-padded convolutions with ReLUs two channels carry the image
    and its negative, since x = relu(x) - relu(-x); the others keep their random weights, and the
    last layer learns to hear them.

    Args:
        network: changed in place.
    """
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    convolutions = [m for m in network.modules() if isinstance(m, kinds)]
    if getattr(network, "adds_input", False):
        for parameter in convolutions[-1].parameters():
            nn.init.zeros_(parameter)
        return
    first, last = convolutions[0], convolutions[-1]
    with torch.no_grad():
        for layer in convolutions:
            middle = layer.kernel_size[0] // 2
            carriers = layer.weight[:2]
            carriers.zero_()
            if layer is first:
                carriers[:, 0, middle, middle] = torch.tensor([1.0, -1.0])
            elif layer is last:
                carriers[0, :2, middle, middle] = torch.tensor([1.0, -1.0])
            else:
                layer.weight[2:, :2] = 0
                carriers[:, :2, middle, middle] = torch.eye(2)
            assert layer.bias is not None
            layer.bias[:2] = 0


class Supervised:
    """One network, one Adam, mean squared error.

    Options of the recipe, none of them in the published ones: ``balance=True`` divides the error
    of every patch by its `noise_scale`, ``decay=True`` lets the learning rate fall to zero (see
    `decay`), ``start="identity"`` begins with `start_as_identity`.

    Args:
        network: maps a batch (N, 1, P, P) to one of the same shape, normalised units.
        recipe: hyper-parameters.
        device: where the training runs.
        precision: numeric type and memory format of the forward pass.
        seed: unused, since nothing here is random.
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
        self.recipe, self.device, self.precision = recipe, device, precision
        self.options = {**recipe.options, **options}
        if self.options.get("start") == "identity":
            start_as_identity(network)
        self.network = precision.prepare(network.to(device))
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=recipe.learning_rate, betas=recipe.betas, fused=True
        )
        self.steps_done = 0

    def step(self, low: Tensor, full: Tensor) -> dict[str, Tensor]:
        """One update on normalised patches (N, 1, P, P); returns {"loss": detached scalar}."""
        if self.options.get("decay"):
            factor = decay(self.steps_done, self.recipe.steps)
            self.optimiser.param_groups[0]["lr"] = self.recipe.learning_rate * factor
        with self.precision.context(self.device):
            denoised = self.network(self.precision.images(low))
        if self.options.get("balance"):
            error = (denoised.float() - full).square().mean((1, 2, 3))
            loss = (error / noise_scale(low, full)).mean()
        else:
            loss = functional.mse_loss(denoised.float(), full)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
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
