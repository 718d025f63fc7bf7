"""What the recall experiment found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ldctlib.hallucinations.proportions import Recall, area, recall
from ldctlib.metrics import MEASURES


@dataclass(frozen=True)
class RemovalResults:
    """What every metric said of every image of the experiment.

    Args:
        metrics: (M,) names, from `MEASURES`.
        fractions: (Q,) shares of the structures that were removed.
        noise_hu: (N,) standard deviations of the noise.
        trade: how much more noise the image without removal had in the noise trade.
        whole: (M, N, P) values of the images from which nothing was removed.
        removed: (M, Q, N, P) values of the images with structures removed.
        noisier: (M, N, P) values of images with nothing removed and more noise.
        counts: (Q,) numbers of structures removed.
        changed: (Q, P) shares of the voxels that changed.
        power_hu2: (Q, P) sums of the squared changes; see `rmse_recall`.
    """

    metrics: tuple[str, ...]
    fractions: tuple[float, ...]
    noise_hu: tuple[float, ...]
    trade: float
    whole: np.ndarray
    removed: np.ndarray
    noisier: np.ndarray
    counts: tuple[int, ...]
    changed: np.ndarray
    power_hu2: np.ndarray

    def recall(self, metric: str, fraction: float, noise_hu: float) -> Recall:
        """How often the image with structures removed was called worse, at equal noise."""
        worse, whole, _ = self._errors(metric, fraction, noise_hu)
        return recall(worse, whole)

    def area(self, metric: str, fraction: float, noise_hu: float) -> float:
        """`recall` over all pairs of images, not only those that were drawn together."""
        worse, whole, _ = self._errors(metric, fraction, noise_hu)
        return area(worse, whole)

    def trade_recall(self, metric: str, fraction: float, noise_hu: float) -> Recall:
        """How often the image with structures removed was called worse than a noisier whole one.

        This is the choice that denoising offers: a little less noise for a little less anatomy.
        """
        worse, _, noisier = self._errors(metric, fraction, noise_hu)
        return recall(worse, noisier)

    def rows(self) -> list[dict[str, Any]]:
        """One row for every metric, fraction and noise."""
        return [
            {
                "metric": metric,
                "fraction": fraction,
                "structures": self.counts[q],
                "voxels_percent": 100 * float(self.changed[q].mean()),
                "noise_hu": noise,
                **self.recall(metric, fraction, noise)._asdict(),
                "auc": self.area(metric, fraction, noise),
                "trade_recall": self.trade_recall(metric, fraction, noise).recall,
            }
            for metric in self.metrics
            for q, fraction in enumerate(self.fractions)
            for noise in self.noise_hu
        ]

    def table(self) -> Any:
        """`rows` as a pandas table."""
        import pandas

        return pandas.DataFrame(self.rows())

    def _errors(self, metric: str, fraction: float, noise_hu: float) -> tuple[np.ndarray, ...]:
        m, q, n = (
            _position(known, wanted, what)
            for known, wanted, what in (
                (self.metrics, metric, "metric"),
                (self.fractions, fraction, "fraction"),
                (self.noise_hu, noise_hu, "noise"),
            )
        )
        sign = 1 if MEASURES[metric].lower_is_better else -1
        values = self.removed[m, q, n], self.whole[m, n], self.noisier[m, n]
        return tuple(sign * v for v in values)


def _position(known: Sequence[Any], wanted: Any, what: str) -> int:
    if wanted not in known:
        raise ValueError(f"There is no {what} {wanted!r} in these results, only {known}.")
    return known.index(wanted)
