"""Is newer better? Every method against the best one published before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ldctlib.denoisers import METHODS
from ldctlib.metrics._tables import LOW_DOSE, By, aggregate, finite, of_patients, pandas, typed
from ldctlib.metrics.measures import MEASURES
from ldctlib.metrics.multiplicity import holm
from ldctlib.metrics.significance import bootstrap, mann_whitney, signed_rank

Over = Literal["seeds", "patients"]
_TESTS = {
    "seeds": "two-sided exact Mann-Whitney test over trainings (Wilcoxon signed-rank test where "
    "one side has a single value)",
    "patients": "two-sided exact Wilcoxon signed-rank test over patients, bootstrap intervals",
}

_COLUMNS = (
    *("method", "anatomy", "metric", "baseline", "mean", "baseline_mean", "difference"),
    *("low", "high", "n", "n_baseline", "p", "superiority", "p_least"),
)


def compare(
    table: Any,
    *,
    by: By = "slice",
    over: Over | None = None,
    years: Mapping[str, int] | None = None,
    family: Sequence[str] = (),
    alpha: float = 0.05,
    resamples: int = 10_000,
    seed: int = 0,
) -> Any:
    """Compare each method with the best one published before it; the first with the low dose.

    The best is that of the best mean, for each anatomy and metric.

    Args:
        table: results as from `evaluate`, of several trainings or several patients.
        by: how slices become one value, see `aggregate`.
        over: what the values are drawn from. "seeds": trainings, by rank tests. "patients", where
            there is one network of each method: the interval of the paired difference by
            bootstrap, p by the signed-rank test, which five patients cannot bring below 0.06. If
            None, "seeds" if a method was trained more than once.
        years: of methods that the registry of denoisers does not know, or that differ from it.
        family: columns, e.g. ("metric",), in whose every value a family of its own is corrected;
            by default all comparisons with a method are one family. Those with the low dose, which
            ask whether denoising helps at all, are always another.
        alpha: chance of any false verdict in a family.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        DataFrame, one row a comparison: method, anatomy, metric, baseline, mean, baseline_mean,
        difference, its interval (low, high; over patients only), n, n_baseline, p, superiority
        (probability of being better), p_least (the smallest p such samples allow), effect
        (rank-biserial, positive if better), p_holm (Holm) and verdict: "better", "worse" or "no
        difference". ``attrs["family"]`` states what was tested.

    Raises:
        ValueError: a year is unknown, nothing can be compared, or a value is not finite.
    """
    table = typed(table)
    order = _order(table["method"].unique(), years or {})
    if over is None:
        trained = table.dropna(subset="seed").groupby("method")["seed"].nunique()
        over = "seeds" if (trained > 1).any() else "patients"
    if over not in _TESTS:
        raise ValueError(f"Methods are compared over seeds or patients, not over {over!r}.")
    unit = "seed" if over == "seeds" else "patient"
    values = aggregate(table, by) if over == "seeds" else of_patients(table, by)
    if over == "patients" and values["patient"].isna().any():
        raise ValueError("A table with neither several seeds nor patients cannot be compared.")
    rows = []
    for (anatomy, metric), part in values.groupby(["anatomy", "metric"], sort=False):
        sign = _sign(metric)
        finite(part["value"], f"{metric}, {anatomy}")
        samples = {
            method: group.groupby(unit, dropna=False)["value"].mean()
            for method, group in part.groupby("method", sort=False)
        }
        for method, baseline in _baselines(order, samples, sign):
            test, before = samples[method], samples[baseline]
            means = test.mean(), before.mean(), test.mean() - before.mean()
            if over == "seeds":
                found = _over_seeds(test, before, sign)
            else:
                found = _over_patients(test, before, sign, resamples, seed)
            rows.append((method, anatomy, metric, baseline, *means, *found))
    if not rows:
        raise ValueError(
            f"There is nothing to compare: it takes two methods, or one and the {LOW_DOSE}."
        )
    return _judged(pandas().DataFrame(rows, columns=list(_COLUMNS)), list(family), alpha, over)


def _sign(metric: str) -> int:
    """-1 if lower is better."""
    return -1 if metric in MEASURES and MEASURES[metric].lower_is_better else 1


def _order(methods: Sequence[str], years: Mapping[str, int]) -> list[str]:
    """The methods from the oldest to the newest."""
    published = {name: method.year for name, method in METHODS.items() if method.year is not None}
    known = {**published, **years}
    unknown = [m for m in methods if m not in known and m != LOW_DOSE]
    if unknown:
        raise ValueError(
            f"When was {unknown[0]} published? compare(table, years={{{unknown[0]!r}: 2025}})."
        )
    return [LOW_DOSE, *sorted((m for m in known if m in set(methods)), key=known.__getitem__)]


def _baselines(order: list[str], samples: Mapping[str, Any], sign: int) -> list[tuple[str, str]]:
    """(method, the best before it); the low dose counts only where there is no method before."""
    there = [method for method in order if method in samples]
    pairs = []
    for i, method in enumerate(there[1:], 1):
        before = [m for m in there[:i] if m != LOW_DOSE] or there[:1]
        pairs.append((method, max(before, key=lambda m: sign * samples[m].mean())))
    return pairs


def _over_seeds(test: Any, baseline: Any, sign: int) -> tuple[Any, ...]:
    """Interval (none), sizes, and the test of values of trainings, oriented by ``sign``."""
    x, y = sign * test.to_numpy(), sign * baseline.to_numpy()
    if len(y) == 1 < len(x):
        found = signed_rank(x, y[0])
    elif len(x) == 1 < len(y):
        found = signed_rank(-y, -x[0])
    else:
        found = mann_whitney(x, y)
    return np.nan, np.nan, len(x), len(y), *found


def _over_patients(
    test: Any, baseline: Any, sign: int, resamples: int, seed: int
) -> tuple[Any, ...]:
    """Interval, sizes, and the test of paired values of patients, oriented by ``sign``."""
    if set(test.index) != set(baseline.index):
        raise ValueError("Both methods must have been judged on the same patients.")
    baseline = baseline.loc[test.index]
    interval = bootstrap(test, baseline, resamples=resamples, seed=seed)
    found = signed_rank(sign * (test - baseline))
    size = len(test)
    return interval.low, interval.high, size, size, *found


def _judged(rows: Any, family: list[str], alpha: float, over: str) -> Any:
    """Correct the p values within each family and say what they mean."""
    with_low = rows["baseline"] == LOW_DOSE
    p = rows.groupby([*(rows[name] for name in family), with_low], sort=False)["p"].transform(holm)
    effect = 2 * rows["superiority"] - 1
    words = np.where(effect > 0, "better", "worse")
    rows = rows.assign(effect=effect, p_holm=p, verdict=np.where(p < alpha, words, "no difference"))
    within = f"those of one {' and '.join(family)}" if family else "all"
    rows.attrs["family"] = (
        f"{(~with_low).sum()} comparisons with the best method published before, {with_low.sum()} "
        f"of the first method with the low dose; {_TESTS[over]}; Holm's correction over {within} "
        f"of the former, and of the latter; level {alpha:g}"
    )
    if (rows["p_least"] >= alpha).all():
        least = f"no p could fall below {rows['p_least'].min():.2g} with so few {over}"
        rows.attrs["family"] += f"; {least}"
    return rows
