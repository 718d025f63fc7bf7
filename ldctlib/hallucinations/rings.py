"""The surroundings of a segment, and the contrast that it has against them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from ldctlib.masks import Masks
from ldctlib.metrics.residual_noise import LEAST_AREA_PX, correlation_areas

GAP_PX, WIDTH_PX = 1.0, 3.0


def rings(masks: Masks, gap_px: float = GAP_PX, width_px: float = WIDTH_PX) -> Masks:
    """The ring around every mask, slice by slice.

    Args:
        masks: S masks.
        gap_px: pixels left out next to the mask, where partial volume and blur mix the two.
        width_px: of the ring.

    Returns:
        S masks in the same order; one is empty where a mask leaves no room in the image.

    >>> dot = np.zeros((9, 9), bool); dot[4, 4] = True
    >>> rings(Masks.from_slices([(0, dot)], (1, 9, 9)), gap_px=1, width_px=1).areas.tolist()
    [8]
    """
    pieces = [_ring(masks, i, gap_px, gap_px + width_px) for i in range(len(masks))]
    return Masks.from_pieces(pieces, masks.shape, masks.labels)


def contrast(hu: np.ndarray, masks: Masks, around: Masks) -> np.ndarray:
    """Mean inside every mask minus mean in its ring.

    Args:
        hu: volume (Z, H, W) in HU.
        masks: S masks.
        around: their `rings`.

    Returns:
        (S,) HU; nan where the ring is empty.
    """
    room = around.areas > 0
    difference = np.full(len(masks), np.nan)
    inside = masks.sum_over(hu) / masks.areas
    np.divide(around.sum_over(hu), around.areas, out=difference, where=room)
    return np.asarray(inside - difference)


def contrast_noise(masks: Masks, around: Masks, table: np.ndarray) -> np.ndarray:
    """Standard deviation of every `contrast` in coloured noise of 1 HU.

    The contrast weights pixels of the mask by q = 1 / n and of the ring by q = -1 / n_ring, so
    that its variance is the sum over all pairs of pixels of q_i q_j r(i - j). Mask and ring err
    together where they are near, and against each other where filtered back-projection makes r
    negative. As the two do not overlap, the pairs across are those of their union that are in
    neither.

    Args:
        masks: S masks.
        around: their `rings`. Pixels in different slices count as independent.
        table: (2K + 1, 2K + 1) autocorrelation, 1 in the centre, as of `noise_autocorrelation`.

    Returns:
        (S,) HU; nan where the ring is empty.

    >>> dot = Masks.from_slices([(0, np.eye(1, 9, 4, dtype=bool))], (1, 1, 9))
    >>> table = np.array([[0, 0, 0], [0.5, 1, 0.5], [0, 0, 0]])
    >>> contrast_noise(dot, rings(dot, 0, 1), table).round(6).tolist()  # 1 + 1/2 - 2 x 1/2
    [0.707107]
    """
    room = around.areas > 0
    noise = np.full(len(masks), np.nan)
    mask, ring = masks.select(room), around.select(room)
    n, m = mask.areas, ring.areas
    own, ringed = n * correlation_areas(mask, table), m * correlation_areas(ring, table)
    both = _union(mask, ring)
    across = both.areas * correlation_areas(both, table) - own - ringed  # either way
    variance = own / n**2 + ringed / m**2 - across / (n * m)
    noise[room] = np.sqrt(np.maximum(variance, LEAST_AREA_PX * (1 / n + 1 / m)))
    return noise


def _union(masks: Masks, others: Masks) -> Masks:
    """Every mask with the other of the same position, which shares no pixel with it."""
    pieces = []
    for pair in zip(masks.pieces(), others.pieces(), strict=True):
        starts, lengths = (np.concatenate(runs) for runs in zip(*pair, strict=True))
        order = np.argsort(starts)
        pieces.append((starts[order], lengths[order]))
    return Masks.from_pieces(pieces, masks.shape, masks.labels)


def _ring(masks: Masks, i: int, near_px: float, far_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of the runs of one ring."""
    _, height, width = masks.shape
    runs = slice(masks.offsets[i], masks.offsets[i + 1])
    rows, columns = np.divmod(masks.starts[runs], width)  # rows are counted through all slices
    lengths = masks.lengths[runs]
    margin = int(far_px) + 1
    left = max(0, int(columns.min()) - margin)
    right = min(width, int((columns + lengths).max()) + margin)
    starts, counts = [], []
    for z in np.unique(rows // height):
        here = rows // height == z
        y = rows[here] - z * height
        top, bottom = max(0, int(y.min()) - margin), min(height, int(y.max()) + margin + 1)
        edges = np.zeros((bottom - top, right - left + 1), np.int32)
        np.add.at(edges, (y - top, columns[here] - left), 1)
        np.add.at(edges, (y - top, columns[here] + lengths[here] - left), -1)
        distance = distance_transform_edt(np.cumsum(edges, 1)[:, :-1] == 0)
        inside = (distance > near_px) & (distance <= far_px)
        change = np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        row, first = np.nonzero(change == 1)
        starts.append(((z * height + top + row) * width + left + first).astype(np.int64))
        counts.append(np.nonzero(change == -1)[1] - first)
    return np.concatenate(starts), np.concatenate(counts)
