import numpy as np
import pytest

from ldctlib.hallucinations import imperfect_masks
from ldctlib.hallucinations.imperfect import WAYS
from ldctlib.masks import Masks

SHAPE = (6, 60, 70)


@pytest.fixture(scope="module")
def masks():
    """A disc through four slices, an oblong one at the border, and a ring around nothing."""
    z, y, x = np.indices(SHAPE)
    disc = (np.hypot(y - 30 - z, x - 20) < 7) & (z > 0) & (z < 5)
    oblong = (z == 2) & (y < 5) & (x > 40)
    ring = (np.abs(np.hypot(y - 35, x - 50) - 8) < 1.5) & (z == 4)
    return Masks.from_volumes({"disc": disc, "oblong": oblong, "ring": ring})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("iou", [0.9, 0.7, 0.5, 0.3])
def test_overlap_is_what_was_asked_for(masks, way, iou):
    spoiled = imperfect_masks(masks, iou, way, seed=1)
    assert spoiled.labels == masks.labels
    for i, area in enumerate(masks.areas):
        old, new = masks.boolean(i), spoiled.boolean(i)
        found = (old & new).sum() / (old | new).sum()
        # A shift is ragged, and meets the overlap to a few voxels.
        assert abs(found - iou) < (0.05 if way == "shifted" else 1 / area), masks.labels[i]
        slices = np.flatnonzero(old.any((1, 2)))
        assert not np.delete(new, slices, 0).any()
        if way == "shrunk":
            assert (new <= old).all()
        elif way == "grown":
            assert (old <= new).all()
        else:
            assert new.sum() == area


def test_outermost_voxels_go_first_and_nearest_ones_come_first():
    rows, columns = np.mgrid[-20:21, -20:21]
    radius = np.hypot(rows, columns)
    disc = Masks.from_slices([(0, radius < 10)], (1, 41, 41))
    small = imperfect_masks(disc, 0.5, "shrunk").boolean(0)[0]
    large = imperfect_masks(disc, 0.5, "grown").boolean(0)[0]
    assert radius[small].max() < 10 * np.sqrt(0.5) + 1
    assert radius[~large].min() > 10 * np.sqrt(2) - 1
    moved = imperfect_masks(disc, 0.5, "shifted").boolean(0)[0]
    # Two discs of radius r at the distance d overlap by IoU 1/2 when d = 0.5299 r.
    centre = np.hypot(rows[moved].mean(), columns[moved].mean())
    assert centre == pytest.approx(5.3, abs=0.8)


def test_the_whole_overlap_changes_nothing_and_a_seed_decides(masks):
    for way in WAYS:
        same = imperfect_masks(masks, 1, way)
        np.testing.assert_array_equal(same.starts, masks.starts)
        np.testing.assert_array_equal(same.lengths, masks.lengths)
    one, again, other = (imperfect_masks(masks, 0.6, "shifted", seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.starts, again.starts)
    assert not np.array_equal(one.union(), other.union())


def test_noise_hides_a_spoiled_mask_as_theory_says():
    """The bias of a mask of overlap J keeps sqrt(J) of its signal to noise, shifted 2 J/(1 + J)."""
    rows, columns = np.mgrid[-30:31, -30:31]
    disc = np.hypot(rows, columns) < 12
    masks = Masks.from_slices([(0, disc)], (1, 61, 61))
    full = disc.sum() / np.sqrt(disc.sum())
    for way, share in (("shrunk", 0.5**0.5), ("grown", 0.5**0.5), ("shifted", 2 / 3)):
        spoiled = imperfect_masks(masks, 0.5, way)
        signal = spoiled.sum_over(disc[None].astype(float)) / np.sqrt(spoiled.areas)
        assert signal[0] / full == pytest.approx(share, abs=0.01), way


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0.5, "melted"), "shrunk, grown, shifted, not 'melted'"),
        ((0.1, "grown"), "between 0.2 and 1, not at 0.1"),
        ((1.2, "grown"), "not at 1.2"),
    ],
)
def test_bad_wishes_are_refused(masks, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        imperfect_masks(masks, *arguments)


def test_an_empty_mask_is_refused():
    empty = Masks.from_volumes({"nothing": np.zeros((1, 4, 4), bool)})
    with pytest.raises(ValueError, match="nothing is empty"):
        imperfect_masks(empty, 0.5)
