"""A scan and its parts."""

import numpy as np
import pytest

from ldctlib.masks import Masks
from ldctlib.scans import Scan

VOLUME = np.random.default_rng(0).normal(size=(5, 12, 16)).astype(np.float32)
LEFT, RIGHT = (np.zeros(VOLUME.shape, bool) for _ in range(2))
LEFT[1:4, 2:8, 1:5] = True
RIGHT[0:2, 3:5, 10:14] = True


@pytest.fixture
def scan():
    masks = Masks.from_volumes({"left": LEFT, "right": RIGHT})
    place = {"z_mm": np.array([0.0, 3, 6, 9, 12]), "corner_mm": (-50.0, 80.0)}
    return Scan(VOLUME, (3, 0.8, 0.8), "part", masks={"organs": masks}, **place)


def test_a_crop_keeps_masks_positions_and_corner(scan):
    part = scan.crop(slice(3, -2), slice(2, 9), slice(1, 4))
    assert np.array_equal(part.hu, VOLUME[1:4, 3:10, 2:9])
    assert part.z_mm.tolist() == [3, 6, 9]
    assert part.corner_mm == pytest.approx((-50 + 3 * 0.8, 80 + 2 * 0.8))
    assert part.spacing_mm == scan.spacing_mm
    assert part.masks["organs"].labels == ("left",)  # nothing of the other lies there
    assert np.array_equal(part.masks["organs"].boolean(0), LEFT[1:4, 3:10, 2:9])


def test_a_crop_of_a_crop_is_one_crop(scan):
    twice = scan.crop(slice(2, None), slice(1, 12)).crop(slice(1, 6), slice(3, None), slice(0, 3))
    once = scan.crop(slice(3, 8), slice(4, 12), slice(0, 3))
    assert np.array_equal(twice.hu, once.hu)
    assert twice.corner_mm == pytest.approx(once.corner_mm)
    for i in range(len(once.masks["organs"])):
        assert np.array_equal(twice.masks["organs"].boolean(i), once.masks["organs"].boolean(i))


def test_a_slab_keeps_what_lies_in_it(scan):
    slab = scan.slab(0, 2)
    assert slab.masks["organs"].labels == ("left", "right")
    assert np.array_equal(slab.masks["organs"].boolean("right"), RIGHT[:2])
    assert slab.corner_mm == scan.corner_mm
    for start, stop in ((-1, 2), (2, 2), (0, 6)):
        with pytest.raises(ValueError, match="has no slices"):
            scan.slab(start, stop)


@pytest.mark.parametrize(
    "part",
    [
        {"rows": slice(5, 5)},
        {"columns": slice(16, None)},
        {"z": slice(4, 1)},
        {"rows": slice(0, 8, 2)},
        {"columns": slice(None, None, -1)},
    ],
)
def test_an_empty_part_is_refused(scan, part):
    with pytest.raises(ValueError, match="nothing to crop"):
        scan.crop(**part)


def test_without_a_corner_none_is_made_up():
    assert Scan(VOLUME, (3, 1, 1), "plain").crop(slice(2, 4)).corner_mm is None
