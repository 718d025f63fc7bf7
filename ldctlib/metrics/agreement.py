"""Do two tables of results put the methods into the same order?"""

from __future__ import annotations

from typing import Any

from ldctlib.metrics._tables import LOW_DOSE, By, aggregate, pandas


def rank_agreement(ours: Any, theirs: Any, *, by: By = "slice") -> Any:
    """Do two tables put the methods into the same order?

    Args:
        ours: results as from `evaluate` or `reference`; the low dose, which is no method, is left
            out.
        theirs: as ``ours``.
        by: how slices become one value, see `aggregate`.

    Returns:
        DataFrame, one row for every anatomy and metric in both: anatomy, metric, methods (how many
        are in both), kendall (tau-b), kendall_p, spearman, spearman_p. Two tables whose methods all
        have the same value agree in nothing: NaN.

    Raises:
        ValueError: no anatomy and metric has two methods in common.

    Source: Kendall, Biometrika 30, 81 (1938), doi:10.1093/biomet/30.1-2.81.
    """
    from scipy.stats import kendalltau, spearmanr

    key = ["anatomy", "metric", "method"]
    a, b = (
        aggregate(table, by).groupby(key, sort=False)["value"].mean().rename(side)
        for table, side in ((ours, "ours"), (theirs, "theirs"))
    )
    both = pandas().concat([a, b], axis=1, join="inner").reset_index()
    rows = []
    for (anatomy, metric), part in both[both["method"] != LOW_DOSE].groupby(key[:2], sort=False):
        if len(part) > 1:
            tau, rho = (f(part["ours"], part["theirs"]) for f in (kendalltau, spearmanr))
            numbers = (tau.statistic, tau.pvalue, rho.statistic, rho.pvalue)
            rows.append((anatomy, metric, len(part), *map(float, numbers)))
    if not rows:
        raise ValueError("The two tables share no anatomy and metric with two methods or more.")
    names = ["anatomy", "metric", "methods", "kendall", "kendall_p", "spearman", "spearman_p"]
    return pandas().DataFrame(rows, columns=names)
