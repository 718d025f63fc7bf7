"""The loops over runs, compiled, and the threads that share them.

Runs are those of `ldctlib.masks.runs.Runs`: ascending within a mask, none leaves its row.
"""

# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN201

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numba import njit

ENOUGH_RUNS = 4096  # for a second thread to be worth its start

Loop = Callable[..., Any]
compiled: Callable[[Loop], Loop] = njit(nogil=True, cache=True)
# Sums may be reordered, which is what vector instructions need; NaN stays NaN.
summing: Callable[[Loop], Loop] = njit(nogil=True, cache=True, fastmath={"contract", "reassoc"})


def in_threads(work: Callable[[int, int], object], offsets: np.ndarray) -> None:
    """``work(first, past)`` on shares of the masks with equally many runs, in numba's threads."""
    threads = numba.get_num_threads() if offsets[-1] > ENOUGH_RUNS else 1
    if threads == 1:
        work(0, len(offsets) - 1)
        return
    shares = np.linspace(0, offsets[-1], 4 * threads + 1)[1:-1]
    edges = [0, *np.searchsorted(offsets, shares).tolist(), len(offsets) - 1]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))


def as_flat(volume: Any) -> np.ndarray:
    """All voxels in a row, in a type that the compiled loops can read; copied only if needed."""
    flat = np.ascontiguousarray(volume).reshape(-1)
    if flat.dtype == np.float16:
        return flat.astype(np.float32)
    return flat.astype(flat.dtype.newbyteorder("="), copy=False)


@compiled
def are_sound(offsets, starts, lengths, width, voxels):
    """Whether runs ascend within their mask, stay in their row and in the volume."""
    for i in range(len(offsets) - 1):
        if offsets[i] > offsets[i + 1]:
            return False
        free = 0
        for r in range(offsets[i], offsets[i + 1]):
            if starts[r] < free or lengths[r] < 1 or starts[r] % width + lengths[r] > width:
                return False
            free = starts[r] + lengths[r]
        if free > voxels:
            return False
    return True


@summing
def add_up(values, offsets, starts, lengths, first, past, sums):
    """``sums[i]``: all values under mask i, for masks ``first`` to ``past - 1``."""
    for i in range(first, past):
        total = 0.0
        for r in range(offsets[i], offsets[i + 1]):
            run = values[starts[r] : starts[r] + lengths[r]]
            for k in range(len(run)):
                total += run[k]
        sums[i] = total


@compiled
def fill(flat, starts, lengths):
    """Set all voxels of the runs in a boolean array."""
    for r in range(len(starts)):
        flat[starts[r] : starts[r] + lengths[r]] = True


@compiled
def boxes(offsets, starts, lengths, height, width):
    """(S, 6) smallest half-open box z0, z1, y0, y1, x0, x1 of every mask; zeros if it is empty."""
    out = np.zeros((len(offsets) - 1, 6), np.int64)
    for i in range(len(out)):
        for r in range(offsets[i], offsets[i + 1]):
            row, x = divmod(starts[r], width)
            z, y = divmod(row, height)
            if r == offsets[i]:
                out[i] = z, z, y, y, x, x
            out[i, 0], out[i, 1] = min(out[i, 0], z), max(out[i, 1], z + 1)
            out[i, 2], out[i, 3] = min(out[i, 2], y), max(out[i, 3], y + 1)
            out[i, 4], out[i, 5] = min(out[i, 4], x), max(out[i, 5], x + lengths[r])
    return out


@compiled
def touching(offsets, starts, begin, end):
    """(S,) whether a mask has a run that starts in the voxels ``begin`` to ``end - 1``."""
    out = np.zeros(len(offsets) - 1, np.bool_)
    for i in range(len(out)):
        a, b = offsets[i], offsets[i + 1]
        if a < b and starts[a] < end and starts[b - 1] >= begin:
            out[i] = starts[a + np.searchsorted(starts[a:b], begin)] < end
    return out


@compiled
def cut(offsets, starts, lengths, height, width, box):
    """Mask, start and length of all runs inside a box, on the grid of the box."""
    z0, z1, y0, y1, x0, x1 = box
    inside = touching(offsets, starts, z0 * height * width, z1 * height * width)
    room = 0
    for i in np.flatnonzero(inside):
        room += offsets[i + 1] - offsets[i]
    out, n = np.empty((3, room), np.int64), 0
    for i in np.flatnonzero(inside):
        for r in range(offsets[i], offsets[i + 1]):
            row, x = divmod(starts[r], width)
            z, y = divmod(row, height)
            left, right = max(x, x0), min(x + lengths[r], x1)
            if z0 <= z < z1 and y0 <= y < y1 and left < right:
                out[0, n] = i
                out[1, n] = ((z - z0) * (y1 - y0) + y - y0) * (x1 - x0) + left - x0
                out[2, n] = right - left
                n += 1
    return out[:, :n]


@compiled
def overlaps(offsets, starts, lengths, others, owners, count, width):
    """(3, N) mask, other mask and number of common voxels of every pair that has any.

    ``others`` (2, R) are the first and past-the-last voxels of the runs of ``count`` other masks,
    ascending, and ``owners`` (R,) says which of these a run belongs to.
    """
    common, met = np.zeros(count, np.int64), np.empty(count, np.int64)
    out, n = np.empty((3, 1024), np.int64), 0
    for i in range(len(offsets) - 1):
        pairs = 0
        for r in range(offsets[i], offsets[i + 1]):
            begin, end = starts[r], starts[r] + lengths[r]
            k = np.searchsorted(others[0], begin - begin % width)
            while k < len(owners) and others[0, k] < end:
                shared = min(end, others[1, k]) - max(begin, others[0, k])
                if shared > 0:
                    if common[owners[k]] == 0:
                        met[pairs] = owners[k]
                        pairs += 1
                    common[owners[k]] += shared
                k += 1
        while n + pairs > out.shape[1]:
            out = np.concatenate((out, np.empty_like(out)), axis=1)
        for other in met[:pairs]:
            out[0, n], out[1, n], out[2, n] = i, other, common[other]
            common[other] = 0
            n += 1
    return out[:, :n]


@compiled
def transposed(starts, lengths, width, height):
    """The runs of one image along its other axis: rows of ``width`` become rows of ``height``.

    Runs are flat places on ``height`` rows of ``width`` and may leave their row. Returns (2, R)
    starts and lengths on ``width`` rows of ``height``, ascending, that do not.
    """
    if len(starts) == 0:
        return np.empty((2, 0), np.int64)
    top, past = starts[0] // width, (starts[-1] + lengths[-1] - 1) // width + 1
    image = np.zeros((past - top) * width, np.bool_)
    fill(image, starts - top * width, lengths)
    rows = image.reshape(past - top, width)
    out, n = np.empty((2, image.sum()), np.int64), 0
    for x in range(width):
        before = False
        for y in range(past - top):
            if rows[y, x] and not before:
                out[0, n], out[1, n] = x * height + top + y, 0
                n += 1
            if rows[y, x]:
                out[1, n - 1] += 1
            before = rows[y, x]
    return out[:, :n]
