"""Scalp, skull and head rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ldctlib.scans.phantoms import head_base
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.shapes import bump, coverage, sheet, smoothstep

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.head import Plan


@dataclass(frozen=True)
class SkullShapes:
    """Signed distances in mm (Z, H, W), and the angle about the axis of the head.

    Args:
        inner: inner table, with its crests.
        outer: outer table; at the floor of the skull, the under side of the bone.
        calvaria: outer surface of the head without its skin, also below the vault.
        skin: surface of the scalp.
        angle: 0 in front, ±pi behind.
        orbits: of either side; empty above the floor.
    """

    inner: np.ndarray
    outer: np.ndarray
    calvaria: np.ndarray
    skin: np.ndarray
    angle: np.ndarray
    orbits: dict[str, np.ndarray]


def shapes(canvas: Canvas, plan: Plan) -> SkullShapes:
    """The surfaces of skull and scalp."""
    X, Z, numbers = canvas.X, canvas.Z, plan.numbers
    angle = canvas.angle()
    around = np.abs(angle)
    front, back = bump(around, 0, 0.35), bump(around, np.pi, 0.45)
    inner = canvas.distance(plan.inner_table)
    thickness = (
        numbers["skull_mm"]
        + 0.5 * canvas.n20
        + 0.9 * canvas.field("skull thickness", 38)
        + 2.0 * front
        + 2.2 * back
        - 1.7 * bump(around, 1.5, 0.4)
        + 0.03 * np.maximum(Z - 30, 0)
        + 6.5 * bump(around, 0, 0.28) * smoothstep((numbers["sinus_top_mm"] + 6 - Z) / 16)
    )
    thickness = np.maximum(thickness, 2.6)
    calvaria = inner - thickness
    outer, orbits = calvaria, {}
    if float(canvas.z.min()) < head_base.TOP_MM + 14:
        part = head_base.below(canvas)
        orbits = head_base.orbits(canvas, plan)
        rooms = head_base.chambers(canvas, plan)
        front = np.maximum(np.maximum(calvaria, -inner), (around - 0.72) * 60)
        inner = inner + part * (rooms - inner)
        shell = 2.4 + 0.8 * canvas.n8 + 0.6 * canvas.n4 + 0.8 * canvas.n20
        base = np.minimum(inner - np.maximum(shell, 1.2), head_base.petrous(canvas))
        base = np.maximum(base, calvaria)
        for room in orbits.values():
            base = np.minimum(base, np.maximum(sheet(room - 0.9, 1.8), canvas.Y + 42))
        outer = calvaria + part * (np.minimum(base, front) - calvaria)
    middle = X - 1.5 * canvas.field("crest", 30)
    low = smoothstep((22 - Z) / 16)
    # The frontal crest and the internal occipital protuberance carry the falx.
    inner = inner + 6 * np.maximum(0, 1 - np.abs(middle) / 5) * low * (canvas.Y < -30)
    inner = inner + 8 * np.maximum(0, 1 - np.abs(middle) / 9) * low * (canvas.Y > 40)
    inner = inner + 0.35 * canvas.n8 * (0.6 + low)
    temporalis = 7 * bump(around, 1.15, 0.38) * np.clip((40 - Z) / 45, 0, 1.3)
    scalp = numbers["scalp_mm"] + temporalis + 0.7 * canvas.n20 + 2.5 * bump(around, np.pi, 0.5)
    return SkullShapes(inner, outer, calvaria, calvaria - scalp, angle, orbits)


def paint(canvas: Canvas, plan: Plan, skull: SkullShapes) -> None:
    """Head rest, scalp, temporalis muscle, skull with its tables, sutures and frontal sinus."""
    _rest(canvas)
    _scalp(canvas, skull)
    if skull.orbits:
        below = head_base.below(canvas)
        deep = np.maximum(skull.calvaria + 1, (0.5 - below) * 9)
        canvas.paint(deep, 50 + 8 * canvas.n8, "deep-muscles", soft_mm=1.5)
        head_base.paint_orbits(canvas, skull.orbits)
    _bone(canvas, plan, skull)
    _sinus(canvas, plan, skull)
    if skull.orbits:
        head_base.paint_air(canvas, skull.inner, skull.outer)


def _rest(canvas: Canvas) -> None:
    """The shell that holds the head; it stands still in the world, whoever lies in it."""
    radius = np.sqrt((canvas.x / 1.0) ** 2 + ((canvas.y - 8) / 1.12) ** 2)
    # Open in front: it ends at about the height of the ears.
    shell = np.maximum(sheet(radius - 108, 2.2), 14 - canvas.y)
    canvas.paint(np.broadcast_to(shell, canvas.hu.shape), 130, "head-rest")


def _scalp(canvas: Canvas, skull: SkullShapes) -> None:
    skin, outer, Z = skull.skin, skull.calvaria, canvas.Z
    canvas.paint(skin, -92 + 8 * canvas.texture("scalp", 2.8), "scalp")
    canvas.paint(sheet(skin + 1.0, 2.0), 45 + 12 * canvas.n4, "skin")
    strand = coverage(np.abs(canvas.field("scalp veins", 5)) - 0.08, 0.12) * (skin < -2)
    canvas.shade(70 * strand * coverage(-(outer - 2.0), 1.0) * coverage(skin, 1.0))
    canvas.paint(sheet(outer - 1.3 - 0.6 * canvas.n8, 1.6), 25, opacity=0.8)
    muscle = 7 * bump(np.abs(skull.angle), 1.15, 0.38) * np.clip((40 - Z) / 45, 0, 1.3)
    belly = np.maximum(outer - muscle - 0.6 + 0.5 * canvas.n8, 1.4 - muscle)
    canvas.paint(belly, 54 + 6 * canvas.texture("temporalis", 2.6), "temporalis", opacity=0.95)


def _bone(canvas: Canvas, plan: Plan, skull: SkullShapes) -> None:
    inner, outer, around = skull.inner, skull.outer, np.abs(skull.angle)
    thickness = np.maximum(inner - outer, 1.0)
    table = np.clip(0.30 * thickness, 0.9, 2.0) + 0.25 * canvas.n8
    diploe = 540 + 150 * canvas.n2 + 130 * canvas.n4 + 80 * canvas.n8
    diploe = np.maximum(diploe, 180)
    cortical = 1380 + 60 * canvas.n8
    outside = coverage(sheet(outer + table / 2, table), canvas.pixel_mm)
    inside = coverage(sheet(inner - 0.45 * table, 0.9 * table), canvas.pixel_mm)
    bone = diploe + (cortical - diploe) * np.maximum(outside, inside)
    zigzag = 1.3 * canvas.n4 + 1.2 * canvas.n2
    for name in ("coronal", "lambdoid"):
        place = plan.numbers[name] + 0.011 * canvas.Z + 0.02 * canvas.n20
        line = np.abs((around - place) * 75 + zigzag) - 0.5
        bone = bone + (260 - bone) * coverage(line, 0.7) * 0.75
    sagittal = np.abs(canvas.X + zigzag) - 0.5
    bone = bone + (260 - bone) * coverage(sagittal, 0.7) * 0.75 * (
        around > plan.numbers["lambdoid"]
    )
    canvas.paint(outer, bone, "skull")


def _sinus(canvas: Canvas, plan: Plan, skull: SkullShapes) -> None:
    """Air cells of the frontal bone, parted by a septum off the midline."""
    top = plan.numbers["sinus_top_mm"]
    wide = 24 * np.sqrt(np.clip((top - canvas.Z) / 22, 0, 1)) + 3 * canvas.n8
    side = 5 * canvas.field("sinus septum", 40)
    cells = np.maximum(
        np.abs(canvas.X - side) - wide, 1.1 - np.abs(canvas.X - side - 0.8 * canvas.n8)
    )
    cells = np.maximum(cells, np.maximum(2.3 - skull.inner, skull.outer + 2.4)) + 0.3 * canvas.n4
    cells = np.maximum(cells, (np.abs(skull.angle) - 0.7) * 80)
    canvas.paint(cells, -940, "frontal-sinus")
