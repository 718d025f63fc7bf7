"""Fast loops over tapered bars: coverage of thin vessels, distance to thick tubes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from scipy.interpolate import CubicSpline


@numba.njit(cache=True, inline="always", fastmath=True)
def _to_chain(x: Any, y: Any, z: Any, line: Any) -> Any:
    best = np.float32(1e9)
    for m in range(line.shape[0] - 1):
        ex, ey = line[m + 1, 0] - line[m, 0], line[m + 1, 1] - line[m, 1]
        ez = line[m + 1, 2] - line[m, 2]
        wx, wy, wz = x - line[m, 0], y - line[m, 1], z - line[m, 2]
        t = (wx * ex + wy * ey + wz * ez) / (ex * ex + ey * ey + ez * ez + 1e-9)
        t = min(max(t, 0.0), 1.0)
        d = np.sqrt((wx - t * ex) ** 2 + (wy - t * ey) ** 2 + (wz - t * ez) ** 2)
        best = min(best, d - line[m, 3] - t * (line[m + 1, 3] - line[m, 3]))
    return best


@numba.njit(cache=True)
def _few_to_chain(x: Any, y: Any, z: Any, line: Any, out: Any) -> Any:
    for n in range(len(x)):
        out[n] = _to_chain(x[n], y[n], z[n], line)


@numba.njit(cache=True, parallel=True)
def _many_to_chain(x: Any, y: Any, z: Any, line: Any, out: Any) -> Any:
    for n in numba.prange(len(x)):
        out[n] = _to_chain(x[n], y[n], z[n], line)


def chain_distance(x: np.ndarray, y: np.ndarray, z: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Signed distance in mm to a chain of tapered bars.

    Args:
        x: coordinates in mm, any shape.
        y: of the same shape.
        z: of the same shape.
        line: (n, 4) x, y, z and radius at the ends of the bars.

    Returns:
        float32, of the same shape.

    >>> rod = np.array([[0, 0, 0, 2.0], [10, 0, 0, 2.0]])
    >>> chain_distance(np.array([5.0]), np.array([3.0]), np.array([4.0]), rod).tolist()
    [3.0]
    """
    flat = [np.ascontiguousarray(axis, np.float32).reshape(-1) for axis in (x, y, z)]
    out = np.empty(flat[0].shape, np.float32)
    # Starting threads costs more than a few points do.
    fill = _few_to_chain if len(out) < 3000 else _many_to_chain
    fill(flat[0], flat[1], flat[2], np.asarray(line, np.float32), out)
    return out.reshape(x.shape)


def centre_line(points: Any, radius: Any, curve_mm: float = 3.0) -> np.ndarray:
    """A spline through points (m, 3) as a chain (n, 4) of bars of about ``curve_mm``."""
    points = np.asarray(points, float)
    radius = np.broadcast_to(np.asarray(radius, float), len(points))
    return _chain(points.tobytes(), radius.tobytes(), curve_mm)


@lru_cache(maxsize=4096)
def _chain(points: bytes, radius: bytes, curve_mm: float) -> np.ndarray:
    nodes = np.frombuffer(points).reshape(-1, 3)
    s = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(nodes, axis=0), axis=1))])
    fine = np.linspace(0, s[-1], max(2, int(s[-1] / curve_mm) + 1))
    thick = np.interp(fine, s, np.frombuffer(radius))
    if len(nodes) > 2:
        line = CubicSpline(s, nodes)(fine)
    else:
        line = np.column_stack([np.interp(fine, s, axis) for axis in nodes.T])
    return np.column_stack([line, thick]).astype(np.float32)


@numba.njit(cache=True, parallel=True, fastmath=True)
def _cover(
    zs: Any,
    y0: Any,
    x0: Any,
    pixel: Any,
    thickness: Any,
    segments: Any,
    radii: Any,
    branch: Any,
    soft: Any,
    samples: Any,
    alpha: Any,
    winner: Any,
) -> Any:
    depth, height, width = alpha.shape
    for k in numba.prange(depth):
        for m in range(segments.shape[0]):
            ax, ay, az, bx, by, bz = segments[m]
            ra, rb = radii[m]
            reach = max(ra, rb) + soft
            if zs[k] < min(az, bz) - reach - thickness or zs[k] > max(az, bz) + reach + thickness:
                continue
            i0 = max(int((min(ax, bx) - reach - x0) / pixel), 0)
            i1 = min(int((max(ax, bx) + reach - x0) / pixel) + 2, width)
            j0 = max(int((min(ay, by) - reach - y0) / pixel), 0)
            j1 = min(int((max(ay, by) + reach - y0) / pixel) + 2, height)
            ex, ey, ez = bx - ax, by - ay, bz - az
            square = ex * ex + ey * ey + ez * ez + 1e-9
            for j in range(j0, j1):
                wy = y0 + j * pixel - ay
                for i in range(i0, i1):
                    wx = x0 + i * pixel - ax
                    total = 0.0
                    for s in range(samples):
                        wz = zs[k] + thickness * ((s + 0.5) / samples - 0.5) - az
                        t = min(max((wx * ex + wy * ey + wz * ez) / square, 0.0), 1.0)
                        d = np.sqrt((wx - t * ex) ** 2 + (wy - t * ey) ** 2 + (wz - t * ez) ** 2)
                        r = ra + (rb - ra) * t
                        # A vessel thinner than a pixel cannot fill it.
                        total += min(max(0.5 - (d - r) / soft, 0.0), 1.0) * min(
                            1.0, r / (0.35 * soft)
                        )
                    total /= samples
                    if total > alpha[k, j, i]:
                        alpha[k, j, i] = total
                        winner[k, j, i] = branch[m]


def cover(
    z: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    pixel_mm: float,
    thickness_mm: float,
    segments: np.ndarray,
    radii: np.ndarray,
    branch: np.ndarray,
    soft_mm: float,
    samples_z: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Coverage of every voxel by tapered bars: the greatest of all, and whose it is.

    Taking the greatest, instead of painting one bar over the other, leaves no beads at the joints.

    Returns:
        coverage float32 and branch number int32, both (Z, H, W).
    """
    alpha = np.zeros((len(z), len(y), len(x)), np.float32)
    winner = np.zeros(alpha.shape, np.int32)
    reach = radii.max(initial=0.0) + soft_mm + thickness_mm
    near = (np.minimum(segments[:, 2], segments[:, 5]) < z[-1] + reach) & (
        np.maximum(segments[:, 2], segments[:, 5]) > z[0] - reach
    )
    _cover(
        z, y[0], x[0], pixel_mm, thickness_mm, segments[near], radii[near],
        branch[near].astype(np.int32), soft_mm, samples_z, alpha, winner,
    )  # fmt: skip
    return alpha, winner
