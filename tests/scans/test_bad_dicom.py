"""Bad DICOM: each is refused with one sentence that names the file and the series."""

import re
import shutil

import numpy as np
import pytest
from pydicom import dcmread

from ldctlib.scans import open_scan, read_dicom


def refused(source, *words, **options):
    """Reading fails with one sentence that holds all the words."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read_dicom(source, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence
    for word in words:
        assert word in sentence, sentence
    return sentence


def change(path, **elements):
    image = dcmread(path)
    for keyword, value in elements.items():
        setattr(image, keyword, value)
    image.save_as(path)


def test_several_series_are_listed(make_series):
    folder = make_series()
    for i in (0, 1):
        change(folder / f"ct-{i}.dcm", SeriesInstanceUID="1.2.3", SeriesNumber=8,
               SeriesDescription="scout")  # fmt: skip
    refused(folder, "2 series", "series 7, 'thorax', CT, 4 files", "series 8, 'scout'", "1.2.3")
    refused(folder, "no series 99", "series 8, 'scout'", series=99)


def test_missing_slices(make_series):
    folder = make_series()
    (folder / "ct-2.dcm").unlink()
    (folder / "ct-3.dcm").unlink()
    refused(folder, "series 7, 'thorax' misses 2", "ct-1.dcm and ct-4.dcm", "7.50 mm")
    np.testing.assert_allclose(read_dicom(folder, spacing="keep").z_mm, [100, 102.5, 110, 112.5])


def test_uneven_spacing(make_series):
    z = [0, 2, 4, 6, 9, 12]
    folder = make_series(each=lambda i: {"ImagePositionPatient": [-10, -20, z[i]]})
    refused(folder, "series 7", "2.00 to 3.00 mm", "ct-3.dcm and ct-4.dcm", 'spacing="keep"')


def test_unknown_spacing_option(make_series):
    refused(make_series(), "'resample'", spacing="resample")


def test_mixed_sizes(make_series, volume):
    folder = make_series()
    small = make_series("small", stored=volume[:1, :4, :4])
    shutil.move(small / "small-0.dcm", folder / "small.dcm")
    change(folder / "small.dcm", ImagePositionPatient=[-10, -20, 115])
    refused(folder, "equal image sizes", "small.dcm", "8, 12", "4, 4", "series 7")


@pytest.mark.parametrize(
    ("element", "value", "words"),
    [
        ("PixelSpacing", [0.8, 0.8], "pixel sizes"),
        ("ImageOrientationPatient", [0, 1, 0, -1, 0, 0], "orientations"),
        ("ImagePositionPatient", [-10, 20, 105], "40.0 mm beside"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "no right angle"),
        ("ImageOrientationPatient", [0, 0, 0, 0, 0, 0], "no right angle"),
        ("RescaleSlope", "0", "RescaleSlope of 0"),
        ("RescaleType", "Z_EFF", "'Z_EFF', not Hounsfield"),
        ("SamplesPerPixel", 3, "colour"),
        ("Modality", "MR", "is MR, not CT"),
    ],
)
def test_one_slice_differs(make_series, element, value, words):
    folder = make_series()
    change(folder / "ct-2.dcm", **{element: value})
    refused(folder, words, "ct-2.dcm", "series 7, 'thorax'")


@pytest.mark.parametrize(
    "element",
    ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope",
     "RescaleIntercept", "Rows"],
)  # fmt: skip
def test_missing_elements(make_series, element):
    folder = make_series()
    image = dcmread(folder / "ct-2.dcm")
    delattr(image, element)
    image.save_as(folder / "ct-2.dcm")
    refused(folder, "ct-2.dcm", "series 7", f"no valid {element}")


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [([0, 1, 0, 0, 0, -1], "sagittal"), ([1, 0, 0, 0, 0, -1], "coronal")],
)
def test_other_planes(make_series, orientation, plane):
    refused(make_series(ImageOrientationPatient=orientation), plane, "ct-0.dcm", "axial")


def test_other_modality_or_no_image(make_series):
    refused(make_series("mr", Modality="MR"), "mr-0.dcm (series 7, 'thorax') is MR, not CT")
    refused(make_series("seg", Modality="SEG"), "no CT images", "SEG, 6 files")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_truncated_file(make_series, volume, kept):
    folder = make_series(stored=np.tile(volume, (1, 8, 8)))
    whole = (folder / "ct-4.dcm").read_bytes()
    (folder / "ct-4.dcm").write_bytes(whole[: int(kept * len(whole))])
    refused(folder, "ct-4.dcm", "truncated")


@pytest.mark.parametrize("bytes_cut", [8, 9, 20, 200])
def test_truncated_compressed_file(make_series, volume, bytes_cut):
    folder = make_series(stored=np.tile(volume, (1, 8, 8)))
    for path in folder.iterdir():
        image = dcmread(path)
        image.compress("1.2.840.10008.1.2.4.90")
        image.save_as(path)
    whole = (folder / "ct-4.dcm").read_bytes()
    (folder / "ct-4.dcm").write_bytes(whole[:-bytes_cut])
    refused(folder, "ct-4.dcm", "truncated")


def test_corrupt_files(make_series):
    folder = make_series()
    (folder / "ct-4.dcm").write_bytes(np.random.default_rng(0).bytes(4000))
    refused(folder, "ct-4.dcm", "corrupt")
    (folder / "ct-4.dcm").write_bytes(bytes(128) + b"DICM" + np.random.default_rng(0).bytes(4000))
    refused(folder, "ct-4.dcm", "corrupt")


def test_pixels_that_no_plugin_decodes(make_series):
    folder = make_series()
    image = dcmread(folder / "ct-1.dcm")
    image.compress("1.2.840.10008.1.2.5")
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.80"
    image.save_as(folder / "ct-1.dcm")
    refused(folder, "ct-1.dcm", "series 7", "decodes")


def test_duplicated_positions(make_series):
    folder = make_series()
    shutil.copy(folder / "ct-3.dcm", folder / "copy.dcm")
    sentence = refused(folder, "same position", "107.50 mm", "series 7")
    assert re.search(r"copy\.dcm.*ct-3\.dcm", sentence)
    refused(folder, "same position", spacing="keep")


def test_folders_without_dicom(tmp_path):
    refused(tmp_path, "is empty")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.png").write_bytes(b"\x89PNG" + bytes(200))
    refused(tmp_path, "2 files but none of them is DICOM")
    refused(tmp_path / "a.txt", "is not a DICOM file")


def test_a_single_slice_without_thickness(make_series, volume):
    folder = make_series(stored=volume[:1], SliceThickness=None)
    refused(folder, "no SliceThickness", "series 7")


def test_no_such_source(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        read_dicom(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"lidc-0315.*lidc-0314.*phantom-chest"):
        open_scan("lidc-0315")
