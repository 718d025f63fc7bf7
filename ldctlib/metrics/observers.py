"""The channelised Hotelling observer, trained and judged on images with and without a signal.

Two ways to judge it. `cho` uses all images for the observer that infinitely many would train, with
a confidence interval that is exact for normal channel outputs; few images suffice. `cho_split`
trains on some images and counts pairs of the others: no model of the scores, but worse and wider,
because it judges an observer that has seen only half of the images.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import fdtr, ncfdtr

from ldctlib.metrics.roc import auc_from_dprime, auc_interval, check_level


class Detection(NamedTuple):
    """How well an observer detects a signal.

    Args:
        dprime: detectability, the separation of the scores in standard deviations.
        auc: area under the ROC curve.
        low, high: confidence interval of ``auc``.
        interval: "exact" or "score".
    """

    dprime: float
    auc: float
    low: float
    high: float
    interval: str


def cho(
    present: Any,
    absent: Any,
    channels: Any,
    *,
    internal_noise: float = 0.0,
    level: float = 0.95,
) -> Detection:
    """Channelised Hotelling observer from all images, with an exact interval.

    Channel outputs v = Uᵀg have means that differ by Δ and the pooled covariance S. For normal v of
    equal covariance, Hotelling's T² = NM/(N+M) Δᵀ S⁻¹ Δ is, up to a factor, noncentral F with
    noncentrality NM/(N+M) d'². The interval inverts this distribution, and so does the estimate:
    it is the d' for which the T² found is the median, as often too high as too low (0 if even a
    signal of no strength would mostly give more). An interval that ends at an area of ½ says that
    the images show less difference than chance alone gives in 97.5 % of cases.

    Args:
        present: (N, H, W) images with the signal in the middle.
        absent: (M, H, W) images without, independent of the others and of each other.
        channels: (C, H, W), e.g. from `laguerre_gauss_channels`; N + M - 2 at least C. One channel,
            the signal itself, makes a non-prewhitening observer.
        internal_noise: standard deviation that the observer adds to its score, as a multiple of
            the score's own standard deviation: d' falls by 1/√(1 + internal_noise²).
        level: of the confidence interval.

    Raises:
        ValueError: shapes do not fit, or there are too few images for the channels.

    Source: Wunderlich, Noo, Gallas and Heilbrun, IEEE Trans. Med. Imaging 34, 453 (2015),
        doi:10.1109/TMI.2014.2360496; internal noise: Eck et al., Proc. SPIE 9037, 90370P (2014),
        doi:10.1117/12.2043335.

    >>> rng = np.random.default_rng(0)
    >>> absent, present = rng.normal(0, 10, (2, 200, 16, 16))
    >>> present += 5 * (np.hypot(*(np.indices((16, 16)) - 7.5)) < 2)
    >>> from ldctlib.metrics.channels import laguerre_gauss_channels
    >>> found = cho(present, absent, laguerre_gauss_channels((16, 16), 4.0))
    >>> print(f"{found.auc:.2f} ({found.low:.2f} to {found.high:.2f})")
    0.87 (0.84 to 0.90)
    """
    check_level(level)
    if not internal_noise >= 0:
        raise ValueError(f"Internal noise is not negative: {internal_noise}.")
    v1, v0 = _outputs(present, absent, channels)
    n, m, c = len(v1), len(v0), v1.shape[1]
    delta, covariance = _statistics(v1, v0)
    weight, freedom = n * m / (n + m), n + m - c - 1
    f = weight * float(delta @ np.linalg.solve(covariance, delta)) * freedom / (c * (n + m - 2))
    tails = (0.5, (1 + level) / 2, (1 - level) / 2)
    d = [np.sqrt(_noncentrality(f, c, freedom, p) / weight) for p in tails]
    dprime, low, high = (float(x / np.sqrt(1 + internal_noise**2)) for x in d)
    return Detection(
        dprime, auc_from_dprime(dprime), auc_from_dprime(low), auc_from_dprime(high), "exact"
    )


def cho_split(
    present: Any,
    absent: Any,
    channels: Any,
    *,
    train: float = 0.5,
    internal_noise: float = 0.0,
    level: float = 0.95,
    seed: int = 0,
) -> Detection:
    """Channelised Hotelling observer trained on some images and tested on the others.

    The area is counted over the test pairs and the interval is that of `auc_interval`: unbiased
    for the observer that was trained here, which is worse than the one that `cho` judges. The
    interval leaves out that other training images would have given another observer.

    Args:
        present: as for `cho`.
        absent: as for `cho`.
        channels: as for `cho`.
        train: fraction of the images of each kind, drawn at random, that train the observer.
        internal_noise: as for `cho`; drawn and added to the scores of the test images.
        level: of the confidence interval.
        seed: of the split and the internal noise.

    Returns:
        ``dprime`` is the difference of the mean test scores over their pooled standard deviation.

    Raises:
        ValueError: shapes do not fit, or too few images train or test.
    """
    check_level(level)
    if not (internal_noise >= 0 and 0 < train < 1):
        raise ValueError("Internal noise is not negative and the fraction to train in (0, 1).")
    v1, v0 = _outputs(present, absent, channels)
    rng = np.random.default_rng(seed)
    training, test = [], []
    for v in (v1, v0):
        order, cut = rng.permutation(len(v)), round(train * len(v))
        if min(cut, len(v) - cut) < 2:
            raise ValueError(f"{len(v)} images are too few to train on {train:.0%} and test.")
        training.append(v[order[:cut]])
        test.append(v[order[cut:]])
    delta, covariance = _statistics(*training)
    template = np.linalg.solve(covariance, delta)
    t1, t0 = (v @ template for v in test)
    spread = internal_noise * np.sqrt((t1.var(ddof=1) + t0.var(ddof=1)) / 2)
    t1, t0 = (t + rng.normal(0, 1, len(t)) * spread for t in (t1, t0))
    dprime = float((t1.mean() - t0.mean()) / np.sqrt((t1.var(ddof=1) + t0.var(ddof=1)) / 2))
    return Detection(dprime, *auc_interval(t1, t0, level=level), "score")


def _outputs(present: Any, absent: Any, channels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Channel outputs (N, C) and (M, C)."""
    u = np.asarray(channels, np.float64)
    stacks = [np.asarray(images, np.float64) for images in (present, absent)]
    if u.ndim != 3 or any(s.ndim != 3 or s.shape[1:] != u.shape[1:] for s in stacks):
        raise ValueError(
            "Images (N, H, W) and channels (C, H, W) have one size; got "
            f"{stacks[0].shape}, {stacks[1].shape} and {u.shape}."
        )
    if not all(np.isfinite(s).all() for s in stacks):
        raise ValueError("An image holds values that are not finite.")
    flat = u.reshape(len(u), -1).T
    v1, v0 = (s.reshape(len(s), -1) @ flat for s in stacks)
    return v1, v0


