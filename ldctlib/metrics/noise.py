"""Noise texture: the noise power spectrum, in the plane and radial."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ldctlib.metrics._transfer import axes

Background = Literal["mean", "none", "pairs", "polynomial"]


@dataclass(frozen=True)
class NoisePower:
    """A noise power spectrum.

    Args:
        spectrum: (n, n) in HU² mm², frequency 0 in the middle, at [n // 2, n // 2].
        pixel_mm: pixel size.
        regions: how many squares it is the mean of.
        name: what a legend calls it.
    """

    spectrum: np.ndarray
    pixel_mm: float
    regions: int
    name: str = ""

    @property
    def axis(self) -> np.ndarray:
        """(n,) frequencies of the rows and of the columns of ``spectrum``, 1/mm."""
        n = len(self.spectrum)
        return np.asarray(np.fft.fftshift(np.fft.fftfreq(n, self.pixel_mm)))

    @cached_property
    def frequencies(self) -> np.ndarray:
        """(n // 2,) mean radius of each ring, 1/mm; rings are 1 / (n pixel_mm) wide."""
        return self._ring_mean(np.hypot(self.axis[:, None], self.axis))

    @cached_property
    def values(self) -> np.ndarray:
        """(n // 2,) radial spectrum: mean over each ring, HU² mm²; frequency 0 is in no ring."""
        return self._ring_mean(self.spectrum)

    @property
    def variance_hu2(self) -> float:
        """Variance of a pixel: the volume under the spectrum (Parseval)."""
        side = len(self.spectrum) * self.pixel_mm
        return float(self.spectrum.sum() / side**2)

    @property
    def peak_frequency(self) -> float:
        """Where the radial spectrum is largest, 1/mm, by a parabola through three rings."""
        i = int(self.values.argmax())
        if not 0 < i < len(self.values) - 1:
            return float(self.frequencies[i])
        left, top, right = self.values[i - 1 : i + 2]
        shift = (left - right) / (2 * (left - 2 * top + right))
        step = (self.frequencies[i + 1] - self.frequencies[i - 1]) / 2
        return float(self.frequencies[i] + shift * step)

    @property
    def mean_frequency(self) -> float:
        """Mean of the frequencies weighted by the radial spectrum, 1/mm.

        Source: AAPM Report 233, doi:10.37206/186.
        """
        return float((self.frequencies * self.values).sum() / self.values.sum())

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Draw the radial spectrum; returns the axes.

        Args:
            ax: matplotlib axes; new ones if None.
            style: of the line, as in ``ax.plot``.
        """
        ax = axes(ax, "spatial frequency [1/mm]", "noise power [HU² mm²]")
        ax.plot(self.frequencies, self.values, **{"label": self.name or None, **style})
        ax.set_ylim(0, max(1.1 * self.values.max(), ax.get_ylim()[1]))
        if self.name or "label" in style:
            ax.legend()
        return ax

    def _ring_mean(self, values: np.ndarray) -> np.ndarray:
        n = len(self.spectrum)
        index = np.fft.fftshift(np.fft.fftfreq(n, 1 / n))
        ring = np.rint(np.hypot(index[:, None], index)).astype(int).ravel()
        sums = np.bincount(ring, values.ravel())
        return np.asarray((sums / np.bincount(ring))[1 : n // 2 + 1])


def nps(
    images: np.ndarray,
    pixel_mm: float,
    *,
    size: int | None = None,
    background: Background = "polynomial",
    name: str = "",
) -> NoisePower:
    """Noise power spectrum: (dx dy / n²) mean |FFT(noise)|² over squares of n x n pixels.

    Args:
        images: (H, W), or (Z, H, W) of slices or repeats, in HU.
        pixel_mm: pixel size.
        size: n, the side of the squares, which overlap by half; the shorter side of the image if
            None. Noise is taken to be the same all over the image: cut out the part that counts.
        background: what is not noise and is taken off. "polynomial": of second order in each
            square, for uniform objects; it takes some noise of the lowest frequencies with it.
            "pairs": images 0 and 1, 2 and 3, … are repeats of any object; half the power of their
            difference. "mean": all images are repeats, their mean is taken off. "none": nothing.
        name: what a legend calls it.

    Returns:
        The spectrum.

    Raises:
        ValueError: the squares do not fit, or there are too few repeats.

    "pairs" and "mean" take whatever differs between repeats for noise, and what a denoiser makes
    of it is noise only where it does not make it into structure.

    Source: Siewerdsen, Cunningham and Jaffray 2002, Med Phys 29:2655, doi:10.1118/1.1513158.

    >>> noise = np.random.default_rng(0).normal(0, 10, (8, 64, 64))
    >>> white = nps(noise, pixel_mm=0.5, background="none")  # 100 HU² x 0.25 mm²
    >>> round(float(white.values.mean())), round(white.variance_hu2)
    (25, 100)
    """
    noise = _without_background(images, background)
    n = min(noise.shape[1:]) if size is None else size
    if not 8 <= n <= min(noise.shape[1:]):
        raise ValueError(
            f"Squares of {n} x {n} pixels: take at least 8, and no more than the images of "
            f"{noise.shape[1]} x {noise.shape[2]} have."
        )
    total, count = np.zeros((n, n)), 0
    take_off = _fit(n) if background == "polynomial" else None
    for top in _starts(noise.shape[1], n):
        for left in _starts(noise.shape[2], n):
            squares = noise[:, top : top + n, left : left + n].reshape(-1, n * n)
            if take_off is not None:
                squares = squares - (squares @ take_off) @ take_off.T
            total += (np.abs(np.fft.fft2(squares.reshape(-1, n, n))) ** 2).sum(0)
            count += len(squares)
    spectrum = np.fft.fftshift(total) * (pixel_mm**2 / n**2 / count)
    return NoisePower(spectrum, pixel_mm, count, name)


def _without_background(images: np.ndarray, background: Background) -> np.ndarray:
    noise = np.asarray(images, np.float64)
    noise = noise[None] if noise.ndim == 2 else noise
    if noise.ndim != 3 or 0 in noise.shape or not np.isfinite(noise).all():
        raise ValueError(f"Take a finite (H, W) or (Z, H, W), not {np.shape(images)}.")
    if background in ("pairs", "mean") and len(noise) < 2:
        raise ValueError(f"background={background!r} takes two repeats or more.")
    if background == "pairs":
        if len(noise) % 2:
            raise ValueError(f"Pairs of repeats are an even number of images, not {len(noise)}.")
        return np.asarray((noise[::2] - noise[1::2]) / np.sqrt(2))
    if background == "mean":  # the mean takes 1/Z of the noise with it
        return np.asarray((noise - noise.mean(0)) * np.sqrt(len(noise) / (len(noise) - 1)))
    if background not in ("none", "polynomial"):
        raise ValueError(f"background is mean, none, pairs or polynomial, not {background!r}.")
    return noise


def _fit(n: int) -> np.ndarray:
    """(n², 6) orthonormal polynomials of second order on a square."""
    y, x = (axis.ravel() / n - 0.5 for axis in np.mgrid[:n, :n])
    powers = np.stack([np.ones(n * n), x, y, x * x, x * y, y * y], axis=1)
    return np.asarray(np.linalg.qr(powers)[0])


def _starts(length: int, size: int) -> np.ndarray:
    """First pixels of squares that overlap by half and reach both ends.

    >>> _starts(100, 32).tolist()
    [0, 14, 27, 41, 54, 68]
    """
    count = 1 + int(np.ceil((length - size) / (size / 2)))
    return np.rint(np.linspace(0, length - size, count)).astype(int)
