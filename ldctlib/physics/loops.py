"""The loops over rays and pixels, compiled: projection, back-projection and their adjoints.

Arrays end with an axis of slices: the geometry is worked out once for all of them, and the
processor's vector units work on the slices. Nothing is stored, no system matrix. ``lanes`` is a
tuple as long as that axis: its length is part of its type, so the compiler knows it.
"""

# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numba import njit

LANES = (32, 8, 1)  # numbers of slices that are worked on at once; each is compiled for itself
VIEWS_AT_ONCE = 8  # and 32 x 32 pixels at once: what fits in the second cache
TILE = 32

Loop = Callable[..., None]
compiled: Callable[[Loop], Loop] = njit(nogil=True, cache=True, fastmath={"contract"})


def in_threads(work: Callable[[int, int], Any], count: int, parts: int | None = None) -> list[Any]:
    """``work(first, past)`` on shares of ``range(count)``, on as many threads as torch has.

    Returns:
        The results in order.
    """
    threads = torch.get_num_threads()
    parts = max(1, min(parts or 4 * threads, count))
    edges = np.linspace(0, count, parts + 1).astype(int).tolist()
    if threads == 1:
        return [work(first, past) for first, past in pairwise(edges)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, edges[:-1], edges[1:]))


@compiled
def integrate(images, start, slope, step, segments, lanes, first, past, out):
    """Add up ``images`` (2, n, n + 2, lanes) along the rays of views ``first`` to ``past - 1``.

    ``images[0]`` has columns first, ``images[1]`` rows first, with a pixel of air at both ends of
    the other axis; ``start`` to ``segments`` are those of `Rays`; ``out`` starts as zeros.
    """
    n = images.shape[1]
    for axis in range(2):
        for i in range(n):
            for view in range(first, past):
                for c in range(segments[view, axis, 0], segments[view, axis, 1]):
                    crossing = start[view, c] + slope[view, c] * np.float32(i)
                    if crossing >= 0 and crossing < n + 1:
                        k = int(crossing)
                        far = (crossing - np.float32(k)) * step[view, c]
                        near = step[view, c] - far
                        for s in range(len(lanes)):
                            out[view, c, s] += (
                                near * images[axis, i, k, s] + far * images[axis, i, k + 1, s]
                            )


@compiled
def smear(images, start, slope, step, segments, lanes, first, past, values):
    """The exact adjoint of `integrate`: add ``values`` to ``images`` along their rays."""
    n = images.shape[1]
    for block in range(first, past, VIEWS_AT_ONCE):
        for axis in range(2):
            for i in range(n):
                for view in range(block, min(block + VIEWS_AT_ONCE, past)):
                    for c in range(segments[view, axis, 0], segments[view, axis, 1]):
                        crossing = start[view, c] + slope[view, c] * np.float32(i)
                        if crossing >= 0 and crossing < n + 1:
                            k = int(crossing)
                            far = (crossing - np.float32(k)) * step[view, c]
                            near = step[view, c] - far
                            for s in range(len(lanes)):
                                images[axis, i, k, s] += near * values[view, c, s]
                                images[axis, i, k + 1, s] += far * values[view, c, s]


@compiled
def _look(x_mm, left, right, y, cos, sin, scanner, channel, weight):
    """Where a view sees the pixels ``left`` to ``right - 1`` of a row, and their weight in FBP."""
    sod, to_channels, centre, arc = scanner
    for j in range(left, right):
        along = sod - x_mm[j] * cos - y * sin
        across = x_mm[j] * sin - y * cos
        t = across / along
        if arc:
            # arctan t for |t| < 1, error below 2e-8: Abramowitz and Stegun 4.4.49
            u = t * t
            a = -0.0161657367 + 0.0028662257 * u
            a = -0.0752896400 + u * (0.0429096138 + u * a)
            a = -0.1420889944 + u * (0.1065626393 + u * a)
            t *= 1 + u * (-0.3333314528 + u * (0.1999355085 + u * a))
            weight[j - left] = 1 / (along * along + across * across)
        else:
            weight[j - left] = (sod / along) ** 2
        channel[j - left] = t * to_channels + centre


@compiled
def gather(sino, cos, sin, scanner, x_mm, lanes, first, past, image):
    """Back-project ``sino`` (views, channels, lanes) onto tiles of ``image`` (n, n, lanes)."""
    channel, weight = np.empty(TILE), np.empty(TILE)
    n, tiles = len(x_mm), (len(x_mm) + TILE - 1) // TILE
    for tile in range(first, past):
        top, left = TILE * (tile // tiles), TILE * (tile % tiles)
        right = min(left + TILE, n)
        for view in range(len(cos)):
            for i in range(top, min(top + TILE, n)):
                _look(x_mm, left, right, x_mm[i], cos[view], sin[view], scanner, channel, weight)
                for j in range(right - left):
                    if channel[j] >= 0 and channel[j] < sino.shape[1] - 1:
                        c = int(channel[j])
                        far = np.float32((channel[j] - c) * weight[j])
                        near = np.float32(weight[j]) - far
                        for s in range(len(lanes)):
                            image[i, left + j, s] += (
                                near * sino[view, c, s] + far * sino[view, c + 1, s]
                            )


@compiled
def scatter(sino, cos, sin, scanner, x_mm, lanes, first, past, image):
    """The exact adjoint of `gather`, for a range of views."""
    n = len(x_mm)
    channel, weight = np.empty(n), np.empty(n)
    for view in range(first, past):
        for i in range(n):
            _look(x_mm, 0, n, x_mm[i], cos[view], sin[view], scanner, channel, weight)
            for j in range(n):
                if channel[j] >= 0 and channel[j] < sino.shape[1] - 1:
                    c = int(channel[j])
                    far = np.float32((channel[j] - c) * weight[j])
                    near = np.float32(weight[j]) - far
                    for s in range(len(lanes)):
                        sino[view, c, s] += near * image[i, j, s]
                        sino[view, c + 1, s] += far * image[i, j, s]


@compiled
def scatter_runs(sino, cos, sin, scanner, x_mm, rows, columns, lengths, values):
    """`scatter` of an image that is 0 but for runs of pixels, each with one value, in all views."""
    n = len(x_mm)
    channel, weight = np.empty(n), np.empty(n)
    for run in range(len(rows)):
        left, past = columns[run], columns[run] + lengths[run]
        for view in range(len(cos)):
            y = x_mm[rows[run]]
            _look(x_mm, left, past, y, cos[view], sin[view], scanner, channel, weight)
            for j in range(past - left):
                if channel[j] >= 0 and channel[j] < sino.shape[1] - 1:
                    c = int(channel[j])
                    far = (channel[j] - c) * weight[j] * values[run]
                    sino[view, c] += weight[j] * values[run] - far
                    sino[view, c + 1] += far


@compiled
def gather_variance(own, shared, cos, sin, scanner, x_mm, first, past, image):
    """Variance of `gather` in rows of ``image`` (n, n), where channels have noise.

    ``own`` is the variance of each channel, ``shared`` its covariance with the next.
    """
    n = len(x_mm)
    channel, weight = np.empty(n), np.empty(n)
    for i in range(first, past):
        for view in range(len(cos)):
            _look(x_mm, 0, n, x_mm[i], cos[view], sin[view], scanner, channel, weight)
            for j in range(n):
                if channel[j] >= 0 and channel[j] < own.shape[1] - 1:
                    c = int(channel[j])
                    far = (channel[j] - c) * weight[j]
                    near = weight[j] - far
                    image[i, j] += near * near * own[view, c] + far * far * own[view, c + 1]
                    image[i, j] += 2 * near * far * shared[view, c]
