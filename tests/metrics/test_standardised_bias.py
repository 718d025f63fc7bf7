"""Standardised bias: exact correlation areas, and unit variance on noise of several grains."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from ldctlib.masks import Masks
from ldctlib.metrics import multiplicity_threshold, standardised_bias
from ldctlib.metrics.residual_noise import correlation_areas, local_noise, noise_autocorrelation
from ldctlib.metrics.standardised_bias import gaussian_grain

SHAPE = (8, 192, 192)


def cells(size, shape=SHAPE, seed=0):
    """Slices cut into cells of about ``size`` pixels, each nearest to its own random point."""
    random = np.random.default_rng(seed)
    count = shape[1] * shape[2] // size
    places = np.stack(np.mgrid[: shape[1], : shape[2]], -1).reshape(-1, 2)
    nearest = [
        cKDTree(random.uniform(0, shape[1:], (count, 2))).query(places)[1] + z * count
        for z in range(shape[0])
    ]
    labels = np.reshape(nearest, shape)
    return Masks.from_label_map(labels, {i: str(i) for i in range(count * shape[0])})


def filtered(grain, sigma=20.0, seed=1, shape=SHAPE):
    """Noise with a known power: white, blurred by ``grain`` pixels, or like a ramp filter's."""
    white = np.random.default_rng(seed).standard_normal(shape)
    if grain == "ramp":
        f = np.hypot(np.fft.fftfreq(shape[1])[:, None], np.fft.rfftfreq(shape[2])[None])
        transfer = np.sqrt(f) * np.cos(np.pi * np.minimum(f, 0.5))
        coloured = np.fft.irfft2(np.fft.rfft2(white) * transfer, shape[1:])
    else:
        coloured = gaussian_filter(white, (0, grain, grain), mode="wrap")
    return sigma * coloured / coloured.std()


def test_correlation_area_is_the_sum_over_all_pairs_of_pixels():
    random = np.random.default_rng(2)
    table = random.uniform(-0.3, 0.6, (7, 7))
    table = (table + table[::-1, ::-1]) / 2
    table[3, 3] = 1
    volumes = {str(i): random.uniform(size=(2, 9, 11)) < 0.1 + 0.2 * i for i in range(5)}
    expected = []
    for volume in volumes.values():
        places, total = np.argwhere(volume), 0.0
        for z, y, x in places:
            for w, v, u in places:
                if z == w and abs(v - y) <= 3 and abs(u - x) <= 3:
                    total += table[v - y + 3, u - x + 3]
        expected.append(total / len(places))
    masks = Masks.from_volumes(volumes)
    np.testing.assert_allclose(correlation_areas(masks, table), expected, rtol=1e-10)
    np.testing.assert_allclose(correlation_areas(masks, np.ones((1, 1))), 1, rtol=1e-12)


def test_a_segment_much_larger_than_the_grain_has_the_area_of_the_grain():
    large = Masks.from_volumes({"all": np.ones((1, 900, 1000), bool)})
    assert correlation_areas(large, gaussian_grain(9.0))[0] == pytest.approx(9, rel=0.01)


@pytest.mark.parametrize("grain", [0, 1, 2, "ramp"])
@pytest.mark.parametrize("size", [30, 300])
def test_noise_alone_gives_unit_variance(grain, size):
    masks = cells(size)
    masks = masks.select(np.arange(len(masks)) < 2500)
    z = standardised_bias(filtered(grain), np.zeros(SHAPE), masks)
    # The variance of S independent values is known to sqrt(2 / S); neighbours are not independent.
    assert z.var() == pytest.approx(1, abs=0.03 + 3.5 * np.sqrt(2 / len(masks)))
    assert abs(z.mean()) < 0.1
    assert np.abs(z).max() < 6


def test_without_the_correction_coloured_noise_looks_like_a_bias():
    masks, noise = cells(300), filtered(1)
    plain = standardised_bias(noise, np.zeros(SHAPE), masks, sigma_hu=20, correlation_px=1)
    corrected = standardised_bias(
        noise, np.zeros(SHAPE), masks, sigma_hu=20, correlation_px=4 * np.pi
    )
    assert plain.var() > 8
    assert corrected.var() == pytest.approx(1, abs=0.15)


