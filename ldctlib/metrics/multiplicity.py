"""Many comparisons, many false alarms: p values and limits that allow for how many there are.

Two promises are kept, each for all comparisons together: at level alpha, "bonferroni" and "holm"
bound the chance of any false alarm, "benjamini-hochberg" bounds the expected share of false alarms
among the alarms. The last one allows for errors that are positively correlated, as those of
segments that overlap.

Sources: Holm, Scand. J. Statist. 6, 65 (1979); Benjamini and Hochberg, J. R. Stat. Soc. B 57, 289
(1995), doi:10.1111/j.2517-6161.1995.tb02031.x; Benjamini and Yekutieli, Ann. Stat. 29, 1165 (2001),
doi:10.1214/aos/1013699998.
"""

from __future__ import annotations

from typing import Any

import numpy as np

METHODS = ("benjamini-hochberg", "bonferroni", "holm", "none")


def adjusted(p: Any, method: str = "benjamini-hochberg") -> np.ndarray:
    """P values that can be compared with one level, however many comparisons there were.

    Args:
        p: (N,) p values of one family of comparisons.
        method: "benjamini-hochberg", "bonferroni", "holm", or "none", which changes nothing.

    Returns:
        (N,) adjusted p values, at most 1, in the same order.

    Raises:
        ValueError: a p value is not in [0, 1], or the method is unknown.

    >>> p = [0.01, 0.04, 0.03]
    >>> adjusted(p).round(3).tolist(), adjusted(p, "bonferroni").round(3).tolist()
    ([0.03, 0.04, 0.04], [0.03, 0.12, 0.09])
    """
    p = np.asarray(p, np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("P values are one list of numbers between 0 and 1.")
    if method not in METHODS:
        raise ValueError(f"Multiplicity is allowed for by {', '.join(METHODS)}, not {method!r}.")
    if method == "none" or len(p) == 0:
        return np.asarray(p)
    if method == "bonferroni":
        return np.asarray(np.minimum(p * len(p), 1))
    order = np.argsort(p)
    left = np.arange(len(p), 0, -1)
    if method == "holm":
        steps = np.maximum.accumulate(p[order] * left)
    else:
        steps = np.minimum.accumulate((p[order] * len(p) / left[::-1])[::-1])[::-1]
    result = np.empty(len(p))
    result[order] = np.minimum(steps, 1)
    return np.asarray(result)


def holm(p: Any) -> np.ndarray:
    """Holm's correction: p values that keep the chance of any false alarm in the family.

    Args:
        p: (N,) p values of one family of comparisons.

    Returns:
        (N,) adjusted p values, in the same order.

    Raises:
        ValueError: a p value is not in [0, 1].

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    return adjusted(p, "holm")


def multiplicity_threshold(
    z: np.ndarray, alpha: float = 0.05, correction: str = "bonferroni"
) -> float:
    """The |z| from which a segment counts as wrong, when S segments are looked at.

    Args:
        z: (S,) values that are standard normal where nothing is wrong, as of `standardised_bias`.
        alpha: the level of the promise.
        correction: "bonferroni" or "benjamini-hochberg".

    Returns:
        The threshold of |z|; infinite if "benjamini-hochberg" finds nothing.

    Raises:
        ValueError: there are no values, or ``alpha`` or ``correction`` is none.

    >>> round(multiplicity_threshold(np.zeros(15547)), 2)
    4.66
    """
    from scipy.special import ndtr, ndtri

    size = np.abs(np.asarray(z, np.float64))
    if len(size) == 0 or not 0 < alpha < 1:
        raise ValueError("A threshold needs values of z, and an alpha between 0 and 1.")
    if correction == "bonferroni":
        return float(-ndtri(alpha / (2 * len(size))))
    if correction != "benjamini-hochberg":
        raise ValueError(f"correction is bonferroni or benjamini-hochberg, not {correction!r}.")
    return float(np.min(size[adjusted(2 * ndtr(-size)) <= alpha], initial=np.inf))
