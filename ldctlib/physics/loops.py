"""The loops over rays and pixels, compiled: projection, back-projection and their adjoints.

Arrays end with an axis of slices ("lanes"), 1 or 32 of them: the geometry is worked out once for
all, and the processor's vector units work on the slices. Nothing is stored: no system matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit

LANES = 32
TILE = 32


class Loops(NamedTuple):
    """The compiled loops for one number of lanes."""

    integrate: Callable[..., None]
    smear: Callable[..., None]
    gather: Callable[..., None]
    scatter: Callable[..., None]
    gather_variance: Callable[..., None]


def in_threads(work: Callable[[int, int], Any], count: int, parts: int | None = None) -> list[Any]:
    """``work(first, past)`` on shares of ``range(count)``, on as many threads as torch has.

    Returns:
        The results in order.
    """
    threads = torch.get_num_threads()
    edges = np.linspace(0, count, min(parts or 4 * threads, count) + 1).astype(int).tolist()
    if threads == 1:
        return [work(first, past) for first, past in pairwise(edges)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, edges[:-1], edges[1:]))


@njit(cache=True, inline="always")
def _seen(x, y, cos, sin, sod, to_channels, centre, arc):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Channel that sees the point (x, y) and its weight in FBP; lengths in mm."""
    along = sod - x * cos - y * sin
    across = x * sin - y * cos
    t = across / along
    if not arc:
        return t * to_channels + centre, (sod / along) ** 2
    # arctan t for |t| < 1, error below 2e-8: Abramowitz and Stegun 4.4.49
    u = t * t
    a = -0.0161657367 + 0.0028662257 * u
    a = -0.0752896400 + u * (0.0429096138 + u * a)
    a = -0.1420889944 + u * (0.1065626393 + u * a)
    a = t * (1 + u * (-0.3333314528 + u * (0.1999355085 + u * a)))
    return a * to_channels + centre, 1 / (along * along + across * across)


@cache
def loops(lanes: int) -> Loops:
    """The loops for ``lanes`` slices at once; compiled on first use, 1 s each, kept on disk."""
    compiled = njit(nogil=True, cache=True, fastmath={"contract"})

    @compiled
    def integrate(images, start, slope, step, segments, first, past, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        """Add up ``images`` (2, n, n + 2, lanes) along the rays of a range of views."""
        n = images.shape[1]
        for view in range(first, past):
            for axis in range(2):
                for i in range(n):
                    for c in range(segments[view, axis, 0], segments[view, axis, 1]):
                        crossing = start[view, c] + slope[view, c] * np.float32(i)
                        if crossing >= 0 and crossing < n + 1:
                            k = int(crossing)
                            far = (crossing - np.float32(k)) * step[view, c]
                            near = step[view, c] - far
                            for s in range(lanes):
                                out[view, c, s] += (
                                    near * images[axis, i, k, s] + far * images[axis, i, k + 1, s]
                                )

    @compiled
    def smear(images, start, slope, step, segments, first, past, values):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        """The exact adjoint of `integrate`: add ``values`` to ``images`` along their rays."""
        n = images.shape[1]
        for view in range(first, past):
            for axis in range(2):
                for i in range(n):
                    for c in range(segments[view, axis, 0], segments[view, axis, 1]):
                        crossing = start[view, c] + slope[view, c] * np.float32(i)
                        if crossing >= 0 and crossing < n + 1:
                            k = int(crossing)
                            far = (crossing - np.float32(k)) * step[view, c]
                            near = step[view, c] - far
                            for s in range(lanes):
                                images[axis, i, k, s] += near * values[view, c, s]
                                images[axis, i, k + 1, s] += far * values[view, c, s]

    @compiled
    def gather(sino, cos, sin, where, x_mm, first, past, image):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        """Back-project ``sino`` (views, channels, lanes) onto tiles of ``image`` (n, n, lanes)."""
        sod, to_channels, centre, arc = where
        n, tiles = len(x_mm), (len(x_mm) + TILE - 1) // TILE
        for tile in range(first, past):
            top, left = TILE * (tile // tiles), TILE * (tile % tiles)
            for view in range(len(cos)):
                for i in range(top, min(top + TILE, n)):
                    for j in range(left, min(left + TILE, n)):
                        channel, weight = _seen(
                            x_mm[j], x_mm[i], cos[view], sin[view], sod, to_channels, centre, arc
                        )
                        if channel >= 0 and channel < sino.shape[1] - 1:
                            c = int(channel)
                            far = np.float32((channel - c) * weight)
                            near = np.float32(weight) - far
                            for s in range(lanes):
                                image[i, j, s] += (
                                    near * sino[view, c, s] + far * sino[view, c + 1, s]
                                )

    @compiled
    def scatter(sino, cos, sin, where, x_mm, first, past, image):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        """The exact adjoint of `gather`, for a range of views."""
        sod, to_channels, centre, arc = where
        for view in range(first, past):
            for i in range(len(x_mm)):
                for j in range(len(x_mm)):
                    channel, weight = _seen(
                        x_mm[j], x_mm[i], cos[view], sin[view], sod, to_channels, centre, arc
                    )
                    if channel >= 0 and channel < sino.shape[1] - 1:
                        c = int(channel)
                        far = np.float32((channel - c) * weight)
                        near = np.float32(weight) - far
                        for s in range(lanes):
                            sino[view, c, s] += near * image[i, j, s]
                            sino[view, c + 1, s] += far * image[i, j, s]

    @compiled
    def gather_variance(sino, shared, cos, sin, where, x_mm, first, past, image):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        """Variance of `gather`: that of channels is ``sino``, neighbours share ``shared``."""
        sod, to_channels, centre, arc = where
        for i in range(first, past):
            for view in range(len(cos)):
                for j in range(len(x_mm)):
                    channel, weight = _seen(
                        x_mm[j], x_mm[i], cos[view], sin[view], sod, to_channels, centre, arc
                    )
                    if channel >= 0 and channel < sino.shape[1] - 1:
                        c = int(channel)
                        far = (channel - c) * weight
                        near = weight - far
                        for s in range(lanes):
                            image[i, j, s] += (
                                near * near * sino[view, c, s]
                                + far * far * sino[view, c + 1, s]
                                + 2 * near * far * shared[view, c, s]
                            )

    return Loops(integrate, smear, gather, scatter, gather_variance)
