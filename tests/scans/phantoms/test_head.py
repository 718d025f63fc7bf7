"""The head phantom: CT numbers of the table, lesions of the size asked for, exact removal."""

import numpy as np
import pytest
from scipy import ndimage

from ldctlib.scans.phantoms import Lesion, phantom
from ldctlib.scans.phantoms.head_folds import sheet_distance

MARGIN_MM = 3.5  # soft edge in the slice; the blur across slices comes on top


def core_mean(scan, label, pixels=1):
    """Mean HU of a structure without its edge in the slice."""
    mask = scan.masks["structures"].boolean(label)
    core = np.stack([ndimage.binary_erosion(m, iterations=pixels) for m in mask])
    assert core.sum() > 20, f"{label} is hardly there"
    return float(scan.hu[core].mean())


@pytest.fixture(scope="module")
def patients():
    options = {"shape": (3, 256, 256), "spacing_mm": (2, 1, 1), "centre_mm": 9, "lesions": []}
    return [phantom("head", seed=s, **options) for s in (0, 1)]


def test_tissues_have_the_ct_numbers_of_their_kind(patients):
    for scan in patients:
        grey = core_mean(scan, "grey-matter")
        white = core_mean(scan, "white-matter", 3)
        assert grey == pytest.approx(36, abs=3)
        assert white == pytest.approx(28, abs=3)
        assert core_mean(scan, "frontal-horn-left", 2) == pytest.approx(7, abs=3)
        assert core_mean(scan, "thalamus-right", 3) == pytest.approx(35, abs=3)
        assert core_mean(scan, "lentiform-left", 3) - white > 4
        assert 700 < core_mean(scan, "skull") < 1500
        assert core_mean(scan, "scalp", 2) < -40


def test_the_two_halves_differ(patients):
    scan = patients[0]
    left = scan.masks["structures"].boolean("white-matter")
    mirrored = left[:, :, ::-1]
    overlap = 2 * (left & mirrored).sum() / (left.sum() + mirrored.sum())
    assert 0.4 < overlap < 0.9
    masks = scan.masks["structures"]
    left, right = (masks.areas[masks.index(f"frontal-horn-{s}")] for s in ("left", "right"))
    assert left != right


def test_sulci_reach_deep_above_the_ventricles():
    """At the centrum semiovale grey matter must not be only a rim."""
    scan = phantom("head", seed=1, shape=(1, 256, 256), centre_mm=46, lesions=[])
    masks = scan.masks["structures"]
    brain = masks.boolean("grey-matter")[0] | masks.boolean("white-matter")[0]
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(brain, iterations=3))
    depth = ndimage.distance_transform_edt(brain) * scan.pixel_mm
    grey = masks.boolean("grey-matter")[0]
    assert grey[(depth > 10) & (depth < 16)].mean() > 0.15
    assert 0.25 < grey.sum() / brain.sum() < 0.75


def test_the_floor_of_the_skull_is_there():
    scan = phantom("head", seed=1, shape=(1, 256, 256), centre_mm=-20, lesions=[])
    labels = scan.masks["structures"].labels
    for label in ("cerebellum", "brain-stem", "orbit-left", "mastoid-cells-right"):
        assert label in labels
    assert core_mean(scan, "cerebellum", 3) == pytest.approx(34, abs=4)


@pytest.mark.parametrize(
    ("kind", "contrast"), [("sphere", 10.0), ("bleed", 30.0), ("metastasis", 12.0)]
)
def test_a_lesion_has_the_volume_and_contrast_asked_for(kind, contrast):
    lesion = Lesion(kind, (26.0, -10.0, 40.0), 16.0, contrast)
    options = {"seed": 2, "shape": (12, 200, 200), "spacing_mm": (2.0, 1.0, 1.0), "centre_mm": 40,
               "lesions": [lesion]}  # fmt: skip
    scan = phantom("head", **options)
    bare = phantom("head", without=["lesion-1"], **options)
    mask = scan.masks["structures"].boolean("lesion-1")
    assert mask.sum() * 2.0 == pytest.approx(np.pi / 6 * 16**3, rel=0.05)
    core = ndimage.binary_erosion(mask, iterations=3)
    if kind == "sphere":
        assert (scan.hu - bare.hu)[core].mean() == pytest.approx(contrast, abs=0.1)
    else:
        assert scan.hu[core].mean() == pytest.approx(37 + contrast, abs=3)  # to grey matter


