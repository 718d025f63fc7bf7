"""The rules of segments, on masks made by hand."""

import numpy as np
import pytest

from ldctlib.masks import Masks
from ldctlib.segments import apply_rules, link_slices

SHAPE = (3, 64, 64)
ROWS, COLUMNS = np.mgrid[:64, :64]
BODY = np.broadcast_to(np.hypot(ROWS - 32, COLUMNS - 32) < 24, SHAPE)  # 1,789 px a slice
WATER_DISC = np.where(BODY, 40.0, -1000.0).astype(np.float32)


def box(top, left, height, width):
    picture = np.zeros((64, 64), bool)
    picture[top : top + height, left : left + width] = True
    return picture


def kept(entries, scores=None, **rules):
    """Labels of the masks, given as (slice, picture) by label, that the rules keep."""
    masks = Masks.from_slices(entries.values(), SHAPE, labels=list(entries), scores=scores)
    return apply_rules(masks, WATER_DISC, body=BODY, **rules).labels


def test_size():
    entries = {
        "15 px": (0, box(20, 20, 3, 5)),
        "16 px": (0, box(30, 20, 4, 4)),
        "357 px": (1, box(20, 20, 17, 21)),  # 20 % of the body are 357.8
        "360 px": (1, box(24, 23, 18, 20)),
        "body": (2, BODY[0]),
    }
    assert kept(entries) == ("16 px", "357 px")
    assert kept(entries, smallest_px=1, largest_body_fraction=1) == tuple(entries)


def test_outside():
    column = np.flatnonzero(BODY[0, 32])[0]  # first of the body in the middle row
    half, less = box(31, column - 5, 3, 10), box(36, column - 6, 3, 10)
    assert (half & BODY[0]).sum() * 2 == half.sum()
    entries = {"half": (0, half), "less": (0, less), "air": (0, box(0, 0, 6, 6))}
    assert kept(entries) == ("half",)
    assert kept({"air": (1, box(0, 0, 6, 6))}) == ()


def test_a_mask_through_slices_is_compared_with_the_body_in_these():
    volume = np.zeros(SHAPE, bool)
    volume[1:] = box(20, 20, 17, 21)
    masks = Masks.from_volumes({"two slices": volume})
    assert len(apply_rules(masks, WATER_DISC, body=BODY)) == 1
    assert not len(apply_rules(masks, WATER_DISC, body=BODY, largest_body_fraction=0.19))


def test_duplicates():
    a, b = box(20, 20, 10, 10), box(20, 20, 10, 10)
    b[20, 20:29] = False  # IoU 0.91 with a
    c = a.copy()
    c[20] = False  # IoU 0.90 with a, 0.989 with b
    here = {"a": (0, a), "b": (0, b)}
    assert kept({**here, "other slice": (1, a)}, scores=[0.7, 0.9, 0.1]) == ("b", "other slice")
    assert kept({**here, "c": (0, c)}) == ("a", "c"), "the largest first, and 0.90 is allowed"
    assert kept({**here, "c": (0, c)}, scores=[1, 3, 2]) == ("b",)
    assert kept({**here, "c": (0, c)}, duplicate_iou=1) == ("a", "b", "c")


def test_no_masks_at_all():
    masks = Masks.from_slices([], SHAPE, scores=[])
    assert len(apply_rules(masks, WATER_DISC)) == 0
    assert len(link_slices(masks)) == 0


def test_grids_must_agree():
    masks = Masks.from_slices([], SHAPE)
    with pytest.raises(ValueError, match="lie on"):
        apply_rules(masks, WATER_DISC[:2])


def test_link():
    """A column through three slices, one that drifts too far, and a rival with less overlap."""
    entries = {
        "column 0": (0, box(20, 20, 8, 8)),
        "column 1": (1, box(20, 21, 8, 8)),  # IoU 56 / 72
        "rival 1": (1, box(20, 20, 8, 12)),  # IoU 64 / 96
        "column 2": (2, box(20, 22, 8, 8)),
        "drift 0": (0, box(40, 20, 8, 8)),
        "drift 1": (1, box(40, 23, 8, 8)),  # IoU 40 / 88
        "later 2": (2, box(40, 40, 4, 4)),
    }
    scores = [1, 2, 3, 4, 5, 6, 7]
    masks = Masks.from_slices(entries.values(), SHAPE, labels=list(entries), scores=scores)
    linked = link_slices(masks)
    assert linked.labels == ("column 0", "rival 1", "drift 0", "drift 1", "later 2")
    assert linked.scores.tolist() == [4, 3, 5, 6, 7]
    column = np.zeros(SHAPE, bool)
    for z in range(3):
        column[z] = box(20, 20 + z, 8, 8)
    np.testing.assert_array_equal(linked.boolean("column 0"), column)
    assert linked.areas.tolist() == [192, 96, 64, 64, 16]
    assert len(link_slices(masks, iou=0.9)) == len(masks)
    with pytest.raises(ValueError, match="one slice each"):
        link_slices(linked)


def test_linking_keeps_every_voxel():
    """Random rectangles: the union stays, and no structure has two masks in a slice."""
    rng = np.random.default_rng(3)
    corners = rng.integers(0, 30, (40, 2))
    entries = [(i % 3, box(y, x, 12, 14)) for i, (y, x) in enumerate(corners)]
    masks = Masks.from_slices(entries, SHAPE)
    linked = link_slices(masks, iou=0.2)
    assert len(linked) < len(masks)
    assert linked.areas.sum() == masks.areas.sum()
    for i in range(len(linked)):
        assert set(linked.boolean(i).sum((1, 2)).tolist()) <= {0, 12 * 14}
