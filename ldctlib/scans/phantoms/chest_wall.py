"""The chest wall: couch, skin, fat, breasts, muscles, ribs, shoulder blades, breastbone, spine."""

from __future__ import annotations

from functools import partial

import numpy as np

from ldctlib.scans.phantoms import chest_outlines as template
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.chest_patient import Habitus
from ldctlib.scans.phantoms.grid import Box
from ldctlib.scans.phantoms.outlines import Outline, mirrored, transformed
from ldctlib.scans.phantoms.shapes import (
    away_from,
    bump,
    coverage,
    ellipsoid,
    sheet,
    smooth_max,
    smooth_min,
    smoothstep,
    strands,
)
from ldctlib.scans.phantoms.skeleton import bone, couch, rib, spine

_CENTRE_Y = 7.0
_SIDES = {"left": 1, "right": -1}


def paint_wall(
    canvas: Canvas, habitus: Habitus, pleura_outline: Outline, pleura: np.ndarray
) -> None:
    """Paint everything outside the pleura.

    Args:
        canvas: the slab.
        habitus: build of the patient.
        pleura_outline: outline of the inside of the ribs.
        pleura: its signed distance (Z, H, W).
    """
    angle = canvas.angle(_CENTRE_Y)
    top_mm = canvas.patient.depth * (111 + 5 * habitus.fat)
    couch(canvas, top_mm)
    body = _body(canvas, habitus, angle, top_mm)
    _paint_fat_and_skin(canvas, habitus, body)
    _paint_muscles(canvas, habitus, body, pleura)
    _paint_intercostals(canvas, body, pleura)
    _paint_axilla(canvas, habitus, body)
    _paint_ribs(canvas, pleura_outline, pleura, angle)
    _paint_flat_bones(canvas)


def paint_spine(canvas: Canvas, habitus: Habitus, mediastinum: np.ndarray) -> None:
    """The thoracic spine, the muscles about it and the necks of the ribs.

    Args:
        canvas: the slab.
        habitus: bones lose calcium with age.
        mediastinum: signed distance of its outline (Z, H, W).
    """
    behind = np.maximum(mediastinum + 1.5, 64 - canvas.Y + canvas.n8)
    streaks = strands(canvas.field("paravertebral fat", 5), 0.12)
    canvas.paint(behind, 52 + 5 * canvas.n4 - 90 * streaks, "paravertebral-muscle", soft_mm=2.0)
    for n in range(-7, 9):
        for side, sign in _SIDES.items():
            z = _rib_height(canvas, n, side, np.array(2.8))
            line = [(36, 89, z - 1), (26, 82, z + 2), (17, 68, z + 5)]
            neck, box = canvas.tube([(sign * a, b, c) for a, b, c in line], [3.4, 3.2, 4.4])
            bone(canvas, neck + 0.3 * canvas.n4[box], f"rib-{8 - n}-{side}", box, shell_mm=1.2)
    spine(canvas, 0.0, 58.0, radius_mm=15.5, canal_mm=6.6, period_mm=24.0, process_mm=30.0,
          spongy_hu=255 - 90 * habitus.age)  # fmt: skip


def _body(canvas: Canvas, habitus: Habitus, angle: np.ndarray, top_mm: float) -> np.ndarray:
    """Signed distance to the skin: muscle, fat, breasts, and a back flattened by the couch."""
    skin = canvas.patient.outline("skin", template.skin_keys(), jitter_mm=2.2)
    around = np.abs(angle)
    fat = 3.5 + 5.5 * habitus.fat + 3.0 * habitus.fat * bump(around, 0.5, 0.6)
    body = canvas.distance(skin) - fat.astype(np.float32)
    if habitus.female:
        size = 0.75 + 0.25 * habitus.fat
        for side in (1, -1):
            sag = 6 * canvas.patient.rng(f"breast {side}").normal()
            breast = ellipsoid(
                canvas.X - side * (66 + 6 * size), canvas.Y + 80, canvas.Z + 28 + sag,
                (50 * size, 28 * size, 66 * size),
            )  # fmt: skip
            body = smooth_min(body, breast, 24.0)
    rough = 0.5 * canvas.n20 + 0.35 * canvas.n8
    flat = canvas.y - np.float32(top_mm) + canvas.x**2 / 1500
    return np.asarray(smooth_max(body + rough, flat, 9.0), np.float32)


