"""Folds of the cortex: how far a point lies from the nearest sheet where a smooth field is zero."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_WRAP = 48
_FLAT = np.float32(0.0009)  # keeps saddles of the field from looking like wide folds


def sheet_distance(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    wanted: np.ndarray,
    key: int,
    spacing_mm: float,
) -> np.ndarray:
    """Distance to the zero level of a B-spline noise field, to first order: |f| / |grad f|.

    The gradient is analytic, so the result at a point does not depend on its neighbours.

    Args:
        x: coordinates in mm to the left, any shape.
        y: to the back, same shape.
        z: to the vertex, same shape.
        wanted: where the distance is needed.
        key: of the field (`Patient.key`); it repeats after 48 nodes.
        spacing_mm: between the nodes.

    Returns:
        Distance in mm, float32, same shape; 99 where it is not wanted.

    >>> axis = np.arange(3, dtype=np.float32)
    >>> sheet_distance(axis, axis, axis, axis < 2, key=1, spacing_mm=6.0).round(1).tolist()
    [3.4..., 3.0999..., 99.0]
    """
    lattice = np.random.default_rng(key).standard_normal((_WRAP,) * 3, dtype=np.float32)
    distance = np.full(x.shape, 99, np.float32)
    px, py, pz = (np.ascontiguousarray(a[wanted], np.float32) for a in (x, y, z))
    found = np.empty(int(wanted.sum()), np.float32)
    _sheet_distance(px, py, pz, lattice, np.float32(1 / spacing_mm), found)
    distance[wanted] = found * np.float32(spacing_mm)
    return distance


@numba.njit(cache=True, inline="always")
def _weights(t: Any, w: Any, d: Any) -> Any:
    """Cubic B-spline weights and their derivatives at t in [0, 1)."""
    s = 1 - t
    w[0] = s * s * s / 6
    w[3] = t * t * t / 6
    w[1] = (3 * t * t * t - 6 * t * t + 4) / 6
    w[2] = 1 - w[0] - w[1] - w[3]
    d[0] = -s * s / 2
    d[3] = t * t / 2
    d[1] = (3 * t * t - 4 * t) / 2
    d[2] = -d[0] - d[1] - d[3]


@numba.njit(parallel=True, cache=True)
def _sheet_distance(x: Any, y: Any, z: Any, lattice: Any, scale: Any, out: Any) -> Any:
    n = lattice.shape[0]
    block = 1024
    for part in numba.prange(-(-x.size // block)):
        w = np.empty((3, 4), np.float32)
        d = np.empty((3, 4), np.float32)
        for i in range(part * block, min((part + 1) * block, x.size)):
            fx, fy, fz = x[i] * scale, y[i] * scale, z[i] * scale
            ix, iy, iz = int(np.floor(fx)), int(np.floor(fy)), int(np.floor(fz))
            _weights(fx - ix, w[0], d[0])
            _weights(fy - iy, w[1], d[1])
            _weights(fz - iz, w[2], d[2])
            value = gx = gy = gz = np.float32(0)
            for c in range(4):
                kz = (iz + c) % n
                plane = plane_dx = plane_dy = np.float32(0)
                for b in range(4):
                    ky = (iy + b) % n
                    row = row_dx = np.float32(0)
                    for a in range(4):
                        node = lattice[kz, ky, (ix + a) % n]
                        row += w[0, a] * node
                        row_dx += d[0, a] * node
                    plane += w[1, b] * row
                    plane_dx += w[1, b] * row_dx
                    plane_dy += d[1, b] * row
                value += w[2, c] * plane
                gx += w[2, c] * plane_dx
                gy += w[2, c] * plane_dy
                gz += d[2, c] * plane
            out[i] = abs(value) / np.sqrt(gx * gx + gy * gy + gz * gz + _FLAT)
