"""Fast loops over tapered bars: coverage of thin vessels, distance to thick tubes."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit(cache=True, parallel=True, fastmath=True)
def chain_distance(x: Any, y: Any, z: Any, line: Any, out: Any) -> Any:
    """Distance of every voxel (Z, H, W) to a chain of bars (n, 4) of x, y, z, radius."""
    depth, height, width = x.shape
    for q in numba.prange(depth * height):
        k, j = q // height, q % height
        for i in range(width):
            best = np.float32(1e9)
            for m in range(line.shape[0] - 1):
                ex, ey = line[m + 1, 0] - line[m, 0], line[m + 1, 1] - line[m, 1]
                ez = line[m + 1, 2] - line[m, 2]
                wx, wy = x[k, j, i] - line[m, 0], y[k, j, i] - line[m, 1]
                wz = z[k, j, i] - line[m, 2]
                t = (wx * ex + wy * ey + wz * ez) / (ex * ex + ey * ey + ez * ez + 1e-9)
                t = min(max(t, 0.0), 1.0)
                d = np.sqrt((wx - t * ex) ** 2 + (wy - t * ey) ** 2 + (wz - t * ez) ** 2)
                best = min(best, d - line[m, 3] - t * (line[m + 1, 3] - line[m, 3]))
            out[k, j, i] = best


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
