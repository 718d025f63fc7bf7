"""NIfTI, NRRD, MetaImage, NumPy and label maps."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

from ldctlib.scans import downsample, open_scan, read_masks
from ldctlib.scans.scan import Scan

HU = np.arange(-500, -500 + 3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)


def image(values=HU, orientation="LPS"):
    made = sitk.GetImageFromArray(values)
    made.SetSpacing((0.6, 0.7, 3.0))
    made.SetOrigin((-10, -20, 100))
    return sitk.DICOMOrient(made, orientation)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"])
def test_formats(tmp_path, suffix):
    path = tmp_path / f"liver{suffix}"
    sitk.WriteImage(image(), str(path))
    scan = open_scan(path, anatomy="abdomen")
    np.testing.assert_array_equal(scan.hu, HU)
    np.testing.assert_allclose(scan.spacing_mm, (3.0, 0.7, 0.6), rtol=1e-6)
    np.testing.assert_allclose(scan.z_mm, [100, 103, 106], rtol=1e-6)
    np.testing.assert_allclose(scan.corner_mm, (-20, -10), rtol=1e-6)
    assert (scan.name, scan.anatomy) == ("liver", "abdomen")


@pytest.mark.parametrize("orientation", ["RAS", "LPI", "SRA", "AIR", "PLS"])
def test_any_orientation_is_turned(tmp_path, orientation):
    sitk.WriteImage(image(orientation=orientation), str(tmp_path / "ct.nii.gz"))
    scan = open_scan(tmp_path / "ct.nii.gz")
    np.testing.assert_array_equal(scan.hu, HU)
    np.testing.assert_allclose(scan.spacing_mm, (3.0, 0.7, 0.6), rtol=1e-6)
    np.testing.assert_allclose(scan.corner_mm, (-20, -10), rtol=1e-5)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("bytes_cut", [1, 9, 3000])
def test_truncated_volumes(tmp_path, suffix, compressed, bytes_cut):
    noise = np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20)).astype(np.int16)
    path = tmp_path / f"cut{suffix}"
    sitk.WriteImage(image(noise), str(path), compressed)
    np.testing.assert_array_equal(open_scan(path).hu, noise)
    path.write_bytes(path.read_bytes()[:-bytes_cut])
    if suffix == ".nrrd" and compressed and bytes_cut < 10:  # the checksum, behind the voxels
        np.testing.assert_array_equal(open_scan(path).hu, noise)
    else:
        with pytest.raises(ValueError, match=r"cut\..* is truncated"):
            open_scan(path)


def test_neighbours_that_itk_mixes_up(tmp_path):
    for suffix in (".nii", ".nii.gz"):
        sitk.WriteImage(image(), str(tmp_path / f"ct{suffix}"))
    for path in tmp_path.iterdir():
        with pytest.raises(ValueError, match="lies beside ct"):
            open_scan(path)


def test_bad_volumes(tmp_path):
    (tmp_path / "text.nii").write_text("not an image")
    with pytest.raises(ValueError, match=r"text\.nii is truncated, corrupt or not"):
        open_scan(tmp_path / "text.nii")
    colour = sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.uint8), isVector=True)
    sitk.WriteImage(colour, str(tmp_path / "colour.mha"))
    with pytest.raises(ValueError, match="not one CT"):
        open_scan(tmp_path / "colour.mha")
    not_finite = HU.astype(np.float32)
    not_finite[0, 0, 0] = np.nan
    for name in ("nan.nii", "nan.nii.gz", "nan.mha"):
        sitk.WriteImage(image(not_finite), str(tmp_path / name))
        with pytest.raises(ValueError, match="not finite"):
            open_scan(tmp_path / name)
        (tmp_path / name).unlink()


def test_numpy_needs_a_spacing(tmp_path):
    np.save(tmp_path / "ct.npy", HU)
    with pytest.raises(ValueError, match=r"ct\.npy .*pass spacing_mm=\(dz, dy, dx\)"):
        open_scan(tmp_path / "ct.npy")
    scan = open_scan(tmp_path / "ct.npy", spacing_mm=(3, 0.7, 0.6))
    np.testing.assert_array_equal(scan.hu, HU)
    assert scan.spacing_mm == (3.0, 0.7, 0.6)


@pytest.mark.parametrize("axes", ["".join(p) for p in itertools.permutations("zyx")] + ["YxZ"])
def test_numpy_axes(tmp_path, axes):
    stored = HU.transpose(["zyx".index(a) for a in axes.lower()])
    stored = np.flip(stored, tuple(i for i, a in enumerate(axes) if a.isupper()))
    np.save(tmp_path / "ct.npy", stored)
    scan = open_scan(tmp_path / "ct.npy", spacing_mm=(3, 1, 1), axes=axes)
    np.testing.assert_array_equal(scan.hu, HU)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.zeros((4, 5)), "not a volume"),
        (np.zeros((2, 2, 2), complex), "not a volume"),
        (np.array([{"a": 1}], object), "not a .npy file of numbers"),
        (b"garbage", "not a .npy file"),
        (b"", "not a .npy file"),
    ],
)
def test_bad_numpy(tmp_path, content, words):
    path = tmp_path / "bad.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(ValueError, match=words):
        open_scan(path, spacing_mm=(1, 1, 1))
    with pytest.raises(ValueError, match="axes is an order"):
        open_scan(path, spacing_mm=(1, 1, 1), axes="zzx")


LABELS = np.zeros(HU.shape, np.uint8)
LABELS[1, 1:3, 2:4] = 5
LABELS[2, 0, 0] = 7


@pytest.fixture
def scan(tmp_path):
    sitk.WriteImage(image(), str(tmp_path / "ct.nii.gz"))
    return open_scan(tmp_path / "ct.nii.gz")


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "LAI"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_masks_are_turned_with_their_scan(tmp_path, scan, orientation, dtype):
    sitk.WriteImage(image(LABELS.astype(dtype), orientation), str(tmp_path / "labels.nii.gz"))
    masks = read_masks(tmp_path / "labels.nii.gz", scan, {5: "liver", 7: "cyst", 9: "absent"})
    assert masks.labels == ("liver", "cyst")
    np.testing.assert_array_equal(masks.boolean("liver"), LABELS == 5)
    unnamed = read_masks(tmp_path / "labels.nii.gz", scan)
    assert unnamed.labels == ("label-5", "label-7")
    np.testing.assert_array_equal(unnamed.boolean("label-7"), LABELS == 7)


def test_masks_of_another_grid_are_refused(tmp_path, scan):
    path = tmp_path / "labels.nrrd"
    sitk.WriteImage(image(LABELS[:2]), str(path))
    with pytest.raises(ValueError, match=r"2 x 4 x 5 voxels.*3 x 4 x 5 voxels.*resample"):
        read_masks(path, scan, {5: "liver"})
    moved = image(LABELS)
    moved.SetOrigin((-10, -20, 103))
    sitk.WriteImage(moved, str(path))
    with pytest.raises(ValueError, match=r"\(3\.0, 0\.0, 0\.0\) mm \(z, y, x\) away"):
        read_masks(path, scan, {5: "liver"})
    sitk.WriteImage(image(LABELS + np.float32(0.5)), str(path))
    with pytest.raises(ValueError, match="not whole numbers"):
        read_masks(path, scan, {5: "liver"})
    sitk.WriteImage(image(LABELS), str(path))
    with pytest.raises(ValueError, match="none of the labels spleen"):
        read_masks(path, scan, {1: "spleen"})


def test_downsample_is_the_mean_over_the_same_field_of_view():
    hu = np.random.default_rng(0).normal(size=(2, 6, 9)).astype(np.float32)
    fine = Scan(hu, (2.0, 0.5, 0.6), "fine", corner_mm=(-20.0, -10.0))
    coarse = downsample(fine, 3)
    for y, x in itertools.product(range(2), range(3)):
        block = hu[:, 3 * y : 3 * y + 3, 3 * x : 3 * x + 3].mean(axis=(1, 2))
        np.testing.assert_allclose(coarse.hu[:, y, x], block, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(coarse.spacing_mm, (2.0, 1.5, 1.8))
    np.testing.assert_allclose(coarse.corner_mm, (-19.5, -9.4))
    np.testing.assert_array_equal(downsample(fine, 1).hu, hu)
    for factor in (2, 0, -1):
        with pytest.raises(ValueError, match=f"6 x 9 pixels cannot be divided by {factor}"):
            downsample(fine, factor)
