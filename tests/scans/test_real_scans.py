"""The registered real scans: HU, orientation, labels, and ITK as an oracle."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from ldctlib.physics import mayo_exam
from ldctlib.scans import catalogue, mayo, open_scan, read_dicom, table, write_dicom

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not os.environ.get("LDCTLIB_DATA_DIR"),
        reason="needs the real scans: set LDCTLIB_DATA_DIR to their folder",
    ),
]

HU_RANGE = {
    "lidc-0314": (-1000, 1761),
    "crlm-1004": (-1024, 1252),
    "head-ge": (-1024, 2121),
    "nsclc-lung1-001": (-1024, 1601),
    "totalsegmentator-dicom": (-1024, 1839),
    "dcmqi-liver": (-1024, 1381),
    "totalsegmentator-abdomen": (-1024, 3382),
    "nlst-100040": (-1024, 2035),
    "ibsi-1": (-1000, 3065),
}


@pytest.mark.parametrize("name", [row["name"] for row in table()])
def test_every_registered_scan_opens_as_the_catalogue_says(name):
    scan, entry = open_scan(name), catalogue.dataset(name)
    assert scan.shape == entry.shape
    assert (scan.name, scan.anatomy) == (name, entry.anatomy)
    assert (scan.hu.min(), scan.hu.max()) == HU_RANGE[name]
    assert scan.provenance["citation"] == entry.citation
    assert scan.provenance["source"] == name
    # no registered scan has a path of this machine in it
    assert os.environ["LDCTLIB_DATA_DIR"] not in str(dict(scan.provenance))
    assert set(scan.masks) == set(entry.open.get("masks", {}))


@pytest.mark.parametrize("name", catalogue.datasets())
def test_files_are_those_that_were_registered(name):
    assert catalogue.verify(name) == []


@pytest.mark.parametrize("name", ["lidc-0314", "crlm-1004", "totalsegmentator-dicom"])
def test_itk_reads_the_same_volume(name):
    reader = sitk.ImageSeriesReader()
    folder = str(catalogue.fetch(name))
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder))
    image, scan = reader.Execute(), open_scan(name)
    np.testing.assert_array_equal(scan.hu, np.maximum(sitk.GetArrayFromImage(image), -1024))
    np.testing.assert_allclose(scan.spacing_mm, image.GetSpacing()[::-1], rtol=1e-6)
    np.testing.assert_allclose((scan.z_mm[0], *scan.corner_mm), image.GetOrigin()[::-1])


def test_the_nodule_is_in_the_right_lung_where_it_should_be():
    scan = open_scan("lidc-0314")
    regions, _ = ndimage.label(ndimage.binary_opening(scan.hu > -300, iterations=2))
    nodule = regions == regions[20, 249, 186]
    assert regions[20, 249, 186] > 0
    z, y, x = ndimage.center_of_mass(nodule)
    assert (abs(z - 20), abs(y - 249), abs(x - 186)) < (8, 10, 10)
    volume_mm3 = nodule.sum() * np.prod(scan.spacing_mm)
    assert 10 < (6 * volume_mm3 / np.pi) ** (1 / 3) < 25  # mm, of the equivalent sphere
    assert x < scan.shape[2] / 2  # the patient's right is on the left of the image
    # the spine is at the bottom of the image
    assert (scan.hu[20, 300:400, 226:286] > 200).sum() > 10 * (scan.hu[20, 100:200] > 200).sum() / 5


@pytest.mark.parametrize(
    ("name", "label", "low", "high"),
    [
        ("totalsegmentator-dicom", "liver", 79, 99),
        ("totalsegmentator-dicom", "aorta", 160, 190),
        ("totalsegmentator-abdomen", "liver", 30, 60),
        ("totalsegmentator-abdomen", "lung_lower_lobe_right", -900, -700),
        ("totalsegmentator-abdomen", "hip_left", 200, 600),
        ("dcmqi-liver", "liver", 36, 39),
        ("dcmqi-liver", "spine", 320, 340),
    ],
)
def test_labels_lie_on_the_organs(name, label, low, high):
    scan = open_scan(name)
    inside = scan.masks["organs"].boolean(label)
    assert low < scan.hu[inside].mean() < high
    # turned the wrong way the label holds other tissue
    for flipped in (inside[:, ::-1], inside[:, :, ::-1]):
        assert not low < scan.hu[flipped].mean() < high


def test_right_and_left_organs_are_on_their_sides():
    masks = open_scan("totalsegmentator-abdomen").masks["organs"]
    x = {k: masks.boolean(k).nonzero()[2].mean() for k in ("liver", "spleen", "hip_left")}
    z = {k: masks.boolean(k).nonzero()[0].mean() for k in ("liver", "hip_left")}
    assert x["liver"] < x["spleen"]
    assert x["liver"] < x["hip_left"]
    assert z["hip_left"] < z["liver"]


def test_tilted_head_with_two_steps():
    scan = open_scan("head-ge")
    assert scan.provenance["gantry_tilt_deg"] == "18.5"
    # 4.22 and 7.38 mm of table travel are 4 and 7 mm along the normal of the tilted slices
    np.testing.assert_allclose(np.diff(scan.z_mm), [4] * 5 + [1.08] + [7] * 5, atol=0.01)
    with pytest.raises(ValueError, match="unevenly spaced"):
        read_dicom(catalogue.fetch("head-ge"))


def test_a_derived_series_of_a_real_scan_lies_on_the_original(tmp_path):
    source = catalogue.fetch("dcmqi-liver")
    scan = open_scan("dcmqi-liver")
    noisy = scan.with_hu(scan.hu + np.random.default_rng(0).normal(0, 0.2, scan.shape))
    noisy = scan.with_hu(noisy.hu.clip(-1024))
    back = read_dicom(write_dicom(noisy, tmp_path / "out", template=source))
    assert np.abs(back.hu - noisy.hu).max() <= 0.5
    np.testing.assert_allclose(back.z_mm, scan.z_mm)
    assert back.corner_mm == pytest.approx(scan.corner_mm)


def test_mayo_layout_from_real_slices(tmp_path):
    """Twelve head slices, repeated to the 33 of patient N209, in the archive's layout."""
    scan = open_scan("head-ge")
    hu = np.tile(scan.hu[:, ::8, ::8], (3, 1, 1))[:33]
    full = type(scan)(hu, (4.0, 4.0, 4.0), "full")
    low = full.with_hu((hu + np.random.default_rng(0).normal(0, 20, hu.shape)).clip(-1024))
    study = tmp_path / "LDCT-and-Projection-data" / "N209" / "08-09-2018-NA-NA-12345"
    for dose, written in (("Low", low), ("Full", full)):
        series: Path = write_dicom(written, study / f"1.000000-{dose} Dose Images-00001")
        for path, name in zip(sorted(series.iterdir()), mayo.file_names(33), strict=True):
            path.rename(series / name)
    exam = mayo_exam(mayo.index(tmp_path), "N209")
    np.testing.assert_array_equal(exam.full.hu, hu)
    np.testing.assert_array_equal(exam.low.hu, np.rint(low.hu))
