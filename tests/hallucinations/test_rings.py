"""Rings and contrasts, against a distance computed pixel by pixel."""

import numpy as np
import pytest

from ldctlib.hallucinations.rings import contrast, rings
from ldctlib.masks import Masks


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
