"""Masks that are not quite right, as a segmenter draws them, by a stated amount."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ldctlib.masks import Masks

WAYS = ("shrunk", "grown", "shifted")
LEAST_IOU = 0.2
_HALVINGS = 18


def imperfect_masks(masks: Masks, iou: float, way: str = "shrunk", *, seed: int = 0) -> Masks:
    """Masks that overlap the given ones by a stated intersection over union.

    In each of its slices a mask loses its outermost voxels ("shrunk"), gains the nearest ones
    around it ("grown"), or moves in a random direction and keeps its number of voxels ("shifted").
    Which of several equally near voxels it is, chance decides, so outlines become ragged.

    Args:
        masks: S masks, none of them empty.
        iou: from 0.2 to 1, of every new mask with the old one. It is met as nearly as whole voxels
            allow, and missed where a mask that should grow meets the border of the image.
        way: one of `WAYS`.
        seed: of directions and of equal voxels.

    Returns:
        S masks in the same order with the same labels; they may overlap.

    Raises:
        ValueError: an unknown way, an overlap out of range, or an empty mask.

    >>> square = np.zeros((40, 40), bool); square[10:20, 10:20] = True
    >>> masks = Masks.from_slices([(0, square)], (1, 40, 40))
    >>> [imperfect_masks(masks, 0.5, way).areas.tolist() for way in WAYS]
    [[50], [200], [100]]
    """
    if way not in WAYS:
        raise ValueError(f"Masks can be {', '.join(WAYS)}, not {way!r}.")
    if not LEAST_IOU <= iou <= 1:
        raise ValueError(f"The overlap lies between {LEAST_IOU} and 1, not at {iou}.")
    if (masks.areas == 0).any():
        raise ValueError(f"{masks.labels[int(masks.areas.argmin())]} is empty: nothing to spoil.")
    rng = np.random.default_rng(seed)
    pieces = [_runs(*_spoiled(masks, i, iou, way, rng), masks.shape) for i in range(len(masks))]
    return Masks.from_pieces(pieces, masks.shape, masks.labels)


def _spoiled(
    masks: Masks, i: int, iou: float, way: str, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """One new mask in a box around it, and where the box begins."""
    z0, z1, y0, y1, x0, x1 = masks.bounding_boxes[i].tolist()
    margin = max(y1 - y0, x1 - x0) + 2
    rows = slice(max(0, y0 - margin), min(masks.shape[1], y1 + margin))
    columns = slice(max(0, x0 - margin), min(masks.shape[2], x1 + margin))
    true = masks.select([i]).crop(slice(z0, z1), rows, columns).boolean(0)
    depth = np.stack([_depth(plane) for plane in true])
    ties = rng.uniform(0, 1e-3, depth.shape)
    n = int(true.sum())
    if way == "shrunk":
        new = _deepest(depth + ties, max(1, round(iou * n)))
    elif way == "grown":
        new = _deepest(depth + ties, round(n / iou))
    else:
        new = _moved(true, depth, ties, iou, rng.uniform(0, 2 * np.pi), margin)
    return new, (z0, rows.start, columns.start)


def _depth(plane: np.ndarray) -> np.ndarray:
    """How deep inside the mask a pixel lies, negative outside; -inf in a slice without it."""
    if not plane.any():
        return np.full(plane.shape, -np.inf)
    outside: np.ndarray = ndimage.distance_transform_edt(~plane)
    # Beyond the image the mask does not go on.
    inside = ndimage.distance_transform_edt(np.pad(plane, 1))[1:-1, 1:-1]
    return np.asarray(inside - outside)


def _deepest(depth: np.ndarray, count: int) -> np.ndarray:
    """The so many deepest voxels, of those in slices of the mask."""
    count = min(count, int(np.isfinite(depth).sum()))
    chosen = np.zeros(depth.size, bool)
    chosen[np.argpartition(-depth, count - 1, axis=None)[:count]] = True
    return chosen.reshape(depth.shape)


def _moved(
    true: np.ndarray, depth: np.ndarray, ties: np.ndarray, iou: float, angle: float, far: float
) -> np.ndarray:
    """As many voxels, moved so far that the overlap is met; halving the way finds how far."""
    n = int(true.sum())
    best, least = true, 1 - iou
    near = 0.0
    for _ in range(_HALVINGS if least else 0):
        way = (near + far) / 2
        # Slices without the mask would spread their infinity.
        moved = np.full(depth.shape, -np.inf)
        for z in np.flatnonzero(true.any((1, 2))):
            step = (way * np.sin(angle), way * np.cos(angle))
            moved[z] = ndimage.shift(depth[z], step, order=1, mode="nearest")
        new = _deepest(moved + ties, n)
        common = int((new & true).sum())
        found = common / (2 * n - common)
        if abs(found - iou) < least:
            best, least = new, abs(found - iou)
        near, far = (way, far) if found > iou else (near, way)
    return best


def _runs(
    box: np.ndarray, corner: tuple[int, int, int], shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of the runs of a box in a volume."""
    change = np.diff(np.pad(box, ((0, 0), (0, 0), (1, 1))).astype(np.int8), axis=2)
    first, past = np.argwhere(change == 1), np.argwhere(change == -1)
    starts = np.ravel_multi_index(tuple((first + np.asarray(corner)).T), shape)
    return np.asarray(starts, np.int64), past[:, 2] - first[:, 2]
