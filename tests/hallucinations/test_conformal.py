"""Conformal thresholds hold their rate on the next patient, and multiplicity its own."""

import numpy as np
import pytest

from ldctlib.hallucinations import conformal_threshold


def patient(rng):
    """Scores that depend on each other within a patient, with heavy tails: a level of its own."""
    level = rng.lognormal(0, 0.5)
    return level * np.abs(rng.standard_t(3, rng.integers(20, 60)))


@pytest.mark.parametrize(("alpha", "count"), [(0.05, 40), (0.2, 9)])
def test_the_share_of_flagged_segments_of_the_next_patient(alpha, count):
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(1500):
        limit = conformal_threshold([patient(rng) for _ in range(count)], alpha)
        shares.append((patient(rng) > limit).mean())
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) < alpha + 3 * error
    assert np.mean(shares) > alpha - 1.5 / (count + 1) - 3 * error  # valid, and not for nothing


@pytest.mark.parametrize(("alpha", "count"), [(0.05, 40), (0.2, 9)])
def test_the_chance_of_any_false_alarm_in_the_next_patient(alpha, count):
    rng = np.random.default_rng(2)
    alarms = []
    for _ in range(1500):
        limit = conformal_threshold([patient(rng) for _ in range(count)], alpha, per="patient")
        alarms.append((patient(rng) > limit).any())
    error = np.sqrt(alpha * (1 - alpha) / len(alarms))
    exact = 1 - np.ceil((count + 1) * (1 - alpha) - 1e-9) / (count + 1)
    assert exact <= alpha
    assert abs(np.mean(alarms) - exact) < 4 * error


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.31])
def test_the_threshold_is_the_lowest_that_keeps_the_bound(alpha):
    rng = np.random.default_rng(3)
    patients = [np.round(patient(rng), 1) for _ in range(30)]  # rounded: there are ties
    limit = conformal_threshold(patients, alpha)

    def risk(t):
        return (sum((s > t).mean() for s in patients) + 1) / (len(patients) + 1)

    lower = [t for t in np.unique(np.concatenate(patients)) if t < limit]
    assert risk(limit) <= alpha
    assert all(risk(t) > alpha for t in lower)


def test_too_few_patients_are_refused():
    with pytest.raises(ValueError, match="at least 19"):
        conformal_threshold([np.ones(3)] * 18, 0.05)
    conformal_threshold([np.ones(3)] * 19, 0.05)
    conformal_threshold([np.ones(3)] * 19, 0.05, per="patient")


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        ([[1.0], []], {}, "needs segments"),
        ([[1.0], [np.nan]], {}, "finite"),
        ([[1.0]] * 20, {"alpha": 1.0}, "between 0 and 1"),
        ([[1.0]] * 20, {"per": "slice"}, "per 'segment' or per 'patient'"),
    ],
)
def test_bad_calibrations(scores, options, message):
    with pytest.raises(ValueError, match=message):
        conformal_threshold([np.array(s) for s in scores], **options)
