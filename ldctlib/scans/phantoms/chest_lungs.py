"""The lungs: parenchyma, fissures, vessels and the bronchi that run along the arteries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numba
import numpy as np

from ldctlib.scans.phantoms import chest_outlines as template
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.chest_mediastinum import distance_at as mediastinal_distance
from ldctlib.scans.phantoms.chest_patient import Habitus
from ldctlib.scans.phantoms.outlines import Outline
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import Values, coverage, smooth_max
from ldctlib.scans.phantoms.trees import Tree, grow

_LEAVES_PER_CM3 = 2.3
_BOUNDS = ((-112.0, 112.0), (-80.0, 92.0), (-118.0, 84.0))
_SMALLEST_ARTERY_WITH_BRONCHUS_MM = 1.7


def lung_distance(pleura: Values, mediastinum: Values) -> Values:
    """Inside the pleura and outside the mediastinum, corners rounded."""
    return smooth_max(pleura + 0.6, -mediastinum, 5.0)


def fissure(x: Values, y: Values, z: Values) -> Values:
    """Signed distance in mm to the oblique fissure; positive in the lower lobe."""
    left = x > 0
    slope = np.where(left, 0.85, 1.0)
    return (y - np.where(left, 19.0, 15.0) - slope * z) / np.sqrt(1 + slope**2)


def grow_trees(patient: Patient, pleura: Outline, mediastinum: Outline) -> tuple[Tree, Tree]:
    """Arteries and veins as one tree, and the bronchi, of both lungs, in world mm."""
    rng = patient.rng("lung trees")
    arteries, bronchi, veins = [], [], []
    leaves = _leaves(rng, pleura, mediastinum)
    lobe = _lobes(rng, leaves)
    for name, (line, radius) in template.HILAR_ARTERIES.items():
        tree = _grown(line, radius, leaves[lobe == name], rng)
        arteries.append(tree)
        bronchi.append(_along(tree, np.array(template.BRONCHI[name][0][-1], float) - line[-1]))
    leaves = _leaves(rng, pleura, mediastinum)
    lobe = _lobes(rng, leaves)
    for name, (line, radius) in template.HILAR_VEINS.items():
        side, level = name.split("-")
        lobes = ("upper", "middle", "lingula") if level == "superior" else ("lower", "apical")
        own = np.isin(lobe, [f"{side}-{part}" for part in lobes])
        veins.append(_grown(line, radius, leaves[own], rng))
    vessels = Tree.joined([*arteries, *veins]).to_world(patient)
    return vessels, Tree.joined(bronchi).to_world(patient)


def _leaves(rng: np.random.Generator, pleura: Outline, mediastinum: Outline) -> np.ndarray:
    """(n, 3) points spread evenly over both lungs, clear of the fissures."""
    low, high = np.array(_BOUNDS).T
    count = int(_LEAVES_PER_CM3 * np.prod(high - low) / 1000)
    points = rng.uniform(low, high, (count, 3))
    dome = np.clip(-points[:, 2] - 78, 0, None) * 0.8  # the base of the lung is cut off obliquely
    inside = pleura.at(points) + dome < -1.5
    inside &= mediastinal_distance(points, mediastinum) > 1.5
    inside &= np.abs(fissure(*points.T)) > 2.0
    return np.asarray(points[inside])


def _lobes(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """(n,) names of the lobes, as in `HILAR_ARTERIES`."""
    x, y, z = points.T
    z = z + rng.normal(0, 5, len(z))
    side = np.where(x > 0, "left-", "right-")
    upper = np.where(
        x > 0, np.where(z > -34, "upper", "lingula"), np.where(z > -26, "upper", "middle")
    )
    lower = np.where(z > -46 + 0.3 * (20 - y), "apical", "lower")
    return np.char.add(side, np.where(fissure(*points.T) > 0, lower, upper))


def _grown(
    line: Sequence[tuple[float, float, float]],
    radius: Sequence[float],
    leaves: np.ndarray,
    rng: np.random.Generator,
) -> Tree:
    return grow(
        line[-1], leaves, rng, leaf_radius_mm=0.325, exponent=3.05, max_radius_mm=radius[-1],
        start_direction=np.subtract(line[-1], line[-2]).tolist(),
    )  # fmt: skip


def _along(arteries: Tree, start: np.ndarray) -> Tree:
    """Bronchi beside the arteries, on a side that changes slowly from branch to branch.

    Args:
        arteries: of one lobe, in template mm.
        start: from the artery's root to the bronchus' root.
    """
    count = len(arteries.branch_radius)
    pieces = len(arteries.branch) // count
    ends = arteries.segments.reshape(pieces, count, 6)[-1, :, 3:]
    first = arteries.segments.reshape(pieces, count, 6)[0, :, :3]
    offset = np.empty((count, 3))
    reach = 1.62 * arteries.branch_radius + 0.9
    _transport(start, first, ends, arteries.parent, reach, offset)
    before = np.where(arteries.parent[:, None] < 0, start, offset[np.maximum(arteries.parent, 0)])
    segments = arteries.segments.reshape(pieces, count, 2, 3).copy()
    for n in range(pieces):
        for end in (0, 1):
            t = (n + end) / pieces
            segments[n, :, end] += before * (1 - t) + offset * t
    kept = (arteries.branch_radius > _SMALLEST_ARTERY_WITH_BRONCHUS_MM)[arteries.branch]
    return replace(
        arteries,
        segments=segments.reshape(-1, 6)[kept],
        radii=0.62 * arteries.radii[kept],
        branch=arteries.branch[kept],
    )


@numba.njit(cache=True)
def _transport(start: Any, first: Any, ends: Any, parent: Any, reach: Any, offset: Any) -> Any:
    for n in range(len(parent)):
        before = start if parent[n] < 0 else offset[parent[n]]
        way = ends[n] - first[n]
        way = way / (np.sqrt((way**2).sum()) + 1e-9)
        across = before - way * (before * way).sum()
        offset[n] = across / (np.sqrt((across**2).sum()) + 1e-9) * reach[n]


def paint_lungs(canvas: Canvas, lung: np.ndarray) -> None:
    """Parenchyma with a gradient towards the back, texture, and fissures."""
    grain = canvas.texture("parenchyma", 1.7, 4.0)
    hu = -893 + 55 * (canvas.Y + 70) / 150 + 14 * canvas.n20
    hu += 9 * canvas.field("lobules", 7) + 31 * grain
    wavy = 4 * canvas.field("fissure", 28) + 0.6 * canvas.field("fissure detail", 9)
    oblique = fissure(canvas.X, canvas.Y, canvas.Z) + wavy
    lines = 0.26 * coverage(sheet_of(oblique), 1.0)
    minor = canvas.Z + 22 + 0.13 * (np.abs(canvas.X) - 70) - 0.1 * (canvas.Y + 20) + 1.5 * wavy
    visible = (canvas.X < 0) & (oblique < -3)
    lines = np.maximum(lines, 0.16 * coverage(sheet_of(minor), 1.2) * visible)
    hu = hu - lines * hu
    for side, sign in (("left", 1), ("right", -1)):
        canvas.paint(np.maximum(lung, -sign * canvas.X), hu, f"lung-{side}")


def sheet_of(distance: np.ndarray) -> np.ndarray:
    """A fissure is about half a millimetre thick."""
    return np.asarray(np.abs(distance) - 0.3)


def paint_vessels(canvas: Canvas, vessels: Tree, lung: np.ndarray, habitus: Habitus) -> None:
    """Arteries and veins inside the lungs."""
    clip = coverage(lung - 0.3, 1.5)
    canvas.tree(vessels, 42 + 0.9 * habitus.contrast_hu, "lung-vessel", clip)


def paint_bronchi(canvas: Canvas, bronchi: Tree, lung: np.ndarray) -> None:
    """Walls first, then all lumina, so that no wall crosses a lumen."""
    canvas.tree(bronchi, -20, "bronchial-wall", coverage(lung, 0.8), grow=1.05, add_mm=0.5)
    canvas.tree(bronchi, -985, "bronchus", coverage(lung, 0.8), grow=0.95)
