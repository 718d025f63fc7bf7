"""The two pictures of a search: how it went, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ldctlib.training.study import new_study
from ldctlib.viewing import figure
from ldctlib.viewing.figures import LINE_COLOURS, Figure

if TYPE_CHECKING:
    from ldctlib.training.search import Search

# Of PED-ANOVA: at least this many trials have to be among the best.
BEST_TRIALS = 5


def plot_history(searches: Mapping[str, Search]) -> Figure:
    """SSIM of every trial as a dot, the best so far as a line, failed trials as crosses."""
    from matplotlib import pyplot

    fig, ax = pyplot.subplots(figsize=(6.4, 3.6), layout="constrained")
    told = []
    for (name, found), colour in zip(searches.items(), LINE_COLOURS * 2, strict=False):
        score = np.array([row["ssim"] for row in found.rows], float)
        trial = np.arange(1, len(score) + 1)
        ax.plot(trial, score, "o", color=colour, alpha=0.5, markersize=4)
        if np.isfinite(score).any():
            best = np.fmax.accumulate(score)
            ax.step(trial, best, where="post", color=colour, label=f"{name}, best so far")
            told.append(f"{name} reaches {best[-1]:.4f} after {len(trial)} trials")
        failed = trial[np.isnan(score)]
        height = ax.get_xaxis_transform()
        ax.plot(failed, np.full(len(failed), 0.02), "x", color=colour, transform=height)
    ax.set(xlabel="trial", ylabel="validation SSIM")
    ax.legend()
    return figure(fig, alt="Validation SSIM of each trial: " + "; ".join(told) + ".")


def importance(search: Search) -> dict[str, float]:
    """Share of each hyper-parameter in what sets the best trials apart from the rest.

    Raises:
        ValueError: fewer than ten trials have succeeded.

    Source: PED-ANOVA, Watanabe et al. 2023, doi:10.24963/ijcai.2023/488.
    """
    import optuna

    done = [trial for trial in search.study.counted if "problem" not in trial.user_attrs]
    if len(done) < 2 * BEST_TRIALS:
        raise ValueError(f"Importance takes {2 * BEST_TRIALS} trials or more, not {len(done)}.")
    only_done = new_study(None, "done")
    only_done.add_trials(done)
    quantile = max(0.1, BEST_TRIALS / len(done))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    shares = optuna.importance.get_param_importances(only_done, evaluator=evaluator)
    return {name: float(share) for name, share in shares.items()}


def plot_importance(search: Search) -> Figure:
    """`importance` as bars, the largest on top."""
    from matplotlib import pyplot

    shares = importance(search)
    fig, ax = pyplot.subplots(figsize=(6.4, 0.8 + 0.35 * len(shares)), layout="constrained")
    ax.barh([name.replace("_", " ") for name in shares], list(shares.values()), color="#0072b2")
    ax.invert_yaxis()
    ax.set(xlabel="importance for being among the best trials")
    told = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    return figure(fig, alt=f"Importance of the hyper-parameters: {told}.")