def _paint_fat_and_skin(canvas: Canvas, habitus: Habitus, body: np.ndarray) -> None:
    fat = -103 + 6 * canvas.texture("fat", 3.0, 4.0) + 3 * canvas.n20
    patchy = smoothstep((canvas.field("septa patches", 26) + 0.3) / 1.2)
    septa = strands(canvas.field("septa", 11) + 0.12 * canvas.n4, 0.045) * patchy
    fat += 55 * septa * coverage(body + 3, 2)
    if habitus.female:
        tissue = 0.6 * canvas.field("gland", 7) + 0.9 * canvas.field("gland patches", 16)
        where = smoothstep((-canvas.Y - 76) / 10) * smoothstep((np.abs(canvas.X) - 40) / 14)
        where *= smoothstep((128 - np.abs(canvas.X)) / 22) * smoothstep((-body - 6) / 6)
        amount = 0.5 + 0.9 * habitus.age
        fat += 125 * smoothstep((tissue + 0.5 * canvas.n4 - amount) / 0.8) * where
    canvas.paint(body, fat, "fat")
    canvas.paint(sheet(body + 0.9, 1.9), 5, "skin")


def _paint_muscles(canvas: Canvas, habitus: Habitus, body: np.ndarray, pleura: np.ndarray) -> None:
    """Every muscle has its own outline, so that fat stays between neighbours."""
    thickness = {
        "pectoralis-major": -1.2 if habitus.female else 0.8,
        "pectoralis-minor": -0.6 if habitus.female else 0.6,
    }
    earlier = np.full(canvas.hu.shape, np.float32(99))
    for side, sign in _SIDES.items():
        for name, keys in template.MUSCLES.items():
            mirror = {z: transformed(points, (sign, 1)) for z, points in keys.items()}
            label = f"{name}-{side}"
            outline = canvas.patient.outline(label, mirror, jitter_mm=1.3)
            box = canvas.box_of(outline, margin_mm=14)
            distance = canvas.distance(outline, box)
            distance += 0.8 * canvas.n8[box] + 0.3 * canvas.n4[box] - 2.2
            distance -= habitus.muscle_mm + thickness.get(name, 0.0)
            distance = smooth_max(distance, body[box] + 3.5, 2.0)
            distance = np.maximum(distance, 8.2 - pleura[box] + 0.6 * canvas.n8[box])
            plane = 0.9 + 0.8 * canvas.n20[box] + 0.5 * canvas.n8[box]
            distance = away_from(distance, earlier[box], plane, 1.0)
            earlier[box] = np.minimum(earlier[box], distance)
            canvas.paint(distance, _muscle(canvas, habitus, label, sign, distance, box), label, box)


def _muscle(
    canvas: Canvas, habitus: Habitus, name: str, sign: int, distance: np.ndarray, box: Box
) -> np.ndarray:
    """CT numbers of striated muscle: fibres, and streaks of fat that grow with age."""
    X, Y, Z = canvas.X[box], canvas.Y[box], canvas.Z[box]
    turn = canvas.patient.rng(f"fibres {name}").uniform(0, np.pi)
    along, across = (np.cos(turn) * X + np.sin(turn) * Y), (np.cos(turn) * Y - np.sin(turn) * X)
    fibres = canvas.bent_field("fibres", 0.3 * along, across, 0.25 * Z, 2.4)
    streak = canvas.bent_field("streaks", 0.22 * along, across, 0.2 * Z, 4.2)
    amount = 0.35 + 0.45 * habitus.age
    fatty = (
        strands(streak, 0.13) * smoothstep(canvas.n20[box] + amount) * coverage(distance + 1.5, 1)
    )
    return np.asarray(58 + 5 * canvas.n2[box] + 7 * fibres - 85 * amount * fatty, np.float32)


def _paint_intercostals(canvas: Canvas, body: np.ndarray, pleura: np.ndarray) -> None:
    """Muscle between the ribs, with a film of fat on either side."""
    middle = pleura - 3.6 - 0.6 * canvas.n8
    strip = np.maximum(sheet(middle, 4.2 + 1.2 * canvas.n20), body + 6)
    strip = np.maximum(strip, 52 - np.hypot(canvas.X, canvas.Y - 70))
    line = coverage(sheet(middle - 0.8, 0.7), 0.9) * smoothstep(canvas.field("layers", 14))
    canvas.paint(strip, 50 + 6 * canvas.n2 - 70 * line, "intercostal-muscle")


