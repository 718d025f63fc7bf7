"""Good DICOM: what is read is what was written, wherever and however it was stored."""

import itertools

import gdcm
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import Dataset, dcmread
from pydicom.uid import EnhancedCTImageStorage

from ldctlib.scans import open_scan, read_dicom


def hu_of(stored):
    return stored.astype(np.float32) - 1024


def test_reads_hu_grid_and_provenance(make_series, volume):
    scan = read_dicom(make_series(BodyPartExamined="CHEST"))
    np.testing.assert_array_equal(scan.hu, hu_of(volume))
    assert scan.hu.dtype == np.float32
    assert scan.spacing_mm == (2.5, 0.7, 0.7)
    np.testing.assert_allclose(scan.z_mm, 100 + 2.5 * np.arange(6))
    assert (scan.name, scan.anatomy, scan.corner_mm) == ("ct", "chest", (-20.0, -10.0))
    assert scan.provenance["scanner"] == "Nobody"
    assert scan.provenance["kernel"] == "B30f"
    assert scan.provenance["kVp"] == "120"
    assert not {"mAs", "CTDIvol_mGy"} & scan.provenance.keys()  # the headers do not state them


def test_provenance_states_the_dose_of_the_headers(make_series):
    load = [42, 45, 0, 60, 51, 42]  # modulated; one slice does not say
    folder = make_series(each=lambda i: {"Exposure": load[i]}, CTDIvol=18.541843)
    provenance = read_dicom(folder).provenance
    assert provenance["mAs"] == "42 to 60"
    assert provenance["CTDIvol_mGy"] == "18.54"


def test_sorted_by_position_not_by_name(make_series, volume):
    folder = make_series()
    order = [3, 0, 5, 1, 4, 2]
    for i, new in enumerate(order):
        (folder / f"ct-{i}.dcm").rename(folder / f"sorted-{new}.dcm")
    np.testing.assert_array_equal(read_dicom(folder).hu, hu_of(volume))


def test_searches_subfolders_and_skips_other_files(make_series, volume):
    folder = make_series()
    (folder / "deep").mkdir()
    (folder / "ct-3.dcm").rename(folder / "deep" / "no suffix")
    (folder / "notes.txt").write_text("not an image")
    (folder / "._ct-0.dcm").write_bytes(b"resource fork")
    np.testing.assert_array_equal(read_dicom(folder).hu, hu_of(volume))


def test_rescale_slope_and_signed_pixels(make_series):
    stored = np.array([[[-5, 0], [100, 32767]]], "<i2")
    scan = read_dicom(make_series(stored=stored, RescaleSlope="0.5", RescaleIntercept="10"))
    np.testing.assert_array_equal(scan.hu, stored * 0.5 + 10)


def test_one_file_is_one_slice_of_its_thickness(make_series, volume):
    scan = open_scan(make_series() / "ct-2.dcm", name="slice 2")
    np.testing.assert_array_equal(scan.hu, hu_of(volume[2:3]))
    assert scan.spacing_mm == (2.5, 0.7, 0.7)


@pytest.mark.parametrize("padding", [-2000, -3024, -1500])
def test_padding_below_air_becomes_air(make_series, padding):
    stored = np.full((1, 4, 4), padding + 1024, "<i2")
    stored[0, 1:3, 1:3] = 1024 + 40
    hu = read_dicom(make_series(stored=stored)).hu
    assert hu.min() == -1024
    assert (hu[0, 1:3, 1:3] == 40).all()


def test_declared_padding_above_air_is_replaced_only_outside_the_body(make_series):
    stored = np.full((1, 7, 7), 1024, "<i2")  # 0 HU, as water
    stored[0, 1:6, 1:6] = 1024 + 50
    stored[0, 3, 3] = 1024
    hu = read_dicom(make_series(stored=stored, PixelPaddingValue=1024)).hu[0]
    assert (hu[[0, -1]] == -1024).all()
    assert hu[3, 3] == 0
    assert hu[2, 2] == 50


AXES = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)]
ORIENTATIONS = [o for o in itertools.product(AXES, AXES) if np.dot(*o) == 0]


