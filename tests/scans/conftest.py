"""Small synthetic CT series, good and bad."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SERIES, STUDY, FRAME = (generate_uid(entropy_srcs=[name]) for name in ("series", "study", "frame"))


def ct_slice(stored, z, **changes):
    """One CT image; ``changes`` are keywords of data elements, None deletes one."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.Modality, image.PatientID, image.PatientName = "CT", "P1", "Phantom"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = (
        STUDY,
        SERIES,
        FRAME,
    )
    image.SeriesNumber, image.SeriesDescription = 7, "thorax"
    image.KVP, image.ConvolutionKernel, image.Manufacturer = "120", "B30f", "Nobody"
    image.SliceThickness = "2.5"
    image.ImagePositionPatient, image.ImageOrientationPatient = [-10, -20, z], [1, 0, 0, 0, 1, 0]
    image.PixelSpacing = [0.7, 0.7]
    image.Rows, image.Columns = stored.shape[-2:]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = int(stored.dtype.kind == "i")
    image.RescaleSlope, image.RescaleIntercept = "1", "-1024"
    image.PixelData = np.ascontiguousarray(stored).tobytes()
    for keyword, value in changes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    return image


@pytest.fixture
def volume():
    """(6, 8, 12) unsigned stored values, all different."""
    return np.random.default_rng(0).permutation(3000)[: 6 * 8 * 12].reshape(6, 8, 12).astype("<u2")


@pytest.fixture
def make_series(tmp_path, volume):
    """Write ``volume`` as a series: a function of (folder name, changes per slice, changes)."""

    def make(name="ct", each=lambda i: {}, stored=volume, step=2.5, **changes) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for i, pixels in enumerate(stored):
            image = ct_slice(pixels, 100 + step * i, **{**changes, **each(i)})
            image.save_as(folder / f"{name}-{i}.dcm", enforce_file_format=True)
        return folder

    return make


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache and no LDCTLIB_DATA_DIR."""
    from ldctlib.scans import catalogue

    monkeypatch.delenv("LDCTLIB_DATA_DIR", raising=False)
    monkeypatch.setattr(catalogue.pooch, "os_cache", lambda name: tmp_path / "cache")
    return tmp_path / "cache"
