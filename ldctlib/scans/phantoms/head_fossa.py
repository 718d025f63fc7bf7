"""Cisterns, brain stem and cerebellum under the tentorium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.shapes import (
    capsule,
    coverage,
    ellipsoid,
    sheet,
    smooth_max,
    smooth_min,
    smoothstep,
)

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.head import Plan

TOP_MM = 14.0  # nothing of it reaches higher


def tentorium(canvas: Canvas) -> np.ndarray:
    """Signed distance in mm to the room under the tentorium, a tent with its ridge at the back."""
    X, Y, Z = np.abs(canvas.X), canvas.Y, canvas.Z
    ridge = 4 + 1.2 * canvas.n20 - 0.33 * X - 0.16 * np.abs(Y - 26) - 0.10 * np.maximum(Y - 40, 0)
    return np.asarray(smooth_max((Z - ridge) * 0.9, (8 + 0.32 * X - Y) * 0.9, 4.0))


def paint(canvas: Canvas, plan: Plan, inner: np.ndarray) -> None:
    """Paint the slab's part of it; the order is cisterns, stem, cerebellum, fluid inside it."""
    if float(canvas.z.min()) > TOP_MM + 12:
        return
    numbers = plan.numbers
    atrophy = numbers["atrophy"]
    inside = inner + 0.8 + 0.8 * atrophy
    under = tentorium(canvas)
    stem = _stem(canvas)
    _cisterns(canvas, plan, stem, inside)
    texture = canvas.texture("brain", 2.8)
    _cerebellum(canvas, plan, np.maximum(under, inside), texture)
    canvas.paint(np.maximum(np.maximum(sheet(under, 0.9), inner), 14 - canvas.Y), 44, "tentorium",
                 opacity=0.75)  # fmt: skip
    gap = 0.8 + 1.2 * atrophy
    moat = stem - gap * np.maximum(1 + 0.5 * canvas.n8 + 0.4 * canvas.n20, 0.1)
    moat = np.maximum(moat, canvas.Z + 3)
    canvas.paint(np.maximum(moat, inside), 9, "ambient-cistern", soft_mm=1.4)
    hu = 0.5 * (numbers["grey_hu"] + numbers["white_hu"]) - 0.5 + texture
    canvas.paint(np.maximum(stem, inside), hu, "brain-stem", soft_mm=1.4)
    fourth = ellipsoid(canvas.X, canvas.Y - 27 - 0.05 * canvas.X**2, canvas.Z + 19,
                       (8.5, 2.6 + 1.2 * atrophy, 9))  # fmt: skip
    canvas.paint(fourth + 0.3 * canvas.n8, 8, "fourth-ventricle", soft_mm=1.2)
    basilar = np.hypot(canvas.X - 1.5 * canvas.field("basilar", 18), canvas.Y + 8) - 1.8
    canvas.paint(np.maximum(basilar, canvas.Z + 8), 46, "basilar-artery")


def _stem(canvas: Canvas) -> np.ndarray:
    """Pons below, the midbrain with its two peduncles above."""
    X, Y, Z = canvas.X, canvas.Y, canvas.Z
    pons = ellipsoid(X, Y - 9, Z + 26, (18, 14.5, 15))
    middle = np.hypot(X / 1.15, (Y - 10) / 1.0) - 12.5
    foot = capsule(np.abs(X), Y, (4, 6), (11, -2), 6, 5)
    middle = np.maximum(smooth_min(middle, foot, 3.0), np.maximum(-16 - Z, Z + 4) * 0.9)
    return np.asarray(smooth_min(pons, middle, 5.0) + 0.5 * canvas.n8)


def _cisterns(canvas: Canvas, plan: Plan, stem: np.ndarray, inside: np.ndarray) -> None:
    """The star above the sella, with arms to the Sylvian fissures, and the cistern of the roof."""
    X, Y, Z, atrophy = canvas.X, canvas.Y, canvas.Z, plan.numbers["atrophy"]
    height = np.maximum(np.abs(Z + 14) - 5, 0) * 0.8
    star = canvas.distance(plan.parts["suprasellar"]) + height + 0.8 * canvas.n8
    U = np.abs(X) + 1.0 * canvas.n8
    arm = capsule(U, Y, (9, -17), (24, -14), 1.2, 0.8)
    arm = np.minimum(arm, capsule(U, Y, (24, -14), (40, -10), 0.8, 1.2)) - 0.5 * atrophy
    arm = arm + np.maximum(np.abs(Z + 12) - 4, 0) * 0.8
    star = np.minimum(star - 0.8 * (atrophy - 0.8), arm)
    canvas.paint(np.maximum(star, inside), 9, "suprasellar-cistern", soft_mm=1.6)
    for side, sign in (("left", 1), ("right", -1)):
        carotid = np.hypot(sign * X - 10, Y + 15 + canvas.n20) - 1.9
        canvas.paint(np.maximum(carotid, np.abs(Z + 15) - 5), 46, f"carotid-{side}")
    back = np.hypot(0.22 * X, Y - 27 + 0.012 * X**2 - 1.5 * canvas.n8) + np.maximum(
        np.abs(X) - 15, 0
    )
    back = back + np.maximum(np.abs(Z + 1) - 4, 0) * 0.7
    canvas.paint(back - 0.8 - 1.0 * atrophy, 9, "quadrigeminal-cistern", soft_mm=1.6)


def _cerebellum(canvas: Canvas, plan: Plan, room: np.ndarray, texture: np.ndarray) -> None:
    """Hemispheres and vermis with folia, dark medulla inside."""
    X, Y, Z = canvas.X, canvas.Y, canvas.Z
    numbers = plan.numbers
    grey, white = numbers["grey_hu"], numbers["white_hu"]
    arc = np.sqrt((0.75 * X) ** 2 + (Y - 8) ** 2 + (0.8 * (Z + 18)) ** 2)
    folia = np.sin(2 * np.pi * (arc + 1.6 * canvas.n8 + 0.8 * canvas.n4) / 4.4)
    depth = -room
    core = ellipsoid(np.abs(X) - 19, Y - 40, Z + 20, (17, 17, 13)) + 2.5 * canvas.n8
    medulla = coverage(core, 6.0)
    hu = grey - 0.6 - 3.2 * smoothstep(folia) * smoothstep(depth / 4) + texture
    hu = hu + medulla * (white + 1.5 + texture - hu)
    gap = 0.6 + 0.5 * numbers["atrophy"]
    canvas.paint(room, 10, "csf")
    canvas.paint(room + gap * (1 + 0.4 * canvas.n8), hu, "cerebellum", soft_mm=1.8)
    # Fissures of the vermis and between the hemispheres, wider in the old.
    lines = np.abs(folia - 0.6) * 0.7 - (0.05 + 0.10 * numbers["atrophy"]) * (1 + 0.5 * canvas.n20)
    surface = coverage(lines, 0.4) * coverage(np.abs(depth - 4) - 4, 3.0) * (np.abs(X) < 60)
    canvas.shade(-9 * surface * coverage(room + 1, 1.0) * coverage(np.abs(Z + 8) - 30, 4.0))
