"""What travels inside a figure: whole HU and runs of masks, packed small enough for a page."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from ldctlib.masks import Masks


def whole_hu(name: str, values: np.ndarray) -> np.ndarray:
    """CT numbers rounded to whole HU, int16.

    Raises:
        ValueError: a value is not finite or does not fit.

    >>> whole_hu("pane", np.array([-1000.4, 39.6])).tolist()
    [-1000, 40]
    """
    if not np.isfinite(values).all():
        raise ValueError(f"{name!r} holds values that are not finite; replace them before showing.")
    rounded = np.rint(values)
    if rounded.size and (rounded.min() < -32768 or rounded.max() > 32767):
        raise ValueError(f"{name!r} reaches beyond ±32767 HU; clip it before showing.")
    return np.asarray(rounded, np.int16)


def pack(planes: np.ndarray, limit_bytes: float = np.inf) -> tuple[str, float]:
    """Planes of int16 as text: horizontal differences, byte planes, zlib, base64.

    The sign of a difference moves to its lowest bit (-1 is 1, 1 is 2, -2 is 3), so that small
    differences of both signs have the same high byte; real CT shrinks by a seventh.

    Args:
        planes: int16 (P, n): P planes, each packed on its own.
        limit_bytes: packing stops when the text is certain to be longer.

    Returns:
        The text, and the share of the planes that it holds (1 unless stopped).

    >>> text, share = pack(np.array([[-1000, -1000, 40]], np.int16))
    >>> unpack(text, 1).tolist(), share
    ([[-1000, -1000, 40]], 1.0)
    """
    packer, parts = zlib.compressobj(6, strategy=zlib.Z_FILTERED), list[bytes]()
    for i, plane in enumerate(planes):
        change = np.diff(plane.astype(np.int32), prepend=0).astype(np.int16)
        code = (change << 1 ^ change >> 15).view(np.uint16)
        low_high = np.concatenate([code & 255, code >> 8]).astype(np.uint8)
        parts.append(packer.compress(low_high.tobytes()))
        if sum(map(len, parts)) * 4 / 3 > limit_bytes and i + 1 < len(planes):
            return "", (i + 1) / len(planes)
    parts.append(packer.flush())
    return base64.b64encode(b"".join(parts)).decode(), 1.0


def unpack(text: str, planes: int) -> np.ndarray:
    """The inverse of `pack`: int16 (planes, n). The viewer does the same in the page."""
    low_high = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    low, high = low_high.reshape(planes, 2, -1).astype(np.int32).transpose(1, 0, 2)
    code = low | high << 8
    return np.cumsum(code >> 1 ^ -(code & 1), axis=1).astype(np.int16)


def mask_runs(masks: Masks, slices: list[int], crop: tuple[slice, slice]) -> np.ndarray:
    """Runs of masks inside a crop: (5, R) int16 rows of mask, place in slices, row, column, length.

    >>> square = np.zeros((4, 4), bool); square[1:3, 1:3] = True
    >>> masks = Masks.from_slices([(7, square)], shape=(9, 4, 4))
    >>> mask_runs(masks, [7], (slice(0, 4), slice(2, 4))).T.tolist()
    [[0, 0, 1, 0, 1], [0, 0, 2, 0, 1]]
    """
    _, height, width = masks.shape
    rows, columns = crop
    mask = np.repeat(np.arange(len(masks)), np.diff(masks.offsets))
    z, within = np.divmod(masks.starts, height * width)
    row, first = np.divmod(within, width)
    last = np.minimum(first + masks.lengths, columns.stop) - columns.start
    first = np.maximum(first, columns.start) - columns.start
    place = np.full(masks.shape[0], -1)
    place[slices] = np.arange(len(slices))
    keep = (place[z] >= 0) & (row >= rows.start) & (row < rows.stop) & (first < last)
    runs = np.stack([mask, place[z], row - rows.start, first, last - first])[:, keep]
    return runs.astype(np.int16)
