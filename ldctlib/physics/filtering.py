"""The filter of filtered back-projection: ramp and kernel, on views that become twice as fine.

A pixel lies between two channels, and linear interpolation between them would blur the image and
colour its noise: at 0.5 /mm it takes a third of the amplitude. So the filtered views are given out
at `FINER` times the channels, where the same interpolation takes a tenth, and that is undone in the
filter. The image then has the modulation of its kernel, and its noise power is |f| W(f)^2.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.kernels import KernelLike, kernel_for

FINER = 2


def fine_channels(geometry: FanBeam) -> int:
    """Samples of a filtered view, from the first channel to the last."""
    return FINER * (geometry.channels - 1) + 1


def response(kernel: KernelLike, geometry: FanBeam) -> np.ndarray:
    """Frequency response of ramp and kernel for one view, float64 (m / 2 + 1,), m even.

    The ramp is sampled in space, not in frequency, so that its mean is right and water is 0 HU.

    Raises:
        ValueError: the detector is too coarse for the kernel, or the angle does not fit.

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
    relative = np.linspace(0, 1, half + 1)  # to Nyquist
    window = kernel_for(kernel, geometry)(relative * geometry.nyquist_per_mm)
    interpolation = np.sinc(relative / 2 / FINER) ** 2
    spectrum = np.fft.rfft(np.fft.ifftshift(ramp)).real
    filtered: np.ndarray = spectrum * window / interpolation * spacing * view_weight(geometry)
    filtered[-1] /= 2  # on finer samples Nyquist's frequency comes twice
    return filtered


def filter_views(views: Tensor, spectrum: Tensor) -> Tensor:
    """Filter the last axis, padded with zeros: (..., channels) to (..., fine channels)."""
    length = 2 * (len(spectrum) - 1)
    passed = torch.fft.rfft(views, n=length) * (spectrum / length)
    filtered = torch.fft.irfft(passed, n=FINER * length, norm="forward")
    fine: Tensor = filtered[..., : FINER * (views.shape[-1] - 1) + 1]
    return fine


def filter_views_transposed(fine: Tensor, spectrum: Tensor, channels: int) -> Tensor:
    """The adjoint of `filter_views`: (..., fine channels) to (..., channels)."""
    length = 2 * (len(spectrum) - 1)
    passed = torch.fft.rfft(fine, n=FINER * length)[..., : len(spectrum)] * spectrum
    # irfft doubles all frequencies but the first and the last; so does filter_views, but the last
    passed[..., -1] *= 2
    coarse: Tensor = torch.fft.irfft(passed, n=length)[..., :channels]
    return coarse


def impulse(spectrum: np.ndarray) -> np.ndarray:
    """What `filter_views` makes of a single channel, on fine samples, around position 0."""
    length = 2 * (len(spectrum) - 1)
    result: np.ndarray = np.fft.irfft(spectrum, n=FINER * length) * FINER
    return result


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
