"""Write a scan as a derived DICOM series."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from ldctlib.files import replacing
from ldctlib.scans.arrange import Series
from ldctlib.scans.scan import Scan
from ldctlib.scans.series import load_series
from ldctlib.units import AIR_HU, WINDOW_OF_ANATOMY, level_width

# What a derived series shares with the series it was made from; the rest is its own.
# fmt: off
_KEPT = (
    "SpecificCharacterSet", "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "PatientAge", "PatientSize", "PatientWeight", "PatientIdentityRemoved",
    "DeidentificationMethod", "StudyInstanceUID", "StudyID", "StudyDate", "StudyTime",
    "StudyDescription", "AccessionNumber", "ReferringPhysicianName", "BodyPartExamined",
    "FrameOfReferenceUID", "PositionReferenceIndicator", "PatientPosition", "KVP",
    "ConvolutionKernel", "SliceThickness", "ReconstructionDiameter", "GantryDetectorTilt",
    "AcquisitionNumber",
)
# fmt: on


def write_dicom(
    scan: Scan,
    folder: str | Path,
    *,
    template: str | Path | None = None,
    series: str | int | None = None,
    derivation: str = "Processed with ldctlib",
    description: str | None = None,
    number: int = 1000,
) -> Path:
    """Write a scan as CT images, one file a slice, with new series and instance UIDs.

    HU are rounded to whole numbers and stored as unsigned 16-bit values of HU + 1024. The folder
    appears when all files are written, or not at all.

    Args:
        scan: what to write.
        folder: where to; must be empty or not exist.
        template: the DICOM file or folder that the scan was made from: patient, study, frame of
            reference and slice positions are taken over. Without it the patient is anonymous.
        series: UID or number of the template's series, where it holds several.
        derivation: how the images were made (DerivationDescription).
        description: SeriesDescription; the scan's name if None.
        number: SeriesNumber.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds something.
        ValueError: the template does not show the same slices.

    Source: DICOM PS3.3 A.3 (CT Image IOD), C.7.6.1.1.2 (ImageType of derived images).
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not empty; write the series into a new folder.")
    source = None if template is None else load_series(Path(template), series, spacing="keep")
    pixels = _stored(scan)
    common = _common(scan, source, derivation, description or scan.name, number)
    with replacing(folder) as unfinished:
        unfinished.mkdir()
        for i, place in enumerate(_places(scan, source)):
            _write_slice(unfinished / f"{i + 1:04d}.dcm", common, place, pixels[i], i + 1)
        if folder.exists():
            folder.rmdir()
    return folder


def _stored(scan: Scan) -> np.ndarray:
    values: np.ndarray = np.rint(scan.hu) - AIR_HU
    outside = int(((values < 0) | (values > 65535)).sum())
    if outside:
        warnings.warn(
            f"{scan.name}: {outside} voxels lie outside -1024 to 64511 HU and were clipped.",
            stacklevel=3,
        )
    return values.clip(0, 65535).astype("<u2")


def _common(
    scan: Scan, source: Series | None, derivation: str, description: str, number: int
) -> Dataset:
    """What all slices share."""
    common, now = Dataset(), datetime.now()
    common.PatientName = common.PatientID = "Anonymous"
    for keyword in ("PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"):
        setattr(common, keyword, "")
    common.AccessionNumber = common.ReferringPhysicianName = common.PositionReferenceIndicator = ""
    common.KVP = common.AcquisitionNumber = None
    common.PatientPosition = "HFS"
    common.SliceThickness = format_number_as_ds(scan.spacing_mm[0])
    header = Dataset() if source is None else source.slices[0].header
    for keyword in _KEPT:
        if header.get(keyword) not in (None, ""):
            common[keyword] = header[keyword]
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if keyword not in common:
            setattr(common, keyword, generate_uid(prefix=None))
    common.SOPClassUID = CTImageStorage
    common.SeriesInstanceUID = generate_uid(prefix=None)
    common.Modality = "CT"
    common.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    common.DerivationDescription = derivation
    common.SeriesDescription = description[:64]
    common.SeriesNumber = number
    common.SeriesDate = common.ContentDate = now.strftime("%Y%m%d")
    common.SeriesTime = common.ContentTime = now.strftime("%H%M%S")
    common.Manufacturer = "ldctlib"
    common.SoftwareVersions = version("ldctlib")
    common.Rows, common.Columns = scan.shape[1:]
    common.PixelSpacing = [format_number_as_ds(s) for s in scan.spacing_mm[1:]]
    common.SamplesPerPixel, common.PhotometricInterpretation = 1, "MONOCHROME2"
    common.BitsAllocated, common.BitsStored, common.HighBit = 16, 16, 15
    common.PixelRepresentation = 0
    common.RescaleSlope, common.RescaleIntercept, common.RescaleType = "1", "-1024", "HU"
    window = WINDOW_OF_ANATOMY.get(scan.anatomy or "", "mediastinum")
    common.WindowCenter, common.WindowWidth = (f"{v:g}" for v in level_width(window))
    return common


def _places(scan: Scan, source: Series | None) -> Iterator[Dataset]:
    """Position and orientation of every slice, and the image it was made from."""
    assert scan.z_mm is not None
    if source is None:
        _, h, w = scan.shape
        _, dy, dx = scan.spacing_mm
        y, x = scan.corner_mm or (-(h - 1) / 2 * dy, -(w - 1) / 2 * dx)
        for z in scan.z_mm:
            yield _place(np.array([x, y, z]), np.eye(3)[:2])
        return
    size = source.turn(np.empty(source.slices[0].shape)).shape
    field = np.multiply(size, source.pixel_mm)
    if not np.allclose(field, np.multiply(scan.shape[1:], scan.spacing_mm[1:]), rtol=0.01):
        raise ValueError(f"{scan.name} does not show the field of view of {source.title}.")
    # Equal fields of view: larger pixels have their first centre further inside.
    down, across = (np.array(scan.spacing_mm[1:]) - source.pixel_mm) / 2
    for z in scan.z_mm:
        i = int(np.abs(source.z_mm - z).argmin())
        if abs(source.z_mm[i] - z) > 0.1 * source.step_mm:
            raise ValueError(f"{source.title} has no slice at {z:.2f} mm, where {scan.name} has.")
        corner = source.corners_mm[i] + down * source.down + across * source.across
        yield _place(corner, np.array([source.across, source.down]), source.slices[i].header)


def _place(corner: np.ndarray, directions: np.ndarray, header: Dataset | None = None) -> Dataset:
    place = Dataset()
    place.ImagePositionPatient = [format_number_as_ds(float(v)) for v in corner]
    place.ImageOrientationPatient = [format_number_as_ds(float(v)) for v in directions.ravel()]
    place.SliceLocation = format_number_as_ds(float(corner[2]))
    if header is not None and header.get("SOPInstanceUID") and header.get("SOPClassUID"):
        image = Dataset()
        image.ReferencedSOPClassUID = header.SOPClassUID
        image.ReferencedSOPInstanceUID = header.SOPInstanceUID
        place.SourceImageSequence = [image]
    return place


def _write_slice(
    path: Path, common: Dataset, place: Dataset, pixels: np.ndarray, instance: int
) -> None:
    image = Dataset()
    image.update(common)
    image.update(place)
    image.SOPInstanceUID = generate_uid(prefix=None)
    image.InstanceNumber = instance
    image.PixelData = pixels.tobytes()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.save_as(path, enforce_file_format=True)
