"""The surroundings of a segment, and the contrast that it has against them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from ldctlib.masks import Masks

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
