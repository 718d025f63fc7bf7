"""The plain objective: make the denoised patch equal the full-dose patch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ldctlib.denoisers.method import Precision, Recipe
from ldctlib.units import Normalization


def noise_scale(low: Tensor, full: Tensor, floor_hu: float) -> Tensor:
    """(N,) variance of the noise in each low-dose patch (N, 1, P, P), in the units of the patches.

    A loss divided by it weighs all patches alike. The noise variance of a chest at a tenth of the
    dose is thousands of times that of a head at a quarter: a plain mean would not see the head.

    Args:
        low: patches at low dose, on the benchmark's scale.
        full: the same at full dose.
        floor_hu: its square is added, so that patches with less noise than this count less.

    >>> round(noise_scale(torch.full((1, 1, 8, 8), 0.5), torch.zeros(1, 1, 8, 8), 2).item(), 4)
    0.25
    """
    floor = floor_hu / Normalization.benchmark().std_hu
    return (low.float() - full).square().mean((1, 2, 3)) + floor**2


def rise_and_decay(step: int, steps: int, rise: float = 0.05) -> float:
    """Factor of the learning rate: up in a straight line, then along a half cosine to zero.

    The first updates of Adam move all weights by as much as any later one and in one direction.

    Args:
        step: updates done so far.
        steps: of the whole training.
        rise: fraction of the training after which the factor is 1.

    >>> [round(rise_and_decay(step, 100), 2) for step in (0, 5, 50, 100)]
    [0.17, 1.0, 0.54, 0.0]
    """
    warm = (step + 1) / (rise * steps + 1)
    done = min(max(step / steps - rise, 0.0) / (1 - rise), 1.0)
    return min(warm, 0.5 + 0.5 * math.cos(math.pi * done))


def start_as_identity(network: nn.Module, seed: int = 0) -> None:
    """Let a network begin as the identity, so that training begins at the low-dose image.

    All convolutions draw new weights that keep the variance of what passes them (He et al. 2015);
    PyTorch's own halve it from layer to layer, and ten layers deep little of the image is left.
    Where the network adds its input to its output (it says so: ``last_weights``), those weights
    become zero. In a chain of zero-padded convolutions with ReLUs two channels carry the image
    and its negative, since x = relu(x) - relu(-x); the last layer learns to hear the others.

    Args:
        network: changed in place.
        seed: of the weights.

    Raises:
        ValueError: the network is neither of the two.
    """
    generator = torch.Generator().manual_seed(seed)
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    convolutions = [m for m in network.modules() if isinstance(m, kinds)]
    last_weights = getattr(network, "last_weights", None)
    counted = sum(p.numel() for layer in convolutions for p in layer.parameters())
    if last_weights is None and counted != sum(p.numel() for p in network.parameters()):
        kind = type(network).__module__.rpartition(".")[2]
        raise ValueError(f"{kind} cannot begin as the identity: it adds nothing to its input.")
    for layer in convolutions:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    with torch.no_grad():
        for layer in convolutions[:1]:
            layer.weight -= layer.weight.mean((1, 2, 3), keepdim=True)
        if last_weights is None:
            _carry_image(convolutions)
        for weight in last_weights or ():
            nn.init.zeros_(weight)


def _carry_image(chain: Sequence[nn.Conv2d | nn.ConvTranspose2d]) -> None:
    """Let the first two channels of a chain of convolutions hand the image on."""
    for layer in chain:
        middle = layer.kernel_size[0] // 2
        carriers = layer.weight[:2]
        carriers.zero_()
        if layer is chain[0]:
            carriers[:, 0, middle, middle] = torch.tensor([1.0, -1.0])
        elif layer is chain[-1]:
            carriers[0, :2, middle, middle] = torch.tensor([1.0, -1.0])
        else:
            layer.weight[2:, :2] = 0
            carriers[:, :2, middle, middle] = torch.eye(2)


def set_rate(
    optimisers: Iterable[torch.optim.Optimizer],
    recipe: Recipe,
    options: Mapping[str, Any],
    steps_done: int,
) -> None:
    """Let the learning rates follow `rise_and_decay` if the option ``decay`` says so."""
    if not options.get("decay"):
        return
    factor = rise_and_decay(steps_done, recipe.steps)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = group.setdefault("highest_lr", group["lr"]) * factor


def shorten_gradient(network: nn.Module, options: Mapping[str, Any]) -> None:
    """Shorten the gradient of a network to the norm ``clip``, if that option is given."""
    if options.get("clip"):
        nn.utils.clip_grad_norm_(network.parameters(), options["clip"])


class Supervised:
    """One network, one Adam, mean squared error; what other objectives begin with.

    Options of the recipe, none of them in the published ones: ``balance=2.0`` divides the error
    of every patch by its `noise_scale` with that floor in HU, ``clip=0.3`` shortens a longer
    gradient to that norm (a single bone in a quiet patch gives one a hundred times the usual),
    ``decay=True`` lets the learning rate follow `rise_and_decay`, ``start="identity"`` begins
    with `start_as_identity`.

    Args:
        network: maps a batch (N, 1, P, P) to one of the same shape, normalised units.
        recipe: hyper-parameters.
        device: where the training runs.
        precision: numeric type and memory format of the forward pass.
        seed: of the weights it begins with, where ``start`` redraws them.
        options: override those of the recipe.
    """

    parts: tuple[str, ...] = ("network", "optimiser")
    generator: torch.Generator | None = None

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
            start_as_identity(network, seed)
        self.network = precision.prepare(network.to(device))
        self.optimiser = self._adam(self.network)
        self.steps_done = 0

    def step(self, low: Tensor, full: Tensor) -> dict[str, Tensor]:
        """One update on normalised patches (N, 1, P, P); returns {"loss": detached scalar}."""
        set_rate([self.optimiser], self.recipe, self.options, self.steps_done)
        with self.precision.context(self.device):
            denoised = self.network(self.precision.images(low))
        if self.options.get("balance"):
            error = (denoised.float() - full).square().mean((1, 2, 3))
            loss = (error / noise_scale(low, full, self.options["balance"])).mean()
        else:
            loss = functional.mse_loss(denoised.float(), full)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        shorten_gradient(self.network, self.options)
        self.optimiser.step()
        self.steps_done += 1
        return {"loss": loss.detach()}

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimisers, position and random state."""
        state = {name: getattr(self, name).state_dict() for name in self.parts}
        if self.generator is not None:
            state["generator"] = self.generator.get_state()
        return {**state, "steps_done": self.steps_done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        for name in self.parts:
            getattr(self, name).load_state_dict(state[name])
        if self.generator is not None:
            self.generator.set_state(state["generator"].cpu())
        self.steps_done = state["steps_done"]

    def _adam(self, network: nn.Module) -> torch.optim.Optimizer:
        rate, betas = self.recipe.learning_rate, self.recipe.betas
        return torch.optim.Adam(network.parameters(), lr=rate, betas=betas, fused=True)