def test_noise_level_is_local_and_its_grain_is_found():
    noise = filtered(1)
    level = np.linspace(0.5, 2, SHAPE[2])  # HU per HU, from left to right
    masks = cells(300)
    sigma = local_noise(noise * level, np.zeros(SHAPE), masks)
    centre = masks.bounding_boxes[:, 4:].mean(1)
    inside = (centre > 32) & (centre < SHAPE[2] - 32)
    expected = 20 * np.interp(centre, np.arange(SHAPE[2]), level)
    np.testing.assert_allclose(sigma[inside], expected[inside], rtol=0.2)
    assert (sigma / expected)[inside].mean() == pytest.approx(1, abs=0.03)
    table = noise_autocorrelation(noise * level, np.zeros(SHAPE), masks)
    y, x = np.mgrid[-10:11, -10:11]
    np.testing.assert_allclose(table, np.exp(-(y**2 + x**2) / 4), atol=0.03)
    z = standardised_bias(noise * level, np.zeros(SHAPE), masks)
    assert z.var() == pytest.approx(1, abs=0.15)


def test_whole_numbers_are_no_worse_than_fractions():
    noise, masks = filtered(1, sigma=6.0), cells(300)
    z, whole = (standardised_bias(n, np.zeros(SHAPE), masks) for n in (noise, np.rint(noise)))
    np.testing.assert_allclose(whole, z, atol=0.25)


def test_a_lost_lesion_stands_out_of_noise_that_hides_it():
    noise, masks = filtered(1), cells(300)
    reference = np.zeros(SHAPE)
    at = int(np.argmin(np.abs(masks.areas - 300)))
    reference[masks.boolean(at)] = 25.0
    z = standardised_bias(noise, reference, masks)
    assert z[at] < -multiplicity_threshold(z)
    assert np.count_nonzero(np.abs(z) > multiplicity_threshold(z)) == 1
    assert standardised_bias(noise, -reference, masks)[at] > 4


def test_padding_is_not_noise():
    noise, masks = filtered(1), cells(300)
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    outside = np.hypot(y - 96, x - 96) > 80
    test, reference = np.where(outside, -1024, noise), np.where(outside, np.full(SHAPE, -1024.0), 0)
    inside = masks.select(masks.sum_over(np.broadcast_to(outside, SHAPE)) == 0)
    z = standardised_bias(test, reference, inside)
    assert z.var() == pytest.approx(1, abs=0.2)


def test_given_noise_may_be_a_number_one_a_segment_or_a_map():
    masks, noise = cells(300), filtered(0)
    z = [
        standardised_bias(noise, np.zeros(SHAPE), masks, sigma_hu=sigma, correlation_px=1)
        for sigma in (5.0, np.full(len(masks), 5.0), np.full(SHAPE, 5.0))
    ]
    totals = masks.sum_over(noise)
    for found in z:
        np.testing.assert_allclose(found, totals / np.sqrt(masks.areas) / 5, rtol=1e-9)
    table = standardised_bias(
        noise, np.zeros(SHAPE), masks, sigma_hu=5.0, correlation_px=gaussian_grain(3)
    )
    area = standardised_bias(noise, np.zeros(SHAPE), masks, sigma_hu=5.0, correlation_px=3)
    np.testing.assert_array_equal(table, area)


def test_bad_input_gets_one_clear_sentence():
    masks, zeros = cells(300), np.zeros(SHAPE)
    for options, message in [
        ({}, "do not differ by noise"),
        ({"sigma_hu": -1.0}, "positive number"),
        ({"sigma_hu": np.ones(3)}, "positive number"),
        ({"sigma_hu": np.zeros(SHAPE)}, "positive number"),
        ({"sigma_hu": 1.0, "correlation_px": 0.5}, "at least 1 pixel"),
        ({"sigma_hu": 1.0, "correlation_px": np.ones((2, 2))}, "in its centre"),
    ]:
        with pytest.raises(ValueError, match=message):
            standardised_bias(zeros, zeros, masks, **options)
    assert standardised_bias(zeros, zeros, masks.select([])).shape == (0,)
