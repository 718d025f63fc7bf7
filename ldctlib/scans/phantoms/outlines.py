"""Closed organ outlines: hand-placed control points, a spline through them, a signed distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numba
import numpy as np
from scipy.interpolate import CubicSpline

from ldctlib.scans.phantoms.shapes import smoothstep

_CORNERS = 96


@numba.njit(cache=True, inline="always", fastmath=True)
def _signed(x: Any, y: Any, polygon: Any) -> Any:
    best = np.float32(1e18)
    inside = False
    ax, ay = polygon[-1, 0], polygon[-1, 1]
    for m in range(polygon.shape[0]):
        bx, by = polygon[m, 0], polygon[m, 1]
        ex, ey, wx, wy = bx - ax, by - ay, x - ax, y - ay
        t = min(max((wx * ex + wy * ey) / (ex * ex + ey * ey + 1e-9), 0.0), 1.0)
        dx, dy = wx - t * ex, wy - t * ey
        best = min(best, dx * dx + dy * dy)
        if (ay > y) != (by > y) and x < ex * (y - ay) / (by - ay) + ax:
            inside = not inside
        ax, ay = bx, by
    return -np.sqrt(best) if inside else np.sqrt(best)


@numba.njit(cache=True, parallel=True, fastmath=True)
def signed_distance(x: Any, y: Any, polygons: Any, out: Any) -> Any:
    """Distance in mm of every voxel (Z, H, W) to its slice's polygon (Z, n, 2), into ``out``."""
    depth, height, width = x.shape
    for q in numba.prange(depth * height):
        k, j = q // height, q % height
        for i in range(width):
            out[k, j, i] = _signed(x[k, j, i], y[k, j, i], polygons[k])


@numba.njit(cache=True, parallel=True)
def upsample(coarse: Any, rows: Any, columns: Any, row: Any, column: Any, out: Any) -> Any:
    """Bilinear interpolation into ``out`` (Z, H, W).

    Args:
        coarse: (Z, R, C) samples.
        rows: (R,) pixel positions of the samples; ``columns`` likewise.
        columns: (C,) of them.
        row: (H,) pixel positions wanted; ``column`` likewise.
        column: (W,) of them.
        out: is written.
    """
    depth, height, width = out.shape
    for q in numba.prange(depth * height):
        k, j = q // height, q % height
        j0 = min(max(np.searchsorted(rows, row[j], side="right") - 1, 0), len(rows) - 2)
        ty = np.float32((row[j] - rows[j0]) / (rows[j0 + 1] - rows[j0]))
        i0 = 0
        for i in range(width):
            while i0 < len(columns) - 2 and columns[i0 + 1] <= column[i]:
                i0 += 1
            tx = np.float32((column[i] - columns[i0]) / (columns[i0 + 1] - columns[i0]))
            above = coarse[k, j0, i0] * (1 - tx) + coarse[k, j0, i0 + 1] * tx
            below = coarse[k, j0 + 1, i0] * (1 - tx) + coarse[k, j0 + 1, i0 + 1] * tx
            out[k, j, i] = above * (1 - ty) + below * ty


@numba.njit(cache=True)
def _at_points(points: Any, polygons: Any, out: Any) -> Any:
    for n in range(len(points)):
        out[n] = _signed(points[n, 0], points[n, 1], polygons[n])


@dataclass(frozen=True)
class Outline:
    """An organ's outline, blended between a few heights.

    Args:
        z_mm: (K,) heights of the keys, ascending.
        points: (K, n, 2) control points (x, y) in template mm; the same n for every key.
    """

    z_mm: np.ndarray
    points: np.ndarray

    @cached_property
    def _curves(self) -> np.ndarray:
        """(K, 96, 2) splines through the control points of every key."""
        return np.stack([_spline(points) for points in self.points])

    def polygons(self, z_mm: np.ndarray) -> np.ndarray:
        """Closed polygons float32 (Z, 96, 2) at these heights."""
        z = np.clip(np.asarray(z_mm, float), self.z_mm[0], self.z_mm[-1])
        if len(self.z_mm) == 1:
            return np.repeat(self._curves, len(z), 0)
        low = np.clip(np.searchsorted(self.z_mm, z) - 1, 0, len(self.z_mm) - 2)
        t = smoothstep((z - self.z_mm[low]) / (self.z_mm[low + 1] - self.z_mm[low]))[:, None, None]
        blended = self._curves[low] * (1 - t) + self._curves[low + 1] * t
        return np.asarray(blended, np.float32)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Signed distance in mm at points (n, 3) in template mm; heights to the nearest mm."""
        heights, which = np.unique(np.round(points[:, 2]), return_inverse=True)
        out = np.empty(len(points), np.float32)
        _at_points(np.asarray(points, np.float32), self.polygons(heights)[which], out)
        return out

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(x0, x1, y0, y1) of the control points, in template mm."""
        x, y = self.points[..., 0], self.points[..., 1]
        return float(x.min()), float(x.max()), float(y.min()), float(y.max())


def make_outline(
    keys: Mapping[float, Sequence[Sequence[float]]],
    jitter_mm: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Outline:
    """An outline from {height: control points}, shaken by a smoothed jitter equal at all heights.

    >>> square = make_outline({0.0: [(-9, -9), (9, -9), (9, 9), (-9, 9)]})
    >>> square.at(np.array([[0.0, 0.0, 5.0], [30.0, 0.0, 5.0]])).round().tolist()
    [-12.0, 18.0]
    """
    heights = np.array(sorted(keys), float)
    if len({len(p) for p in keys.values()}) != 1:
        raise ValueError("An outline needs the same number of control points at every height.")
    points = np.stack([np.asarray(keys[z], float) for z in sorted(keys)])
    if jitter_mm and rng is not None:
        shake = rng.normal(0, jitter_mm, points.shape[1:])
        points += 0.5 * shake + 0.25 * np.roll(shake, 1, 0) + 0.25 * np.roll(shake, -1, 0)
    return Outline(heights, points)


def mirrored(half: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """A closed symmetric outline from its half with x >= 0.

    >>> mirrored([(0, -5), (4, 0), (0, 5)])
    [(0.0, -5.0), (4.0, 0.0), (0.0, 5.0), (-4.0, 0.0)]
    """
    right = [(float(x), float(y)) for x, y in half]
    return right + [(-x, y) for x, y in reversed(right) if x > 1e-6]


def transformed(
    points: Sequence[Sequence[float]],
    scale: tuple[float, float] = (1.0, 1.0),
    shift: tuple[float, float] = (0.0, 0.0),
) -> list[tuple[float, float]]:
    """Control points scaled, then shifted; a negative scale puts them on the other side.

    >>> transformed([(10, 5)], scale=(-1, 1), shift=(0, 2))
    [(-10.0, 7.0)]
    """
    (sx, sy), (dx, dy) = scale, shift
    return [(float(x * sx + dx), float(y * sy + dy)) for x, y in points]


def _spline(points: np.ndarray) -> np.ndarray:
    """96 points float32 of the closed spline, spaced by the square root of the chord."""
    closed = np.vstack([points, points[:1]])
    chords = np.sqrt(np.linalg.norm(np.diff(closed, axis=0), axis=1))
    s = np.concatenate([[0.0], np.cumsum(chords)])
    curve = CubicSpline(s, closed, bc_type="periodic")
    return np.asarray(curve(np.linspace(0, s[-1], _CORNERS, endpoint=False)), np.float32)