@pytest.mark.parametrize(("across", "down"), ORIENTATIONS)
@pytest.mark.parametrize("direction", [1, -1])
def test_every_axial_orientation_gives_the_same_volume(
    tmp_path, make_series, volume, across, down, direction
):
    """One image stored in every orientation; the reader must turn it back, as ITK does."""
    truth = read_dicom(make_series("truth", PixelSpacing=[0.7, 0.5]))
    across, down = np.array(across), np.array(down)
    # index of the true voxel (z, y, x) shown at each stored (row, column)
    rows, columns = (volume.shape[2 if d[0] else 1] for d in (down, across))
    r, c = np.mgrid[:rows, :columns]

    def coordinate(axis, size):
        step = across[axis] * c + down[axis] * r
        return step if (across + down)[axis] > 0 else step + size - 1

    x, y = coordinate(0, volume.shape[2]), coordinate(1, volume.shape[1])
    stored = np.array([v[y, x] for v in volume])[::direction]
    spacing = [0.7, 0.5] if across[0] else [0.5, 0.7]
    corner = np.array([-10 + 0.5 * x[0, 0], -20 + 0.7 * y[0, 0]])
    folder = make_series(
        "turned",
        lambda i: {"ImagePositionPatient": [*corner, 100 + (i if direction == 1 else 5 - i) * 2.5]},
        stored=stored,
        ImageOrientationPatient=[*map(int, across), *map(int, down)],
        PixelSpacing=spacing,
    )
    scan = read_dicom(folder)
    np.testing.assert_array_equal(scan.hu, truth.hu)
    np.testing.assert_allclose(scan.spacing_mm, truth.spacing_mm)
    np.testing.assert_allclose(scan.corner_mm, truth.corner_mm)
    np.testing.assert_allclose(scan.z_mm, truth.z_mm)
    # the oracle for the geometry itself: ITK on the same files, turned to LPS
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.DICOMOrient(sitk.ReadImage(names), "LPS")
    np.testing.assert_array_equal(scan.hu, np.maximum(sitk.GetArrayFromImage(image), -1024))
    np.testing.assert_allclose(image.GetOrigin()[::-1], (scan.z_mm[0], *scan.corner_mm))


def test_tilted_gantry_positions_along_the_normal(make_series):
    tilt = np.radians(20)
    scan = read_dicom(
        make_series(ImageOrientationPatient=[1, 0, 0, 0, np.cos(tilt), -np.sin(tilt)])
    )
    assert scan.provenance["gantry_tilt_deg"] == "20.0"
    np.testing.assert_allclose(np.diff(scan.z_mm), 2.5 * np.cos(tilt))


def test_uneven_spacing_can_be_kept(make_series):
    z = [0, 2, 4, 6, 9, 12]
    folder = make_series(each=lambda i: {"ImagePositionPatient": [-10, -20, z[i]]})
    scan = read_dicom(folder, spacing="keep")
    np.testing.assert_allclose(scan.z_mm, z)
    assert scan.spacing_mm[0] == 2


def test_small_rounding_of_positions_is_even(make_series):
    folder = make_series(each=lambda i: {"ImagePositionPatient": [-10, -20, round(0.75 * i, 1)]})
    assert read_dicom(folder).spacing_mm[0] == pytest.approx(0.75, abs=0.06)


def test_a_series_is_chosen_by_number_or_uid(make_series, volume):
    folder = make_series()
    other = volume + 1
    make_series(stored=other, each=lambda i: {"InstanceNumber": i}, SeriesNumber=9, name="other")
    for path in (folder.parent / "other").iterdir():
        image = dcmread(path)
        image.SeriesInstanceUID = "1.2.3"
        image.save_as(folder / f"b{path.name}")
    for wanted in (9, "9", "1.2.3"):
        np.testing.assert_array_equal(read_dicom(folder, series=wanted).hu, hu_of(other))
    np.testing.assert_array_equal(read_dicom(folder, series=7).hu, hu_of(volume))


def test_contours_beside_the_images_are_passed_over(make_series, volume):
    folder = make_series()
    image = dcmread(folder / "ct-0.dcm")
    del image.PixelData
    image.Modality, image.SeriesInstanceUID = "RTSTRUCT", "1.2.3"
    image.save_as(folder / "contours.dcm")
    np.testing.assert_array_equal(read_dicom(folder).hu, hu_of(volume))


