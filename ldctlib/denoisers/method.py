"""The home of a method: all that is known of it, in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ldctlib.denoisers.denoiser import Denoiser, Needs
from ldctlib.denoisers.recipe import Precision, Recipe
from ldctlib.denoisers.short import Short
from ldctlib.denoisers.space import USUAL, Space

__all__ = ["Learned", "Method", "Objective", "Precision", "Recipe"]


class Objective(Protocol):
    """Owns the network(s) and optimiser(s) of one training and does one update at a time."""

    network: nn.Module

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        *,
        device: torch.device,
        precision: Precision,
        seed: int,
        **options: Any,
    ) -> None: ...

    @property
    def step(self) -> Callable[..., dict[str, Tensor]]:
        """``step(*batch)``: one update on what the method's sampler draws; named losses, detached.

        Of `PatchSampler` and `SinogramSampler` that is ``step(low, full)``, both (N, 1, P, P).
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything an exact resume needs: networks, optimisers, own random state."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        ...


@dataclass(frozen=True)
class Learned:
    """What a method learns, and how.

    Args:
        network: class of the network; callable without arguments. What it maps to what depends on
            the domain: see `ImageNetwork`, `SinogramNetwork`, `DualNetwork`.
        objective: class of the objective.
        recipe: published hyper-parameters.
        margin: receptive field to one side, in pixels: how far a pixel sees.
        channels: feature maps that are in memory at the same time, at most.
        smallest: least side of an image in pixels.
        sampler: what it is trained on: a name in `training.SAMPLERS`, or anything that is called
            with (exams, patch, batch, seed, device) and gives a `training.Sampler`.
        space: what a search for hyper-parameters may choose from.
        published_sha256: of the weights that ldct-benchmark published; None if it did not.
        short: how the weights that come with the library are trained; None if there are none.
    """

    network: Callable[..., nn.Module]
    objective: type[Objective]
    recipe: Recipe
    margin: int = 0
    channels: int = 64
    smallest: int = 1
    sampler: str | Callable[..., Any] = "patches"
    space: Space = field(default_factory=lambda: USUAL)
    published_sha256: str | None = None
    short: Short | None = None


@dataclass(frozen=True)
class Method:
    """One line of the registry.

    Args:
        name: "redcnn", …
        label: what readers call it; the name if not given.
        year: when it first appeared; None of one that was not published.
        citation: of the paper.
        needs: what it reads of an exam: "image", "sinogram" or "both".
        learned: its network and how that is trained; None of an algorithm without weights.
        build: makes the denoiser of such an algorithm; called with its options.

    Raises:
        ValueError: it has neither of the last two, or both.
    """

    name: str
    label: str = ""
    year: int | None = None
    citation: str = ""
    needs: Needs = "image"
    learned: Learned | None = None
    build: Callable[..., Denoiser] | None = None

    def __post_init__(self) -> None:
        if (self.learned is None) == (self.build is None):
            raise ValueError(f"{self.name} is either learned or built by a function, not both.")
        if not self.label:
            object.__setattr__(self, "label", self.name)

    @property
    def trainable(self) -> Learned:
        """What is learned.

        Raises:
            ValueError: it is an algorithm without weights.
        """
        if self.learned is None:
            raise ValueError(f"{self.name} is an algorithm without weights: nothing is trained.")
        return self.learned

    def with_learned(self, **changes: Any) -> Method:
        """The same method with another network, objective, recipe, … see `Learned`.

        >>> from ldctlib.denoisers import METHODS
        >>> METHODS["cnn10"].with_learned(margin=9).trainable.margin
        9
        """
        return replace(self, learned=replace(self.trainable, **changes))
