"""Space-filling vessel trees, grown by dividing a cloud of end points again and again.

Source: the branching rule is after Tawhai et al., "CT-based geometry analysis and finite element
models of the human and ovine bronchial tree", J Appl Physiol 2004,
doi:10.1152/japplphysiol.00520.2004; radii after Murray's law with a free exponent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np

from ldctlib.scans.phantoms.patient import Patient

_REACH = 0.42  # a branch goes this far towards the centroid of the points it feeds
_PIECES = 3  # straight pieces of a curved branch


@dataclass(frozen=True)
class Tree:
    """Branches as straight pieces with a radius at either end.

    Args:
        segments: (m, 6) start and end (x, y, z) of every piece, in mm.
        radii: (m, 2) in mm.
        branch: (m,) number of the branch a piece belongs to.
        branch_radius: (branches,) in mm.
        branch_leaves: (branches,) end points that a branch feeds.
        parent: (branches,) number of the branch it leaves, -1 at a root; parents come first.
    """

    segments: np.ndarray
    radii: np.ndarray
    branch: np.ndarray
    branch_radius: np.ndarray
    branch_leaves: np.ndarray
    parent: np.ndarray

    def to_world(self, patient: Patient) -> Tree:
        """The tree bent into the patient's own body."""
        ends = patient.to_world(self.segments.reshape(-1, 3))
        return replace(self, segments=ends.reshape(-1, 6))

    @classmethod
    def joined(cls, trees: Sequence[Tree]) -> Tree:
        """Several trees as one; branches are numbered on."""
        first = np.cumsum([0, *(len(t.branch_radius) for t in trees)])
        return cls(
            np.concatenate([t.segments for t in trees]),
            np.concatenate([t.radii for t in trees]),
            np.concatenate([t.branch + n for t, n in zip(trees, first, strict=False)]),
            np.concatenate([t.branch_radius for t in trees]),
            np.concatenate([t.branch_leaves for t in trees]),
            np.concatenate(
                [
                    np.where(t.parent < 0, -1, t.parent + n)
                    for t, n in zip(trees, first, strict=False)
                ]
            ),
        )


def grow(
    root: Sequence[float],
    leaves: np.ndarray,
    rng: np.random.Generator,
    *,
    leaf_radius_mm: float,
    exponent: float,
    max_radius_mm: float,
    lobes: np.ndarray | None = None,
    start_direction: Sequence[float] | None = None,
) -> Tree:
    """A tree from ``root`` to every leaf.

    A branch that feeds n leaves has the radius leaf_radius * n^(1 / exponent).

    Args:
        root: (x, y, z) in mm.
        leaves: (n, 3) end points in mm.
        rng: the source of its irregularities.
        leaf_radius_mm: radius of the last branches.
        exponent: of Murray's law.
        max_radius_mm: thicker branches are drawn this thick.
        lobes: (n,) group of every leaf; groups are parted before anything else.
        start_direction: in which the vessel arrives at ``root``.

    >>> rng = np.random.default_rng(0)
    >>> tree = grow((0, 0, 0), rng.uniform(5, 50, (64, 3)), rng, leaf_radius_mm=0.4, exponent=3.0,
    ...             max_radius_mm=9.0)
    >>> len(tree.branch_radius), round(float(tree.branch_radius[0]), 2)
    (127, 1.6)
    """
    points = np.ascontiguousarray(leaves, float)
    n = len(points)
    if n == 0:
        raise ValueError("A tree needs at least one leaf.")
    group = np.zeros(n) if lobes is None else np.asarray(lobes, float)
    came = np.zeros(3) if start_direction is None else np.asarray(start_direction, float)
    ends = np.empty((2 * n, 6))
    parent, count = np.empty(2 * n, np.int64), np.empty(2 * n, np.int64)
    branches = _divide(
        np.asarray(root, float), came, points, group,
        rng.normal(0, 0.03, (2 * n, 3)), _side_branches(rng, 2 * n),
        rng.normal(size=(2 * n, 3)),
        ends, parent, count,
    )  # fmt: skip
    ends, parent, count = ends[:branches], parent[:branches], count[:branches]
    radius = np.minimum(leaf_radius_mm * count ** (1 / exponent), max_radius_mm)
    segments, radii, branch = _curved(ends, parent, radius)
    return Tree(segments, radii, branch, radius, count, parent)


def _side_branches(rng: np.random.Generator, count: int) -> np.ndarray:
    """Fractions at which clouds are cut: mostly a small side branch off a long vessel."""
    small = rng.uniform(0.17, 0.48, count)
    return np.where(rng.random(count) < 0.5, small, 1 - small)


