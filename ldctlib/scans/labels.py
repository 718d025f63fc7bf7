"""Read label maps that lie on a scan's grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ldctlib.masks import Masks
from ldctlib.scans import nifti
from ldctlib.scans.scan import Scan
from ldctlib.scans.volumes import read_grid


def read_masks(path: str | Path, scan: Scan, names: Mapping[int, str] | None = None) -> Masks:
    """Read a label map (NIfTI, NRRD, MetaImage) as masks on a scan's grid.

    The map is turned and flipped by its own affine, as the scan was; it is never resampled.

    Args:
        path: the file; one integer per voxel.
        scan: the scan that it belongs to.
        names: label of every id that is wanted; if None, the table that the file carries
            (TotalSegmentator writes one), or else "label-1", "label-2", ….

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no label map, lies on another grid, or has none of the names.
    """
    path = Path(path)
    values, spacing_mm, (z, y, x) = read_grid(path)
    if values.dtype.kind == "f" and (values == values.round()).all():
        values = values.astype(np.int64)
    if values.dtype.kind not in "iu":
        raise ValueError(f"{path} is not a label map: its values are not whole numbers.")
    if values.shape != scan.shape or not np.allclose(spacing_mm, scan.spacing_mm, rtol=0.01):
        raise ValueError(
            f"{path} has {_grid(values.shape, spacing_mm)} but {scan.name} has "
            f"{_grid(scan.shape, scan.spacing_mm)}; resample it to the scan first."
        )
    if scan.corner_mm is not None and scan.z_mm is not None:
        away = np.array([z, y, x]) - (scan.z_mm[0], *scan.corner_mm)
        if (np.abs(away) > 0.5 * np.array(spacing_mm)).any():
            raise ValueError(
                f"{path} lies ({away[0]:.1f}, {away[1]:.1f}, {away[2]:.1f}) mm (z, y, x) away from "
                f"{scan.name}; it belongs to another scan or to another part of this one."
            )
    if names is None and path.name.endswith(nifti.SUFFIXES):
        names = nifti.label_table(path)
    names = names or {int(i): f"label-{i}" for i in np.unique(values) if i != 0}
    masks = Masks.from_label_map(values, names)
    if not len(masks):
        raise ValueError(f"{path} holds none of the labels {', '.join(names.values())}.")
    return masks


def _grid(shape: tuple[int, ...], spacing_mm: tuple[float, ...]) -> str:
    return (
        f"{' x '.join(map(str, shape))} voxels of {' x '.join(f'{s:.3g}' for s in spacing_mm)} mm"
    )