SYNTAXES = {
    "JPEG lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "JPEG-LS": gdcm.TransferSyntax.JPEGLSLossless,
    "JPEG 2000": gdcm.TransferSyntax.JPEG2000Lossless,
    "RLE": gdcm.TransferSyntax.RLELossless,
    "deflated": gdcm.TransferSyntax.DeflatedExplicitVRLittleEndian,
    "implicit": gdcm.TransferSyntax.ImplicitVRLittleEndian,
    "big endian": gdcm.TransferSyntax.ExplicitVRBigEndian,
}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_transfer_syntax_decodes_to_the_same_values(make_series, tmp_path, syntax):
    stored = (np.random.default_rng(1).random((3, 64, 64)) * 3000).astype("<u2")
    folder = make_series(stored=stored)
    for path in folder.iterdir():
        reader, change, writer = (
            gdcm.ImageReader(),
            gdcm.ImageChangeTransferSyntax(),
            gdcm.ImageWriter(),
        )
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(SYNTAXES[syntax]))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        assert dcmread(path).file_meta.TransferSyntaxUID == gdcm.TransferSyntax.GetTSString(
            SYNTAXES[syntax]
        )
    np.testing.assert_array_equal(read_dicom(folder).hu, hu_of(stored))


def test_old_files_without_preamble(make_series, volume):
    folder = make_series()
    for path in folder.iterdir():
        image = dcmread(path)
        del image.file_meta
        image.preamble = None
        image.save_as(path, implicit_vr=True, little_endian=True)
        assert path.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read_dicom(folder).hu, hu_of(volume))


def enhanced(make_series, volume):
    """The series as one enhanced multi-frame file, frames out of order."""
    image = dcmread(make_series() / "ct-0.dcm")
    order = [2, 0, 1, 5, 4, 3]
    image.SOPClassUID = EnhancedCTImageStorage
    image.NumberOfFrames = len(volume)
    image.PixelData = volume[order].tobytes()
    shared, frames = Dataset(), []
    for keyword in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        setattr(shared, keyword, [Dataset()])
    shared.PixelMeasuresSequence[0].PixelSpacing = image.PixelSpacing
    shared.PixelMeasuresSequence[0].SliceThickness = image.SliceThickness
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = image.ImageOrientationPatient
    for i in order:
        frame = Dataset()
        frame.PlanePositionSequence = [Dataset()]
        frame.PlanePositionSequence[0].ImagePositionPatient = [-10, -20, 100 + 2.5 * i]
        frame.PixelValueTransformationSequence = [Dataset()]
        frame.PixelValueTransformationSequence[0].RescaleSlope = "1"
        frame.PixelValueTransformationSequence[0].RescaleIntercept = str(-1024 + i)
        frames.append(frame)
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(image, keyword)
    image.SharedFunctionalGroupsSequence = [shared]
    image.PerFrameFunctionalGroupsSequence = frames
    return image


def test_enhanced_multi_frame_file(make_series, tmp_path, volume):
    path = tmp_path / "enhanced.dcm"
    enhanced(make_series, volume).save_as(path)
    scan = read_dicom(path)
    np.testing.assert_array_equal(scan.hu, hu_of(volume) + np.arange(6)[:, None, None])
    assert scan.spacing_mm == (2.5, 0.7, 0.7)


def test_enhanced_multi_frame_file_states_its_dose(make_series, tmp_path, volume):
    image = enhanced(make_series, volume)
    image.SharedFunctionalGroupsSequence[0].CTXRayDetailsSequence = [Dataset()]
    image.SharedFunctionalGroupsSequence[0].CTXRayDetailsSequence[0].KVP = 100
    del image.KVP
    for i, frame in enumerate(image.PerFrameFunctionalGroupsSequence):
        frame.CTExposureSequence = [Dataset()]
        frame.CTExposureSequence[0].ExposureInmAs = 40.5 + i
        frame.CTExposureSequence[0].CTDIvol = 7.25
    image.save_as(tmp_path / "enhanced.dcm")
    provenance = read_dicom(tmp_path / "enhanced.dcm").provenance
    stated = [provenance[key] for key in ("kVp", "mAs", "CTDIvol_mGy")]
    assert stated == ["100", "40.5 to 45.5", "7.25"]


def test_multi_frame_file_without_positions_is_refused(make_series, tmp_path, volume):
    image = enhanced(make_series, volume)
    del image.PerFrameFunctionalGroupsSequence
    image.save_as(tmp_path / "frames.dcm")
    with pytest.raises(ValueError, match=r"frames\.dcm .*several frames"):
        read_dicom(tmp_path / "frames.dcm")
