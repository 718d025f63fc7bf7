"""How far a region stands out from what is around it: the evidence for faint and large things."""

from __future__ import annotations

import numba
import numpy as np
from scipy import ndimage

from ldctlib.segments.hierarchy import Hierarchy
from ldctlib.segments.noise_scale import noise_scale

BLUR_PX = 1.5
RING_PX = 5
# Most of the ring must differ: a region beside something else altogether is not outlined by it.
RING_SHARE = 0.75
LEAST_NOISE_HU = 0.3


def smoothed(
    hu: np.ndarray, body: np.ndarray, least: float = LEAST_NOISE_HU
) -> tuple[np.ndarray, np.ndarray]:
    """Slice (H, W) smoothed a little, and the local scale of what then is still noise, HU."""
    smooth = ndimage.gaussian_filter(hu, BLUR_PX)
    fine = smooth - ndimage.gaussian_filter(smooth, 3 * BLUR_PX)
    return smooth, noise_scale([fine], body, least)


def contrast(
    tree: Hierarchy, nodes: np.ndarray, smooth: np.ndarray, noise: np.ndarray, sign: int
) -> np.ndarray:
    """Contrast of regions times the root of their area, over the local noise.

    The contrast is what three quarters of a ring of 5 pixels around a region differ at least from
    the region's mean. A faint lesion of many pixels is found by this; its outline is too noisy.

    Args:
        tree: of the slice.
        nodes: (K,) regions of it.
        smooth: (H, W) the slice, smoothed.
        noise: (H, W) what noise gives to it.
        sign: 1 for brighter regions, -1 for darker ones, 0 for either.
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
    out = np.zeros(start.size)
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
                        ring[count] = sign * (mean - hu[q]) if sign else abs(mean - hu[q])
                        count += 1
        if count:
            rank = int((1 - RING_SHARE) * count)
            out[k] = np.partition(ring[:count], rank)[rank] * np.sqrt(own.size) / scale
    return out
