"""Many segments, many tests: p-values that allow for it."""

from __future__ import annotations

import numpy as np

METHODS = ("benjamini-hochberg", "bonferroni", "none")


def adjusted(p: np.ndarray, method: str = "benjamini-hochberg") -> np.ndarray:
    """P-values that can be compared with one level however many tests there were.

    Args:
        p: (S,) p-values.
        method: "bonferroni" bounds the chance of any false alarm, "benjamini-hochberg" the
            expected share of false alarms among all alarms, "none" does nothing.

    Returns:
        (S,) adjusted p-values, at most 1.

    Raises:
        ValueError: a value is not in [0, 1], or the method is unknown.

    Source: Benjamini and Hochberg 1995, J R Stat Soc B 57:289,
    doi:10.1111/j.2517-6161.1995.tb02031.x. It allows for segments that overlap, whose errors are
    positively correlated: Benjamini and Yekutieli 2001, doi:10.1214/aos/1013699998.

    >>> adjusted(np.array([0.01, 0.04, 0.03]), "bonferroni").round(3).tolist()
    [0.03, 0.12, 0.09]
    >>> adjusted(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p, np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("P-values are one list of numbers in [0, 1].")
    if method not in METHODS:
        raise ValueError(f"Multiplicity is allowed for by {', '.join(METHODS)}, not {method!r}.")
    if method == "none" or len(p) == 0:
        return p
    if method == "bonferroni":
        return np.asarray(np.minimum(p * len(p), 1))
    order = np.argsort(p)
    steps = p[order] * len(p) / np.arange(1, len(p) + 1)
    result = np.empty(len(p))
    result[order] = np.minimum.accumulate(steps[::-1])[::-1]
    return np.asarray(np.minimum(result, 1))
