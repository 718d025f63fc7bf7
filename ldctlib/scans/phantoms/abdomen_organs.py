"""Liver, spleen, kidneys, adrenals, stomach, pancreas, gall bladder and bowel."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ldctlib.scans.phantoms import abdomen_outlines as tables
from ldctlib.scans.phantoms.abdomen_space import KIDNEYS, Space, kidney_axes
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import (
    away_from,
    capsule,
    clipped,
    coverage,
    ellipsoid,
    sheet,
    smoothstep,
)

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.abdomen import Plan

_GAS_HU = -960.0


def loops(patient: Patient) -> tuple[tuple[np.ndarray, float], ...]:
    """Centre lines and radii of the loops of small bowel, each a short random walk."""
    rng = patient.rng("small bowel")
    found = []
    for _ in range(18):
        point = rng.uniform((-20, -52, -105), (92, 14, -22))
        step = rng.normal(size=3)
        line = [point]
        for _ in range(4):
            step = 0.6 * step + rng.normal(size=3) * (1, 1, 0.6)
            step = step / np.linalg.norm(step)
            line.append(line[-1] + 17 * step)
        found.append((np.array(line), float(rng.uniform(8.5, 12.5))))
    return tuple(found)


def paint(canvas: Canvas, plan: Plan, space: Space) -> None:
    """All organs; each keeps its distance to those before it."""
    texture = canvas.texture("parenchyma", 2.8)
    numbers = plan.numbers
    _fasciae(canvas, space)
    for side in KIDNEYS:
        _kidney(canvas, plan, space, side, texture)
    _adrenals(canvas, plan, space)
    liver = numbers["liver_hu"] + 4.0 * texture + 3.0 * canvas.texture("lobules", 2.4, 4.0)
    canvas.paint(space.liver, liver + 1.5 * canvas.n20, "liver")
    canvas.paint(space.spleen, numbers["spleen_hu"] + 4.5 * texture, "spleen")
    _stomach(canvas, plan, space)
    _gall_bladder(canvas, plan, space)
    _pancreas(canvas, plan, space, texture)
    _bowel(canvas, plan, space)


def _over(hu: np.ndarray, alpha: np.ndarray, new: np.ndarray | float) -> np.ndarray:
    return np.asarray(hu + alpha * (new - hu))


def _fasciae(canvas: Canvas, space: Space) -> None:
    """Fascia about the fat of the kidneys: a thin line where nothing else lies."""
    for distance in space.kidneys.values():
        free = coverage(1.5 - space.taken, 1.0) * coverage(space.below + 3, 2.0)
        line = coverage(sheet(distance - 8.5 - 2.5 * canvas.n20, 0.8), 0.9)
        canvas.shade(95 * line * free)


def _kidney(canvas: Canvas, plan: Plan, space: Space, side: str, texture: np.ndarray) -> None:
    """Cortex, pyramids, sinus fat and collecting system."""
    (x, y, z), (a, _, c) = KIDNEYS[side]
    box = canvas.box(x - a - 14, x + a + 14, y - a - 14, y + a + 14, z - c, z + c)
    if not canvas.ids[box].size:
        return
    numbers, n4, n8 = plan.numbers, canvas.n4[box], canvas.n8[box]
    axes = (canvas.X[box], canvas.Y[box], canvas.Z[box])
    u, v, w = kidney_axes(*axes, side)
    whole = space.kidneys[side][box]
    hilum = ellipsoid(u + a - 1, v + 3, w, (13, 6.5, 20)) + 1.2 * n8
    shape = np.maximum(whole, -hilum)
    hu = numbers["cortex_hu"] + 5 * texture[box]
    pyramid = smoothstep((canvas.field(f"pyramids {side}", 8.5, box) + 0.55) / 0.5)
    pyramid = pyramid * coverage(whole + 6.5 + 1.5 * n4, 1.6)
    hu = _over(hu, pyramid, numbers["medulla_hu"] + 5 * texture[box])
    sinus = ellipsoid(u + 14, v + 1, w, (17, 6.0, 30)) + 2.4 * n4 + 2.0 * n8
    hu = _over(hu, coverage(sinus, 1.4) * coverage(whole + 3, 1.4), -85 + 4 * n4)
    calyces = ellipsoid(u + 13, v + 1, w, (13, 4.0, 25)) + 3.0 * canvas.field(
        f"calyces {side}", 6, box
    )
    hu = _over(
        hu, 0.9 * coverage(calyces, 1.0) * coverage(whole + 5, 1.4), 12 + 8 * numbers["portal"]
    )
    canvas.paint(shape, hu, f"kidney-{side}", box)


def _adrenals(canvas: Canvas, plan: Plan, space: Space) -> None:
    hu = 32 + 38 * plan.numbers["portal"]
    for name, limbs in tables.ADRENALS.items():
        xs = [p[0] for limb in limbs for p in limb]
        box = canvas.box(min(xs), max(xs), 14, 50, -16, 20)
        if not canvas.ids[box].size:
            continue
        X, Z = canvas.X[box] + 0.8 * canvas.n8[box], canvas.Z[box]
        Y = canvas.Y[box] - 0.45 * (Z - 2)  # they follow the spine to the back
        bars = [capsule(X, Y, a, b, 2.0, 1.4) for limb in limbs for a, b in pairwise(limb)]
        distance = np.minimum.reduce(bars) + 0.3 * np.maximum(np.abs(Z - 2) - 13, 0)
        distance = away_from(distance, space.taken[box], 1.4, 1.5) + 0.3 * canvas.n4[box]
        canvas.paint(distance, hu + 4 * canvas.n4[box], name, box)
        space.take(distance, box)


def _stomach(canvas: Canvas, plan: Plan, space: Space) -> None:
    """Wall with folds, mottled content, gas above a level."""
    box = canvas.box_of(plan.outlines["stomach"], margin_mm=12)
    numbers, distance = plan.numbers, space.stomach[box]
    n4, n8 = canvas.n4[box], canvas.n8[box]
    hu = numbers["bowel_hu"] + 5 * n4
    lumen = distance + 3.4 + 1.2 * n4 + 0.9 * canvas.n2[box] + 0.9 * n8
    full = 25 + 60 * numbers["stomach_full"]
    food = full + 13 * canvas.field("food", 5, box) + 6 * canvas.field("chyme", 2, box)
    hu = _over(hu, coverage(lumen, 1.2), food)
    level = numbers["stomach_level_mm"] - canvas.y[:, box[1]] + 0.6 * n8
    hu = _over(hu, coverage(np.maximum(lumen + 0.6, -level), canvas.pixel_mm), _GAS_HU)
    canvas.paint(distance, hu, "stomach", box)


def _gall_bladder(canvas: Canvas, plan: Plan, space: Space) -> None:
    box = canvas.box(-72, -38, -52, -12, -72, -18)
    if not canvas.ids[box].size:
        return
    X, Y, Z = canvas.X[box] + 55, canvas.Y[box] + 31, canvas.Z[box] + 46
    distance = ellipsoid(X + 0.12 * Z, Y - 0.15 * Z, Z, (10.5, 13.5, 25)) + 0.5 * canvas.n8[box]
    wall = plan.numbers["bowel_hu"] + 12
    hu = _over(np.full(X.shape, wall, np.float32), coverage(distance, 1.2), 8 + 2 * canvas.n4[box])
    canvas.paint(distance - 1.2, hu, "gall-bladder", box)
    space.take(distance - 1.2, box)


def _pancreas(canvas: Canvas, plan: Plan, space: Space, texture: np.ndarray) -> None:
    """A lobulated tube from the duodenum to the hilum of the spleen."""
    line, radius = tables.PANCREAS
    distance, box = canvas.tube(line, radius)
    if not distance.size:
        return
    distance = distance + 1.3 * canvas.n8[box] + 1.2 * canvas.n4[box] + 0.9 * canvas.n2[box]
    distance = away_from(distance, space.taken[box], 1.8, 2.5)
    distance = clipped(distance, space.below[box], 6)
    hu = plan.numbers["pancreas_hu"] + 4.5 * texture[box]
    canvas.paint(distance, hu, "pancreas", box, soft_mm=1.2)
    space.take(distance, box)


def _bowel(canvas: Canvas, plan: Plan, space: Space) -> None:
    numbers = plan.numbers
    duodenum, colon = tables.DUODENUM, tables.COLON
    _gut(canvas, plan, space, "duodenum", *duodenum, filling=(18, 12), folds=0.7)
    _gut(canvas, plan, space, "colon", *colon, filling=(-30, 75), folds=0.3,
         level=numbers["colon_level_mm"])  # fmt: skip
    rng = plan.patient.rng("bowel filling")
    for n, (line, radius) in enumerate(plan.loops):
        gas, filling = rng.random() < 0.25, rng.uniform(18, 48)
        level = float(line[:, 1].mean() - 2) if gas else None
        _gut(canvas, plan, space, f"small-bowel-{n}", line, radius, filling=(filling, 9),
             folds=1.0, level=level)  # fmt: skip


def _gut(
    canvas: Canvas,
    plan: Plan,
    space: Space,
    label: str,
    line: Any,
    radius: Any,
    *,
    filling: tuple[float, float],
    folds: float,
    level: float | None = None,
) -> None:
    """A piece of bowel: enhancing wall with folds, content, and gas above ``level`` (world y)."""
    canvas.left_out(label)
    distance, box = canvas.tube(line, radius)
    if not distance.size or distance.min() > 15:
        return
    n2, n4, n8 = canvas.n2[box], canvas.n4[box], canvas.n8[box]
    distance = distance + 1.4 * n8 + 1.4 * canvas.n20[box] + 0.3 * n4
    distance = away_from(distance, space.taken[box], 1.5, 2.0)
    distance = clipped(distance, space.below[box], 3.0)
    hu = plan.numbers["bowel_hu"] + 4 + 5 * n4
    lumen = distance + 1.7 + folds * (1.6 * n2 + 1.2 * n4 + 0.8)
    mottled = filling[0] + filling[1] * (0.8 * canvas.field(f"{label} content", 4, box) + 0.45 * n2)
    hu = _over(hu, coverage(lumen, 2.0), mottled)
    if level is not None:
        above = canvas.y[:, box[1]] - level + 0.5 * n8
        hu = _over(hu, coverage(np.maximum(lumen, above), canvas.pixel_mm), _GAS_HU)
    canvas.paint(distance, hu, label, box)
    space.take(distance, box)