def test_an_infarct_is_darker_and_blurs_grey_and_white():
    lesion = Lesion("infarct", (40.0, 5.0, 30.0), 34.0, -6.0)
    options = {"seed": 2, "shape": (3, 128, 128), "centre_mm": 30, "lesions": [lesion]}
    scan, bare = phantom("head", **options), phantom("head", without=["lesion-1"], **options)
    mask = scan.masks["structures"].boolean("lesion-1")
    tissue = mask & (bare.hu > 20) & (bare.hu < 45)
    assert (scan.hu - bare.hu)[tissue].mean() == pytest.approx(-7, abs=3)
    assert scan.hu[tissue].std() < bare.hu[tissue].std()


@pytest.mark.parametrize(
    "label",
    ["lesion-1", "lesion-1-oedema", "thalamus-left", "frontal-horn-right", "skull"],
)  # fmt: skip
def test_removing_a_structure_changes_nothing_else(label):
    lesion = Lesion("bleed", (28.0, 22.0, 10.0), 15.0, None)
    options = {"seed": 1, "shape": (9, 128, 128), "spacing_mm": (2.0, 1.2, 1.2), "centre_mm": 10,
               "lesions": [lesion]}  # fmt: skip
    whole, bare = phantom("head", **options), phantom("head", without=[label], **options)
    mask = whole.masks["structures"].boolean(label)
    assert mask.any()
    assert label not in bare.masks["structures"].labels
    changed = np.abs(whole.hu - bare.hu) > 1e-3
    assert changed.any()
    blur_mm = 2 * 2.0  # two slices either way
    away = ndimage.distance_transform_edt(~mask, sampling=(2.0, 1.2, 1.2))
    assert not (changed & (away > MARGIN_MM + blur_mm))[2:-2].any()


def test_a_slab_is_the_same_alone_and_within_a_larger_one():
    for z in (-10.0, 34.0):
        large = phantom("head", seed=3, shape=(11, 96, 96), centre_mm=z)
        alone = phantom("head", seed=3, shape=(3, 96, 96), centre_mm=z)
        np.testing.assert_allclose(alone.hu, large.hu[4:7], atol=1e-3)


def test_slices_out_of_range_and_unknown_lesions_are_refused():
    with pytest.raises(ValueError, match="from -24 to 66 mm"):
        phantom("head", shape=(1, 32, 32), centre_mm=90)
    with pytest.raises(ValueError, match="No lesion is called 'cyst'"):
        phantom("head", shape=(1, 32, 32), lesions=[Lesion("cyst")])


def test_sheet_distance_agrees_with_a_brute_force_search_of_the_zero_level():
    line = np.linspace(0, 30, 6001, dtype=np.float32)
    fixed = np.full_like(line, 7.3)
    everywhere = np.ones(line.shape, bool)
    distance = sheet_distance(line, fixed, 1.7 * fixed, everywhere, key=5, spacing_mm=6.0)
    zero = line[
        np.flatnonzero((distance[1:-1] < distance[:-2]) & (distance[1:-1] < distance[2:])) + 1
    ]
    zero = zero[np.interp(zero, line, distance) < 0.02]
    assert len(zero) > 2
    for x in zero:
        # Along the line a sheet is crossed at a slant: the distance grows no faster than |x - x0|.
        near = np.abs(line - x) < 0.2
        assert (distance[near] <= np.abs(line[near] - x) * 1.05 + 0.02).all()
