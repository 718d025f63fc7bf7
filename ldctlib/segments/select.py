"""Which regions of the trees are worth a mask: one of each nest, ranked, without doubles."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from ldctlib.segments.agreement import agreement
from ldctlib.segments.candidates import Candidates
from ldctlib.segments.contrast import contrast
from ldctlib.segments.hierarchy import Hierarchy

LEAST_AREA_PX = 8
# Two nested regions are the same thing if the smaller has at least this share of the larger, …
SAME_SHARE = 0.6
# … or if no region between them has a step below this share of the weaker one's, …
VALLEY = 0.8
# … unless one is this many times larger.
APART = 20.0
MOST_OVERLAP = 0.55
# Outlines less clear than this, in sigma above noise, are not looked at.
LEAST_EXCESS = 0.5
# Regions of hardly an outline are candidates by contrast if they are compact and of this size.
FAINT_EXCESS, FAINT_COMPACTNESS, FAINT_AREA_PX = 2.0, 0.3, (16, 3000)
FAINT_CONTRAST = 5.0


def best_of_nests(
    trees: Sequence[Hierarchy],
    signs: Sequence[int],
    body: np.ndarray,
    smooth: np.ndarray,
    noise: np.ndarray,
) -> Candidates:
    """From every tree the regions with the strongest outline, or contrast, of their nest.

    Args:
        trees: of one slice of n pixels.
        signs: for each, 1 if its regions are bright, -1 if dark, 0 if it is a merging tree.
        body: (H, W); at least half of a region lies in it.
        smooth: (H, W) the slice, smoothed, for the contrasts.
        noise: (H, W) what noise gives to it.
    """
    found = []
    for t, (tree, sign) in enumerate(zip(trees, signs, strict=True)):
        inside = np.concatenate([[0], np.cumsum(body.ravel()[tree.pixels])])
        share = (inside[tree.start + tree.area] - inside[tree.start]) / np.maximum(tree.area, 1)
        usable = tree.usable & (tree.area >= LEAST_AREA_PX) & (tree.area <= body.size / 2)
        usable &= (tree.pairs > 0) & (share >= 0.5)
        excess = tree.excess
        rank = tree.step
        outlined = _best(tree, rank, usable & (excess >= (LEAST_EXCESS if sign else 1.0)))
        found.append((t, outlined, contrast(tree, outlined, smooth, noise, sign)))
        if sign:
            compact = 16 * tree.area > FAINT_COMPACTNESS * tree.pairs**2
            sized = (tree.area >= FAINT_AREA_PX[0]) & (tree.area <= FAINT_AREA_PX[1])
            nodes = np.flatnonzero(usable & compact & sized & (excess < FAINT_EXCESS))
            clear = contrast(tree, nodes, smooth, noise, sign)
            rank = np.zeros(len(tree.area))
            rank[nodes] = clear[:, 1]
            faint = _best(tree, rank, rank >= FAINT_CONTRAST)
            found.append((t, faint, clear[np.searchsorted(nodes, faint)]))
    return _candidates(trees, signs, found)


def _best(tree: Hierarchy, rank: np.ndarray, among: np.ndarray) -> np.ndarray:
    nodes = np.flatnonzero(among)
    nodes = nodes[np.argsort(-rank[nodes], kind="stable")]
    best: np.ndarray = _nested(tree.parent, tree.area.astype(np.float64), rank, nodes)
    return best


def _candidates(
    trees: Sequence[Hierarchy],
    signs: Sequence[int],
    found: Sequence[tuple[int, np.ndarray, np.ndarray]],
) -> Candidates:
    """All that is known of the regions (tree, nodes, contrasts) found in the trees."""
    known = {
        name: np.concatenate([getattr(trees[t], name)[nodes] for t, nodes, _ in found])
        for name in ("area", "pairs", "capped", "weak", "excess", "start")
    }
    tree = np.concatenate([np.full(len(nodes), t) for t, nodes, _ in found])
    pixels = np.stack([tree.pixels for tree in trees])
    return Candidates(
        tree,
        np.concatenate([nodes for _, nodes, _ in found]),
        known["start"],
        known["area"],
        known["pairs"],
        known["capped"] / known["pairs"],
        known["weak"] / known["pairs"],
        np.asarray(signs)[tree] == 0,
        known["excess"],
        np.concatenate([clear for _, _, clear in found]),
        agreement(pixels, tree, known["start"], known["area"]),
    )


def without_doubles(
    trees: Sequence[Hierarchy],
    candidates: Candidates,
    order: np.ndarray,
    limit: int,
    merged_limit: int,
) -> np.ndarray:
    """Positions of the candidates to keep, in order, at most ``limit``.

    A candidate goes if its intersection over union with one kept before exceeds 0.55, or if
    ``merged_limit`` regions of the merging tree are there already.
    """
    pixels = np.stack([tree.pixels for tree in trees])
    limits = np.array([limit, merged_limit])
    kept: np.ndarray = _distinct(
        pixels, candidates.tree, candidates.start, candidates.area, candidates.merged, order, limits
    )
    return kept


@numba.njit(cache=True, nogil=True)
def _nested(
    parent: np.ndarray, area: np.ndarray, step: np.ndarray, ranked: np.ndarray
) -> np.ndarray:
    """Of each nest of one and the same thing, the region with the strongest outline.

    ``ranked`` are regions with falling step. Each accepted one rules out the regions around it that
    outline the same thing, and is itself ruled out by an accepted one around it.
    """
    accepted, ruled_out = np.zeros(parent.size, np.bool_), np.zeros(parent.size, np.bool_)
    out = np.empty(ranked.size, np.int64)
    count = 0
    for i in ranked:
        if ruled_out[i]:
            continue
        same, lowest, j = False, step[i], i
        while parent[j] != j and not same:
            j = parent[j]
            if SAME_SHARE * area[j] > area[i] and (
                area[j] > APART * area[i] or lowest < VALLEY * step[i]
            ):
                break
            same = accepted[j]
            lowest = min(lowest, step[j])
        if same:
            continue
        accepted[i] = True
        out[count] = i
        count += 1
        lowest, j = step[i], i
        while parent[j] != j:
            j = parent[j]
            if SAME_SHARE * area[j] <= area[i]:
                ruled_out[j] = True
            elif area[j] > APART * area[i] or step[j] <= 0:
                break
            elif lowest >= VALLEY * step[j]:
                ruled_out[j] = True
            lowest = min(lowest, step[j])
    return out[:count]


@numba.njit(cache=True, nogil=True)
def _distinct(
    pixels: np.ndarray,
    tree: np.ndarray,
    start: np.ndarray,
    area: np.ndarray,
    merged: np.ndarray,
    order: np.ndarray,
    limits: np.ndarray,
) -> np.ndarray:
    """Positions in ``order`` that overlap no earlier kept one too much.

    Every pixel has a linked list of the kept regions over it, so that all overlaps of a region are
    counted in one walk over its pixels.
    """
    n = pixels.shape[1]
    head = np.full(n, -1, np.int64)
    owner, after = np.empty(8 * n, np.int32), np.empty(8 * n, np.int64)
    free = 0
    kept = np.empty(limits[0], np.int64)
    shared, touched = np.zeros(limits[0], np.int64), np.empty(limits[0], np.int64)
    count, count_merged = 0, 0
    for c in order:
        if count == limits[0]:
            break
        if merged[c] and count_merged == limits[1]:
            continue
        own = pixels[tree[c], start[c] : start[c] + area[c]]
        touches = 0
        for p in own:
            entry = head[p]
            while entry >= 0:
                k = owner[entry]
                if shared[k] == 0:
                    touched[touches] = k
                    touches += 1
                shared[k] += 1
                entry = after[entry]
        double = False
        for u in range(touches):
            k = touched[u]
            union = area[c] + area[kept[k]] - shared[k]
            double |= shared[k] > MOST_OVERLAP * union
            shared[k] = 0
        if double:
            continue
        if free + own.size > owner.size:
            owner = np.concatenate((owner, np.empty_like(owner)))
            after = np.concatenate((after, np.empty_like(after)))
        for p in own:
            owner[free], after[free], head[p] = count, head[p], free
            free += 1
        kept[count] = c
        count += 1
        count_merged += merged[c]
    return kept[:count]
