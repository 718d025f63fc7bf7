"""How well an observer can tell signal from noise, from spectra: d' of NPW, NPWE and Hotelling.

All arrays lie on the FFT grid, unshifted (`numpy.fft.fftfreq` order): the task function W in HU mm²
(the Fourier transform of the signal's difference), the task transfer function T without unit, the
noise power spectrum N in HU² mm², frequencies in 1/mm. With S = |W T|² and the two-dimensional
integral over frequency,

- non-prewhitening, NPW:  d'² = (∫S)² / ∫S N, an observer who correlates with the expected signal;
- with an eye filter E, NPWE:  d'² = (∫S E²)² / ∫(S E⁴ N + S E² Nᵢ), internal noise Nᵢ;
- prewhitening or Hotelling, PW:  d'² = ∫S / N, the best linear observer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ldctlib.metrics.tasks import frequency_grid

Spectrum: TypeAlias = "float | np.ndarray | Callable[[np.ndarray], np.ndarray]"


def dprime_npw(task: Any, nps: Spectrum, pixel_mm: float, ttf: Spectrum = 1.0) -> float:
    """Detectability d' of the non-prewhitening observer, who ignores the noise's texture.

    Args:
        task: W (H, W) in HU mm².
        nps: noise power spectrum in HU² mm²: an array (H, W), a number (white noise of standard
            deviation σ has σ² pixel_mm²), or a function of radial frequency in 1/mm.
        pixel_mm: pixel size.
        ttf: task transfer function: array, number or function.

    Source: Samei et al. (AAPM Task Group 233), Med. Phys. 46, e735 (2019), doi:10.1002/mp.13763.

    >>> from ldctlib.metrics import image_task
    >>> signal = np.zeros((8, 8)); signal[3:5, 3:5] = 10.0
    >>> print(round(dprime_npw(image_task(signal, 0.5), 5**2 * 0.5**2, 0.5), 9))  # |s| / σ
    4.0
    """
    return dprime_npwe(task, nps, pixel_mm, ttf, eye=1.0)


def dprime_npwe(
    task: Any,
    nps: Spectrum,
    pixel_mm: float,
    ttf: Spectrum = 1.0,
    *,
    eye: Spectrum,
    internal_nps: Spectrum = 0.0,
) -> float:
    """Detectability d' of the non-prewhitening observer with an eye filter and internal noise.

    Args:
        task: as for `dprime_npw`.
        nps: as for `dprime_npw`.
        pixel_mm: pixel size.
        ttf: as for `dprime_npw`.
        eye: E, e.g. from `eye_filter`.
        internal_nps: noise power in HU² mm² that the observer adds behind the filter.

    Source: Richard and Siewerdsen, Med. Phys. 35, 5043 (2008), doi:10.1118/1.2988161.
    """
    signal, noise, df2 = _powers(task, nps, ttf, pixel_mm)
    seen = _on_grid(eye, signal.shape, pixel_mm) ** 2
    internal = _on_grid(internal_nps, signal.shape, pixel_mm)
    variance = float((signal * seen * (seen * noise + internal)).sum()) * df2
    amount = float((signal * seen).sum()) * df2
    if not variance > 0:
        raise ValueError("The noise has no power where the task has signal: d' would be infinite.")
    return amount / float(np.sqrt(variance))


def dprime_pw(task: Any, nps: Spectrum, pixel_mm: float, ttf: Spectrum = 1.0) -> float:
    """Detectability d' of the prewhitening observer: no linear one is better in stationary noise.

    Args:
        task: as for `dprime_npw`.
        nps: as for `dprime_npw`.
        pixel_mm: pixel size.
        ttf: as for `dprime_npw`.

    Raises:
        ValueError: the noise spectrum vanishes where the signal does not, e.g. at zero frequency
            after detrending.

    Source: Barrett and Myers, Foundations of Image Science (2004), chapter 13.
    """
    signal, noise, df2 = _powers(task, nps, ttf, pixel_mm)
    if ((noise == 0) & (signal > 0)).any():
        raise ValueError(
            "The noise spectrum is zero where the task has signal (at zero frequency, if means "
            "were subtracted): set the task to zero there, or give the spectrum a floor."
        )
    ratio = np.divide(signal, noise, out=np.zeros_like(signal), where=noise > 0)
    return float(np.sqrt(ratio.sum() * df2))


def dprime_hotelling(signal_hu: Any, covariance: Any) -> float:
    """Detectability d' of the Hotelling observer in the pixel domain: d'² = sᵀ K⁻¹ s.

    Args:
        signal_hu: s, any shape with P pixels, in HU.
        covariance: K (P, P) in HU².

    Raises:
        ValueError: sizes do not fit, or the covariance is not positive definite.

    Source: Barrett and Myers, Foundations of Image Science (2004), chapter 13.

    >>> print(dprime_hotelling([3.0, 4.0], 4 * np.eye(2)))
    2.5
    """
    signal = np.asarray(signal_hu, np.float64).ravel()
    matrix = np.asarray(covariance, np.float64)
    if matrix.shape != (len(signal), len(signal)):
        raise ValueError(f"{len(signal)} pixels need their square covariance, not {matrix.shape}.")
    try:
        whitened = cho_solve(cho_factor(matrix), signal)
    except LinAlgError:
        raise ValueError(
            "The covariance is not positive definite: an estimate needs more images than pixels; "
            "use channels instead."
        ) from None
    return float(np.sqrt(signal @ whitened))


def _powers(
    task: Any, nps: Spectrum, ttf: Spectrum, pixel_mm: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """|W T|², N and the area of a frequency bin in 1/mm²."""
    task = np.asarray(task)
    if task.ndim != 2:
        raise ValueError(f"A task function is (H, W), not {task.shape}.")
    if not pixel_mm > 0:
        raise ValueError(f"The pixel size is positive, not {pixel_mm} mm.")
    signal = np.abs(task * _on_grid(ttf, task.shape, pixel_mm)) ** 2
    noise = _on_grid(nps, task.shape, pixel_mm)
    if not signal.any():
        raise ValueError("The task function is zero: there is nothing to detect.")
    if (noise < 0).any():
        raise ValueError("A noise power spectrum is not negative.")
    return signal, noise, 1 / (task.size * pixel_mm**2)


def _on_grid(spectrum: Spectrum, shape: tuple[int, ...], pixel_mm: float) -> np.ndarray:
    height, width = shape
    if callable(spectrum):
        spectrum = spectrum(frequency_grid((height, width), pixel_mm))
    values = np.asarray(spectrum, np.float64)
    if values.shape not in ((), (height, width)) or not np.isfinite(values).all():
        raise ValueError(
            f"A spectrum is a number, an array {shape} like the task, or a function of frequency, "
            f"and finite; got {values.shape}."
        )
    return np.asarray(np.broadcast_to(values, (height, width)))