@numba.njit(cache=True)
def _split_values(
    points: Any, index: Any, group: Any, centre: Any, direction: Any, start: Any
) -> Any:
    """Coordinate by which a cloud is divided: its group, else its long axis across the branch."""
    m = len(index)
    values = np.empty(m)
    mixed = False
    for q in range(m):
        values[q] = group[index[q]]
        mixed = mixed or values[q] != values[0]
    if mixed:
        return values, True
    spread = np.zeros((3, 3))
    for q in range(m):
        v = points[index[q]] - centre
        v = v - direction * (v * direction).sum() * 0.6
        for a in range(3):
            for b in range(3):
                spread[a, b] += v[a] * v[b]
    axis = start.copy()
    for _ in range(12):
        turned = np.zeros(3)
        for a in range(3):
            for b in range(3):
                turned[a] += spread[a, b] * axis[b]
        axis = turned / (np.sqrt((turned**2).sum()) + 1e-12)
    for q in range(m):
        values[q] = ((points[index[q]] - centre) * axis).sum()
    return values, False


@numba.njit(cache=True)
def _divide(
    root: Any,
    came: Any,
    points: Any,
    group: Any,
    noise: Any,
    cuts: Any,
    axes: Any,
    ends: Any,
    parent: Any,
    count: Any,
) -> Any:
    """Fill ``ends``, ``parent`` and ``count`` of every branch; returns how many there are."""
    n = len(points)
    order = np.arange(n)
    stack = np.empty((n + 2, 3), np.int64)
    stack[0, 0], stack[0, 1], stack[0, 2] = 0, n, -1
    top, made = 1, 0
    while top > 0:
        top -= 1
        low, high, above = stack[top]
        m = high - low
        index = order[low:high].copy()
        start = root if above < 0 else ends[above, 3:]
        centre = np.zeros(3)
        for q in range(m):
            centre += points[index[q]] / m
        d = centre - start
        length = np.sqrt((d**2).sum()) + 1e-9
        end = centre if m == 1 else start + _REACH * d
        before = came if above < 0 else ends[above, 3:] - ends[above, :3]
        size = np.sqrt((before**2).sum())
        if m > 1 and size > 0:
            # The heavier child keeps more of its parent's direction.
            keep = 0.55 if above < 0 or count[above] < 2 * m else 0.15
            end = end + keep * _REACH * 0.8 * (length * before / size - d)
        if m > 1:
            end = end + noise[made] * length
        ends[made, :3], ends[made, 3:] = start, end
        parent[made], count[made] = above, m
        made += 1
        if m == 1:
            continue
        values, by_group = _split_values(points, index, group, centre, d / length, axes[made - 1])
        cut = (values.min() + values.max()) / 2
        if not by_group:
            k = min(max(int(cuts[made - 1] * m), 1), m - 1)
            ranked = np.sort(values)
            cut = (ranked[k - 1] + ranked[k]) / 2
        left = low
        for q in range(m):
            if values[q] <= cut:
                order[left] = index[q]
                left += 1
        right = left
        for q in range(m):
            if values[q] > cut:
                order[right] = index[q]
                right += 1
        if left in (low, high):
            continue
        stack[top, 0], stack[top, 1], stack[top, 2] = low, left, made - 1
        stack[top + 1, 0], stack[top + 1, 1], stack[top + 1, 2] = left, high, made - 1
        top += 2
    return made


def _curved(
    ends: np.ndarray, parent: np.ndarray, radius: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every branch as a few pieces of a Hermite curve that leaves its parent smoothly."""
    start, end = ends[:, :3], ends[:, 3:]
    way = end - start
    length = np.linalg.norm(way, axis=1, keepdims=True)
    along = way / (length + 1e-9)
    has_parent = parent >= 0
    before = np.where(has_parent[:, None], along[np.maximum(parent, 0)], along)
    tangent0, tangent1 = (0.65 * along + 0.35 * before) * length, along * length
    wide = np.where(has_parent, radius[np.maximum(parent, 0)], radius)
    wide = np.minimum(wide, 1.35 * radius)

    def position(t: float) -> np.ndarray:
        curve = (2 * t**3 - 3 * t**2 + 1) * start + (t**3 - 2 * t**2 + t) * tangent0
        return np.asarray(curve + (3 * t**2 - 2 * t**3) * end + (t**3 - t**2) * tangent1)

    def thickness(t: float) -> np.ndarray:
        return np.asarray(wide + (radius - wide) * min(1.0, 1.8 * t))

    pairs = [(n / _PIECES, (n + 1) / _PIECES) for n in range(_PIECES)]
    return (
        np.concatenate([np.hstack([position(a), position(b)]) for a, b in pairs]),
        np.concatenate([np.stack([thickness(a), thickness(b)], 1) for a, b in pairs]),
        np.tile(np.arange(len(ends)), _PIECES),
    )
