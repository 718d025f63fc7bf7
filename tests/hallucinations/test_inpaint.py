import numpy as np
import pytest
from scipy.ndimage import binary_dilation, label

from ldctlib.hallucinations import (
    LesionPair,
    removal_experiment,
    remove_structures,
    split_structures,
    visible_structures,
)
from ldctlib.hallucinations.inpaint import membrane
from ldctlib.masks import Masks
from ldctlib.scans import Scan

SPACING = (3.0, 1.0, 0.5)


@pytest.fixture
def noisy():
    """Two balls in noise of 10 HU on a slope; one of them hardly differs from it."""
    z, y, x = np.indices((10, 60, 60))
    ball = (z - 5) ** 2 + (y - 20) ** 2 + (x - 30) ** 2 <= 16
    faint = (z - 5) ** 2 + (y - 44) ** 2 + (x - 30) ** 2 <= 16
    slope = 0.5 * x + 1.0 * y
    hu = slope + 80 * ball + 3 * faint + np.random.default_rng(0).normal(0, 10, slope.shape)
    return Scan(hu, (1, 1, 1), "noisy"), Masks.from_volumes({"ball": ball, "faint": faint}), slope


def test_membrane_restores_what_is_linear_whatever_the_spacing():
    z, y, x = np.indices((7, 12, 14)) * np.reshape(SPACING, (3, 1, 1, 1))
    truth = 3 * x - 2 * y + 5 * z + 7
    region = np.argwhere(((z - 9) ** 2 / 9 + (y - 6) ** 2 / 4 + (x - 3) ** 2) < 4)
    torn = truth.copy()
    torn[tuple(region.T)] = 900
    filled = membrane(torn, region, SPACING)
    np.testing.assert_allclose(filled, truth[tuple(region.T)], atol=1e-3)


def test_membrane_stays_between_the_values_at_its_edge():
    rng = np.random.default_rng(1)
    image = rng.normal(0, 50, (5, 20, 20))
    hole = np.zeros(image.shape, bool)
    hole[1:4, 5:12, 6:15] = True
    filled = membrane(image, np.argwhere(hole), SPACING)
    edge = image[binary_dilation(hole) & ~hole]
    assert edge.min() - 1e-3 <= filled.min() <= filled.max() <= edge.max() + 1e-3


def test_membrane_over_a_piece_of_a_vessel_is_not_filled_from_the_rest_of_it():
    image = np.full((3, 9, 30), 10.0)
    vessel = np.zeros(image.shape, bool)
    vessel[1, 3:6] = True
    image[vessel] = 200
    piece = vessel & (np.arange(30) >= 12) & (np.arange(30) < 18)
    voxels = np.argwhere(piece)
    np.testing.assert_allclose(membrane(image, voxels, SPACING, vessel), 10, atol=1e-3)
    assert membrane(image, voxels, SPACING).max() > 40
    core = np.argwhere(piece & (np.arange(9) == 4)[:, None])
    around = np.ones_like(vessel)  # nothing else to fill from
    np.testing.assert_allclose(
        membrane(image, core, SPACING, around), membrane(image, core, SPACING), atol=1e-3
    )


def test_a_hole_without_surroundings_is_refused():
    with pytest.raises(ValueError, match="fills its whole surroundings"):
        membrane(np.ones((2, 3, 3)), np.argwhere(np.ones((2, 3, 3))), (1, 1, 1))


def test_removal_leaves_the_slope_with_its_noise_and_nothing_else_changes(noisy):
    scan, masks, slope = noisy
    bare = remove_structures(scan, masks, ["ball"])
    ball = masks.boolean("ball")
    wide = binary_dilation(ball, np.ones((3, 3, 3)))
    np.testing.assert_array_equal(bare.hu[~wide], scan.hu[~wide])
    rest = (bare.hu - slope)[ball]
    assert abs(rest.mean()) < 4
    assert 6 < rest.std() < 13
    assert bare.provenance["removed"] == "ball"
    np.testing.assert_array_equal(bare.hu, remove_structures(scan, masks, [0], seed=0).hu)
    assert (bare.hu != remove_structures(scan, masks, [0], seed=1).hu).any()


def test_structures_that_cannot_be_missed_are_refused_or_left_out(noisy):
    scan, masks, _ = noisy
    with pytest.raises(ValueError, match="Removing faint changes noisy by"):
        remove_structures(scan, masks)
    assert visible_structures(scan, masks).labels == ("ball",)
    with pytest.raises(ValueError, match="No structure of noisy"):
        visible_structures(scan, masks.select([1]))


def test_masks_of_another_grid_are_refused(noisy):
    with pytest.raises(ValueError, match="masks lie on"):
        remove_structures(noisy[0], Masks.from_volumes({"a": np.ones((1, 2, 2), bool)}))


def test_a_tree_is_cut_into_connected_parts_that_make_it_up():
    tree = np.zeros((20, 40, 40), bool)
    tree[:, 19:22, 19:22] = True
    for i in range(18):
        tree[10, 19 + i : 22 + i, 19 + i // 2 : 22 + i // 2] = True
        tree[5, 19 - i : 22 - i, 19:22] = True
    specks = tree.copy()
    specks[0, 0, 0] = True
    parts = split_structures(Masks.from_volumes({"tree": specks}), part_voxels=60, least=5)
    total = sum(parts.boolean(i).astype(int) for i in range(len(parts)))
    np.testing.assert_array_equal(total, tree.astype(int))
    assert len(parts) == -(-tree.sum() // 60)
    assert parts.areas.max() < 2 * 60
    for i in range(len(parts)):
        assert label(parts.boolean(i), np.ones((3, 3, 3)))[1] == 1
    assert parts.labels[0] == "tree-1"


def test_voxels_that_touch_at_a_corner_are_one_structure():
    corner = np.zeros((2, 4, 4), bool)
    corner[0, 0, 0] = corner[1, 1, 1] = corner[1, 3, 3] = True
    masks = Masks.from_volumes({"corner": corner})
    parts = split_structures(masks, least=1)
    assert parts.areas.tolist() == [2, 1]
    assert split_structures(masks, least=2).labels == ("corner",)
    with pytest.raises(ValueError, match="3 voxels or more"):
        split_structures(masks, least=3)
    with pytest.raises(ValueError, match="Parts of about 2"):
        split_structures(masks, part_voxels=2, least=3)


def test_what_is_visible_stays_so_when_the_rest_is_left_out():
    """Left-out structures fill their neighbours, so that some of those are no longer visible."""
    rng = np.random.default_rng(0)
    numbered = np.zeros((3, 60, 60), int)
    hu = 50 + rng.normal(0, 10, numbered.shape)
    for i in range(40):
        row, column = 4 + 7 * (i // 5), 3 + 11 * (i % 5)
        numbered[1, row : row + 4, column : column + 4] = i + 1
        hu[1, row : row + 4, column : column + 4] += 16 + i % 5 * 3
    masks = Masks.from_label_map(numbered, {i + 1: f"piece-{i + 1}" for i in range(40)})
    scan = Scan(hu, (1, 1, 1), "pieces", "abdomen")
    seen = visible_structures(scan, masks)
    assert 2 <= len(seen) < 40
    assert visible_structures(scan, seen).labels == seen.labels
    pair = LesionPair.inpainted(scan, seen)
    removal_experiment(pair, pairs=1, noise_hu=(10,), metrics=("rmse",), progress=False)
