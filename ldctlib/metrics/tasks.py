"""What an observer looks for, and through which eye: functions of spatial frequency.

All arrays lie on the FFT grid, unshifted (`numpy.fft.fftfreq` order), frequencies in 1/mm. A task
function is the Fourier transform of a signal's difference, in HU mm².
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import j1

BURGESS_EXPONENT, BURGESS_PEAK = 1.3, 4.0  # peak in cycles per degree


def frequency_grid(shape: tuple[int, int], pixel_mm: float) -> np.ndarray:
    """Radial frequency in 1/mm on the FFT grid (H, W).

    >>> frequency_grid((4, 4), 0.5)[0].tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    if not pixel_mm > 0:
        raise ValueError(f"The pixel size is positive, not {pixel_mm} mm.")
    v, u = (np.fft.fftfreq(n, pixel_mm) for n in shape)
    return np.asarray(np.hypot(u[None, :], v[:, None]))


def disc_task(
    diameter_mm: float, contrast_hu: float, shape: tuple[int, int], pixel_mm: float
) -> np.ndarray:
    """Task function of a disc that is there or not: C (d/2) J₁(π d f) / f, in closed form.

    Args:
        diameter_mm: d.
        contrast_hu: C, the disc's difference from its surroundings.
        shape: (H, W) of the FFT grid.
        pixel_mm: pixel size.

    Returns:
        W (H, W) in HU mm², of a disc centred on the origin.

    Source: Richard and Siewerdsen, Med. Phys. 35, 5043 (2008), doi:10.1118/1.2988161 (sphere).

    >>> print(round(disc_task(10, 3, (64, 64), 0.5)[0, 0], 3), round(3 * np.pi * 5**2, 3))
    235.619 235.619
    """
    if not diameter_mm > 0:
        raise ValueError(f"The diameter is positive, not {diameter_mm} mm.")
    f = frequency_grid(shape, pixel_mm)
    area = np.full(shape, np.pi * diameter_mm**2 / 4)
    np.divide(diameter_mm / 2 * j1(np.pi * diameter_mm * f), f, out=area, where=f > 0)
    return contrast_hu * area


def image_task(signal_hu: Any, pixel_mm: float) -> np.ndarray:
    """Task function of any signal: the Fourier transform of its image (H, W) in HU, in HU mm².

    The image is the signal as reconstructed, e.g. the mean difference of images with and without
    it; it already contains the transfer function, so leave ``ttf`` at 1.
    """
    signal = np.asarray(signal_hu, np.float64)
    if signal.ndim != 2:
        raise ValueError(f"A signal is an image (H, W), not {signal.shape}.")
    return np.asarray(np.fft.fft2(signal) * pixel_mm**2)


def eye_filter(
    shape: tuple[int, int],
    pixel_mm: float,
    *,
    viewing_distance_mm: float = 500.0,
    magnification: float = 1.0,
) -> np.ndarray:
    """Contrast sensitivity of the eye: E(f) = f^1.3 exp(-c f²), peak at 4 cycles per degree and 1.

    Args:
        shape: (H, W) of the FFT grid.
        pixel_mm: pixel size in the patient.
        viewing_distance_mm: from eye to screen.
        magnification: millimetres on the screen for one in the patient.

    Source: Burgess, J. Opt. Soc. Am. A 11, 1237 (1994), doi:10.1364/JOSAA.11.001237; scaled to a
        maximum of 1, which changes d' only relative to the internal noise.
    """
    if not (viewing_distance_mm > 0 and magnification > 0):
        raise ValueError("Viewing distance and magnification are positive.")
    degrees_per_mm = np.degrees(magnification / viewing_distance_mm)
    relative = frequency_grid(shape, pixel_mm) / degrees_per_mm / BURGESS_PEAK
    # f^n exp(-c f²) has its peak where 2 c f² = n
    return np.asarray(relative**BURGESS_EXPONENT * np.exp(BURGESS_EXPONENT / 2 * (1 - relative**2)))
