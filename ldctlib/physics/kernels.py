"""Reconstruction kernels: how filtered back-projection trades noise for sharpness."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from ldctlib.physics.geometry import FanBeam


@dataclass(frozen=True)
class Kernel:
    """A modulation in 1/mm at the axis of rotation, the same on every detector and every grid.

    It is the modulation transfer of the image that it makes, and it multiplies the ramp filter.

    Args:
        window: "ram-lak" (none), "shepp-logan", "cosine", "hamming" or "hann".
        cutoff_per_mm: frequency where the window ends; beyond it nothing passes.
        boost: edge enhancement: the window is multiplied by ``1 + boost * (f / cutoff)**2``.

    Raises:
        ValueError: the window is unknown or the cutoff is not positive.

    >>> Kernel("hann", 0.7)(np.array([0.0, 0.35, 0.7])).round(3).tolist()
    [1.0, 0.5, 0.0]
    >>> KERNELS["standard"]
    Kernel('hann', 0.7, boost=0): 50 % at 0.35 /mm, 10 % at 0.56 /mm
    """

    window: str
    cutoff_per_mm: float
    boost: float = 0.0

    def __post_init__(self) -> None:
        if self.window not in _WINDOWS:
            raise ValueError(
                f"No window is called {self.window!r}; there are {', '.join(_WINDOWS)}."
            )
        if not self.cutoff_per_mm > 0:
            raise ValueError(f"A cutoff is positive, in 1/mm, not {self.cutoff_per_mm}.")

    def __repr__(self) -> str:
        made = f"Kernel({self.window!r}, {self.cutoff_per_mm:.3g}, boost={self.boost:g})"
        return f"{made}: 50 % at {self.f50:.2f} /mm, 10 % at {self.f10:.2f} /mm"

    def __call__(self, f: np.ndarray) -> np.ndarray:
        """Modulation at frequencies ``f`` in 1/mm."""
        relative = np.abs(f) / self.cutoff_per_mm
        response = _WINDOWS[self.window](relative) * (1 + self.boost * relative**2)
        return np.where(relative <= 1, response, 0.0)

    @cached_property
    def f50(self) -> float:
        """Frequency in 1/mm beyond which less than half of the modulation is left."""
        return self._last_above(0.5)

    @cached_property
    def f10(self) -> float:
        """Frequency in 1/mm beyond which less than a tenth of the modulation is left."""
        return self._last_above(0.1)

    def _last_above(self, share: float) -> float:
        f = np.linspace(0, self.cutoff_per_mm, 20_001)
        return float(f[np.flatnonzero(self(f) >= share)[-1]])


_WINDOWS = {
    "ram-lak": lambda r: np.ones_like(r),
    "shepp-logan": lambda r: np.sinc(r / 2),
    "cosine": lambda r: np.cos(np.pi * r / 2),
    "hamming": lambda r: 0.54 + 0.46 * np.cos(np.pi * r),
    "hann": lambda r: 0.5 + 0.5 * np.cos(np.pi * r),
}

# They look like vendors' kernels: a soft and a medium body kernel, a sharp one, a lung kernel.
# The channels of `FanBeam.siemens` are 0.705 mm wide at the axis and end at 0.709 /mm.
KERNELS: dict[str, Kernel] = {
    "soft": Kernel("hann", 0.6),
    "standard": Kernel("hann", 0.7),
    "sharp": Kernel("hann", 0.7, boost=1.5),
    "lung": Kernel("hann", 0.7, boost=6.0),
}

KernelLike: TypeAlias = "str | Kernel"


def kernel_of(kernel: KernelLike) -> Kernel:
    """A kernel by name, or the kernel itself.

    Raises:
        ValueError: the name is not in `KERNELS`.
    """
    if isinstance(kernel, Kernel):
        return kernel
    if kernel not in KERNELS:
        raise ValueError(
            f"No kernel is called {kernel!r}; there are {', '.join(KERNELS)}, and "
            "Kernel(window, cutoff_per_mm)."
        )
    return KERNELS[kernel]


def kernel_name(kernel: Kernel) -> str:
    """What the kernel is called in `KERNELS`, or its numbers."""
    names = [name for name, known in KERNELS.items() if known == kernel]
    return names[0] if names else repr(kernel)


def kernel_for(kernel: KernelLike, geometry: FanBeam) -> Kernel:
    """The kernel, if the detector is fine enough for it.

    Raises:
        ValueError: it passes frequencies that the channels do not sample.
    """
    kernel = kernel_of(kernel)
    if kernel.cutoff_per_mm > geometry.nyquist_per_mm * (1 + 1e-9):
        raise ValueError(
            f"The kernel passes up to {kernel.cutoff_per_mm:.3g} /mm, but the channels of this "
            f"detector sample only up to {geometry.nyquist_per_mm:.3g} /mm at the axis: take a "
            f"softer kernel, e.g. Kernel('hann', {0.99 * geometry.nyquist_per_mm:.2g})."
        )
    return kernel
