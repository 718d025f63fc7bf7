"""Radiomic features against pyradiomics itself and brute force; RFS v1 against its definition."""

import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk
from radiomics.featureextractor import RadiomicsFeatureExtractor
from scipy import ndimage

from ldctlib.masks import Masks
from ldctlib.metrics import _extraction, organ_masks, radiomic_features, rfs, similarity
from ldctlib.metrics.radiomics import CLASSES, RadiomicFeatures
from ldctlib.scans import Scan, open_scan

NORMALIZATIONS = ("maxabs", "minmax", "ratio")


@pytest.fixture(scope="module")
def body():
    """A scan with two textured organs: a ball of 60 HU, and a cube of -700 HU in a corner."""
    z, y, x = np.mgrid[:10, :36, :40]
    ball = (z - 5) ** 2 * 6 + (y - 15) ** 2 + (x - 12) ** 2 < 120
    cube = (y > 20) & (x > 22)
    rng = np.random.default_rng(0)
    texture = 15 * ndimage.gaussian_filter(rng.normal(size=ball.shape), 1.5) / 0.1
    hu = np.select([ball, cube], [60.0, -700.0], 0.0) + texture
    masks = {"structures": Masks.from_volumes({"ball": ball, "cube": cube})}
    return Scan(hu, (2.5, 0.8, 0.8), "body", masks=masks)


@pytest.fixture(scope="module")
def organs(body):
    return body.masks["structures"]


