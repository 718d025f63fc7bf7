"""Which masks count as segments of a scan: size, place, duplicates; and chains through slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from ldctlib.masks import Masks
from ldctlib.segments.body import body_mask

SMALLEST_PX = 16
LARGEST_BODY_FRACTION = 0.2
INSIDE_FRACTION = 0.5
DUPLICATE_IOU = 0.9
LINK_IOU = 0.5


def apply_rules(
    masks: Masks,
    hu: np.ndarray,
    *,
    body: np.ndarray | None = None,
    smallest_px: int = SMALLEST_PX,
    largest_body_fraction: float = LARGEST_BODY_FRACTION,
    inside_fraction: float = INSIDE_FRACTION,
    duplicate_iou: float = DUPLICATE_IOU,
) -> Masks:
    """The masks that are segments; order and labels stay.

    Args:
        masks: on the grid of ``hu``.
        hu: volume (Z, H, W) in HU.
        body: boolean (Z, H, W); `body_mask` of the volume if None.
        smallest_px: fewest voxels of a segment.
        largest_body_fraction: largest share of the body in the slices that a mask touches: beyond
            it is no structure, but the body or its background.
        inside_fraction: smallest share of a mask that lies inside the body.
        duplicate_iou: of masks with a larger intersection over union the one with the best score
            stays, or the largest where masks have no scores.

    Returns:
        A subset of the masks.

    Raises:
        ValueError: masks, volume and body do not lie on one grid.
    """
    if masks.shape != hu.shape or (body is not None and body.shape != hu.shape):
        raise ValueError(f"The masks lie on {masks.shape}, the volume on {hu.shape}.")
    body = body_mask(hu) if body is None else body
    masks = masks.select(np.flatnonzero(masks.areas >= max(smallest_px, 1)))
    areas = masks.areas
    if not len(masks):
        return masks
    first, past = masks.bounding_boxes[:, :2].T
    before = np.concatenate([[0], np.cumsum(body.sum((1, 2)))])
    body_px = before[past] - before[first]
    fits = areas <= largest_body_fraction * body_px
    keep = fits & (masks.sum_over(body) >= inside_fraction * areas)
    masks = masks.select(np.flatnonzero(keep))
    return masks.select(_without_duplicates(masks, duplicate_iou))


def link_slices(masks: Masks, iou: float = LINK_IOU) -> Masks:
    """Join the masks of neighbouring slices to structures in 3-D.

    A mask is joined with one in the next slice if each overlaps the other more than anything else
    there does, and by more than ``iou``. A structure thus has at most one mask in a slice.

    Args:
        masks: each in one slice.
        iou: smallest intersection over union of masks that are joined, seen along z.

    Returns:
        One mask for every chain, in the order of their first masks, whose labels they carry, with
        the best score of the chain.

    Raises:
        ValueError: a mask lies in several slices.

    >>> square = np.zeros((4, 4), bool); square[:2, :2] = True
    >>> stack = Masks.from_slices([(0, square), (1, square), (1, ~square)], (2, 4, 4))
    >>> link_slices(stack).areas.tolist()
    [8, 12]
    """
    first, past = masks.bounding_boxes[:, :2].T
    if (past - first != 1).any():
        raise ValueError("Only masks that lie in one slice each can be linked.")
    plane = masks.shape[1] * masks.shape[2]
    upper = masks.select(np.flatnonzero(first > 0))
    lowered = replace(upper, starts=upper.starts - plane)
    overlap = sparse.csr_matrix(masks.iou(lowered))
    pairs = overlap.multiply(overlap > iou).tocoo()
    here, there = _mutual_best(pairs.row, pairs.col, pairs.data)
    links = sparse.coo_matrix(
        (np.ones(len(here), bool), (here, np.flatnonzero(first > 0)[there])),
        (len(masks), len(masks)),
    )
    _, chain = csgraph.connected_components(links, directed=False)
    return _join(masks, chain)


def _without_duplicates(masks: Masks, iou: float) -> np.ndarray:
    """Positions of the masks that stay: greedy, best score (or largest area) first."""
    overlap = sparse.coo_matrix(masks.iou())
    alike = (overlap.data > iou) & (overlap.row != overlap.col)
    twins = sparse.csr_matrix(
        (overlap.data[alike], (overlap.row[alike], overlap.col[alike])), overlap.shape
    )
    worth = masks.areas if masks.scores is None else masks.scores
    keep = np.ones(len(masks), bool)
    for i in np.argsort(-worth, kind="stable"):
        if keep[i]:
            keep[twins.indices[twins.indptr[i] : twins.indptr[i + 1]]] = False
    return np.flatnonzero(keep)


def _mutual_best(
    rows: np.ndarray, columns: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs in which each is the other's best partner."""
    order = np.lexsort((columns, rows, -values))
    rows, columns = rows[order], columns[order]
    best_of_row = np.zeros(len(rows), bool)
    best_of_row[np.unique(rows, return_index=True)[1]] = True
    best_of_column = np.zeros(len(rows), bool)
    best_of_column[np.unique(columns, return_index=True)[1]] = True
    mutual = best_of_row & best_of_column
    return rows[mutual], columns[mutual]


def _join(masks: Masks, group: np.ndarray) -> Masks:
    """One mask for every group of masks that have no voxel in common."""
    _, first, group = np.unique(group, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[group]
    members = np.lexsort((masks.starts[masks.offsets[:-1]], rank))
    stacked = masks.select(members)
    begin = np.searchsorted(rank[members], np.arange(len(first)))
    scores = masks.scores
    return replace(
        stacked,
        offsets=np.append(stacked.offsets[begin], stacked.offsets[-1]),
        labels=tuple(masks.labels[i] for i in np.sort(first)),
        scores=None
        if scores is None or not len(masks)
        else np.maximum.reduceat(scores[members], begin),
    )
