"""Small pieces of implicit geometry: signed distances in mm, negative inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Values: TypeAlias = Any  # a float or an array; every function works on both and broadcasts


def smoothstep(t: Values) -> Values:
    """0 below 0, 1 above 1, with level ends between.

    >>> [float(smoothstep(t)) for t in (-1.0, 0.5, 2.0)]
    [0.0, 0.5, 1.0]
    """
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def bump(value: Values, centre: float, width: float) -> Values:
    """A Gaussian bump of height 1: exp(-((value - centre) / width)^2)."""
    return np.exp(-(((value - centre) / width) ** 2))


def coverage(distance: Values, soft_mm: float) -> Values:
    """Fraction of a voxel that lies inside, for an edge ``soft_mm`` wide.

    >>> coverage(np.array([-1.0, 0.0, 1.0]), 0.7).tolist()
    [1.0, 0.5, 0.0]
    """
    return np.clip(0.5 - distance / soft_mm, 0, 1)


def smooth_min(a: Values, b: Values, k_mm: float) -> Values:
    """Union of two shapes whose inner corner is rounded over ``k_mm``.

    >>> float(smooth_min(0.0, 5.0, 2.0)), float(smooth_min(0.0, 0.0, 2.0))
    (0.0, -0.5)
    """
    h = np.clip(0.5 + (b - a) / (2 * k_mm), 0, 1)
    return b + (a - b) * h - k_mm * h * (1 - h)


def smooth_max(a: Values, b: Values, k_mm: float) -> Values:
    """Intersection of two shapes whose corner is rounded over ``k_mm``."""
    return -smooth_min(-a, -b, k_mm)


def clipped(distance: Values, cavity: Values, inset_mm: float, k_mm: float = 4.0) -> Values:
    """An organ kept inside a cavity, ``inset_mm`` away from its wall."""
    return smooth_max(distance, cavity + inset_mm, k_mm)


def away_from(distance: Values, neighbour: Values, gap_mm: Values, k_mm: float = 3.0) -> Values:
    """An organ that leaves ``gap_mm`` of fat to its neighbour."""
    return smooth_max(distance, gap_mm - neighbour, k_mm)


def sheet(distance: Values, thickness_mm: Values) -> Values:
    """A shell of this thickness, centred on the surface of a shape."""
    return np.abs(distance) - thickness_mm / 2


def strands(field: Values, width: Values = 0.05) -> Values:
    """Thin curved strands where a noise field passes zero: weight in (0, 1]."""
    return np.exp(-((field / width) ** 2))


def ellipsoid(x: Values, y: Values, z: Values, radii: Sequence[float]) -> Values:
    """Distance to an ellipsoid about the origin, exact on its surface and right near by.

    >>> round(float(ellipsoid(5.0, 0.0, 0.0, (3.0, 4.0, 5.0))), 6)
    2.0
    """
    a, b, c = radii
    k0 = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    k1 = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2)
    return np.where(k0 < 1e-3, -min(radii), k0 * (k0 - 1) / np.maximum(k1, 1e-9))


def capsule(
    x: Values, y: Values, a: Sequence[float], b: Sequence[float], r0: float, r1: float
) -> Values:
    """Distance to a bar in the plane from ``a`` (radius ``r0``) to ``b`` (radius ``r1``).

    >>> float(capsule(5.0, 3.0, (0, 0), (10, 0), 1.0, 1.0))
    2.0
    """
    ex, ey = b[0] - a[0], b[1] - a[1]
    t = np.clip(((x - a[0]) * ex + (y - a[1]) * ey) / (ex * ex + ey * ey), 0, 1)
    return np.hypot(x - a[0] - t * ex, y - a[1] - t * ey) - (r0 + (r1 - r0) * t)
