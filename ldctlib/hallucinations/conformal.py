"""Thresholds that hold a stated false-alarm rate, whatever the scores are distributed like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def conformal_threshold(
    scores: Sequence[np.ndarray], alpha: float = 0.05, per: str = "segment"
) -> float:
    """The score above which a segment is flagged, from patients without hallucinations.

    The patients are exchangeable with the next one: same scanner, dose and denoiser, and segments
    found in the same way. Segments of one patient may depend on each other in any way.

    Args:
        scores: one array of scores a patient, higher is worse, such as `Flags.scores`.
        alpha: false-alarm rate, in (0, 1).
        per: "segment": the expected share of the next patient's segments that are flagged is at
            most ``alpha``. "patient": the probability that any of them is flagged is.

    Returns:
        The threshold; flag what lies above it. It holds for any number of patients, without an
        assumption on the scores.

    Raises:
        ValueError: fewer patients than 1 / alpha - 1, with which no threshold can hold the rate.

    Source: per patient, split conformal prediction with the largest score of a patient, Lei et al.
    2018, doi:10.1080/01621459.2017.1307116; per segment, conformal risk control, Angelopoulos et
    al. 2024, doi:10.48550/arXiv.2208.02814, whose risk is the share of flagged segments.

    >>> rng = np.random.default_rng(0)
    >>> patients = [rng.normal(size=400) for _ in range(100)]
    >>> limit = conformal_threshold(patients, 0.05)
    >>> next_patient = rng.normal(size=100_000)
    >>> round(limit, 2), round(float((next_patient > limit).mean()), 3)
    (1.74, 0.041)
    """
    if not 0 < alpha < 1:
        raise ValueError(f"A false-alarm rate lies between 0 and 1, not at {alpha}.")
    if per not in ("segment", "patient"):
        raise ValueError(f"A false-alarm rate is per 'segment' or per 'patient', not {per!r}.")
    patients = [np.sort(np.asarray(s, np.float64).ravel()) for s in scores]
    if any(len(s) == 0 or not np.isfinite(s).all() for s in patients):
        raise ValueError("Every patient of a calibration needs segments, with finite scores.")
    least = math.ceil(1 / alpha - 1 - 1e-9)
    if len(patients) < least:
        raise ValueError(
            f"{len(patients)} patients cannot hold a false-alarm rate of {alpha:g}: calibrate "
            f"with at least {least}, or allow more false alarms."
        )
    if per == "patient":
        rank = math.ceil((len(patients) + 1) * (1 - alpha) - 1e-9)
        return float(np.sort([s[-1] for s in patients])[rank - 1])
    # the mean share of flagged segments, with a last patient of whom all are flagged, <= alpha
    allowed = alpha * (len(patients) + 1) - 1
    values = np.concatenate(patients)
    weights = np.concatenate([np.full(len(s), 1 / len(s)) for s in patients])
    order = np.argsort(-values, kind="stable")
    flagged = np.cumsum(weights[order])
    # a threshold at the k-th largest score flags the k - 1 above it
    k = int(np.searchsorted(flagged, allowed + 1e-9, side="right"))
    return float(values[order][min(k, len(values) - 1)])
