"""Fourier ring correlation: up to which frequency two images agree.

Noise that the two do not share lowers the correlation as much as invented detail does:
a correlation of SNR / (1 + SNR) is expected of two images of one object with independent noise of
that signal-to-noise power ratio. So compare denoised with full dose, and take the limit for a
flag from pairs that differ by noise alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ldctlib.metrics._inputs import as_slices
from ldctlib.metrics._transfer import axes, first_below


@dataclass(frozen=True)
class RingCorrelation:
    """Correlation of two images on rings of equal spatial frequency.

    Args:
        frequencies: (R,) mean radius of each ring, 1/mm, up to Nyquist.
        values: (R,) correlation, -1 to 1.
        counts: (R,) Fourier coefficients of each ring, over all slices.
        name: what a legend calls it.
    """

    frequencies: np.ndarray
    values: np.ndarray
    counts: np.ndarray
    name: str = ""

    @property
    def noise_level(self) -> np.ndarray:
        """(R,) standard deviation of the correlation of two independent images, 1 / sqrt(counts).

        It holds without a window; with a Hann window it is about 1.4 times as much, as neighbours
        on a ring are no longer independent.
        """
        return np.asarray(1 / np.sqrt(self.counts))

    def crossing(self, threshold: float = 0.5) -> float:
        """The first frequency at which the correlation falls below ``threshold``, 1/mm.

        Nyquist, the last ring, if it never does. The first ring does not count: chance alone
        takes its 8 coefficients below.
        """
        found = first_below(self.frequencies[1:], self.values[1:], threshold)
        return float(self.frequencies[-1]) if np.isnan(found) else found

    def plot(self, ax: Any = None, *, threshold: float | None = 0.5, **style: Any) -> Any:
        """Draw the correlation and the threshold; returns the axes.

        Args:
            ax: matplotlib axes; new ones if None.
            threshold: a dotted line; None for none.
            style: of the line, as in ``ax.plot``.
        """
        ax = axes(ax, "spatial frequency [1/mm]", "Fourier ring correlation")
        ax.plot(self.frequencies, self.values, **{"label": self.name or None, **style})
        if threshold is not None:
            ax.axhline(threshold, color="#5b6067", linestyle=":", linewidth=1)
        ax.set_ylim(min(-0.1, 1.1 * self.values.min()), 1.05)
        if self.name or "label" in style:
            ax.legend()
        return ax


def frc(
    test: np.ndarray,
    reference: np.ndarray,
    pixel_mm: float,
    *,
    hann: bool = True,
    name: str = "",
) -> RingCorrelation:
    """Fourier ring correlation: Re sum F G* / sqrt(sum |F|² sum |G|²) on each ring.

    Args:
        test: (H, W), or (Z, H, W) whose slices are pooled, in HU. Slices that are not square are
            cut to the square in their middle.
        reference: the same grid.
        pixel_mm: pixel size.
        hann: weight each slice with a Hann window in rows and columns, after its mean is taken
            off, so that its borders do not correlate; not for images that are periodic.
        name: what a legend calls it.

    Returns:
        The correlation; 0 on a ring where an image has no amplitude at all.

    Raises:
        ValueError: shapes differ, are too small, or a value is not finite.

    Source: Saxton and Baumeister 1982, J Microsc 127:127, doi:10.1111/j.1365-2818.1982.tb00405.x.

    >>> image = np.random.default_rng(0).normal(size=(64, 64))
    >>> frc(image, 2 * image + 5, pixel_mm=0.7).values.round(6).min()
    np.float64(1.0)
    """
    tests, references = (
        _squares(image) for image in as_slices(np.asarray(test), np.asarray(reference))
    )
    sums = ring_sums(tests, references, hann)
    return on_rings(sums.sum(0), tests.shape[-1], pixel_mm, len(sums), name)


def ring_sums(tests: np.ndarray, references: np.ndarray, hann: bool) -> np.ndarray:
    """(Z, 3, R) sums of Re F G*, |F|² and |G|² on the rings of each slice, frequency 0 left out."""
    n = tests.shape[-1]
    window = np.hanning(n + 1)[:n] if hann else np.ones(n)
    window = np.outer(window, window)
    f, g = (np.fft.fft2((x - x.mean((1, 2), keepdims=True)) * window) for x in (tests, references))
    ring = _rings(n)[1].ravel()
    products = [(f * g.conj()).real, np.abs(f) ** 2, np.abs(g) ** 2]
    sums = [
        [np.bincount(ring, p.ravel())[1 : n // 2 + 1] for p in z]
        for z in zip(*products, strict=True)
    ]
    return np.array(sums).reshape(len(tests), 3, n // 2)


def on_rings(
    sums: np.ndarray, n: int, pixel_mm: float, slices: int = 1, name: str = ""
) -> RingCorrelation:
    """The correlation that the three sums (3, R) of squares of n x n pixels give."""
    power = np.sqrt(sums[1] * sums[2])
    values = np.divide(sums[0], power, out=np.zeros_like(power), where=power > 0)
    radius, ring = (each.ravel() for each in _rings(n))
    counts = np.bincount(ring)[1 : n // 2 + 1]
    frequencies = np.bincount(ring, radius)[1 : n // 2 + 1] / counts / (n * pixel_mm)
    return RingCorrelation(frequencies, values, counts * slices, name)


@cache
def _rings(n: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, n) radius of each coefficient in units of 1 / n, and the number of its ring."""
    index = np.fft.fftfreq(n, 1 / n)
    radius = np.hypot(index[:, None], index)
    return radius, np.rint(radius).astype(int)


def _squares(images: np.ndarray) -> np.ndarray:
    """The square in the middle of each slice."""
    n = min(images.shape[1:])
    if n < 16:
        raise ValueError(f"Rings take at least 16 x 16 pixels, not {images.shape[1:]}.")
    top, left = ((size - n) // 2 for size in images.shape[1:])
    return images[:, top : top + n, left : left + n]
