"""How many trees have much the same region: what is there shows at every scale."""

from __future__ import annotations

import numba
import numpy as np

SAME = 0.5


@numba.njit(cache=True, nogil=True)
def agreement(
    pixels: np.ndarray, tree: np.ndarray, start: np.ndarray, area: np.ndarray
) -> np.ndarray:
    """For every candidate, the number of other trees with one of an IoU of a half and more.

    Args:
        pixels: (T, n) the order of the pixels in every tree.
        tree: (C,) which tree a candidate is from.
        start: (C,) where it begins in that order; regions of one tree are nested or disjoint.
        area: (C,) its pixels.

    Returns:
        (C,) counts from 0 to T - 1.
    """
    trees, n = pixels.shape
    out = np.zeros(tree.size, np.int64)
    smallest = np.empty(n, np.int64)
    around, shared = np.full(tree.size, -1, np.int64), np.zeros(tree.size, np.int64)
    touched = np.empty(tree.size, np.int64)
    order = np.argsort(-area)
    for t in range(trees):
        # Which candidate of this tree is the smallest at a pixel, and which one is around that.
        smallest[:] = -1
        for c in order:
            if tree[c] == t:
                own = pixels[t, start[c] : start[c] + area[c]]
                around[c] = smallest[own[0]]
                smallest[own] = c
        for c in range(tree.size):
            if tree[c] == t:
                continue
            touches = 0
            for p in pixels[tree[c], start[c] : start[c] + area[c]]:
                k = smallest[p]
                if k >= 0:
                    if shared[k] == 0:
                        touched[touches] = k
                        touches += 1
                    shared[k] += 1
            same = False
            for k in _with_those_around(touched, touches, around, shared):
                same |= shared[k] >= SAME * (area[c] + area[k] - shared[k])
                shared[k] = 0
            out[c] += same
    return out


@numba.njit(cache=True, nogil=True)
def _with_those_around(
    touched: np.ndarray, touches: int, around: np.ndarray, shared: np.ndarray
) -> np.ndarray:
    """The touched candidates and all around them; ``shared`` then counts those inside, too."""
    own = shared[touched[:touches]].copy()
    count = touches
    for i in range(touches):
        k = around[touched[i]]
        while k >= 0:
            if shared[k] == 0:
                touched[count] = k
                count += 1
            shared[k] += own[i]
            k = around[k]
    return touched[:count]