@pytest.fixture(scope="module")
def noisy(body):
    """Three scans with more and more noise."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=body.shape)
    return {f"{sigma} HU": body.with_hu(body.hu + sigma * noise) for sigma in (5, 20, 80)}


@pytest.fixture
def executed(monkeypatch):
    """How often pyradiomics measured a region, starting with nothing remembered."""
    count = Counter()
    measure = RadiomicsFeatureExtractor.execute

    def counted(self, *images, **options):
        count["regions"] += 1
        return measure(self, *images, **options)

    monkeypatch.setattr(RadiomicsFeatureExtractor, "execute", counted)
    _extraction.forget()
    return count


def test_features_are_those_of_pyradiomics_on_the_whole_volume(body, organs):
    found = radiomic_features(body, organs)
    assert (found.scans, found.organs, len(found.features)) == (("body",), ("ball", "cube"), 93)
    extractor = RadiomicsFeatureExtractor(binWidth=25, voxelArrayShift=1024)
    extractor.disableAllFeatures()
    for name in CLASSES:
        extractor.enableFeatureClassByName(name)
    image = sitk.GetImageFromArray(body.hu)
    image.SetSpacing(body.spacing_mm[::-1])
    for organ in organs.labels:
        mask = sitk.GetImageFromArray(organs.boolean(organ).astype(np.uint8))
        mask.CopyInformation(image)
        expected = extractor.execute(image, mask)
        for name, value in found.of("body", organ).items():
            assert value == pytest.approx(float(expected[f"original_{name}"]), rel=1e-12), name


def test_features_by_brute_force(body, organs):
    found = radiomic_features(body, organs).of("body", "cube")
    inside = organs.boolean("cube")
    values = body.hu[inside].astype(float)
    assert found["firstorder_Mean"] == pytest.approx(values.mean(), rel=1e-6)
    assert found["firstorder_Energy"] == pytest.approx(((values + 1024) ** 2).sum(), rel=1e-6)
    volume_mm3 = 2.5 * 0.8 * 0.8
    assert found["firstorder_TotalEnergy"] == pytest.approx(volume_mm3 * found["firstorder_Energy"])
    # the mean, over the 13 directions to a neighbour, of the contrast between pairs in the organ
    level = np.pad(np.where(inside, np.floor(body.hu / 25), np.nan), 1, constant_values=np.nan)
    contrasts = []
    for step in list(product((-1, 0, 1), repeat=3))[14:]:
        contrasts.append(np.nanmean((np.roll(level, step, (0, 1, 2)) - level) ** 2))
    assert len(contrasts) == 13
    assert found["glcm_Contrast"] == pytest.approx(np.mean(contrasts), rel=1e-9)


def test_masks_of_every_kind(body, organs):
    volumes = {label: organs.boolean(label) for label in organs.labels}
    label_map = volumes["ball"] * 3 + volumes["cube"] * np.int16(7)
    expected = radiomic_features(body, organs)
    by_name = radiomic_features(body, volumes)
    by_number = radiomic_features(body, label_map)
    assert by_number.organs == ("label-3", "label-7")
    np.testing.assert_array_equal(by_name.values, expected.values)
    np.testing.assert_array_equal(by_number.values, expected.values)
    alone = radiomic_features(body.hu, volumes["cube"], spacing_mm=body.spacing_mm)
    np.testing.assert_array_equal(alone.values[0, 0], expected.values[0, 1])


def test_table(body, organs, noisy):
    features = radiomic_features({"body": body, **noisy}, organs)
    frame = features.frame()
    assert list(frame.columns) == ["scan", "organ", "feature", "value"]
    assert len(frame) == 4 * 2 * 93
    one = frame[(frame.scan == "20 HU") & (frame.organ == "ball")]
    assert dict(zip(one.feature, one.value, strict=True)) == features.of("20 HU", "ball")


def test_two_processes_give_what_one_gives(body, organs, noisy, capfd):
    scans = {"body": body, **noisy}
    _extraction.forget()
    alone = radiomic_features(scans, organs)
    _extraction.forget()
    together = radiomic_features(scans, organs, processes=2, progress=True)
    assert together.organs == alone.organs
    np.testing.assert_array_equal(together.values, alone.values)
    said = capfd.readouterr().err
    assert "8/8" in said
    assert "symmetrical" not in said  # pyradiomics' remarks


def test_nothing_is_measured_twice(body, organs, noisy, executed):
    rfs(noisy, body, organs)
    assert executed["regions"] == (len(noisy) + 1) * len(organs)
    rfs({**noisy, "copy": noisy["5 HU"]}, body, organs, normalization="ratio")
    similarity(radiomic_features({"body": body, **noisy}, organs), "body")
    assert executed["regions"] == (len(noisy) + 1) * len(organs)
    rfs(noisy["5 HU"], body, organs, settings={"binWidth": 10})
    assert executed["regions"] == (len(noisy) + 1) * len(organs) + 2 * len(organs)


@pytest.mark.parametrize("normalization", [*NORMALIZATIONS, "none"])
def test_the_reference_is_like_itself(body, organs, noisy, normalization):
    found = rfs({**noisy, "same": body}, body, organs, normalization=normalization)
    assert found["same"] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_more_noise_is_less_alike(body, organs, noisy, normalization):
    found = rfs(noisy, body, organs, normalization=normalization)
    assert 1 > found["5 HU"] > found["20 HU"] > found["80 HU"] > -1


def test_cosine_of_raw_features_is_always_one(body, organs, noisy):
    raw = rfs(noisy, body, organs, normalization="none")
    assert min(raw.values()) > 0.999
    # even for an organ filled with noise of another mean, which all others tell apart
    other = {"other": body.with_hu(np.random.default_rng(5).normal(-300, 200, body.shape))}
    assert rfs(other, body, organs, normalization="none")["other"] > 0.999
    assert rfs(other, body, organs)["other"] < 0.8
    # because a feature or two decide
    values = np.abs(radiomic_features(body, organs).values[0])
    assert (np.sort(values)[:, -3] < 0.01 * values.max(1)).all()


def test_definition_step_by_step(body, organs, noisy):
    """RFS v1 written out with loops."""
    features = radiomic_features({**noisy, "truth": body}, organs)
    expected = {}
    for scan in noisy:
        cosines = []
        for organ in organs.labels:
            dot = length_a = length_b = 0.0
            for name in features.features:
                of = {s: features.of(s, organ)[name] for s in features.scans}
                largest = max(abs(v) for v in of.values())
                if largest > 0 and np.isfinite(list(of.values())).all():
                    a, b = of[scan] / largest, of["truth"] / largest
                    dot, length_a, length_b = dot + a * b, length_a + a * a, length_b + b * b
            cosines.append(dot / np.sqrt(length_a * length_b))
        expected[scan] = np.mean(cosines)
    assert rfs(noisy, body, organs) == pytest.approx(expected, rel=1e-12)
    by_organ = rfs(noisy, body, organs, reduce="none")
    assert np.mean(list(by_organ["20 HU"].values())) == pytest.approx(expected["20 HU"])
    alone = rfs(noisy["20 HU"], body, organs, normalization="ratio")
    among_others = rfs(noisy, body, organs, normalization="ratio")["20 HU"]
    assert alone == pytest.approx(among_others, rel=1e-12)  # "ratio" does not depend on the others
    assert rfs(noisy["20 HU"], body, organs) != pytest.approx(expected["20 HU"], rel=1e-3)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_units_and_order_of_features_do_not_matter(body, organs, noisy, normalization):
    features = radiomic_features({**noisy, "truth": body}, organs)
    order = np.random.default_rng(0).permutation(93)
    unit = np.random.default_rng(1).uniform(1e-3, 1e3, 93)
    other = RadiomicFeatures(
        features.scans,
        features.organs,
        tuple(features.features[i] for i in order),
        (features.values * unit)[..., order],
    )
    expected = similarity(features, "truth", normalization=normalization)
    found = similarity(other, "truth", normalization=normalization)
    for scan in noisy:
        assert found[scan] == pytest.approx(expected[scan], rel=1e-9)


def test_what_is_too_small_is_said(body, organs):
    tiny = np.zeros(body.shape, bool)
    tiny[:2, :30, :30] = True
    masks = {**{n: organs.boolean(n) for n in organs.labels}, "flat": tiny}
    with pytest.warns(
        UserWarning, match=r"fewer than 1000 voxels or 3 slices\): flat: 1800 voxels"
    ):
        features = radiomic_features(body, masks)
    assert features.organs == organs.labels
    assert features.left_out == {"flat": "1800 voxels in 2 slices"}
    with pytest.raises(ValueError, match="Every organ is too small"):
        radiomic_features(body, {"flat": tiny})


def test_errors_say_what_is_wrong(body, organs, noisy, monkeypatch):
    cube = organs.boolean("cube")
    for call, message in [
        (lambda: radiomic_features(body, {"none": cube & False}), "without a voxel: none"),
        (lambda: radiomic_features(body, cube[:-1]), r"body has the shape \(10, .* its masks \(9,"),
        (lambda: radiomic_features(body, {"number": cube * 1}), "'number' is not boolean"),
        (lambda: radiomic_features(body.hu, cube), "give spacing_mm"),
        (lambda: radiomic_features(body.hu * np.nan, cube), "not finite"),
        (lambda: radiomic_features(body.hu * 1e4, cube, spacing_mm=(1, 1, 1)), "is it in HU"),
        (lambda: radiomic_features(body, cube, classes=["colour"]), "no feature class 'colour'"),
        (lambda: radiomic_features(body, cube, processes=0), "At least one process"),
        (lambda: rfs(noisy, body, cube, normalization="sum"), "'maxabs', 'minmax', 'ratio'"),
        (lambda: rfs(noisy, body, cube, reduce="sum"), "reduce is 'mean' or 'none'"),
        (lambda: rfs({"reference": body}, body, cube), "cannot be called 'reference'"),
        (lambda: rfs(noisy["5 HU"], body, cube, normalization="minmax"), "With one test scan"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    monkeypatch.setitem(sys.modules, "radiomics", None)
    monkeypatch.setitem(sys.modules, "radiomics.featureextractor", None)
    with pytest.raises(ImportError, match=r"ldctlib\[radiomics\]"):
        radiomic_features(body, organs)


def test_no_direction_is_no_similarity():
    values = np.array([[[1.0, 1.0]], [[2.0, 2.0]], [[3.0, 5.0]]])
    features = RadiomicFeatures(("truth", "a", "b"), ("liver",), ("x", "y"), values)
    with pytest.raises(ValueError, match="features of liver have no direction"):
        similarity(features, "truth", normalization="minmax")


def test_flat_organs_are_measured(body, organs):
    flat = body.with_hu(np.full(body.shape, 40.0))
    found = rfs({"flat": flat}, body, organs)
    assert 0 < found["flat"] < 0.9


def test_organs_of_a_phantom():
    scan = open_scan("phantom-abdomen", shape=(6, 128, 128))
    masks = organ_masks(scan)
    structures = scan.masks["structures"]
    right = masks.boolean("right back muscles")
    np.testing.assert_array_equal(right, structures.boolean("erector-right"))
    noisy = scan.hu + np.random.default_rng(0).normal(0, 20, scan.shape)
    with pytest.warns(UserWarning, match="pancreas"):
        found = rfs(noisy, scan, masks, reduce="none")
    assert {"liver", "spleen"} <= set(found)
    assert all(0.3 < value < 1 for value in found.values())
    with pytest.raises(ValueError, match="None of the masks"):
        organ_masks(scan, Masks.from_volumes({"shoe": right}))


@pytest.mark.data
@pytest.mark.skipif(
    not os.environ.get("LDCTLIB_DATA_DIR"),
    reason="needs the real scans: set LDCTLIB_DATA_DIR to their folder",
)
def test_real_organs_from_a_label_map():
    scan = open_scan("totalsegmentator-abdomen")
    masks = organ_masks(scan)
    assert set(masks.labels) >= {"liver", "spleen", "left kidney", "right kidney", "aorta"}
    muscle = scan.masks["organs"].boolean("autochthon_left")
    np.testing.assert_array_equal(masks.boolean("left back muscles"), muscle)
    blurred = scan.with_hu(ndimage.gaussian_filter(scan.hu, 0.6))
    noisy = scan.with_hu(scan.hu + np.random.default_rng(0).normal(0, 30, scan.shape))
    with pytest.warns(UserWarning, match="pancreas: 695 voxels"):
        features = radiomic_features({"truth": scan, "blurred": blurred, "noisy": noisy}, masks)
    entropy = {s: features.of(s, "liver")["glcm_JointEntropy"] for s in features.scans}
    assert entropy["blurred"] < entropy["truth"] < entropy["noisy"]
    alike = similarity(features, "truth")
    assert all(0 < value < 0.99 for organs in alike.values() for value in organs.values())


def test_workers_that_end_early_are_explained(body, organs, monkeypatch):
    def dying(workers, context, *_):
        return ProcessPoolExecutor(workers, context, os._exit, (3,))

    monkeypatch.setattr(_extraction, "ProcessPoolExecutor", dying)
    _extraction.forget()
    with pytest.raises(RuntimeError, match="must start its work under `if __name__"):
        radiomic_features(body, organs, processes=2)