def _paint_axilla(canvas: Canvas, habitus: Habitus, body: np.ndarray) -> None:
    """Vessels and small lymph nodes in the fat of the armpit."""
    blood = 42 + 0.8 * habitus.contrast_hu
    for side, sign in _SIDES.items():
        rng = canvas.patient.rng(f"axilla {side}")
        for n in range(7):
            x, y = rng.uniform(122, 140), rng.uniform(-34, -4)
            drift = rng.normal(0, 14, (3, 2))
            line = [
                (sign * (x + a), y + b, z) for (a, b), z in zip(drift, (-90, -20, 50), strict=True)
            ]
            distance, box = canvas.tube(line, rng.uniform(0.9, 2.3))
            distance = np.maximum(distance, body[box] + 5)
            canvas.paint(distance, blood, f"axillary-vessel-{n}-{side}", box)
        for n in range(5):
            x, y, z = rng.uniform(122, 142), rng.uniform(-44, -4), rng.uniform(-50, 30)
            size = rng.uniform(2.0, 4.5)
            box = canvas.box(sign * x - 9, sign * x + 9, y - 9, y + 9, z - 9, z + 9)
            node = ellipsoid(
                canvas.X[box] - sign * x, canvas.Y[box] - y, canvas.Z[box] - z,
                (size, 1.5 * size, 1.3 * size),
            )  # fmt: skip
            node = np.maximum(node, body[box] + 5)
            hilum = coverage(node + 0.55 * size, 1.2)
            canvas.paint(node, 45 - 90 * hilum, f"axillary-node-{n}-{side}", box)


def _rib_height(canvas: Canvas, n: int, side: str, around: np.ndarray) -> np.ndarray:
    """Template z of a rib: it falls towards the front and rises again to the breastbone."""
    shift = 27.0 * n + canvas.patient.rng(f"rib {n} {side}").normal(0, 2)
    rise = 26 * smoothstep((1 - around) / 0.8)
    return np.asarray(shift - 36 * (np.pi - around) + rise)


def _paint_ribs(canvas: Canvas, outline: Outline, pleura: np.ndarray, angle: np.ndarray) -> None:
    for n in range(-7, 9):
        for side, sign in _SIDES.items():
            height = partial(_rib_height, canvas, n, side)
            common = {"centre_y": _CENTRE_Y, "depth_mm": -4.8}
            cartilage = {"half_height_mm": 7.5, "spongy_hu": 88.0, "shell_hu": 125.0}
            rib(canvas, f"costal-cartilage-{8 - n}-{side}", outline, pleura, angle, sign, height,
                span=(0.26, 0.64), **common, **cartilage)  # fmt: skip
            rib(canvas, f"rib-{8 - n}-{side}", outline, pleura, angle, sign, height,
                span=(0.62, 2.84), half_height_mm=6.2, half_thickness_mm=3.6, **common)  # fmt: skip


def _paint_flat_bones(canvas: Canvas) -> None:
    sternum = canvas.patient.outline("sternum", {0.0: mirrored(template.STERNUM_HALF)}, 0.9)
    box = canvas.box_of(sternum)
    distance = canvas.distance(sternum, box, exact=True) + 0.3 * canvas.n8[box]
    bone(canvas, distance, "sternum", box, spongy_hu=170, shell_hu=700, shell_mm=1.2)
    for side, sign in _SIDES.items():
        keys = {z: transformed(points, (sign, 1)) for z, points in template.SCAPULA.items()}
        outline = canvas.patient.outline(f"scapula {side}", keys, jitter_mm=0.8)
        box = canvas.box_of(outline)
        distance = canvas.distance(outline, box, exact=True) + 0.25 * canvas.n8[box]
        below = np.maximum(-62 - canvas.Z[box], 0)
        bone(canvas, distance + 0.4 * below, f"scapula-{side}", box, spongy_hu=280, shell_hu=900,
             shell_mm=1.7)  # fmt: skip
