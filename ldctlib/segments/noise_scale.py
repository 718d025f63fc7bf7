"""What the segmenter takes for noise, for patient, and for bone."""

from __future__ import annotations

import numba
import numpy as np
from scipy import ndimage

BLOCK = 32
LEAST_SCALE_HU = 0.5
BONE_HU, BONE_SLOPE = 300.0, 0.05
# Of an absolute normal variable, the median times this is the standard deviation.
MEDIAN_TO_SD = 1.4826


def compressed(hu: np.ndarray) -> np.ndarray:
    """Slice (H, W) in HU with a small slope above 300 HU, so that marrow does not look busy.

    >>> compressed(np.array([[-2000.0, 40.0, 1300.0]])).tolist()
    [[-1050.0, 40.0, 350.0]]
    """
    clipped = np.clip(hu, -1050, 3000).astype(np.float64)
    return np.where(clipped > BONE_HU, BONE_HU + BONE_SLOPE * (clipped - BONE_HU), clipped)


def body_mask(hu: np.ndarray, pixel_mm: float = 0.7) -> np.ndarray:
    """Where the patient is in a slice (H, W): the largest thing denser than air, holes filled.

    The gap between ribs and skin is closed by 8.4 mm: a lung that touches the skin belongs to it.
    """
    dense = ndimage.binary_opening(ndimage.gaussian_filter(hu, 1.5) > -350, iterations=2)
    things, count = ndimage.label(dense)
    if count == 0:
        return np.ones(hu.shape, bool)
    reach = 8.4 / pixel_mm
    edge = int(reach) + 4
    body = np.pad(things == 1 + np.argmax(np.bincount(things.ravel())[1:]), edge)
    wide = ndimage.distance_transform_edt(~body) <= reach
    body |= ndimage.distance_transform_edt(wide) > reach
    return np.asarray(ndimage.binary_fill_holes(body)[edge:-edge, edge:-edge])


def steps(smooth: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of a smoothed slice across each pixel pair, to the right and downwards.

    Args:
        smooth: (H, W).
        reach: pixels further on either side from which the difference is taken.

    Returns:
        Two arrays (H, W): entry (y, x) belongs to the pair (y, x), (y, x + 1) or (y, x), (y + 1, x).
    """
    h, w = smooth.shape
    o = reach + 1
    padded = np.pad(smooth, o, mode="edge")
    right = padded[o : o + h, o + o : o + o + w] - padded[o : o + h, o - reach : o - reach + w]
    down = padded[o + o : o + o + h, o : o + w] - padded[o - reach : o - reach + h, o : o + w]
    return right, down


def noise_scale(
    right: np.ndarray, down: np.ndarray, body: np.ndarray, least: float = LEAST_SCALE_HU
) -> np.ndarray:
    """Standard deviation (H, W) that noise and fine texture give to a step, from medians of blocks.

    Args:
        right: (H, W) steps to the right, HU.
        down: (H, W) steps downwards, HU.
        body: (H, W) where to look.
        least: HU, never less than this.
    """
    medians, share = _block_medians(np.abs(right), np.abs(down), body)
    inside = np.concatenate([np.abs(right[body]), np.abs(down[body])])
    overall = np.median(inside) if inside.size else 0.0
    medians = ndimage.median_filter(np.where(share < 0.5, overall, medians), 3)
    scale = ndimage.zoom(medians, BLOCK, order=1, grid_mode=True, mode="nearest")
    h, w = body.shape
    return np.asarray(np.maximum(MEDIAN_TO_SD * scale[:h, :w], least))


@numba.njit(cache=True, nogil=True)
def _block_medians(
    right: np.ndarray, down: np.ndarray, body: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Median step of every block of the slice, and which share of the block is body."""
    h, w = body.shape
    rows, columns = (h + BLOCK - 1) // BLOCK, (w + BLOCK - 1) // BLOCK
    medians, share = np.zeros((rows, columns)), np.zeros((rows, columns))
    values = np.empty(2 * BLOCK * BLOCK)
    for i in range(rows):
        for j in range(columns):
            count = 0
            for y in range(i * BLOCK, min(h, (i + 1) * BLOCK)):
                for x in range(j * BLOCK, min(w, (j + 1) * BLOCK)):
                    if body[y, x]:
                        values[count] = right[y, x]
                        values[count + 1] = down[y, x]
                        count += 2
            share[i, j] = count / (2 * BLOCK * BLOCK)
            if count:
                medians[i, j] = np.median(values[:count])
    return medians, share
