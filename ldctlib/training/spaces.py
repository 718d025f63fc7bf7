"""What a hyper-parameter search may choose from: the published ranges, or less of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ldctlib.denoisers import METHODS, Range, Recipe, Space
from ldctlib.denoisers.space import USUAL

__all__ = ["Range", "Space", "scaled", "space_of", "with_values"]


def space_of(method: str) -> Space:
    """The published search space of a method; what every method has, for one of your own.

    >>> sorted(space_of("wganvgg").keys() - space_of("cnn10").keys())
    ['beta1', 'critic_steps', 'perceptual_weight']
    """
    return METHODS[method].trainable.space if method in METHODS else USUAL


def scaled(space: Space, budget: float) -> dict[str, Range]:
    """The same space for trainings that cost less.

    Everything counted in steps is multiplied by the budget. Batch and patch keep their lower end,
    and the distance to the upper end is multiplied by its square root.

    Args:
        space: the ranges as published.
        budget: fraction of the published steps, in (0, 1].

    Raises:
        ValueError: the budget is outside of that.

    >>> small = scaled(space_of("cnn10"), 0.01)
    >>> [(small[name].low, small[name].high) for name in ("steps", "batch", "patch")]
    [(10, 1000), (2, 15), (32, 42)]
    """
    if not 0 < budget <= 1:
        raise ValueError(f"The budget is a fraction in (0, 1] of the published one, not {budget}.")
    small = dict(space)
    for name, ends in space.items():
        if name in ("steps", "cutmix_warm_up"):
            low, high = (round(end * budget) for end in (ends.low, ends.high))
            least = 1 if name == "steps" else 0
            small[name] = replace(ends, low=max(low, least), high=max(high, least))
        elif name in ("batch", "patch"):
            high = round(ends.low + (ends.high - ends.low) * budget**0.5)
            small[name] = replace(ends, high=high)
    return small


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """A recipe with the values of a trial: its own fields, "beta1", or options of the objective.

    >>> tried = with_values(Recipe(1e-3, 8, 64, 100), {"batch": 2, "beta1": 0.5, "edge": 20.0})
    >>> tried.batch, tried.betas, tried.options["edge"]
    (2, (0.5, 0.999), 20.0)
    """
    fields = {name: value for name, value in values.items() if name in USUAL}
    if "beta1" in values:
        fields["betas"] = (values["beta1"], recipe.betas[1])
    own = {name: v for name, v in values.items() if name not in USUAL and name != "beta1"}
    return replace(recipe, **fields, options={**recipe.options, **own})
