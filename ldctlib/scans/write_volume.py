"""Write a scan as one file: NIfTI, NRRD, MetaImage or a bare array."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ldctlib.files import replacing
from ldctlib.scans.scan import Scan
from ldctlib.scans.volumes import SUFFIXES


def write_volume(scan: Scan, path: str | Path, *, like: str | Path | None = None) -> Path:
    """Write a scan to one file, complete or not at all.

    Args:
        scan: what to write; its HU are stored as float32.
        path: ends with .nii, .nii.gz, .nrrd, .mha, or with .npy for the bare array (Z, H, W),
            whose voxel size is then lost.
        like: the volume that the scan was read from: its place in space is taken over. Without
            it the corner lies at x = y = 0 and the first slice at its ``z_mm``.

    Returns:
        The path.

    Raises:
        FileExistsError: there is such a file.
        ValueError: the name ends with none of these, or ``like`` has another grid.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} is there already; name a new file.")
    if not path.name.endswith((".npy", *SUFFIXES)):
        raise ValueError(f"{path}: a volume is written as .nii.gz, .nii, .nrrd, .mha or .npy.")
    with replacing(path) as unfinished:
        if path.suffix == ".npy":
            np.save(unfinished, scan.hu)
        else:
            sitk: Any = import_module("SimpleITK")
            sitk.WriteImage(_image(sitk, scan, like), str(unfinished))
    return path


def _image(sitk: Any, scan: Scan, like: str | Path | None) -> Any:
    image = sitk.GetImageFromArray(scan.hu)
    if like is None:
        assert scan.z_mm is not None
        image.SetSpacing(scan.spacing_mm[::-1])
        image.SetOrigin((0.0, 0.0, float(scan.z_mm[0])))
        return image
    # As the reader turned it: rows to the back, columns to the left, slices to the head.
    original = sitk.DICOMOrient(sitk.ReadImage(str(like)), "LPS")
    if original.GetSize() != image.GetSize():
        raise ValueError(f"{like} has another grid than {scan.name}.")
    image.CopyInformation(original)
    return image
