"""The procedural chest: CT numbers, vessels, nodules."""

import numpy as np
import pytest
from scipy import ndimage

from ldctlib.physics import imaged
from ldctlib.scans.phantoms import Lesion, phantom
from ldctlib.scans.phantoms import chest as chest_module
from ldctlib.scans.phantoms.chest_patient import draw_habitus


@pytest.fixture(scope="module", params=[3, 4])
def chest(request):
    """Seed 3 without, seed 4 with contrast medium; no blur, slices far apart."""
    scan = phantom("chest", seed=request.param, shape=(4, 256, 256), spacing_mm=(8, 1.44, 1.44),
                   centre_mm=-30)  # fmt: skip
    return scan, draw_habitus(request.param)[0]


def mean_inside(scan, prefix):
    """Mean CT number of all structures with this prefix, a pixel away from their edges."""
    masks = scan.masks["structures"]
    pixels = [
        scan.hu[ndimage.binary_erosion(masks.boolean(label), np.ones((1, 3, 3)))]
        for label in masks.labels
        if label.startswith(prefix)
    ]
    assert sum(map(len, pixels)) > 50, prefix
    return float(np.concatenate(pixels).mean())


@pytest.mark.parametrize(
    ("prefix", "expected", "tolerance"),
    [
        ("fat", -100, 5),
        (("latissimus", "pectoralis", "subscapularis", "infraspinatus"), 55, 5),
        ("lung-left", -860, 30),
        ("lung-right", -860, 30),
        (("trachea", "bronchus-"), -995, 5),
        ("spinal-cord", 36, 5),
    ],
)
def test_tissues_have_their_ct_number(chest, prefix, expected, tolerance):
    assert mean_inside(chest[0], prefix) == pytest.approx(expected, abs=tolerance)


def test_blood_is_enhanced_by_contrast_medium(chest):
    scan, habitus = chest
    contrast = habitus.contrast_hu
    assert mean_inside(scan, "aorta") == pytest.approx(42 + 0.95 * contrast, abs=5)
    assert mean_inside(scan, "pulmonary-trunk") == pytest.approx(42 + 1.15 * contrast, abs=5)
    assert mean_inside(scan, "superior-vena-cava") == pytest.approx(42 + 1.35 * contrast, abs=5)


def test_bones_have_a_hard_shell_around_a_soft_core(chest):
    scan, _ = chest
    masks = scan.masks["structures"]
    bones = [n for n in masks.labels if n.startswith(("rib", "scapula", "sternum"))]
    bone = np.any([masks.boolean(label) for label in bones], axis=0)
    inner = ndimage.binary_erosion(bone, np.ones((1, 3, 3)), iterations=2)
    edge = bone & ~ndimage.binary_erosion(bone, np.ones((1, 3, 3)))
    assert 100 < scan.hu[inner].mean() < 300
    assert np.percentile(scan.hu[edge], 75) > 400


def vessel_sections(scan):
    """Sections per cm2 and their share of the area: over -640 HU, 1.8 mm2 or more, 5 mm inside."""
    masks = scan.masks["structures"]
    wanted = ("lung-", "bronch", "nodule")
    chosen = [n for n in masks.labels if n.startswith(wanted)]
    lungs = np.any([masks.boolean(label) for label in chosen], axis=0)
    count = area = share = 0.0
    for lung, hu in zip(lungs, scan.hu, strict=True):
        lung = ndimage.binary_fill_holes(ndimage.binary_closing(lung, iterations=3))
        lung = ndimage.distance_transform_edt(lung) * scan.pixel_mm > 5
        sections, n = ndimage.label(lung & (hu > -640))
        sizes = ndimage.sum(sections > 0, sections, range(1, n + 1)) * scan.pixel_mm**2
        sizes = sizes[sizes >= 1.8]
        count, share = count + len(sizes), share + sizes.sum()
        area += lung.sum() * scan.pixel_mm**2
    return count / area * 100, share / area


def test_the_lungs_hold_as_many_vessels_as_real_ones():
    """As a soft kernel shows them (f50 0.30 /mm); the smallest are blurred away."""
    scan = phantom("chest", seed=3, shape=(3, 512, 512), spacing_mm=(9.0, 0.72, 0.72),
                   centre_mm=-15.0, lesions=[])  # fmt: skip
    per_cm2, share = vessel_sections(imaged(scan, "soft"))
    assert 0.4 < per_cm2 < 0.65
    assert 0.05 < share < 0.1


def test_vessel_branches_are_structures_of_their_own(chest):
    masks = chest[0].masks["structures"]
    branches = [n for n in masks.labels if n.startswith("lung-vessel-")]
    assert len(branches) > 200


@pytest.mark.parametrize("kind", ["solid", "spiculated", "ground-glass", "part-solid"])
def test_nodules_appear_where_and_as_they_are_asked_for(kind):
    centre = chest_module.plan(3, [Lesion(kind, None, 14.0, None)]).nodules[0].centre
    scan = phantom(
        "chest",
        seed=3,
        shape=(12, 150, 150),
        spacing_mm=(2.0, 2.0, 2.0),
        centre_mm=round(centre[2]),
        lesions=[Lesion(kind, centre, 14.0, None)],
    )
    mask = scan.masks["structures"].boolean("nodule-1")
    assert mask.sum() * 2.0**3 == pytest.approx(4 / 3 * np.pi * 7**3, rel=0.4)
    row, column = ndimage.center_of_mass(mask)[1:]
    assert (column - 74.5) * 2 == pytest.approx(centre[0], abs=3)
    assert (row - 74.5) * 2 == pytest.approx(centre[1], abs=3)
    hu = scan.hu[ndimage.binary_erosion(mask)].mean()
    low, high = {"ground-glass": (-780, -350), "part-solid": (-650, -50)}.get(kind, (-200, 90))
    assert low < hu < high


def test_a_patients_own_nodules_lie_in_the_lungs():
    scan = phantom("chest", seed=3, shape=(20, 128, 128), spacing_mm=(5.0, 2.9, 2.9), centre_mm=-24)
    without = phantom("chest", seed=3, shape=(20, 128, 128), spacing_mm=(5.0, 2.9, 2.9),
                      centre_mm=-24, lesions=[])  # fmt: skip
    masks, bare = scan.masks["structures"], without.masks["structures"]
    nodules = [n for n in masks.labels if n.startswith("nodule")]
    assert len(nodules) >= 3
    chosen = [n for n in bare.labels if n.startswith(("lung", "bronch"))]
    lungs = np.any([bare.boolean(label) for label in chosen], axis=0)
    found = np.any([masks.boolean(label) for label in nodules], axis=0)
    assert lungs[found].mean() > 0.75


def test_patients_differ_in_build():
    builds = [draw_habitus(seed)[0] for seed in range(40)]
    assert {b.female for b in builds} == {True, False}
    assert min(b.fat for b in builds) < 0.5 < 1.6 < max(b.fat for b in builds)
    assert {b.contrast_hu for b in builds} == {0.0, 90.0, 160.0}
