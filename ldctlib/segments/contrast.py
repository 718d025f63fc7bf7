"""How far a region stands out from what is around it: the evidence for faint and large things."""

from __future__ import annotations

import numba
import numpy as np
from scipy import ndimage

from ldctlib.segments.hierarchy import Hierarchy
from ldctlib.segments.noise_scale import colour, grain

BLUR_PX = 1.5
RING_PX = 5
# Of the ring, these shares must differ: a region beside something else altogether is not outlined
# by it.
MOST_OF_RING, NEARLY_ALL = 0.75, 0.9
LEAST_NOISE_HU = 0.3


def smoothed(
    hu: np.ndarray, body: np.ndarray, least: float = LEAST_NOISE_HU
) -> tuple[np.ndarray, np.ndarray]:
    """Slice (H, W) smoothed a little, and the local scale of the noise that is left in it, HU.

    The scale follows the finest grain. A scale taken from the smoothed slice itself counts vessels
    and edges as noise: 3 to 10 times too much in an abdomen, where faint lesions then are lost.
    """
    smooth = ndimage.gaussian_filter(hu, BLUR_PX)
    fine = smooth - ndimage.gaussian_filter(smooth, 3 * BLUR_PX)
    local = grain(hu, body)
    return smooth, np.maximum(local * colour(fine, local, body), least)


def contrast(
    tree: Hierarchy, nodes: np.ndarray, smooth: np.ndarray, noise: np.ndarray, sign: int
) -> np.ndarray:
    """Contrasts of regions times the root of their area, over the local noise.

    A contrast is the region's mean minus a ring of 5 pixels around it. A faint lesion of many
    pixels is found by this; its outline is too noisy.

    Args:
        tree: of the slice.
        nodes: (K,) regions of it.
        smooth: (H, W) the slice, smoothed.
        noise: (H, W) what noise gives to it.
        sign: 1 for brighter regions, -1 for darker ones, 0 for either.

    Returns:
        (K, 3): to the mean of the ring, and what three quarters and nine tenths of it differ at
        least.
    """
    out: np.ndarray = _contrast(
        tree.pixels, tree.start[nodes], tree.area[nodes], smooth, noise, sign
    )
    return out


@numba.njit(cache=True, nogil=True)
def _contrast(
    pixels: np.ndarray,
    start: np.ndarray,
    area: np.ndarray,
    smooth: np.ndarray,
    noise: np.ndarray,
    sign: int,
) -> np.ndarray:
    h, w = smooth.shape
    hu, noise_hu = smooth.ravel(), noise.ravel()
    stamp = np.zeros(h * w, np.int64)
    ring = np.empty(h * w)
    out = np.zeros((start.size, 3))
    for k in range(start.size):
        own = pixels[start[k] : start[k] + area[k]]
        inside, around = 2 * k + 1, 2 * k + 2
        mean = scale = 0.0
        for p in own:
            stamp[p] = inside
            mean += hu[p] / own.size
            scale += noise_hu[p] / own.size
        count = 0
        for p in own:
            y, x = p // w, p % w
            if min(y, x, h - 1 - y, w - 1 - x) < RING_PX or (
                stamp[p - 1] == stamp[p + 1] == stamp[p - w] == stamp[p + w] == inside
            ):
                continue
            for dy in range(-RING_PX, RING_PX + 1):
                for dx in range(-RING_PX, RING_PX + 1):
                    q = p + dy * w + dx
                    if dy * dy + dx * dx <= RING_PX * RING_PX and stamp[q] < inside:
                        stamp[q] = around
                        ring[count] = mean - hu[q]
                        count += 1
        if count:
            differences = np.sort(ring[:count])
            if sign < 0 or (sign == 0 and differences[count // 2] < 0):
                differences = -differences[::-1]
            out[k, 0] = differences.mean()
            out[k, 1] = differences[int((1 - MOST_OF_RING) * count)]
            out[k, 2] = differences[int((1 - NEARLY_ALL) * count)]
            out[k] *= np.sqrt(own.size) / scale
    return out
