"""What the segmenter takes for noise, and for bone."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from scipy import ndimage

BLOCK = 32
LEAST_SCALE_HU = 0.5
BONE_HU, BONE_SLOPE = 300.0, 0.05
# The grain is what a Gaussian of this many pixels takes away.
GRAIN_PX, LEAST_GRAIN_HU = 0.7, 0.1
# The quietest tenth of the blocks; where all is noise, their median is so much below the truth.
QUIET, QUIET_BIAS = 0.1, 0.92
# Of an absolute normal variable, the median times this is the standard deviation.
MEDIAN_TO_SD = 1.4826


def compressed(hu: np.ndarray) -> np.ndarray:
    """Slice (H, W) in HU with a small slope above 300 HU, so that marrow does not look busy.

    >>> compressed(np.array([[-2000.0, 40.0, 1300.0]])).tolist()
    [[-1050.0, 40.0, 350.0]]
    """
    clipped = np.clip(hu, -1050, 3000).astype(np.float64)
    soft = np.where(clipped > BONE_HU, BONE_HU + BONE_SLOPE * (clipped - BONE_HU), clipped)
    return np.asarray(soft)


def steps(smooth: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of a smoothed slice across each pixel pair, to the right and downwards.

    Args:
        smooth: (H, W).
        reach: pixels further on either side from which the difference is taken.

    Returns:
        Two arrays (H, W): entry (y, x) is about the pixels (y, x) and (y, x + 1), or (y + 1, x).
    """
    h, w = smooth.shape
    o = reach + 1
    padded = np.pad(smooth, o, mode="edge")
    right = padded[o : o + h, o + o : o + o + w] - padded[o : o + h, o - reach : o - reach + w]
    down = padded[o + o : o + o + h, o : o + w] - padded[o - reach : o - reach + h, o : o + w]
    return right, down


def noise_scale(
    values: Sequence[np.ndarray], body: np.ndarray, least: float = LEAST_SCALE_HU
) -> np.ndarray:
    """Standard deviation (H, W) that noise and fine texture give to ``values``, from block medians.

    Args:
        values: arrays (H, W) of the same kind and mean zero, HU.
        body: (H, W) where to look.
        least: HU, never less than this.
    """
    sizes = np.abs(np.stack(values))
    medians, share = _block_medians(sizes, body)
    overall = np.median(sizes[:, body]) if body.any() else 0.0
    medians = ndimage.median_filter(np.where(share < 0.5, overall, medians), 3)
    scale = ndimage.zoom(medians, BLOCK, order=1, grid_mode=True, mode="nearest")
    h, w = body.shape
    return np.asarray(np.maximum(MEDIAN_TO_SD * scale[:h, :w], least))


def grain(hu: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Local standard deviation (H, W) of the finest grain of a slice: noise, hardly structures."""
    return noise_scale([hu - ndimage.gaussian_filter(hu, GRAIN_PX)], body, LEAST_GRAIN_HU)


def colour(response: np.ndarray, local: np.ndarray, body: np.ndarray) -> float:
    """Standard deviation that a filter leaves of the noise, per unit of its grain.

    It is read where the body is quietest: elsewhere structures are louder than the noise.

    Args:
        response: (H, W) the filtered slice, of mean zero.
        local: (H, W) the `grain` of the slice.
        body: (H, W) where to look.
    """
    medians, share = _block_medians((np.abs(response) / local)[None], body)
    medians = medians[share > min(0.5, share.max() / 2)]
    return float(MEDIAN_TO_SD * np.quantile(medians, QUIET) / QUIET_BIAS) if medians.size else 1.0


@numba.njit(cache=True, nogil=True)
def _block_medians(sizes: np.ndarray, body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median (rows, columns) of every block of sizes (K, H, W), and how much of it is body."""
    k, h, w = sizes.shape
    rows, columns = (h + BLOCK - 1) // BLOCK, (w + BLOCK - 1) // BLOCK
    medians, share = np.zeros((rows, columns)), np.zeros((rows, columns))
    values = np.empty(k * BLOCK * BLOCK)
    for i in range(rows):
        for j in range(columns):
            count = 0
            for y in range(i * BLOCK, min(h, (i + 1) * BLOCK)):
                for x in range(j * BLOCK, min(w, (j + 1) * BLOCK)):
                    if body[y, x]:
                        for s in range(k):
                            values[count] = sizes[s, y, x]
                            count += 1
            share[i, j] = count / values.size
            if count:
                medians[i, j] = np.median(values[:count])
    return medians, share
