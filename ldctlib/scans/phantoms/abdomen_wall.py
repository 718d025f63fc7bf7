"""Skin, fat, muscles, ribs, spine and the bases of the lungs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ldctlib.scans.phantoms.abdomen_space import Space, spine_y
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.grid import Box
from ldctlib.scans.phantoms.shapes import coverage, sheet, smooth_max, smoothstep, strands
from ldctlib.scans.phantoms.skeleton import rib, spine

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.abdomen import Plan

SIDES = (("left", 1), ("right", -1))
# Height in mm of the rib's head, and the angle at which its bone ends in front.
RIBS = {12: (33, 2.2), 11: (59, 1.75), 10: (85, 1.26), 9: (111, 1.06), 8: (137, 0.9), 7: (163, 0.8)}
# Where a costal cartilage begins: angle, height in mm, and its climb in mm a radian.
CARTILAGES = ((1.15, -38, 66), (1.0, -30, 80), (0.9, -20, 92), (0.8, -6, 100))
_SPINE_Y_MM = 36.0


def paint(canvas: Canvas, plan: Plan, space: Space) -> None:
    """All that encloses the organs."""
    fibres = canvas.bent_field("fibres", 0.4 * canvas.X, 0.4 * canvas.Y, 0.15 * canvas.Z, 2.4)
    flesh = plan.numbers["muscle_hu"] + 4 * fibres + 4.5 * canvas.texture("muscle", 3.0)
    fat = -101 + 3.5 * canvas.texture("fat", 3.0) + 2.5 * canvas.n20
    _skin(canvas, space, fat)
    _muscle_wall(canvas, space, flesh)
    _front(canvas, plan, space, flesh)
    _ribs(canvas, plan, space)
    mesentery = smoothstep(canvas.field("mesentery patches", 25) + 0.4) * (space.cavity < -8)
    veil = strands(canvas.field("mesentery", 10), 0.07) + 0.6 * strands(
        canvas.field("omentum", 5), 0.1
    )
    canvas.paint(space.cavity, fat + 4 + 40 * veil * mesentery, "visceral-fat")
    lining = coverage(sheet(space.cavity + 0.4, 0.9), canvas.pixel_mm)
    canvas.shade(lining * 90 * coverage(space.skin, 1.0))
    _lungs(canvas, space)
    _back(canvas, plan, flesh)
    spine(_Leaning(canvas), 0, _SPINE_Y_MM, radius_mm=20.5, slope_mm=3, process_mm=38)


class _Leaning(Canvas):
    """A canvas bent along the lordosis: a straight spine painted on it follows the curve."""

    def __init__(self, canvas: Canvas) -> None:
        self.__dict__.update(canvas.__dict__)
        shift = spine_y(canvas.Z) - np.float32(_SPINE_Y_MM)
        self.Y = canvas.Y - shift
        self._reach = float(shift.min()), float(shift.max())

    def box(self, x0: float, x1: float, y0: float, y1: float, *z: Any, **margin: Any) -> Box:
        """As `Canvas.box`, but wide enough for the bend."""
        return super().box(x0, x1, y0 + self._reach[0], y1 + self._reach[1], *z, **margin)


def _skin(canvas: Canvas, space: Space, fat: np.ndarray) -> None:
    septa = strands(canvas.field("septa", 9), 0.06)
    septa = septa * smoothstep(canvas.field("septa patches", 22) + 0.4)
    scarpa = coverage(
        np.abs(space.skin - 0.45 * (space.skin - space.trunk) + 0.8 * canvas.n20) - 0.3, 1.0
    )
    canvas.paint(space.skin, fat + 52 * np.maximum(septa, 0.5 * scarpa), "subcutaneous-fat")
    canvas.paint(sheet(space.skin + 0.9, 1.8), 5 + 10 * canvas.n8, "skin")


def _muscle_wall(canvas: Canvas, space: Space, flesh: np.ndarray) -> None:
    """Oblique and transverse muscles, parted by planes of fat at the flanks."""
    canvas.paint(space.trunk, flesh, "abdominal-wall")
    around = np.abs(space.angle)
    thick = np.maximum(space.cavity - space.trunk, 1.0)
    flank = smoothstep((around - 0.55) / 0.2) * smoothstep((2.35 - around) / 0.2)
    for depth, name in ((0.36, "outer"), (0.68, "inner")):
        place = -space.trunk - depth * thick + 0.9 * canvas.n8 + 0.8 * canvas.field(name, 18)
        plane = coverage(np.abs(place) - 0.5 * (1 + 0.6 * canvas.n20), 1.2)
        between = coverage(space.trunk + 1.5, 1.0) * coverage(1.5 - space.cavity, 1.0)
        canvas.blend(0.75 * plane * flank * between, -80)


def _front(canvas: Canvas, plan: Plan, space: Space, flesh: np.ndarray) -> None:
    """The rectus muscles in their sheath; fat behind the white line."""
    width = 58 * (plan.outlines["trunk"].bounds[1] / 136)
    wall = np.maximum(space.trunk + 0.8, 0.8 - space.cavity)
    sheath = smooth_max(wall, np.abs(canvas.X) - width, 3.0)
    sheath = np.maximum(sheath, canvas.Y + 20)
    canvas.paint(sheath, -82 + 6 * canvas.n8)
    canvas.paint(np.maximum(sheet(space.trunk + 1.0, 1.1), canvas.Y + 30), 30, opacity=0.6)
    for side, _ in SIDES:
        outline = plan.outlines[f"rectus-{side}"]
        box = canvas.box_of(outline)
        if canvas.ids[box].size:
            distance = canvas.distance(outline, box, exact=True) + 0.5 * canvas.n8[box]
            distance = smooth_max(distance, space.trunk[box] + 0.8, 1.5)
            canvas.paint(distance, flesh[box], f"rectus-{side}", box)
    box = canvas.box_of(plan.outlines["falciform-fat"])
    triangle = canvas.distance(plan.outlines["falciform-fat"], box, exact=True)
    canvas.paint(np.maximum(triangle, -24 - canvas.Z[box]), -100 + 3 * canvas.n4[box], None, box)


def _ribs(canvas: Canvas, plan: Plan, space: Space) -> None:
    cage = plan.outlines["cavity"]
    surface = space.cavity - 9.5
    for number, (head, front) in RIBS.items():
        for side, sign in SIDES:
            label = f"rib-{number}-{side}"
            shift = plan.patient.rng(label).normal(0, 2.0)

            def height(around: np.ndarray, top: float = head + shift) -> np.ndarray:
                # Ribs leave the spine level and fall ever more steeply towards the front.
                behind = np.pi - around
                return top - 40 * behind - 14 * behind**2

            rib(canvas, label, cage, surface, space.angle, sign, height, centre_y=15.0,
                span=(front, 2.8), half_height_mm=6.5, half_thickness_mm=3.7)  # fmt: skip
    around = np.abs(space.angle)
    for n, (start, low, climb) in enumerate(CARTILAGES):
        rise = (canvas.Z - low - climb * (start - around)) / 7.5
        bar = (np.hypot(rise, (space.cavity - 4.5) / 4.2) - 1) * 4.2 + 0.3 * canvas.n8
        bar = np.maximum(bar, np.maximum(around - start, 0.2 - around) * 90)
        if bar.min() > 0:
            continue
        for side, sign in SIDES:
            half = np.maximum(bar, -sign * canvas.X)
            shell = coverage(sheet(half + 1, 1.4), 1.0) * coverage(0.4 - canvas.n8, 0.3)
            canvas.paint(half, 88 + 14 * canvas.n4 + 90 * shell, f"costal-cartilage-{n}-{side}")


def _lungs(canvas: Canvas, space: Space) -> None:
    tissue = -872 + 22 * canvas.texture("lung", 1.7) + 12 * canvas.n20
    tissue = tissue + 90 * smoothstep((space.lung + 5) / 5)
    for side, sign in SIDES:
        half = np.maximum(space.lung, -sign * canvas.X)
        canvas.paint(half, tissue, f"lung-{side}")


def _back(canvas: Canvas, plan: Plan, flesh: np.ndarray) -> None:
    """Erector spinae with its clefts of fat, psoas, quadratus lumborum and diaphragmatic crura."""
    for side, _ in SIDES:
        outline = plan.outlines[f"erector-{side}"]
        box = canvas.box_of(outline)
        distance = canvas.distance(outline, box, exact=True) + 0.8 * canvas.n8[box]
        veiled = 0.55 * smoothstep((canvas.field(f"fascia {side}", 15, box) + 0.7) / 1.6)
        canvas.blend(coverage(sheet(distance - 0.9, 1.3), 1.1) * veiled, -72, None, box)
        cleft = np.abs(canvas.field(f"cleft {side}", 11, box) + 0.3 * canvas.n4[box]) - 0.07
        cleft = coverage(cleft, 0.16) * smoothstep((canvas.n20[box] + 1.0) / 2.2)
        hu = flesh[box] - 0.62 * cleft * coverage(distance + 1, 1.5) * (flesh[box] + 75)
        canvas.paint(distance, hu, f"erector-{side}", box)
        for name, low, high in (("psoas", -90, 2), ("quadratus", -90, -12), ("crus", -44, 90)):
            outline = plan.outlines[f"{name}-{side}"]
            box = canvas.box_of(outline)
            ends = np.maximum(np.maximum(low - canvas.Z[box], canvas.Z[box] - high), 0)
            distance = (
                canvas.distance(outline, box, exact=True) + 0.4 * canvas.n8[box] + 0.45 * ends
            )
            canvas.paint(distance - 0.5, flesh[box], f"{name}-{side}", box)
