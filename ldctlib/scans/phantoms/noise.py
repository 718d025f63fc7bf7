"""Smooth random fields that depend on a key and a position in space, and on nothing else.

White noise sits on the nodes of a lattice; a node's value is a hash of its key and index, so no
array of random numbers exists and any part of space can be asked for, in any order. Cubic B-splines
interpolate between the nodes.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import numba
import numpy as np

# Root mean square of the B-spline weights, averaged over positions: 0.4794 per axis, squared sum.
_SPLINE_SD = np.float32(0.4794**1.5)
_WRAP = 64


def key_of(*parts: object) -> int:
    """A 64-bit key of a name, such as ("chest", 3, "texture"): equal parts, equal key.

    >>> key_of("chest", 0, "fat") == key_of("chest", 0, "fat") != key_of("chest", 1, "fat")
    True
    """
    text = "/".join(map(str, parts)).encode()
    return (zlib.crc32(text) << 32) | zlib.crc32(text[::-1] + b"~")


@numba.njit(cache=True, inline="always")
def _node(key: Any, k: Any, j: Any, i: Any) -> Any:
    """About N(0, 1) at a lattice node: four 16-bit words of a splitmix64 hash, added."""
    h = key + np.uint64(k) * np.uint64(0x9E3779B97F4A7C15)
    h ^= np.uint64(j) * np.uint64(0xC2B2AE3D27D4EB4F)
    h += np.uint64(i) * np.uint64(0x165667B19E3779F9)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    h ^= h >> np.uint64(31)
    mask = np.uint64(0xFFFF)
    words = (h & mask) + ((h >> np.uint64(16)) & mask)
    words += ((h >> np.uint64(32)) & mask) + (h >> np.uint64(48))
    # A sum of four uniforms on [0, 1) has mean 2 and variance 1/3.
    return np.float32((np.float64(words) / 65536.0 - 2.0) * 1.7320508)


@numba.njit(cache=True, inline="always")
def _weights(t: Any, w: Any) -> Any:
    """The four cubic B-spline weights at the fraction ``t`` between two nodes."""
    w[0] = (1 - t) ** 3 / 6
    w[1] = (3 * t**3 - 6 * t * t + 4) / 6
    w[3] = t**3 / 6
    w[2] = 1 - w[0] - w[1] - w[3]


@numba.njit(cache=True, parallel=True)
def _on_grid(key: Any, spacing: Any, zs: Any, ys: Any, xs: Any, out: Any) -> Any:
    first_j, last_j = int(np.floor(ys[0] / spacing)), int(np.floor(ys[-1] / spacing))
    first_i, last_i = int(np.floor(xs[0] / spacing)), int(np.floor(xs[-1] / spacing))
    rows, columns = last_j - first_j + 4, last_i - first_i + 4
    wx = np.empty((len(xs), 4), np.float32)
    ix = np.empty(len(xs), np.int64)
    for i in range(len(xs)):
        ix[i] = int(np.floor(xs[i] / spacing)) - first_i
        _weights(xs[i] / spacing - np.floor(xs[i] / spacing), wx[i])
    for k in numba.prange(len(zs)):
        w = np.empty(4, np.float32)
        plane = np.zeros((rows, columns), np.float32)
        base = int(np.floor(zs[k] / spacing))
        _weights(zs[k] / spacing - base, w)
        for c in range(4):
            for j in range(rows):
                for i in range(columns):
                    plane[j, i] += w[c] * _node(key, base + c, first_j + j, first_i + i)
        row = np.empty(columns, np.float32)
        for j in range(len(ys)):
            base_j = int(np.floor(ys[j] / spacing))
            _weights(ys[j] / spacing - base_j, w)
            b = base_j - first_j
            for i in range(columns):
                row[i] = (
                    w[0] * plane[b, i]
                    + w[1] * plane[b + 1, i]
                    + w[2] * plane[b + 2, i]
                    + w[3] * plane[b + 3, i]
                ) / _SPLINE_SD
            for i in range(len(xs)):
                a = ix[i]
                out[k, j, i] = (
                    wx[i, 0] * row[a]
                    + wx[i, 1] * row[a + 1]
                    + wx[i, 2] * row[a + 2]
                    + wx[i, 3] * row[a + 3]
                )


@numba.njit(cache=True, inline="always")
def _at(key: Any, spacing: Any, point: Any) -> Any:
    w = np.empty((3, 4), np.float32)
    base = np.empty(3, np.int64)
    for axis in range(3):
        position = point[axis] / spacing
        base[axis] = int(np.floor(position))
        _weights(position - np.floor(position), w[axis])
    total = 0.0
    for c in range(4):
        for b in range(4):
            for a in range(4):
                value = _node(key, base[2] + c, base[1] + b, base[0] + a)
                total += w[2, c] * w[1, b] * w[0, a] * value
    return total / _SPLINE_SD


@numba.njit(cache=True)
def _at_few(key: Any, spacing: Any, points: Any, out: Any) -> Any:
    for n in range(len(points)):
        out[n] = _at(key, spacing, points[n])


@numba.njit(cache=True, parallel=True)
def _at_many(key: Any, spacing: Any, points: Any, out: Any) -> Any:
    for n in numba.prange(len(points)):
        out[n] = _at(key, spacing, points[n])


@numba.njit(cache=True, parallel=True)
def _bent(table: Any, spacing: Any, xs: Any, ys: Any, zs: Any, out: Any) -> Any:
    depth, height, width = xs.shape
    last = table.shape[0] - 1  # a power of two, less one: & wraps an index
    for q in numba.prange(depth * height):
        k, j = q // height, q % height
        w = np.empty((3, 4), np.float32)
        for i in range(width):
            fx, fy, fz = xs[k, j, i] / spacing, ys[k, j, i] / spacing, zs[k, j, i] / spacing
            ix, iy, iz = int(np.floor(fx)), int(np.floor(fy)), int(np.floor(fz))
            _weights(fx - ix, w[0])
            _weights(fy - iy, w[1])
            _weights(fz - iz, w[2])
            total = np.float32(0)
            for c in range(4):
                for b in range(4):
                    part = np.float32(0)
                    for a in range(4):
                        part += w[0, a] * table[(iz + c) & last, (iy + b) & last, (ix + a) & last]
                    total += w[2, c] * w[1, b] * part
            out[k, j, i] = total / _SPLINE_SD


def field_on_grid(
    key: int, spacing_mm: float, z: np.ndarray, y: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """A smooth field with mean 0 and variance 1 on a grid.

    Args:
        key: of the field, from `key_of`.
        spacing_mm: of the lattice; the field is correlated over about 1.2 times as much.
        z: heights of the slices in mm, ascending.
        y: positions of the rows in mm, ascending.
        x: positions of the columns in mm, ascending.

    Returns:
        float32 (len(z), len(y), len(x)).

    >>> axis = np.arange(40.0)
    >>> whole = field_on_grid(7, 3.0, axis, axis, axis)
    >>> part = field_on_grid(7, 3.0, axis[5:9], axis[10:30], axis[20:])
    >>> bool((whole[5:9, 10:30, 20:] == part).all()), bool(abs(whole.std() - 1) < 0.1)
    (True, True)
    """
    out = np.empty((len(z), len(y), len(x)), np.float32)
    if out.size:
        z, y, x = (np.asarray(axis, float) for axis in (z, y, x))
        _on_grid(np.uint64(key), float(spacing_mm), z, y, x, out)
    return out


def field_at(key: int, spacing_mm: float, points: np.ndarray) -> np.ndarray:
    """The field of `field_on_grid` at points (n, 3), given as (x, y, z) in mm.

    >>> x, y, z = np.array([1.5]), np.array([-2.0]), np.array([8.0])
    >>> there = field_at(7, 3.0, np.array([[1.5, -2.0, 8.0]]))
    >>> bool(np.allclose(there, field_on_grid(7, 3.0, z, y, x)[0, 0], atol=1e-5))
    True
    """
    out = np.empty(len(points), np.float32)
    # Starting threads costs more than a few points do.
    fill = _at_few if len(points) < 2000 else _at_many
    fill(np.uint64(key), float(spacing_mm), np.asarray(points, float), out)
    return out


def bent_field(
    key: int, spacing_mm: float, x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """Smooth unit-variance noise at any coordinates (Z, H, W): for folded or stretched patterns.

    The lattice repeats after 64 nodes.
    """
    out = np.empty(x.shape, np.float32)
    if out.size == 0:
        return out
    x, y, z = (np.ascontiguousarray(axis) for axis in (x, y, z))
    _bent(_table(key), np.float32(spacing_mm), x, y, z, out)
    return out


@lru_cache(maxsize=16)
def _table(key: int) -> np.ndarray:
    return np.random.default_rng(key).standard_normal((_WRAP,) * 3, dtype=np.float32)
