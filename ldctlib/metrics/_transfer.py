"""From a profile across an edge to a transfer function."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.signal.windows import tukey

STEP_PX = 0.125  # of the oversampled edge profile
_DENSITY_MM = 0.01  # distance of the frequencies, 1/mm


@dataclass(frozen=True)
class TransferFunction:
    """How much of the amplitude at each spatial frequency arrives in the image.

    Args:
        frequencies: (F,) 1/mm, from 0 to twice the Nyquist frequency of the pixels.
        values: (F,) modulation, 1 at frequency 0; above 1 where edges are enhanced.
        contrast_hu: of the object against its surroundings, as measured.
        cnr: contrast to noise ratio of the averaged slices; infinite without noise.
        name: what a legend calls it.
        without_one: (Z, F) the same from all slices but one, from which errors are estimated; of
            no rows for a single slice.
    """

    frequencies: np.ndarray
    values: np.ndarray
    contrast_hu: float
    cnr: float
    name: str = ""
    without_one: np.ndarray = field(default_factory=lambda: np.empty((0, 0)), repr=False)

    @property
    def f50(self) -> float:
        """Frequency at which half of the amplitude arrives, 1/mm; NaN if it is beyond the end."""
        return self.frequency_at(0.5)

    @property
    def f10(self) -> float:
        """Frequency at which a tenth of the amplitude arrives, 1/mm; NaN if beyond the end."""
        return self.frequency_at(0.1)

    @property
    def peak(self) -> float:
        """The largest value: above 1 where edges are enhanced."""
        return float(self.values.max())

    def frequency_at(self, level: float) -> float:
        """The first frequency at which the transfer function falls to ``level``, 1/mm, or NaN."""
        return first_below(self.frequencies, self.values, level)

    def error_at(self, level: float) -> float:
        """Standard error of `frequency_at` from the scatter of the slices; NaN for a single one.

        Source: the jackknife, Efron and Stein 1981, doi:10.1214/aos/1176345462.
        """
        found = np.array(
            [first_below(self.frequencies, values, level) for values in self.without_one]
        )
        return float(_jackknife(found)) if len(found) else float("nan")

    @cached_property
    def standard_error(self) -> np.ndarray:
        """(F,) standard error of the values from the scatter of the slices; NaN for one slice."""
        if not len(self.without_one):
            return np.full(len(self.values), np.nan)
        return np.asarray(_jackknife(self.without_one))

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Draw the curve, with a band of one standard error where there are several slices.

        Args:
            ax: matplotlib axes; new ones if None.
            style: of the line, as in ``ax.plot``.

        Returns:
            The axes.
        """
        ax = axes(ax, "spatial frequency [1/mm]", "transfer function")
        (line,) = ax.plot(self.frequencies, self.values, **{"label": self.name or None, **style})
        error = self.standard_error
        band = self.values - error, self.values + error
        ax.fill_between(self.frequencies, *band, color=line.get_color(), alpha=0.2, linewidth=0)
        ax.set_ylim(0, max(1.05, 1.05 * self.peak, ax.get_ylim()[1]))
        if self.name or "label" in style:
            ax.legend()
        return ax


