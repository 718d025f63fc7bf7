"""One slice of a DICOM file: where it lies, and how its stored values become HU."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ImplicitVRLittleEndian
from scipy import ndimage

from ldctlib.units import AIR_HU

# In an enhanced multi-frame file these stand in a functional group of the frame or of all frames.
_GROUP = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
}


@dataclass(frozen=True)
class Slice:
    """Header of one slice.

    Args:
        path: its file.
        frame: number in a multi-frame file, 0 elsewhere.
        label: what error messages call it.
        header: the file's data elements without pixels.
        shape: (rows, columns).
        position: (3,) mm, centre of the first stored pixel, DICOM patient coordinates.
        across, down: (3,) unit vectors along a row and along a column of the stored image.
        pixel_mm: (down, across).
        thickness_mm: nominal, or None.
        slope, intercept: HU = slope * stored + intercept.
    """

    path: Path
    frame: int
    label: str
    header: Dataset
    shape: tuple[int, int]
    position: np.ndarray
    across: np.ndarray
    down: np.ndarray
    pixel_mm: tuple[float, float]
    thickness_mm: float | None
    slope: float
    intercept: float

    def hu(self) -> np.ndarray:
        """The stored image in HU, float32 (rows, columns), padding set to -1024.

        Raises:
            ValueError: the file cannot be decoded.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image = dcmread(self.path, force=True)
                if "TransferSyntaxUID" not in image.file_meta:  # a bare data set, as of old
                    image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
                stored = pixel_array(image, index=self.frame)
        except Exception as error:
            raise ValueError(
                f"{self.label} is truncated, corrupt or in a compression that no installed "
                f"pydicom plugin decodes ({str(error).strip().splitlines()[0]})."
            ) from error
        if stored.shape != self.shape:
            raise ValueError(f"{self.label} holds {stored.shape} pixels, not {self.shape}.")
        hu: np.ndarray = stored.astype(np.float32) * np.float32(self.slope) + np.float32(
            self.intercept
        )
        hu[self._padding(stored)] = AIR_HU
        return hu.clip(np.float32(AIR_HU))

    def _padding(self, stored: np.ndarray) -> np.ndarray:
        value = self.header.get("PixelPaddingValue")
        if value is None:
            return np.zeros(stored.shape, bool)
        limit = self.header.get("PixelPaddingRangeLimit", value)
        padding = (stored >= min(value, limit)) & (stored <= max(value, limit))
        # Padding lies outside the scan circle. Some files declare a value that tissue has as well.
        regions, _ = ndimage.label(padding)
        border = np.concatenate([regions[[0, -1]].ravel(), regions[:, [0, -1]].ravel()])
        outside: np.ndarray = np.isin(regions, border[border > 0])
        return outside


def slices_of(path: Path, header: Dataset, series: str) -> list[Slice]:
    """The slices in one CT file: one, or the frames of an enhanced file.

    Args:
        path: the file.
        header: its data elements without pixels.
        series: what messages call its series.

    Raises:
        ValueError: an element is missing or makes no sense.
    """
    label = f"{path.name} ({series})"
    frames = header.get("PerFrameFunctionalGroupsSequence")
    if frames is None:
        if int(header.get("NumberOfFrames") or 1) > 1:
            raise ValueError(f"{label} holds several frames but does not say where they lie.")
        return [_slice(path, header, [], 0, label)]
    shared = list(header.get("SharedFunctionalGroupsSequence") or [])
    return [
        _slice(path, header, [frame, *shared], i, f"{path.name} frame {i + 1} ({series})")
        for i, frame in enumerate(frames)
    ]


def _slice(path: Path, header: Dataset, groups: list[Dataset], frame: int, label: str) -> Slice:
    def numbers(keyword: str, count: int) -> np.ndarray:
        try:
            found = np.array(_value(header, groups, keyword), np.float64).reshape(-1)
        except (TypeError, ValueError):
            found = np.empty(0)
        if len(found) != count or not np.isfinite(found).all():
            raise ValueError(f"{label} has no valid {keyword}, which a CT image needs.")
        return found

    if header.get("SamplesPerPixel", 1) != 1:
        raise ValueError(f"{label} is a colour picture, not a CT image.")
    unit = _value(header, groups, "RescaleType")
    if unit not in (None, "", "HU", "US"):
        raise ValueError(f"{label} holds {unit!r}, not Hounsfield units.")
    across, down = numbers("ImageOrientationPatient", 6).reshape(2, 3)
    lengths = np.linalg.norm([across, down], axis=1)
    if not np.allclose(lengths, 1, atol=0.01) or abs(across @ down) > 0.01:
        raise ValueError(f"{label} has an ImageOrientationPatient that is no right angle.")
    pixel_mm = numbers("PixelSpacing", 2)
    slope = numbers("RescaleSlope", 1)[0]
    if slope == 0 or not (pixel_mm > 0).all():
        raise ValueError(f"{label} has a RescaleSlope of {slope:g} and pixels of {pixel_mm} mm.")
    thickness = _value(header, groups, "SliceThickness")
    return Slice(
        path=path,
        frame=frame,
        label=label,
        header=header,
        shape=(int(numbers("Rows", 1)[0]), int(numbers("Columns", 1)[0])),
        position=numbers("ImagePositionPatient", 3),
        across=across / lengths[0],
        down=down / lengths[1],
        pixel_mm=(float(pixel_mm[0]), float(pixel_mm[1])),
        thickness_mm=float(thickness) if thickness else None,
        slope=float(slope),
        intercept=float(numbers("RescaleIntercept", 1)[0]),
    )


def _value(header: Dataset, groups: Sequence[Dataset], keyword: str) -> Any:
    for group in groups:
        sequence = group.get(_GROUP.get(keyword, keyword))
        if sequence:
            return sequence[0].get(keyword)
    return header.get(keyword)
