"""The short trainings of the weights that come with the library: minutes instead of days.

Fewer and smaller patches than published, a higher learning rate that falls, and losses in units of
the noise, so that heads count as much as chests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ldctlib.denoisers.recipe import Recipe

SHORT: Mapping[str, Any] = MappingProxyType({"balance": 2.0, "clip": 0.3, "decay": True})
FROM_IDENTITY: Mapping[str, Any] = MappingProxyType({**SHORT, "start": "identity"})


@dataclass(frozen=True)
class Short:
    """How the shipped weights of a method are trained.

    Args:
        recipe: its hyper-parameters; the steps are planned by the time there is.
        network: options of the network, where it is not the published one.
        bfloat16: whether it may be trained in bfloat16. Without a skip connection that would round
            the whole image to steps of up to 4 HU.
        begin_with: name of another method with the same network, whose weights it begins with.
    """

    recipe: Recipe
    network: Mapping[str, Any] = field(default_factory=dict)
    bfloat16: bool = False
    begin_with: str | None = None


def shortened(
    published: Recipe, learning_rate: float, batch: int, patch: int = 64, **options: Any
) -> Recipe:
    """A recipe with the published betas and options where nothing else is said.

    >>> shortened(Recipe(1e-4, 68, 92, 87000, options={"edge": 20.0}), 3e-4, 8, **SHORT).options
    mappingproxy({'edge': 20.0, 'balance': 2.0, 'clip': 0.3, 'decay': True})
    """
    options = {**published.options, **options}
    return Recipe(learning_rate, batch, patch, steps=1, betas=published.betas, options=options)
