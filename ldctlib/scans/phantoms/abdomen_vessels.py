"""Aorta, vena cava, portal system, named branches, and the trees that end in the organs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline

from ldctlib.scans.phantoms import abdomen_outlines as tables
from ldctlib.scans.phantoms.abdomen_space import Space, kidney_distance
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.outlines import Outline
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import coverage, sheet
from ldctlib.scans.phantoms.trees import Tree, grow

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.abdomen import Plan


def trees(
    patient: Patient, outlines: dict[str, Outline], numbers: dict[str, float]
) -> dict[str, Tree]:
    """Portal and hepatic veins, mesenteric vessels, vessels of the lung bases, in world mm."""
    liver = outlines["liver"]
    rng = patient.rng("trees")
    inside = _inside(rng, 4500, ((-126, 86), (-72, 80), (-66, 62)), lambda p: liver.at(p) + 3)
    half = min(270, len(inside) // 2)
    found = {
        "portal-branch": grow((-40, -10, 7), inside[:half], rng, leaf_radius_mm=0.78,
                              exponent=2.6, max_radius_mm=5.2),
        "hepatic-vein": grow((-22, 13, 50), inside[half : 2 * half], rng, leaf_radius_mm=0.80,
                             exponent=2.6, max_radius_mm=6.0),
    }  # fmt: skip

    def in_fat(p: np.ndarray) -> np.ndarray:
        organs = [liver.at(p), outlines["stomach"].at(p), outlines["spleen"].at(p)]
        organs += [kidney_distance(p[:, 0], p[:, 1], p[:, 2], s) for s in ("left", "right")]
        return np.asarray(np.maximum(outlines["cavity"].at(p) + 4, 2 - np.minimum.reduce(organs)))

    fat = _inside(rng, 5000, ((-70, 100), (-66, 20), (-115, 20)), in_fat)[:1200]
    found["mesenteric-vessel"] = grow(
        (5, -19, -34), fat, rng, leaf_radius_mm=0.62, exponent=2.7, max_radius_mm=4.0
    )

    def in_lung(p: np.ndarray) -> np.ndarray:
        above = 2 - outlines["diaphragm"].at(p) - 0.4 * np.maximum(p[:, 2] - 45, 0)
        return np.asarray(np.maximum(outlines["cavity"].at(p) + 3, above))

    air = _inside(rng, 5000, ((-130, 130), (-60, 98), (0, 80)), in_lung)
    for side, sign in (("left", 1), ("right", -1)):
        leaves = air[sign * air[:, 0] > 12][:700]
        found[f"lung-vessel-{side}"] = grow(
            (sign * 42, 32, 105), leaves, rng, leaf_radius_mm=0.34, exponent=3.0, max_radius_mm=4.0
        )
    return {name: tree.to_world(patient) for name, tree in found.items()}


def paint(canvas: Canvas, plan: Plan, space: Space) -> None:
    """Trees first, then the trunks that they leave."""
    numbers = plan.numbers
    portal, blood = numbers["portal"], numbers["blood_hu"]
    inside = coverage(space.liver + 2, 3.0)
    step = 50 if portal else -14
    liver = numbers["liver_hu"]
    canvas.tree(plan.trees["portal-branch"], liver + step, "portal-branch", inside, samples_z=2)
    canvas.tree(plan.trees["hepatic-vein"], liver + step - 4 * portal, "hepatic-vein", inside,
                samples_z=2)  # fmt: skip
    free = coverage(0.4 - space.taken, 0.8) * coverage(space.below + 2, 2.0)
    canvas.tree(plan.trees["mesenteric-vessel"], blood - 12, "mesenteric-vessel", free)
    air = coverage(space.lung + 0.8, 1.0)
    for side in ("left", "right"):
        name = f"lung-vessel-{side}"
        canvas.tree(plan.trees[name], 40 + 70 * portal, name, air)
    _great(canvas, plan, "vena-cava", tables.CAVA, (12.5, 9.5), blood - 10 * portal)
    _great(canvas, plan, "aorta", tables.AORTA, (10.0, 9.6), blood + 6 * portal)
    for name, (line, radius) in tables.TUBES.items():
        canvas.left_out(name)
        distance, box = canvas.tube(line, radius)
        if not distance.size:
            continue
        hu = (
            45 + 25 * portal
            if name == "oesophagus"
            else blood + (8 if "vein" in name else 2) * portal
        )
        distance = distance + 0.25 * canvas.n8[box]
        canvas.paint(distance, hu + 3 * canvas.n4[box], name, box)


def _inside(
    rng: np.random.Generator,
    count: int,
    bounds: Sequence[tuple[float, float]],
    distance: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Those of ``count`` random points between the bounds whose distance is negative."""
    low, high = np.array(bounds, float).T
    points = rng.uniform(low, high, (count, 3))
    return np.asarray(points[distance(points) < 0])


def _great(
    canvas: Canvas,
    plan: Plan,
    label: str,
    centre: list[tuple[float, float, float]],
    radii: tuple[float, float],
    hu: float,
) -> None:
    """A great vessel with an elliptical lumen; the aorta may carry calcium in its wall."""
    line = np.array(centre)
    path = CubicSpline(line[:, 2], line[:, :2])
    x, y = line[:, 0], line[:, 1]
    box = canvas.box(x.min() - 16, x.max() + 16, y.min() - 14, y.max() + 14)
    at = path(np.clip(canvas.Z[box], line[0, 2], line[-1, 2])).astype(np.float32)
    across, back = (canvas.X[box] - at[..., 0]) / radii[0], (canvas.Y[box] - at[..., 1]) / radii[1]
    distance = (
        (np.hypot(across, back) - 1) * min(radii) + 0.6 * canvas.n20[box] + 0.2 * canvas.n8[box]
    )
    blood = hu + 3 * canvas.texture("blood", 2.8, 4.0, box)
    if label == "aorta":
        plaque = coverage(sheet(distance + 0.3, 1.5), canvas.pixel_mm)
        plaque = plaque * coverage(plan.numbers["calcium"] - canvas.field("calcium", 6, box), 0.2)
        blood = blood + plaque * (520 - blood)
    canvas.paint(distance, blood, label, box)
