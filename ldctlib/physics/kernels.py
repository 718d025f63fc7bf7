"""Reconstruction kernels: how filtered back-projection trades noise for sharpness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from ldctlib.physics.geometry import FanBeam


@dataclass(frozen=True)
class Kernel:
    """A window on the ramp filter.

    Args:
        window: "ram-lak" (none), "shepp-logan", "cosine", "hamming" or "hann".
        cutoff: frequency where the window ends, in units of Nyquist; above 1 it ends beyond.
        boost: edge enhancement: the response is multiplied by ``1 + boost * f**2``.

    Raises:
        ValueError: the window is unknown or the cutoff is not positive.

    >>> Kernel("hann", cutoff=1.0)(np.array([0.0, 0.5, 1.0])).round(3).tolist()
    [1.0, 0.5, 0.0]
    """

    window: str
    cutoff: float = 1.0
    boost: float = 0.0

    def __post_init__(self) -> None:
        if self.window not in _WINDOWS:
            raise ValueError(
                f"No window is called {self.window!r}; there are {', '.join(_WINDOWS)}."
            )
        if not self.cutoff > 0:
            raise ValueError(f"A cutoff is positive, in units of Nyquist, not {self.cutoff}.")

    def __call__(self, f: np.ndarray) -> np.ndarray:
        """Response at frequencies ``f`` in units of Nyquist."""
        relative = f / self.cutoff
        response = _WINDOWS[self.window](relative) * (1 + self.boost * f**2)
        return np.where(relative <= 1, response, 0.0)


_WINDOWS = {
    "ram-lak": lambda r: np.ones_like(r),
    "shepp-logan": lambda r: np.sinc(r / 2),
    "cosine": lambda r: np.cos(np.pi * r / 2),
    "hamming": lambda r: 0.54 + 0.46 * np.cos(np.pi * r),
    "hann": lambda r: 0.5 + 0.5 * np.cos(np.pi * r),
}

# The last four look like vendors' kernels: about B30, B40, D45 and a lung kernel.
KERNELS: dict[str, Kernel] = {
    **{window: Kernel(window) for window in _WINDOWS},
    "soft": Kernel("hann", 0.85),
    "standard": Kernel("hann", 1.0),
    "sharp": Kernel("hann", 2.05),
    "lung": Kernel("ram-lak", 1.0, boost=0.5),
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
        raise ValueError(f"No kernel is called {kernel!r}; there are {', '.join(KERNELS)}.")
    return KERNELS[kernel]


def response(kernel: KernelLike, geometry: FanBeam) -> np.ndarray:
    """Frequency response of ramp and window for one view, float64 (m / 2 + 1,), m even.

    The ramp is sampled in space, not in frequency, so that its mean is right and water is 0 HU.

    Source: Kak and Slaney, Principles of Computerized Tomographic Imaging, 3.4.1 and 3.4.2,
    doi:10.1137/1.9780898719277.
    """
    half = next_fast_len(geometry.channels, real=True)
    k = np.arange(-half, half)
    odd = k % 2 != 0
    spacing = geometry.channel_rad
    ramp = np.zeros(2 * half)
    if geometry.detector == "arc":
        ramp[half] = 1 / (8 * spacing**2)
        ramp[odd] = -0.5 / (np.pi * np.sin(k[odd] * spacing)) ** 2
    else:
        spacing *= geometry.sod_mm  # a flat detector scaled to the axis
        ramp[half] = 1 / (8 * spacing**2)
        ramp[odd] = -0.5 / (np.pi * k[odd] * spacing) ** 2
    frequency = np.linspace(0, 1, half + 1)
    spectrum = np.fft.rfft(np.fft.ifftshift(ramp)).real
    filtered: np.ndarray = spectrum * kernel_of(kernel)(frequency) * spacing
    return filtered


def convolve(views: Tensor, spectrum: Tensor) -> Tensor:
    """Filter the last axis, padded with zeros, with a response on ``len(spectrum)`` frequencies."""
    length = 2 * (len(spectrum) - 1)
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(views, n=length) * spectrum, n=length)
    return filtered[..., : views.shape[-1]]


def cosine_weight(geometry: FanBeam) -> np.ndarray:
    """(channels,) weight before filtering: SOD cos(gamma) on an arc, cos(gamma) on a flat one."""
    cos: np.ndarray = np.cos(geometry.gamma)
    return cos * geometry.sod_mm if geometry.detector == "arc" else cos


def view_weight(geometry: FanBeam) -> float:
    """Weight of a view: each line is met twice by a full scan, once by a limited angle.

    Raises:
        ValueError: some lines are met twice and some once.
    """
    if geometry.arc_deg == 360:
        return geometry.view_rad
    if geometry.arc_deg + geometry.fan_deg <= 180:
        return 2 * geometry.view_rad
    raise ValueError(
        f"Filtered back-projection here needs 360 degrees or at most {180 - geometry.fan_deg:.0f}, "
        f"where no line is measured twice, not {geometry.arc_deg:.1f}; reconstruct iteratively "
        "with project and backproject."
    )
