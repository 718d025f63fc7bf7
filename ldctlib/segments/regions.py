"""Watershed regions of a slice, merged two by two: the organs between a darker and a brighter one.

Source: Ward, Hierarchical grouping to optimize an objective function, J Am Stat Assoc 58 (1963)
(doi:10.1080/01621459.1963.10500845), for the order of merging, here between neighbours only.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numba
import numpy as np

from ldctlib.segments.hierarchy import STEP_CAP, WEAK_STEP, Hierarchy

# A region thinner than this (area over outline) between a darker and a brighter one is a slab of
# partial volume, no structure.
THIN_PX, MIXED = 1.3, 0.3


def merging_tree(
    smooth: np.ndarray,
    right: np.ndarray,
    down: np.ndarray,
    scale: np.ndarray,
    body: np.ndarray,
) -> Hierarchy:
    """Merge the watershed regions of the gradient, always the two neighbours that differ least.

    Args:
        smooth: (H, W) slice in HU.
        right: (H, W) step to the right neighbour, in units of the noise.
        down: (H, W) step to the neighbour below, likewise.
        scale: (H, W) the noise, HU.
        body: (H, W) the patient; all outside is one region.
    """
    slope_y, slope_x = np.gradient(smooth)
    labels, count = watershed(np.hypot(slope_x, slope_y) / scale, body)
    sizes = np.bincount(labels.ravel(), minlength=count)
    means = np.bincount(labels.ravel(), (smooth / scale).ravel(), minlength=count) / sizes
    edges, pairs, step = _edges(labels, right, down, count)
    parent, area = _ward(edges, means, sizes)
    sums = _outline_sums(parent, edges, pairs, step)
    start, regions = _leaf_order(parent, count, sizes)
    pixels = np.argsort(regions[labels.ravel()], kind="stable")
    outline, total, flux, capped, weak = sums
    mixed = 1 - np.abs(flux) / np.maximum(total, 1e-9)
    thin = area / np.maximum(outline, 1) < THIN_PX
    usable = ~(thin & (mixed > MIXED))
    return Hierarchy(parent, usable, area, outline, total, capped, weak, start, pixels)


@numba.njit(cache=True, nogil=True)
def watershed(height: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, int]:
    """Regions (H, W) whose rain gathers in one minimum of ``height``, and how many there are.

    Every pixel inside drains to its lowest neighbour; everything outside is region 0.
    """
    h, w = height.shape
    flat, body = height.ravel(), inside.ravel()
    n = flat.size
    drain = np.empty(n, np.int64)
    for p in range(n):
        drain[p] = p
        lowest = flat[p]
        if not body[p]:
            continue
        if p % w > 0 and body[p - 1] and flat[p - 1] < lowest:
            drain[p], lowest = p - 1, flat[p - 1]
        if p % w < w - 1 and body[p + 1] and flat[p + 1] < lowest:
            drain[p], lowest = p + 1, flat[p + 1]
        if p >= w and body[p - w] and flat[p - w] < lowest:
            drain[p], lowest = p - w, flat[p - w]
        if p < n - w and body[p + w] and flat[p + w] < lowest:
            drain[p], lowest = p + w, flat[p + w]
        # A flat minimum is one region: join it to an equal neighbour already seen.
        if drain[p] == p and p % w > 0 and body[p - 1] and flat[p - 1] == lowest:
            drain[p] = p - 1
        elif drain[p] == p and p >= w and body[p - w] and flat[p - w] == lowest:
            drain[p] = p - w
    labels = np.zeros(n, np.int64)
    count = 1
    for p in range(n):
        if body[p] and drain[p] == p:
            labels[p] = count
            count += 1
    for p in range(n):
        if body[p]:
            end = p
            while labels[end] == 0:
                end = drain[end]
            label, q = labels[end], p
            while labels[q] == 0:
                labels[q], q = label, drain[q]
    return labels.reshape(h, w), count


def _edges(
    labels: np.ndarray, right: np.ndarray, down: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbouring regions (E, 2), the pixel pairs between them and the mean step from a to b."""
    a = np.concatenate([labels[:, :-1].ravel(), labels[:-1].ravel()])
    b = np.concatenate([labels[:, 1:].ravel(), labels[1:].ravel()])
    step = np.concatenate([right[:, :-1].ravel(), down[:-1].ravel()])
    between = np.flatnonzero(a != b)
    a, b, step = a[between], b[between], step[between]
    step = np.where(a < b, step, -step)
    keys = np.minimum(a, b) * count + np.maximum(a, b)
    keys, edge, pairs = np.unique(keys, return_inverse=True, return_counts=True)
    edges = np.stack([keys // count, keys % count], 1)
    return edges, pairs, np.bincount(edge, step, minlength=len(keys)) / pairs


@numba.njit(cache=True, nogil=True)
def _ward(
    edges: np.ndarray, means: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Parents and areas of all regions, the given ones first and then the merged ones.

    ``first`` and ``after`` are linked lists of each region's neighbours; entries may be out of
    date, ``newest`` leads from a region to the one it has become part of.
    """
    count = means.size
    total = 2 * count - 1
    parent, newest = np.arange(total), np.arange(total)
    area, mean = np.zeros(total, np.int64), np.zeros(total)
    area[:count], mean[:count] = sizes, means
    first, last = np.full(total, -1), np.full(total, -1)
    neighbour = np.empty(2 * len(edges), np.int64)
    after = np.full(2 * len(edges), -1)
    queue = []
    for e in range(len(edges)):
        a, b = edges[e]
        for k, i, j in ((2 * e, a, b), (2 * e + 1, b, a)):
            neighbour[k] = j
            if first[i] < 0:
                first[i] = k
            else:
                after[last[i]] = k
            last[i] = k
        queue.append((_cost(area[a], area[b], mean[a], mean[b]), a, b))
    heapify(queue)
    seen = np.full(total, -1)
    k = count
    while len(queue) and k < total:
        _, a, b = heappop(queue)
        if newest[a] != a or newest[b] != b:
            continue
        parent[a] = parent[b] = newest[a] = newest[b] = k
        area[k] = area[a] + area[b]
        mean[k] = (area[a] * mean[a] + area[b] * mean[b]) / area[k]
        after[last[a]] = first[b]
        entry, kept = first[a], -1
        while entry >= 0:
            j = neighbour[entry]
            while newest[j] != j:
                newest[j] = newest[newest[j]]
                j = newest[j]
            following = after[entry]
            if j != k and seen[j] != k:
                seen[j] = k
                neighbour[entry] = j
                if kept < 0:
                    first[k] = entry
                else:
                    after[kept] = entry
                kept = entry
                heappush(queue, (_cost(area[k], area[j], mean[k], mean[j]), k, j))
            entry = following
        if kept >= 0:
            after[kept] = -1
        last[k] = kept
        k += 1
    return parent[:k], area[:k]


@numba.njit(cache=True, nogil=True)
def _cost(area_a: int, area_b: int, mean_a: float, mean_b: float) -> float:
    return area_a * area_b / (area_a + area_b) * (mean_a - mean_b) ** 2


@numba.njit(cache=True, nogil=True)
def _outline_sums(
    parent: np.ndarray, edges: np.ndarray, pairs: np.ndarray, step: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs, absolute steps, signed steps, capped steps and weak pairs along every outline."""
    n = parent.size
    outline, total, flux = np.zeros(n), np.zeros(n), np.zeros(n)
    capped, weak = np.zeros(n), np.zeros(n)
    for e in range(len(edges)):
        a, b = edges[e]
        size, sign = abs(step[e]), 1.0
        while a != b:
            if a > b:  # a parent has the higher number: climb from the lower
                a, b, sign = b, a, -sign
            outline[a] += pairs[e]
            total[a] += pairs[e] * size
            flux[a] += sign * pairs[e] * step[e]
            capped[a] += pairs[e] * min(size, STEP_CAP)
            if size < WEAK_STEP:
                weak[a] += pairs[e]
            a = parent[a]
    return outline, total, flux, capped, weak


@numba.njit(cache=True, nogil=True)
def _leaf_order(
    parent: np.ndarray, count: int, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First pixel of every region, and the place of each leaf, so that all regions are stretches."""
    n = parent.size
    area = np.zeros(n, np.int64)
    area[:count] = sizes
    for i in range(n - 1):
        if parent[i] != i:
            area[parent[i]] += area[i]
    start, taken = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for i in range(n - 1, -1, -1):
        if parent[i] != i:
            start[i] = taken[parent[i]]
            taken[parent[i]] += area[i]
        taken[i] = start[i]
    return start, start[:count].copy()