def _statistics(v1: np.ndarray, v0: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference of the mean channel outputs and their pooled covariance."""
    n, m, c = len(v1), len(v0), v1.shape[1]
    if min(n, m) < 1 or n + m - 2 < c:
        raise ValueError(
            f"{n} images with and {m} without the signal are too few for {c} channels: take fewer "
            "channels or more images."
        )
    residuals = np.concatenate([v1 - v1.mean(axis=0), v0 - v0.mean(axis=0)])
    covariance = residuals.T @ residuals / (n + m - 2)
    scale = np.sqrt(np.diag(covariance))
    if not scale.all() or np.linalg.cond(covariance / np.outer(scale, scale)) > 1e12:
        raise ValueError("The channels are not independent on these images: take fewer of them.")
    return v1.mean(axis=0) - v0.mean(axis=0), covariance


def _noncentrality(f: float, c: int, freedom: int, probability: float) -> float:
    """The noncentrality for which F lies below ``f`` with a probability; 0 if there is none."""
    if fdtr(c, freedom, f) <= probability:
        return 0.0
    upper = c * f + 1.0
    while ncfdtr(c, freedom, upper, f) > probability:
        upper *= 2
    root: float = brentq(lambda x: ncfdtr(c, freedom, x, f) - probability, 0, upper, rtol=1e-10)
    return root
