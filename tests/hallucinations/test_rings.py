"""Rings and contrasts, against a distance computed pixel by pixel."""

import numpy as np
import pytest
from coloured import discs, pairwise, reconstructed

from ldctlib.hallucinations.rings import contrast, contrast_noise, rings
from ldctlib.masks import Masks
from ldctlib.metrics import noise_autocorrelation
from ldctlib.metrics.residual_noise import correlation_areas


def distances(inside):
    """From every pixel to the nearest one of a mask, by trying all of them."""
    y, x = np.indices(inside.shape)
    points = np.argwhere(inside)
    return np.sqrt(
        ((y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2).min(-1)
    )


def blobs(shape=(4, 24, 20), count=12, seed=0):
    rng = np.random.default_rng(seed)
    found = {}
    for i in range(count):
        volume = np.zeros(shape, bool)
        z, y, x = (int(rng.integers(0, n)) for n in shape)
        volume[z : z + 2, y : y + rng.integers(1, 9), x : x + rng.integers(1, 7)] = True
        volume &= rng.random(shape) < 0.7
        if volume.any():
            found[str(i)] = volume
    return found


@pytest.mark.parametrize(("gap", "width"), [(1, 3), (0, 1), (2.5, 2)])
def test_a_ring_is_what_lies_at_these_distances_in_the_slices_of_its_mask(gap, width):
    volumes = blobs()
    around = rings(Masks.from_volumes(volumes), gap, width)
    assert around.labels == tuple(volumes)
    for i, volume in enumerate(volumes.values()):
        expected = np.zeros_like(volume)
        for z in np.flatnonzero(volume.any((1, 2))):
            d = distances(volume[z])
            expected[z] = (d > gap) & (d <= gap + width)
        np.testing.assert_array_equal(around.boolean(i), expected)


def test_contrast_is_the_step_of_a_disc_and_blind_to_a_ramp():
    y, x = np.indices((40, 40))
    disc = np.hypot(y - 20, x - 20) < 6
    masks = Masks.from_slices([(0, disc)], (1, 40, 40))
    hu = (100 + 7.0 * x + np.where(disc, -30.0, 0.0))[None]
    np.testing.assert_allclose(contrast(hu, masks, rings(masks)), [-30], atol=1e-9)


def test_a_mask_that_fills_the_image_has_no_contrast():
    masks = Masks.from_slices([(0, np.ones((8, 8), bool))], (1, 8, 8))
    around = rings(masks)
    assert around.areas.tolist() == [0]
    assert np.isnan(contrast(np.zeros((1, 8, 8)), masks, around)).all()
    assert np.isnan(contrast_noise(masks, around, np.ones((1, 1)))).all()


def test_the_noise_of_a_contrast_is_the_signed_sum_over_all_pairs_of_pixels():
    random = np.random.default_rng(3)
    y, x = np.mgrid[-3:4, -3:4]
    table = np.exp(-(y**2 + x**2) / 3) * np.cos(y - x)  # a product of two positive functions
    masks = Masks.from_volumes(blobs())
    around = rings(masks)
    expected = []
    for i in range(len(masks)):
        inside, ring = masks.boolean(i), around.boolean(i)
        expected.append(pairwise(table, inside / inside.sum() - ring / ring.sum()) ** 0.5)
    np.testing.assert_allclose(contrast_noise(masks, around, table), expected, rtol=1e-9)
    keep = random.permutation(len(masks))
    again = contrast_noise(masks.select(keep), around.select(keep), table)
    np.testing.assert_allclose(again, np.array(expected)[keep], rtol=1e-9)


@pytest.mark.parametrize("radius", [2, 4, 8])
def test_contrasts_in_reconstructed_noise_scatter_as_much_as_they_should(radius):
    noise, one = reconstructed(400), discs(radius, 1)
    around = rings(one)
    few, masks, ringed = (Masks.stack(m) for m in ([one] * 8, [one] * 400, [around] * 400))
    table = noise_autocorrelation(noise[:8], 0 * noise[:8], few)
    found = contrast(noise, masks, ringed).std()
    chance = 4 / np.sqrt(2 * len(masks))
    expected = np.sqrt(np.mean(contrast_noise(one, around, table) ** 2))
    assert found / expected == pytest.approx(1, abs=0.03 + chance)
    apart = correlation_areas(one, table) / one.areas * (1 + one.areas / around.areas)
    assert found > 1.05 * np.sqrt(apart.mean())  # as if mask and ring were independent
