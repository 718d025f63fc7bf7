"""Max- and min-trees: every connected region brighter (darker) than some level, in one tree.

Source: Berger et al., Effective component tree computation with application to pattern recognition
in astronomical imaging, ICIP 2007 (doi:10.1109/ICIP.2007.4379949), for the union-find; the sums
along the outlines are our own.
"""

from __future__ import annotations

import numba
import numpy as np

from ldctlib.segments.hierarchy import STEP_CAP, WEAK_STEP, Hierarchy


def component_tree(
    smooth: np.ndarray, right: np.ndarray, down: np.ndarray, level_hu: float, *, bright: bool
) -> Hierarchy:
    """All 4-connected regions of a slice above (or below) a level, for all levels.

    Args:
        smooth: (H, W) slice in HU.
        right: (H, W) step to the right neighbour, in units of the noise.
        down: (H, W) step to the neighbour below, likewise.
        level_hu: distance of two levels.
        bright: regions brighter than around them (max-tree), otherwise darker ones (min-tree).

    >>> slice_hu = np.zeros((8, 8)); slice_hu[2:4, 2:6] = 100
    >>> right, down = np.diff(slice_hu, axis=1, append=0), np.diff(slice_hu, axis=0, append=0)
    >>> tree = component_tree(slice_hu, right, down, 10.0, bright=True)
    >>> tree.area[tree.usable].tolist(), tree.pairs[tree.usable].tolist()
    ([64, 8], [0.0, 12.0])
    """
    sign = 1 if bright else -1
    levels = np.floor(sign * smooth / level_hu).astype(np.int64)
    levels -= levels.min()
    parent, order = _max_tree(levels)
    flat = levels.ravel()
    usable = flat[parent] != flat
    usable[order[0]] = True
    node = np.where(usable, np.arange(len(flat)), parent)
    sums = _outline_sums(levels, node, right, down, sign)
    area = _accumulate(parent, order, sums)
    start, pixels = _stretches(parent, order, area)
    return Hierarchy(parent, usable, area, *sums, start, pixels)


@numba.njit(cache=True, nogil=True)
def _root(link: np.ndarray, i: int) -> int:
    root = i
    while link[root] != root:
        root = link[root]
    while link[i] != root:
        link[i], i = root, link[i]
    return root


@numba.njit(cache=True, nogil=True)
def _max_tree(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parents of all pixels and the pixels from the lowest to the highest level.

    One pixel stands for its region; the others of the same level have that pixel as parent.
    """
    h, w = levels.shape
    flat = levels.ravel()
    n = flat.size
    first = np.zeros(flat.max() + 2, np.int64)
    for i in range(n):
        first[flat[i] + 1] += 1
    for k in range(1, first.size):
        first[k] += first[k - 1]
    order = np.empty(n, np.int64)
    for i in range(n):
        order[first[flat[i]]] = i
        first[flat[i]] += 1
    parent, link = np.full(n, -1, np.int64), np.empty(n, np.int64)
    for k in range(n - 1, -1, -1):
        p = order[k]
        parent[p] = link[p] = p
        for side in range(4):
            if side == 0 and p % w > 0:
                q = p - 1
            elif side == 1 and p % w < w - 1:
                q = p + 1
            elif side == 2 and p >= w:
                q = p - w
            elif side == 3 and p < n - w:
                q = p + w
            else:
                continue
            if parent[q] >= 0:
                root = _root(link, q)
                if root != p:
                    link[root] = parent[root] = p
    for p in order:
        q = parent[p]
        if flat[parent[q]] == flat[q]:
            parent[p] = parent[q]
    return parent, order


@numba.njit(cache=True, nogil=True)
def _outline_sums(
    levels: np.ndarray, node: np.ndarray, right: np.ndarray, down: np.ndarray, sign: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What each pixel pair adds to the outlines: gained at the higher region, lost at the lower.

    A pair lies on the outline of all regions that hold its higher pixel and not its lower one.
    """
    h, w = levels.shape
    n = h * w
    pairs, total, capped, weak = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    flat = levels.ravel()
    for p in range(n):
        y, x = p // w, p % w
        for downwards in range(2):
            if (y if downwards else x) + 1 >= (h if downwards else w):
                continue
            q = p + (w if downwards else 1)
            if flat[p] == flat[q]:
                continue
            step = sign * (down[y, x] if downwards else right[y, x])
            high, low = node[q], node[p]
            if flat[q] < flat[p]:
                high, low, step = low, high, -step
            limited = min(max(step, -STEP_CAP), STEP_CAP)
            pairs[high] += 1
            pairs[low] -= 1
            total[high] += step
            total[low] -= step
            capped[high] += limited
            capped[low] -= limited
            if step < WEAK_STEP:
                weak[high] += 1
                weak[low] -= 1
    return pairs, total, capped, weak


@numba.njit(cache=True, nogil=True)
def _accumulate(
    parent: np.ndarray,
    order: np.ndarray,
    sums: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    """Add the sums of every region to those of its parent, in place; return the areas."""
    pairs, total, capped, weak = sums
    area = np.ones(parent.size, np.int64)
    for k in range(parent.size - 1, 0, -1):
        p = order[k]
        q = parent[p]
        area[q] += area[p]
        pairs[q] += pairs[p]
        total[q] += total[p]
        capped[q] += capped[p]
        weak[q] += weak[p]
    return area


@numba.njit(cache=True, nogil=True)
def _stretches(
    parent: np.ndarray, order: np.ndarray, area: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Order the pixels so that every region is one stretch of them: its start, and the order."""
    start, taken = np.zeros(parent.size, np.int64), np.zeros(parent.size, np.int64)
    pixels = np.empty(parent.size, np.int64)
    root = order[0]
    taken[root] = 1
    pixels[0] = root
    for k in range(1, parent.size):
        p = order[k]
        q = parent[p]
        start[p] = taken[q]
        taken[q] += area[p]
        taken[p] = start[p] + 1
        pixels[start[p]] = p
    return start, pixels
