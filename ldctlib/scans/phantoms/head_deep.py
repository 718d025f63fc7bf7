"""Deep grey matter, ventricles, falx and calcifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ldctlib.scans.phantoms import head_outlines as tables
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.grid import Box
from ldctlib.scans.phantoms.head_brain import SIDES, BrainShapes
from ldctlib.scans.phantoms.shapes import coverage, ellipsoid

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.head import Plan

Parts: TypeAlias = dict[str, tuple[np.ndarray, Box]]


def paint(canvas: Canvas, plan: Plan, brain: BrainShapes, horns: Parts) -> None:
    """All that lies in the white matter and between the hemispheres.

    Args:
        canvas: the slab.
        plan: the patient.
        brain: its surfaces.
        horns: what `ventricles` found.
    """
    texture = canvas.texture("brain", 2.8)
    _grey(canvas, plan, plan.numbers["grey_hu"] + texture)
    for label, (distance, box) in horns.items():
        canvas.paint(distance, 6.5 + texture[box], label, box, soft_mm=1.0)
    _third_ventricle(canvas, plan, brain)
    _falx(canvas, brain)
    _calcifications(canvas, plan)


def _grey(canvas: Canvas, plan: Plan, grey: np.ndarray) -> None:
    for name in tables.DEEP:
        low, high = tables.DEEP_HEIGHT[name]
        for side, _ in SIDES:
            outline = plan.parts[f"{name}-{side}"]
            box = canvas.box(*outline.bounds, low, high)
            if not canvas.ids[box].size:
                continue
            ends = np.maximum(np.maximum(low - canvas.Z[box], canvas.Z[box] - high), 0)
            distance = canvas.distance(outline, box, exact=True) + 0.5 * canvas.n8[box] + 0.7 * ends
            canvas.paint(distance, grey[box] - 1.6, f"{name}-{side}", box, soft_mm=3.2)


def ventricles(canvas: Canvas, plan: Plan) -> Parts:
    """Signed distance of every horn, with its box."""
    found = {}
    for name in tables.VENTRICLES:
        low, high = tables.VENTRICLE_HEIGHT[name]
        for side, _ in SIDES:
            outline = plan.parts[f"{name}-{side}"]
            box = canvas.box(*outline.bounds, low, high, margin_mm=24)
            if not canvas.ids[box].size:
                continue
            wider = 2.4 * (plan.numbers["atrophy"] - 0.75) + plan.numbers[f"ventricle_{side}"]
            ends = np.maximum(np.maximum(low - canvas.Z[box], canvas.Z[box] - high), 0)
            distance = canvas.distance(outline, box, exact=True) + 0.35 * canvas.n8[box]
            found[f"{name}-{side}"] = distance - wider + 0.8 * ends, box
    return found


def nearest(canvas: Canvas, parts: Parts) -> np.ndarray:
    """Distance to the nearest of several parts on the whole slab."""
    least = np.full(canvas.hu.shape, 99, np.float32)
    for distance, box in parts.values():
        np.minimum(least[box], distance, out=least[box])
    return least


def _third_ventricle(canvas: Canvas, plan: Plan, brain: BrainShapes) -> None:
    box = canvas.box(-8, 8, -16, 26, -14, 16)
    Y, Z = canvas.Y[box], canvas.Z[box]
    half = (0.8 + 1.3 * plan.numbers["atrophy"]) * (1 + 0.2 * canvas.n8[box])
    ends = np.maximum(np.maximum(Z - 12, -12 - Z), 0)
    slit = np.hypot(np.abs(brain.middle[box]), np.maximum(np.abs(Y - 5) - 9, 0)) - half + 0.8 * ends
    canvas.paint(slit, 7, "third-ventricle", box, soft_mm=1.0)


def _falx(canvas: Canvas, brain: BrainShapes) -> None:
    X, Y, Z = canvas.X, canvas.Y, canvas.Z
    septum = coverage(np.abs(brain.middle) - 0.55, 0.8) * 0.8
    canvas.blend(septum * ((Y > -24) & (Y < 0) & (Z > 2) & (Z < 28)), 31)
    dura = np.abs(brain.middle) - 0.25 - 0.2 * canvas.n8
    reach = np.minimum(np.minimum(Y + 40, 46 - Y), 36 - Z)  # below and between: no falx
    canvas.paint(
        np.maximum(np.maximum(dura, brain.inner), reach), 45, "falx", opacity=0.9, soft_mm=0.7
    )
    sinus = np.maximum(np.abs(X) * 1.2 - 0.8 * brain.inner - 6.5, brain.inner)
    canvas.paint(np.maximum(sinus, 60 - Y), 52, "sagittal-sinus")


def _calcifications(canvas: Canvas, plan: Plan) -> None:
    for side, sign in SIDES:
        box = canvas.box(sign * 22 - 8, sign * 22 + 8, 22, 44, 6, 26)
        X, Y, Z = (a[box] for a in (canvas.X, canvas.Y, canvas.Z))
        plexus = ellipsoid(X - sign * 22, Y - 33, Z - 16, (2.8, 4.4, 4.6)) + 0.9 * canvas.n4[box]
        canvas.paint(plexus, 42, f"choroid-plexus-{side}", box)
        if plan.numbers["choroid"] < 0.8:
            grains = 190 + 60 * canvas.n2[box]
            canvas.paint(plexus + 1 + 0.7 * canvas.n4[box], grains, f"choroid-calcium-{side}", box)
    if plan.numbers["pineal"] < 0.7:
        box = canvas.box(-5, 5, 18, 28, -2, 10)
        X, Y, Z = (a[box] for a in (canvas.X, canvas.Y, canvas.Z))
        grain = ellipsoid(X, Y - 23, Z - 4, (2.4, 2.6, 3.6)) + 0.4 * canvas.n4[box]
        canvas.paint(grain, 170 + 60 * canvas.n2[box], "pineal-calcium", box)
