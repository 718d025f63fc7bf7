"""The excess of an error: its freedom pair by pair, and its law in reconstructed noise."""

import numpy as np
import pytest
from coloured import discs, pairwise_freedom, reconstructed
from scipy.stats import norm

from ldctlib.hallucinations.excess import excess, freedom
from ldctlib.masks import Masks
from ldctlib.metrics import noise_autocorrelation, srmse

COUNT, SHIFTS = 400, 3


def test_freedom_is_the_sum_over_all_pairs_of_pixels():
    random = np.random.default_rng(2)
    table = random.uniform(-0.4, 0.6, (7, 7))
    table = (table + table[::-1, ::-1]) / 2
    table[3, 3] = 1
    volumes = {str(i): random.uniform(size=(2, 9, 11)) < 0.1 + 0.2 * i for i in range(5)}
    expected = [pairwise_freedom(volume, table) for volume in volumes.values()]
    masks = Masks.from_volumes(volumes)
    np.testing.assert_allclose(freedom(masks, table), expected, rtol=1e-10)
    np.testing.assert_allclose(freedom(masks, np.ones((1, 1))), masks.areas, rtol=1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
@pytest.mark.parametrize("radius", [2, 4, 8])
def test_three_standard_deviations_are_three(radius, correlation):
    """Every image is paired with three others, so that a segment gives three values."""
    noise, masks = reconstructed(COUNT), discs(radius, COUNT)
    few = discs(radius, 8)
    table = noise_autocorrelation(noise[:8], 0 * noise[:8], few)
    nu = np.tile(freedom(few, table), COUNT // 8)
    own, other = correlation, np.sqrt(1 - correlation**2)
    u, found, white = srmse(noise, 0 * noise, masks), [], []
    for shift in range(1, SHIFTS + 1):
        error = own * noise + other * np.roll(noise, 17 * shift, axis=0)
        v = srmse(error, 0 * noise, masks)
        found.append(excess(u, v, srmse(error, noise, masks), nu))
        white.append(np.log(v / u) * np.sqrt(2 * masks.areas))
    found, white = np.array(found), np.array(white)
    independent = found.size / 2  # segments, and the errors of one in a second pairing
    assert found.std() == pytest.approx(1, abs=0.04 + 4 / np.sqrt(2 * independent))
    # a normal law, give or take the 5 and 25 % by which a few independent pixels have wider tails
    for limit, wider in ((2, 0.05), (3, 0.25)):
        rate = norm.sf(limit)
        chance = 4 * np.sqrt(rate / independent)
        assert (found > limit).mean() == pytest.approx(rate, abs=wider * rate + chance)
    if correlation == 0:
        assert (white > 3).mean() > 20 * norm.sf(3)  # white noise and one random error


def test_errors_that_noise_cannot_tell():
    u = np.array([10.0, 10.0, 11.0, 0.0, 0.0, 10.0])
    v = np.array([10.0, 11.0, 10.0, 0.0, 5.0, 90.0])
    s = np.array([0.0, 1.0, 1.0, 0.0, 5.0, 80.0])
    z = excess(u, v, s, np.array([9.0, 9.0, 9.0, 9.0, 9.0, 1.0]))
    assert z[0] == z[3] == z[5] == 0  # the same; no error at all; one pixel
    assert z[1] == -z[2] > 3  # one error scaled, so that chance has no part in it
    assert z[4] > 3  # an error where there was none
    assert np.isfinite(z).all()
