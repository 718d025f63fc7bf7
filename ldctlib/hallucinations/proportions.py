"""How often a metric says that the worse image is worse: counts, intervals, areas, and theory."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata


class Recall(NamedTuple):
    """A recall and its confidence interval.

    Args:
        recall: share of the pairs in which the worse image was found; a tie counts half.
        low: lower end of the interval.
        high: upper end.
    """

    recall: float
    low: float
    high: float


def wilson(successes: float, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion; ``successes`` may be halves, from ties.

    Raises:
        ValueError: no trials, or successes that are none of them.

    Source: Wilson, J. Am. Stat. Assoc. 22, 209 (1927), doi:10.1080/01621459.1927.10502953.

    >>> [round(end, 4) for end in wilson(100, 100)]
    [0.963, 1.0]
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no proportion.")
    if not 0 < confidence < 1:
        raise ValueError(f"A confidence lies between 0 and 1, not at {confidence}.")
    z, share = NormalDist().inv_cdf((1 + confidence) / 2), successes / trials
    centre = share + z * z / (2 * trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def recall(worse: np.ndarray, better: np.ndarray, confidence: float = 0.95) -> Recall:
    """How often the worse image of a pair has the larger error.

    Args:
        worse: (pairs,) errors of the images that are worse; larger is worse.
        better: (pairs,) errors of the others.
        confidence: of the interval.

    Raises:
        ValueError: there are no pairs.

    >>> recall(np.array([2.0, 3.0, 1.0, 1.0]), np.array([1.0, 1.0, 1.0, 2.0])).recall
    0.625
    """
    worse, better = np.asarray(worse, float), np.asarray(better, float)
    if worse.shape != better.shape or worse.ndim != 1 or not len(worse):
        raise ValueError("A recall needs pairs: two lists of one length, not empty.")
    found = float((worse > better).sum() + (worse == better).sum() / 2)
    return Recall(found / len(worse), *wilson(found, len(worse), confidence))


def area(worse: np.ndarray, better: np.ndarray) -> float:
    """Area under the ROC curve: `recall` over all pairs of a worse and a better image.

    >>> area(np.array([1.0, 3.0]), np.array([0.0, 2.0]))
    0.75
    """
    ranks = rankdata(np.concatenate([worse, better]))[: len(worse)]
    n, m = len(worse), len(better)
    return float((ranks.sum() - n * (n + 1) / 2) / (n * m))


def rmse_recall(change_hu: np.ndarray, noise_hu: float, voxels: int | None = None) -> float:
    """The recall of RMSE, by theory, when white noise hides a change of the image.

    The sum of squared errors of the changed image exceeds that of the other by the change's own
    sum of squares S, give or take the spread 4 N sigma^4 + 4 S sigma^2 (variance) of the noise of
    N voxels in two images. RMSE is at a loss once S is small against 2 sqrt(N) sigma^2. The
    coloured noise of CT spreads more: its first term is larger by the sum of its squared
    autocorrelation over all distances, and RMSE finds less than this says.

    Args:
        change_hu: what was removed, any shape; zeros do not matter.
        noise_hu: standard deviation of the noise, above 0.
        voxels: N, of the volume; the size of ``change_hu`` if None.

    Returns:
        Probability that the changed image has the larger RMSE; for many voxels.

    Raises:
        ValueError: no noise.

    >>> [round(rmse_recall(np.full(700, 60.0), s, 40 * 256**2), 2) for s in (10, 40, 160)]
    [1.0, 0.69, 0.51]
    """
    if not noise_hu > 0:
        raise ValueError(f"Theory needs noise above 0 HU, not {noise_hu}.")
    power = float(np.square(change_hu, dtype=np.float64).sum())
    n = np.size(change_hu) if voxels is None else voxels
    return NormalDist().cdf(power / sqrt(4 * n * noise_hu**4 + 4 * power * noise_hu**2))
