"""Units of CT: Hounsfield units, attenuation, display windows, intensity normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import torch

ArrayLike = TypeVar("ArrayLike", np.ndarray, torch.Tensor)
Window: TypeAlias = "str | tuple[float, float]"

MU_WATER_PER_MM = 0.0192  # linear attenuation of water at about 70 keV effective energy
AIR_HU = -1024.0

# (level, width) in HU
WINDOWS: dict[str, tuple[float, float]] = {
    "lung": (-600.0, 1500.0),
    "abdomen": (50.0, 400.0),
    "brain": (40.0, 80.0),
    "bone": (400.0, 1800.0),
    "mediastinum": (40.0, 400.0),
}

# The window in which the published benchmark judges each anatomy.
WINDOW_OF_ANATOMY = {"chest": "lung", "abdomen": "abdomen", "head": "brain"}


def hu_to_mu(hu: ArrayLike, mu_water: float = MU_WATER_PER_MM) -> ArrayLike:
    """Linear attenuation of tissue, never negative.

    Args:
        hu: CT numbers in HU, any shape.
        mu_water: attenuation of water in 1/mm.

    Returns:
        Attenuation in 1/mm, same shape.

    >>> hu_to_mu(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.0192, 0.0384]
    """
    return (mu_water * (1 + hu / 1000)).clip(0)


def mu_to_hu(mu: ArrayLike, mu_water: float = MU_WATER_PER_MM) -> ArrayLike:
    """CT numbers in HU of linear attenuation in 1/mm: the inverse of `hu_to_mu`.

    >>> mu_to_hu(np.array([0.0, 0.0192])).tolist()
    [-1000.0, 0.0]
    """
    return (mu / mu_water - 1) * 1000


def level_width(window: Window) -> tuple[float, float]:
    """The (level, width) in HU of a window given by name or as numbers.

    Raises:
        ValueError: the name is not in `WINDOWS`, or the width is below 1 HU.

    >>> level_width("lung")
    (-600.0, 1500.0)
    """
    if isinstance(window, str):
        if window not in WINDOWS:
            raise ValueError(f"No window is called {window!r}; there are {', '.join(WINDOWS)}.")
        return WINDOWS[window]
    level, width = (float(v) for v in window)
    if not width >= 1:
        raise ValueError(f"A window must be at least 1 HU wide, not {width}.")
    return level, width


def window_bounds(window: Window) -> tuple[float, float]:
    """The HU shown as black and as white, by the DICOM linear rule (PS3.3 C.11.2.1.2.1).

    >>> window_bounds("brain")
    (0.0, 79.0)
    """
    level, width = level_width(window)
    return level - 0.5 - (width - 1) / 2, level - 0.5 + (width - 1) / 2


def apply_window(hu: ArrayLike, window: Window) -> ArrayLike:
    """Grey values in [0, 1] of CT numbers, by the DICOM linear rule.

    Args:
        hu: CT numbers in HU, any shape.
        window: a name from `WINDOWS`, or (level, width) in HU.

    Returns:
        0 for black to 1 for white, same shape.

    Source: DICOM PS3.3 C.11.2.1.2.1; the published benchmark windows in the same way.

    >>> apply_window(np.array([-150.0, 49.5, 249.0]), "abdomen").tolist()
    [0.0, 0.5, 1.0]
    """
    level, width = level_width(window)
    grey = (hu - (level - 0.5)) / max(width - 1, 1e-6) + 0.5
    return grey.clip(0, 1)


@dataclass(frozen=True)
class Normalization:
    """The scale a network works on: ``(hu - mean_hu) / std_hu``, and back.

    >>> benchmark = Normalization.benchmark()
    >>> benchmark.inverse(benchmark(np.array([40.0]))).round(9).tolist()
    [40.0]
    """

    mean_hu: float
    std_hu: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean_hu) and np.isfinite(self.std_hu) and self.std_hu > 0):
            raise ValueError(f"A normalisation needs a finite mean and a positive std, not {self}.")

    @classmethod
    def benchmark(cls) -> Normalization:
        """Statistics of the low-dose training images of ldct-benchmark (pixels are HU + 1024)."""
        return cls(481.45419786099086 - 1024, 502.18507379395044)

    def __call__(self, hu: ArrayLike) -> ArrayLike:
        """HU to network scale."""
        return (hu - self.mean_hu) / self.std_hu

    def inverse(self, x: ArrayLike) -> ArrayLike:
        """Network scale to HU."""
        return x * self.std_hu + self.mean_hu
