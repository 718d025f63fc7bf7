"""Which regions of the trees are worth a mask: one of each nest, ranked, without doubles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numba
import numpy as np

from ldctlib.segments.hierarchy import Hierarchy

LEAST_AREA_PX = 8
# Two nested regions are the same thing if the smaller has at least this share of the larger, …
SAME_SHARE = 0.6
# … or if no region between them has a step below this share of the weaker one's, …
VALLEY = 0.8
# … unless one is this many times larger.
APART = 20.0
MOST_OVERLAP = 0.55


@dataclass(frozen=True)
class Candidates:
    """C regions out of several trees.

    Args:
        tree: (C,) which tree.
        node: (C,) which of its regions.
        area: (C,) pixels.
        pairs: (C,) length of the outline in pixel pairs.
        step: (C,) mean step across the outline, capped, in noise units.
        weak: (C,) share of the outline with hardly a step.
        merged: (C,) whether the tree is a merging tree.
    """

    tree: np.ndarray
    node: np.ndarray
    area: np.ndarray
    pairs: np.ndarray
    step: np.ndarray
    weak: np.ndarray
    merged: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """(C,) about 4 and more for a region that a reader would outline too.

        Fitted by logistic regression to whether a region matches a structure of a phantom.
        """
        compactness = np.minimum(16 * self.area / self.pairs**2, 0.4)
        score = self.step + 1.5 * np.log(self.pairs) - 8 * self.weak + 5 * np.log(compactness)
        return np.asarray(score - 1.7 * self.merged)


def best_of_nests(
    trees: Sequence[Hierarchy], body: np.ndarray, excess: Sequence[float], merged: Sequence[bool]
) -> Candidates:
    """From every tree the regions with the strongest outline of their nest.

    Args:
        trees: of one slice of n pixels.
        body: (H, W); at least half of a region lies in it.
        excess: for each tree, the least excess of the step over pure noise, in sigma.
        merged: for each tree, whether it is a merging tree.
    """
    found = []
    for t, (tree, least, is_merged) in enumerate(zip(trees, excess, merged, strict=True)):
        large = (tree.area >= LEAST_AREA_PX) & (tree.area <= body.size / 2)
        nodes = np.flatnonzero(tree.usable & large & (tree.pairs > 0) & (tree.excess >= least))
        step = tree.step
        nodes = nodes[np.argsort(-step[nodes], kind="stable")]
        nodes = _nested(tree.parent, tree.area.astype(np.float64), step, nodes)
        inside = np.concatenate([[0], np.cumsum(body.ravel()[tree.pixels])])
        begin = tree.start[nodes]
        share = (inside[begin + tree.area[nodes]] - inside[begin]) / tree.area[nodes]
        nodes = nodes[share >= 0.5]
        pairs = tree.pairs[nodes]
        columns = tree.area[nodes], pairs, tree.capped[nodes] / pairs, tree.weak[nodes] / pairs
        here = np.full(len(nodes), t), nodes, *columns, np.full(len(nodes), is_merged)
        found.append(Candidates(*here))
    names = [field.name for field in fields(Candidates)]
    return Candidates(*(np.concatenate([getattr(c, name) for c in found]) for name in names))


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
    start = np.array(
        [trees[t].start[i] for t, i in zip(candidates.tree, candidates.node, strict=True)], np.int64
    )
    limits = np.array([limit, merged_limit])
    kept: np.ndarray = _distinct(
        pixels, candidates.tree, start, candidates.area, candidates.merged, order, limits
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
            if SAME_SHARE * area[j] > area[i] and (area[j] > APART * area[i] or lowest < VALLEY * step[i]):
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
