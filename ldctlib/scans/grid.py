"""Coarser grids."""

from __future__ import annotations

from dataclasses import replace

from ldctlib.scans.scan import Scan


def downsample(scan: Scan, factor: int) -> Scan:
    """Larger pixels: the mean of ``factor`` x ``factor`` pixels in every slice, without masks.

    Args:
        scan: rows and columns must be multiples of ``factor``.
        factor: whole number, at least 1.

    Raises:
        ValueError: the size cannot be divided.

    >>> import numpy as np
    >>> coarse = downsample(Scan(np.arange(16.0).reshape(1, 4, 4), (5.0, 0.7, 0.7), "test"), 2)
    >>> coarse.hu.tolist(), coarse.spacing_mm
    ([[[2.5, 4.5], [10.5, 12.5]]], (5.0, 1.4, 1.4))
    """
    z, h, w = scan.shape
    if factor < 1 or h % factor or w % factor:
        raise ValueError(f"{scan.name}: {h} x {w} pixels cannot be divided by {factor}.")
    dz, dy, dx = scan.spacing_mm
    corner = scan.corner_mm
    if corner is not None:
        corner = (corner[0] + (factor - 1) / 2 * dy, corner[1] + (factor - 1) / 2 * dx)
    return replace(
        scan,
        hu=scan.hu.reshape(z, h // factor, factor, w // factor, factor).mean(axis=(2, 4)),
        spacing_mm=(dz, dy * factor, dx * factor),
        masks={},
        provenance={**scan.provenance, "downsampled": f"mean of {factor} x {factor} pixels"},
        corner_mm=corner,
    )
