"""Scanning Fourier ring correlation: where in an image detail was lost or invented.

Noise alone lowers the correlation too: take the limit for a flag from pairs without invented
detail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ldctlib.metrics._inputs import as_slices
from ldctlib.metrics._transfer import axes
from ldctlib.metrics.fourier_ring import on_rings, ring_sums


@dataclass(frozen=True)
class PatchCorrelation:
    """Where each patch of a volume stops to agree with the reference.

    Args:
        crossings: (Z, R, C) frequency at which the correlation of each patch falls below the
            threshold, 1/mm; NaN for patches of air.
        rows, columns: (R,), (C,) first pixels of the patches.
        patch: their side in pixels.
    """

    crossings: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    patch: int

    def flags(self, limit: float) -> np.ndarray:
        """(Z, R, C) patches that stop to agree below ``limit``, 1/mm.

        Take the limit from pairs without invented detail, such as low and full dose:
        ``np.nanquantile(sfrc(low, full, pixel_mm).crossings, 0.01)`` flags one patch in 100.
        """
        return np.asarray(np.nan_to_num(self.crossings, nan=np.inf) < limit)

    def map(self, shape: tuple[int, int]) -> np.ndarray:
        """(Z, H, W) mean crossing of the patches over each pixel, 1/mm; NaN where there is none."""
        total, count = np.zeros((2, len(self.crossings), *shape))
        for i, top in enumerate(self.rows):
            for j, left in enumerate(self.columns):
                area = (slice(None), slice(top, top + self.patch), slice(left, left + self.patch))
                found = self.crossings[:, i, j, None, None]
                total[area] += np.nan_to_num(found)
                count[area] += np.isfinite(found)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def plot(self, ax: Any = None, *, limit: float | None = None, **style: Any) -> Any:
        """Draw how many patches stop to agree at which frequency, and the limit; returns the axes.

        Args:
            ax: matplotlib axes; new ones if None.
            limit: a dotted line at this frequency; None for none.
            style: of the histogram, as in ``ax.hist``.
        """
        ax = axes(ax, "frequency of the crossing [1/mm]", "patches")
        found = self.crossings[np.isfinite(self.crossings)]
        ax.hist(found, **{"bins": 40, "histtype": "step", "linewidth": 1.7, **style})
        if limit is not None:
            ax.axvline(limit, color="#5b6067", linestyle=":", linewidth=1)
        return ax


def sfrc(
    test: np.ndarray,
    reference: np.ndarray,
    pixel_mm: float,
    *,
    patch: int = 64,
    stride: int | None = None,
    threshold: float = 0.5,
    air_hu: float = -900.0,
) -> PatchCorrelation:
    """Scanning Fourier ring correlation: where in the image detail was lost or invented.

    Args:
        test: (H, W) or (Z, H, W) in HU.
        reference: the same grid.
        pixel_mm: pixel size.
        patch: side of the patches in pixels.
        stride: from patch to patch in pixels; half a patch if None.
        threshold: correlation under which two patches no longer agree.
        air_hu: patches whose reference is darker on average are left out.

    Returns:
        One crossing a patch.

    Raises:
        ValueError: shapes differ, or the patches do not fit.

    Source: Kc, Zeng, Soni and Badano 2026, arXiv:2603.04673.
    """
    tests, references = as_slices(np.asarray(test), np.asarray(reference))
    stride = patch // 2 if stride is None else stride
    if not (16 <= patch <= min(tests.shape[1:]) and stride >= 1):
        raise ValueError(
            f"Patches of {patch} pixels every {stride} do not fit slices of {tests.shape[1:]}: "
            "take at least 16 pixels and at most the shorter side."
        )
    rows, columns = (np.arange(0, n - patch + 1, stride) for n in tests.shape[1:])
    crossings = np.full((len(tests), len(rows), len(columns)), np.nan)
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            area = (slice(None), slice(top, top + patch), slice(left, left + patch))
            body = references[area].mean((1, 2)) > air_hu
            sums = ring_sums(tests[area][body], references[area][body], hann=True)
            correlations = [on_rings(each, patch, pixel_mm) for each in sums]
            crossings[body, i, j] = [each.crossing(threshold) for each in correlations]
    return PatchCorrelation(crossings, rows, columns, patch)
