"""Adjusted p values agree with their definitions and with scipy, and keep their promises."""

import numpy as np
import pytest
from scipy import stats

from ldctlib.metrics import adjusted, holm, multiplicity_threshold


def test_holm_by_hand():
    # sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and never less than the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([0.2]) == pytest.approx([0.2])
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([1.2])


def test_adjusted_agrees_with_scipy_and_with_the_definitions():
    p = np.random.default_rng(0).random(50) ** 3
    np.testing.assert_allclose(adjusted(p), stats.false_discovery_control(p, method="bh"))
    np.testing.assert_allclose(adjusted(p, "bonferroni"), np.minimum(50 * p, 1))
    np.testing.assert_array_equal(adjusted(p, "none"), p)
    assert (p <= adjusted(p, "holm")).all()
    assert (adjusted(p, "holm") <= adjusted(p, "bonferroni")).all()
    assert len(adjusted(p[:0])) == 0


def test_bad_p_values():
    with pytest.raises(ValueError, match="between 0 and 1"):
        adjusted(np.array([0.1, np.nan]))
    with pytest.raises(ValueError, match="not 'sidak'"):
        adjusted(np.array([0.1]), "sidak")


def test_thresholds_keep_their_promise_on_noise():
    random = np.random.default_rng(7)
    z = random.standard_normal((2000, 200))
    alarms = [np.abs(row).max() > multiplicity_threshold(row, 0.1) for row in z]
    assert np.mean(alarms) == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / 2000))
    found = [multiplicity_threshold(row, 0.1, "benjamini-hochberg") for row in z]
    assert np.mean(np.isfinite(found)) == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / 2000))


def test_benjamini_hochberg_finds_more_where_much_is_wrong():
    z = np.concatenate([np.random.default_rng(8).standard_normal(900), np.linspace(3, 6, 100)])
    one, share = (multiplicity_threshold(z, 0.05, c) for c in ("bonferroni", "benjamini-hochberg"))
    assert 2 < share < one


def test_bad_thresholds():
    with pytest.raises(ValueError, match="needs values"):
        multiplicity_threshold(np.zeros(0))
    with pytest.raises(ValueError, match="benjamini"):
        multiplicity_threshold(np.zeros(3), correction="none")
