"""Does resolution depend on contrast? Of linear processing it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import f as f_distribution

from ldctlib.metrics._transfer import TransferFunction, axes


@dataclass(frozen=True)
class ContrastDependence:
    """Whether resolution depends on contrast, as it does only of processing that is not linear.

    Args:
        contrasts_hu: (K,), ascending.
        frequencies: (K,) where each transfer function falls to ``level``, 1/mm.
        errors: (K,) standard errors, 1/mm.
        p_value: chance of a scatter like this if all were equal.
        level: of the transfer functions that is compared.
    """

    contrasts_hu: np.ndarray
    frequencies: np.ndarray
    errors: np.ndarray
    p_value: float
    level: float

    @property
    def spread(self) -> float:
        """Largest less smallest frequency, over their mean."""
        return float(np.ptp(self.frequencies) / self.frequencies.mean())

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Draw the frequencies over the absolute contrast, with 95 % intervals; returns the axes.

        Args:
            ax: matplotlib axes; new ones if None.
            style: of points and line, as in ``ax.errorbar``.
        """
        ax = axes(ax, "contrast, lighter or darker [HU]", f"f{100 * self.level:.0f} [1/mm]")
        order = np.argsort(np.abs(self.contrasts_hu), kind="stable")
        points = np.abs(self.contrasts_hu)[order], self.frequencies[order]
        ax.errorbar(*points, 1.96 * self.errors[order], **{"fmt": "o-", "capsize": 3, **style})
        ax.set_xscale("log")
        ax.set_ylim(0, max(1.1 * self.frequencies.max(), ax.get_ylim()[1]))
        return ax


def contrast_dependence(
    transfer_functions: Sequence[TransferFunction],
    *,
    level: float = 0.5,
    systematic: float = 0.02,
) -> ContrastDependence:
    """Tell linear processing, with one transfer function, from processing that picks by contrast.

    Sharpening by deconvolution is linear: it recovers what was measured, noise and all, at every
    contrast alike. What is sharp at high contrast and blurred at low was not recovered: the
    processing decided what looks like an edge. A picture of the high-contrast insert does not
    show it, the transfer function at several contrasts does.

    Args:
        transfer_functions: of inserts of one size at different contrasts, two or more slices each.
        level: at which they are compared; 0.5 compares f50.
        systematic: relative standard error of the method beside noise, which is added: a centre
            between other pixels alone moves f50 by about 1 %.

    Returns:
        Frequencies, errors and the p-value of Welch's test that all are equal.

    Raises:
        ValueError: fewer than two are given, or one has no error or does not fall to the level.

    Source: Welch 1951, Biometrika 38:330, doi:10.1093/biomet/38.3-4.330.
    """
    several = sorted(transfer_functions, key=lambda each: each.contrast_hu)
    found = np.array([each.frequency_at(level) for each in several])
    noise = np.array([each.error_at(level) for each in several])
    if len(several) < 2 or not np.isfinite(found + noise).all():
        raise ValueError(
            f"Two or more transfer functions are compared, all of several slices and all falling "
            f"to {level:g}; here their frequencies are {found.round(3).tolist()} with errors "
            f"{noise.round(3).tolist()}."
        )
    errors = np.hypot(noise, systematic * found)
    repeats = np.array([len(each.without_one) for each in several])
    contrasts = np.array([each.contrast_hu for each in several])
    return ContrastDependence(contrasts, found, errors, _welch(found, errors, repeats), level)


def _welch(means: np.ndarray, errors: np.ndarray, repeats: np.ndarray) -> float:
    """p-value of Welch's test that all means are equal, from their standard errors."""
    weights, k = errors**-2, len(means)
    centre = (weights * means).sum() / weights.sum()
    unequal = ((1 - weights / weights.sum()) ** 2 / (repeats - 1)).sum()
    ratio = (weights * (means - centre) ** 2).sum() / (k - 1)
    ratio /= 1 + 2 * (k - 2) / (k**2 - 1) * unequal
    return float(f_distribution.sf(ratio, k - 1, (k**2 - 1) / (3 * unequal)))