def edge_transfer(
    distance_px: np.ndarray, values: np.ndarray, reach_px: float, pixel_mm: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Transfer function of an edge, from pixels at known distances to it.

    The pixels are sorted into bins finer than a pixel (edge spread function); the difference of
    neighbouring bins is the line spread function, whose flanks a cosine takes to zero (the outer
    halves of a Hann window); its Fourier transform over the value at 0 is the result. Binning and
    the finite difference each multiply it by sinc(f step), which is divided out.

    Args:
        distance_px: (P,) signed distance of each pixel to the edge.
        values: (Z, P) pixels of Z slices.
        reach_px: how far from the edge the profile goes.
        pixel_mm: pixel size.

    Returns:
        Frequencies (F,) in 1/mm, transfer function (F,) of the mean of the slices, and (Z, F) of
        the means of all slices but one, of no rows if Z is 1.

    Raises:
        ValueError: too few pixels at some distances.
    """
    spread = edge_spread(distance_px, values, reach_px)
    spreads = [spread.mean(0)]
    if len(spread) > 1:
        spreads += [(spread.sum(0) - each) / (len(spread) - 1) for each in spread]
    lines = np.diff(spreads, axis=1)
    lines *= tukey(lines.shape[1], 0.5)
    step_mm = STEP_PX * pixel_mm
    length = max(lines.shape[1], round(1 / (_DENSITY_MM * step_mm)))
    frequencies = np.fft.rfftfreq(length, step_mm)
    spectra = np.abs(np.fft.rfft(lines, length))
    kept = frequencies <= 1 / pixel_mm
    frequencies, spectra = frequencies[kept], spectra[:, kept]
    transfer = spectra / spectra[:, :1] / np.sinc(frequencies * step_mm) ** 2
    return frequencies, transfer[0], transfer[1:]


def edge_spread(distance_px: np.ndarray, values: np.ndarray, reach_px: float) -> np.ndarray:
    """(Z, B) mean value of the pixels in bins of `STEP_PX` about the edge, B even.

    Raises:
        ValueError: more than half of the bins near the edge hold no pixel.
    """
    half = int(reach_px / STEP_PX)
    place = np.floor(distance_px / STEP_PX).astype(int) + half
    near = (place >= 0) & (place < 2 * half)
    place, distance_px, values = place[near], distance_px[near], values[:, near]
    count = np.bincount(place, minlength=2 * half)
    there = count > 0
    if there[half // 2 : -(half // 2)].mean() < 0.5:
        raise ValueError(
            "The pixels lie at too few distances from the edge for a profile finer than a pixel: "
            "tilt a straight edge by 2 to 10 degrees against the rows or columns, or take more of "
            "it; take a larger insert."
        )
    sums = np.stack([np.bincount(place, slice_, 2 * half)[there] for slice_ in values])
    at = np.bincount(place, distance_px, 2 * half)[there] / count[there]
    centres = (np.arange(2 * half) - half + 0.5) * STEP_PX
    return np.stack([np.interp(centres, at, each) for each in sums / count[there]])


def contrast_and_cnr(inside: np.ndarray, outside: np.ndarray) -> tuple[float, float]:
    """Contrast in HU and its ratio to the noise of the averaged slices.

    Args:
        inside: (Z, P) pixels on the side that is positive, away from the edge.
        outside: (Z, P) pixels on the other side.

    Returns:
        Mean inside less mean outside, and its absolute value over the standard deviation of a
        pixel of the mean slice: from the scatter of the slices outside, or, of a single slice,
        from that of its pixels.
    """
    contrast = float(inside.mean() - outside.mean())
    slices = len(outside)
    variance = outside.var(0, ddof=1).mean() / slices if slices > 1 else outside.var(ddof=1)
    return contrast, abs(contrast) / float(np.sqrt(variance)) if variance > 0 else float("inf")


def first_below(x: np.ndarray, y: np.ndarray, level: float) -> float:
    """Where y falls below ``level`` for the first time, interpolated; NaN if it never does.

    >>> first_below(np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.6, 0.2]), 0.5)
    1.25
    """
    below = np.flatnonzero(y < level)
    if not len(below) or below[0] == 0:
        return float("nan") if not len(below) else float(x[0])
    i = below[0]
    return float(x[i - 1] + (x[i] - x[i - 1]) * (y[i - 1] - level) / (y[i - 1] - y[i]))


def axes(ax: Any, xlabel: str, ylabel: str) -> Any:
    """These axes with labels, or new ones."""
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(figsize=(6.4, 3.6), layout="constrained")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def _jackknife(left_out: np.ndarray) -> np.ndarray:
    n = len(left_out)
    return np.asarray(np.sqrt((n - 1) * left_out.var(0)))
