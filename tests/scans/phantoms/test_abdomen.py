"""The abdominal phantom: CT numbers of the table, lesions of the size asked for, exact removal."""

import numpy as np
import pytest
from scipy import ndimage

from ldctlib.scans.phantoms import Lesion, phantom

# The middle of the body, finer than a small whole view would be.
VIEW = {"shape": (3, 176, 176), "spacing_mm": (1.5, 1.4, 1.4), "centre_mm": -22}
MET = Lesion("metastasis", (-60.0, -20.0, -22.0), 14)
MARGIN_MM = 3.0  # beyond its mask a structure's soft edge may reach so far


def mean_hu(scan, label, deep=1):
    """Mean well inside a structure, where no edge is mixed in."""
    mask = scan.masks["structures"].boolean(label)
    core = np.stack([ndimage.binary_erosion(m, iterations=deep) for m in mask])
    assert core.sum() > 20, f"{label} is hardly there"
    return float(scan.hu[core].mean())


def phase(scan):
    """Whether contrast medium was given."""
    return mean_hu(scan, "aorta") > 100


def near(mask, spacing_mm, margin_mm):
    return ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= margin_mm


@pytest.fixture(scope="module")
def patients():
    return [phantom("abdomen", seed=s, lesions=[], **VIEW) for s in (0, 2, 5)]


def test_organs_have_the_ct_numbers_of_their_kind(patients):
    assert len({phase(scan) for scan in patients}) == 2, "the seeds show both phases"
    differences = []
    for scan in patients:
        portal = phase(scan)
        expected = {
            "liver": 110 if portal else 60,
            "spleen": 120 if portal else 50,
            "psoas-left": 62 if portal else 55,
            "vena-cava": 145 if portal else 42,
            "visceral-fat": -97,
        }
        for label, hu in expected.items():
            spread = 12 if label == "vena-cava" else 9
            assert mean_hu(scan, label, 1) == pytest.approx(hu, abs=spread), label
            differences.append(mean_hu(scan, label, 1) - hu)
    # Patients differ; on average they lie within 5 HU of the table.
    assert abs(np.mean(differences)) < 5


def test_liver_vessels_are_brighter_with_contrast_and_darker_without(patients):
    for scan in patients:
        masks = scan.masks["structures"]
        vessels = [n for n, label in enumerate(masks.labels) if label.startswith("portal-branch")]
        vessels = [n for n in vessels if masks.areas[n] >= 5]
        assert len(vessels) > 1
        hu = np.concatenate([scan.hu[masks.boolean(n)] for n in vessels]).mean()
        step = hu - mean_hu(scan, "liver")
        assert 15 < step < 55 if phase(scan) else -15 < step < -4


def test_a_seed_draws_lean_and_obese_patients():
    fat = []
    for seed in (0, 3):
        scan = phantom("abdomen", seed=seed, shape=(1, 96, 96), lesions=[])
        masks = scan.masks["structures"]
        fat.append(masks.areas[masks.index("subcutaneous-fat")] / (scan.hu > -300).sum())
    assert max(fat) > 2 * min(fat)


@pytest.mark.parametrize("kind", ["sphere", "metastasis", "cyst", "haemangioma"])
def test_a_lesion_has_the_volume_and_contrast_asked_for(kind):
    contrast = 30.0 if kind == "haemangioma" else -30.0
    options = {"seed": 0, "shape": (16, 140, 140), "spacing_mm": (1.5, 1.4, 1.4),
               "lesions": [Lesion(kind, (-65.0, 0.0, 0.0), 20.0, contrast)]}  # fmt: skip
    scan = phantom("abdomen", **options)
    bare = phantom("abdomen", without=["lesion-1"], **options)
    mask = scan.masks["structures"].boolean("lesion-1")
    assert mask.sum() * 1.5 * 1.4**2 == pytest.approx(np.pi / 6 * 20**3, rel=0.05)
    if kind == "sphere":
        core = ndimage.binary_erosion(mask, iterations=2)
        assert np.allclose((scan.hu - bare.hu)[core], contrast, atol=1e-3)
    else:
        core = ndimage.binary_erosion(mask, iterations=3)
        found = scan.hu[core].mean() - mean_hu(bare, "liver")
        assert found == pytest.approx(contrast, abs=6)


def test_a_lesion_without_a_place_lies_in_the_liver():
    lesion = Lesion("metastasis", None, 16.0, -25.0)
    options = {"seed": 4, "shape": (27, 64, 64), "spacing_mm": (4, 6, 6), "centre_mm": -14}
    scan = phantom("abdomen", lesions=[lesion], **options)
    bare = phantom("abdomen", lesions=[], **options)
    inside = scan.masks["structures"].boolean("lesion-1")
    labels = bare.masks["structures"].labels
    host = [n for n, label in enumerate(labels) if label.startswith(("liver", "portal", "hepatic"))]
    liver = np.logical_or.reduce([bare.masks["structures"].boolean(n) for n in host])
    assert inside.any()
    assert liver[inside].mean() > 0.95


STRUCTURES = ["liver", "kidney-left", "stomach", "aorta", "colon", "psoas-right", "lesion-1",
              "superior-mesenteric-vein", "vertebra--1", "portal-branch"]  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return phantom("abdomen", seed=1, lesions=[MET], **VIEW)


@pytest.mark.parametrize("label", STRUCTURES)
def test_removing_a_structure_changes_nothing_else(label, whole):
    if label == "portal-branch":
        masks = whole.masks["structures"]
        branches = [n for n, name in enumerate(masks.labels) if name.startswith(label)]
        label = masks.labels[max(branches, key=lambda n: masks.boolean(n)[1].sum())]
    bare = phantom("abdomen", seed=1, lesions=[MET], without=[label], **VIEW)
    mask = whole.masks["structures"].boolean(label)
    assert mask[1].any()
    assert label not in bare.masks["structures"].labels
    changed = np.abs(whole.hu - bare.hu) > 1e-3
    assert (changed & mask).sum() > 0.9 * mask.sum()
    # In the middle slice: what lies beyond the outer slices has no mask here.
    assert not (changed & ~near(mask, whole.spacing_mm, MARGIN_MM))[1].any()


def test_a_slab_is_the_same_alone_and_within_a_larger_one():
    large = phantom("abdomen", seed=2, shape=(11, 96, 96), centre_mm=-20)
    alone = phantom("abdomen", seed=2, shape=(3, 96, 96), centre_mm=-20)
    np.testing.assert_allclose(alone.hu, large.hu[4:7], atol=1e-3)
    for label in alone.masks["structures"].labels:
        inside = large.masks["structures"].boolean(label)[4:7]
        assert (alone.masks["structures"].boolean(label) == inside).all(), label


def test_slices_out_of_range_and_unknown_lesions_are_refused():
    with pytest.raises(ValueError, match="from -68 to 40 mm"):
        phantom("abdomen", shape=(1, 32, 32), centre_mm=60)
    with pytest.raises(ValueError, match="No lesion is called 'bleed'"):
        phantom("abdomen", shape=(1, 32, 32), lesions=[Lesion("bleed")])
