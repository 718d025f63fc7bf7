"""What a hyper-parameter search may choose from: the ranges of the published search, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from ldctlib.denoisers import Recipe


@dataclass(frozen=True)
class Range:
    """The values of one hyper-parameter, both ends included.

    Args:
        low, high: the ends.
        log: equal factors are equally likely, not equal differences.
        whole: whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high or (self.log and not self.low > 0):
            raise ValueError(f"A range goes up, and a logarithmic one begins above 0: {self}.")


Space = Mapping[str, Range]

# Eulig et al. 2024, doi:10.1002/mp.17379. Of the sigmas only what was found is published
# (0.49 pixels, 0.95 of the normalised scale); their range here is this library's.
RANGES: Space = MappingProxyType(
    {
        "learning_rate": Range(1e-5, 1e-2, log=True),
        "steps": Range(1_000, 100_000, whole=True),
        "batch": Range(2, 128, whole=True),
        "patch": Range(32, 128, whole=True),
        "beta1": Range(0.3, 0.9),
        "critic_steps": Range(1, 5, whole=True),
        "perceptual_weight": Range(0, 1),
        "adversarial": Range(0, 1),
        "cutmix": Range(0, 10),
        "cutmix_warm_up": Range(0, 10_000, whole=True),
        "edge": Range(0, 40),
        "range_rate": Range(1e-5, 1e-2, log=True),
        "sigma_xyz": Range(0.01, 1),
        "sigma_r": Range(0.01, 1),
    }
)

USUAL = ("learning_rate", "steps", "batch", "patch")
HAS: Mapping[str, tuple[str, ...]] = {
    "cnn10": USUAL,
    "redcnn": USUAL,
    "wganvgg": (*USUAL, "beta1", "perceptual_weight", "critic_steps"),
    "resnet": USUAL,
    "qae": USUAL,
    "dugan": (*USUAL, "beta1", "adversarial", "cutmix", "cutmix_warm_up", "edge", "critic_steps"),
    "transct": ("learning_rate", "steps", "batch"),  # its patch is the whole slice
    "bilateral": (*USUAL, "range_rate", "sigma_xyz", "sigma_r"),
}
# Six halvings in its discriminator leave nothing of a smaller patch.
NARROWER: Mapping[str, Space] = {"dugan": {"patch": Range(64, 128, whole=True)}}
SPACES: Mapping[str, Space] = MappingProxyType(
    {
        method: {name: RANGES[name] for name in names} | dict(NARROWER.get(method, {}))
        for method, names in HAS.items()
    }
)


def space_of(method: str) -> Space:
    """The published search space of a method; what every method has, for one of your own.

    >>> sorted(space_of("wganvgg").keys() - space_of("cnn10").keys())
    ['beta1', 'critic_steps', 'perceptual_weight']
    """
    return SPACES.get(method, SPACES["cnn10"])


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
