"""A written series is whole, valid, and says what it is."""

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from ldctlib.scans import downsample, read_dicom, write_dicom
from ldctlib.scans.scan import Scan


@pytest.fixture
def scan():
    hu = np.random.default_rng(0).normal(0, 300, (5, 8, 12)).clip(-1024, 3000)
    return Scan(hu, (2.5, 0.7, 0.7), "noise", "chest", z_mm=100 + 2.5 * np.arange(5))


def headers(folder):
    return [dcmread(path) for path in sorted(folder.iterdir())]


def test_round_trip_rounds_to_the_nearest_hu(scan, tmp_path):
    folder = write_dicom(scan, tmp_path / "out")
    back = read_dicom(folder)
    np.testing.assert_array_equal(back.hu, np.rint(scan.hu))
    assert np.abs(back.hu - scan.hu).max() <= 0.5
    # truncation would shift the mean by half a unit
    assert abs((back.hu - scan.hu).mean()) < 0.1
    np.testing.assert_allclose(back.spacing_mm, scan.spacing_mm)
    np.testing.assert_allclose(back.z_mm, scan.z_mm)
    np.testing.assert_allclose(back.corner_mm, (-3.5 * 0.7, -5.5 * 0.7))


def test_itk_reads_the_same(scan, tmp_path):
    folder = write_dicom(scan, tmp_path / "out")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), np.rint(scan.hu))
    np.testing.assert_allclose(image.GetSpacing(), scan.spacing_mm[::-1])


# Elements of the CT Image IOD (PS3.3 A.3) that must have a value, and that must be there.
# fmt: off
TYPE_1 = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "FrameOfReferenceUID", "Modality", "ImageType", "PixelSpacing", "ImageOrientationPatient",
    "ImagePositionPatient", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleIntercept",
    "RescaleSlope", "PixelData",
)
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "ReferringPhysicianName", "AccessionNumber", "SeriesNumber", "InstanceNumber",
    "Manufacturer", "PositionReferenceIndicator", "SliceThickness", "KVP", "AcquisitionNumber",
    "PatientPosition",
)
# fmt: on


def test_the_elements_of_a_derived_ct_image(scan, tmp_path):
    images = headers(write_dicom(scan, tmp_path / "out", derivation="RED-CNN, step 10"))
    for image in images:
        for keyword in TYPE_1:
            assert image[keyword].value not in (None, ""), keyword
        for keyword in TYPE_2:
            assert keyword in image, keyword
        assert list(image.ImageType[:2]) == ["DERIVED", "SECONDARY"]
        assert image.DerivationDescription == "RED-CNN, step 10"
        assert (float(image.RescaleSlope), float(image.RescaleIntercept)) == (1, -1024)
        assert image.SeriesDescription == "noise"
        assert (image.WindowCenter, image.WindowWidth) == (-600, 1500)
    assert len({i.SOPInstanceUID for i in images}) == 5
    assert len({i.SeriesInstanceUID for i in images}) == 1
    assert [i.InstanceNumber for i in images] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("orientation", [[1, 0, 0, 0, 1, 0], [-1, 0, 0, 0, -1, 0], "tilted"])
def test_a_template_gives_patient_and_place(make_series, tmp_path, orientation):
    if orientation == "tilted":
        orientation = [1, 0, 0, 0, np.cos(0.3), -np.sin(0.3)]
    source = make_series(ImageOrientationPatient=orientation, PatientID="P42", StudyID="S1")
    original = read_dicom(source)
    folder = write_dicom(original.slab(1, 4), tmp_path / "out", template=source)
    back = read_dicom(folder)
    np.testing.assert_array_equal(back.hu, original.hu[1:4])
    np.testing.assert_allclose(back.z_mm, original.z_mm[1:4])
    np.testing.assert_allclose(back.corner_mm, original.corner_mm)
    sources = {i.SOPInstanceUID: i for i in headers(source)}
    for image in headers(folder):
        before = sources[image.SourceImageSequence[0].ReferencedSOPInstanceUID]
        for kept in ["PatientID", "StudyID", "StudyInstanceUID", "FrameOfReferenceUID", "KVP"]:
            assert image[kept].value == before[kept].value
        assert image.SeriesInstanceUID != before.SeriesInstanceUID
        assert image.SOPInstanceUID != before.SOPInstanceUID
    # in the stored orientation or turned, ITK sees every voxel at the same point
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames
    first, second = (
        sitk.DICOMOrient(sitk.ReadImage(names(str(f))[0]), "LPS") for f in (source, folder)
    )
    np.testing.assert_allclose(first.GetDirection(), second.GetDirection(), atol=1e-6)


def test_a_downsampled_scan_keeps_its_field_of_view(make_series, tmp_path):
    source = make_series()
    coarse = downsample(read_dicom(source), 2)
    back = read_dicom(write_dicom(coarse, tmp_path / "out", template=source))
    np.testing.assert_allclose(back.corner_mm, coarse.corner_mm)
    np.testing.assert_allclose(back.spacing_mm, coarse.spacing_mm)


def test_a_template_of_something_else_is_refused(make_series, scan, tmp_path):
    source = make_series()
    elsewhere = Scan(np.zeros((2, 8, 12)), (2.5, 0.7, 0.7), "elsewhere", z_mm=[500.0, 502.5])
    with pytest.raises(ValueError, match=r"no slice at 500\.00 mm, where elsewhere has"):
        write_dicom(elsewhere, tmp_path / "out", template=source)
    wide = Scan(scan.hu, (2.5, 1.4, 1.4), "wide", z_mm=scan.z_mm)
    with pytest.raises(ValueError, match="wide does not show the field of view"):
        write_dicom(wide, tmp_path / "out", template=source)
    assert [p.name for p in tmp_path.iterdir()] == ["ct"]


def test_values_that_do_not_fit_are_clipped_and_counted(scan, tmp_path):
    hu = scan.hu.copy()
    hu[0, 0, :3], hu[1, 0, 0], hu[2, 0, 0] = -1100, 70000, -1024.3
    with pytest.warns(UserWarning, match="noise: 4 voxels lie outside"):
        folder = write_dicom(scan.with_hu(hu), tmp_path / "out")
    back = read_dicom(folder).hu
    assert (back[0, 0, :3] == -1024).all()
    assert back[1, 0, 0] == 65535 - 1024


def test_a_folder_that_holds_something_is_refused(scan, tmp_path):
    (tmp_path / "out").mkdir()
    write_dicom(scan, tmp_path / "out")
    with pytest.raises(FileExistsError, match="is not empty"):
        write_dicom(scan, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 5


def test_nothing_is_left_when_writing_fails(scan, tmp_path, monkeypatch):
    from ldctlib.scans import write

    def fail(path, common, place, pixels, instance):
        if instance == 3:
            raise OSError("No space left on device")
        original(path, common, place, pixels, instance)

    original = write._write_slice
    monkeypatch.setattr(write, "_write_slice", fail)
    with pytest.raises(OSError, match="No space"):
        write_dicom(scan, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
