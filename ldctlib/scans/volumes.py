"""Read volumes that are not DICOM: NIfTI, NRRD, MetaImage and NumPy arrays."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ldctlib.scans import nifti
from ldctlib.scans.scan import Scan
from ldctlib.units import AIR_HU

SUFFIXES = (*nifti.SUFFIXES, ".nrrd", ".nhdr", ".mha", ".mhd")


class Grid(NamedTuple):
    """Voxels turned to slices from caudal to cranial, anterior to posterior, right to left.

    Args:
        values: (Z, H, W).
        spacing_mm: (dz, dy, dx).
        origin_mm: (z, y, x) of the first voxel's centre in DICOM patient coordinates.
    """

    values: np.ndarray
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]


def read_grid(path: Path, channel: int | None = None) -> Grid:
    """Read any format that SimpleITK knows, and turn it by its own affine.

    Args:
        path: the file.
        channel: which volume of a 4-D image, e.g. of an MRI with several contrasts; None asks for
            a 3-D one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read or is not one volume of numbers.
    """
    sitk: Any = import_module("SimpleITK")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.name.endswith(nifti.SUFFIXES):
        nifti.check_whole(path)
    try:
        image = sitk.ReadImage(str(path))
        size = image.GetSize()
        if channel is not None:
            if len(size) != 4 or not 0 <= channel < size[3]:
                raise ValueError(f"{path} has {size} voxels: there is no volume {channel} in it.")
            image = image[:, :, :, channel]
            size = image.GetSize()
        if len(size) != 3 or image.GetNumberOfComponentsPerPixel() != 1:
            raise ValueError(f"{path} holds {size} voxels of several values or times, not one CT.")
        image = sitk.DICOMOrient(image, "LPS")
    except RuntimeError as error:
        raise ValueError(f"{path} is truncated, corrupt or not a volume that ITK reads.") from error
    (dx, dy, dz), (x, y, z) = image.GetSpacing(), image.GetOrigin()
    return Grid(sitk.GetArrayFromImage(image), (dz, dy, dx), (z, y, x))


def read_volume(
    path: str | Path,
    *,
    name: str | None = None,
    anatomy: str | None = None,
    channel: int | None = None,
) -> Scan:
    """Read a CT volume from NIfTI, NRRD or MetaImage.

    Values are taken as HU; those below -1024 HU (padding, ringing of a resampling) become -1024.

    Args:
        path: the file.
        name: what figures call the scan; the file's name if None.
        anatomy: "chest", "abdomen" or "head".
        channel: which volume of a 4-D image.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not one volume of numbers.
    """
    path = Path(path)
    values, spacing_mm, (z, y, x) = read_grid(path, channel)
    return Scan(
        hu=np.maximum(values.astype(np.float32), np.float32(AIR_HU)),
        spacing_mm=spacing_mm,
        name=name or path.name.split(".")[0],
        anatomy=anatomy,
        z_mm=z + np.arange(len(values)) * spacing_mm[0],
        provenance={"source": str(path)},
        corner_mm=(y, x),
    )


def read_array(
    path: str | Path,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
    axes: str = "zyx",
    name: str | None = None,
    anatomy: str | None = None,
) -> Scan:
    """Read a CT volume in HU from a ``.npy`` file.

    Args:
        path: the file; 3-D numbers in HU. Values below -1024 HU become -1024.
        spacing_mm: (dz, dy, dx), which a ``.npy`` file cannot say itself.
        axes: order of the file's axes, z to the head, y to the back, x to the patient's left;
            a capital letter for an axis that runs the other way.
        name: what figures call the scan; the file's name if None.
        anatomy: "chest", "abdomen" or "head".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no spacing is given, or the file holds no volume.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if spacing_mm is None:
        raise ValueError(
            f"{path.name} does not say how large its voxels are: pass spacing_mm=(dz, dy, dx)."
        )
    if sorted(axes.lower()) != ["x", "y", "z"]:
        raise ValueError(f'axes is an order of "z", "y" and "x", not {axes!r}.')
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} is truncated, corrupt or not a .npy file of numbers.") from error
    if values.ndim != 3 or values.dtype.kind not in "iuf":
        raise ValueError(f"{path} holds {values.dtype} {values.shape}, not a volume of numbers.")
    values = values[tuple(slice(None, None, -1 if axis.isupper() else 1) for axis in axes)]
    values = values.transpose([axes.lower().index(axis) for axis in "zyx"])
    dz, dy, dx = spacing_mm
    return Scan(
        hu=np.maximum(values.astype(np.float32), np.float32(AIR_HU)),
        spacing_mm=(dz, dy, dx),
        name=name or path.stem,
        anatomy=anatomy,
        provenance={"source": str(path)},
    )
