"""What a hyper-parameter search may choose from: ranges, and those that every method has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias


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


Space: TypeAlias = "Mapping[str, Range]"

# The published search: Eulig et al. 2024, doi:10.1002/mp.17379.
USUAL: Space = MappingProxyType(
    {
        "learning_rate": Range(1e-5, 1e-2, log=True),
        "steps": Range(1_000, 100_000, whole=True),
        "batch": Range(2, 128, whole=True),
        "patch": Range(32, 128, whole=True),
    }
)
# Of methods with a critic: the first of Adam's betas, and the critic's updates to one of the rest.
BETA1, CRITIC_STEPS = Range(0.3, 0.9), Range(1, 5, whole=True)
