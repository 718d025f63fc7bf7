"""Bones that several anatomies share: spine and ribs; and the couch that the patient lies on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.grid import Box
from ldctlib.scans.phantoms.outlines import Outline
from ldctlib.scans.phantoms.shapes import coverage, sheet, smooth_max, smooth_min, smoothstep

_DISC_MM = 4.5


def bone(
    canvas: Canvas,
    distance: np.ndarray,
    label: str,
    box: Box,
    *,
    spongy_hu: float = 210.0,
    shell_hu: float = 820.0,
    shell_mm: float = 1.4,
) -> None:
    """Fill a shape with trabecular bone inside a cortical shell.

    Args:
        canvas: where.
        distance: signed distance in mm on the box.
        label: of the bone.
        box: the part of the slab.
        spongy_hu: mean of the trabecular bone.
        shell_hu: of the cortex.
        shell_mm: its thickness.
    """
    if distance.size == 0 or distance.min() > canvas.pixel_mm:
        canvas.left_out(label)
        return
    # Trabecular density varies most near 2 mm, and falls towards the marrow.
    grain = canvas.field("trabeculae", 1.6, box)
    marrow = smoothstep(-distance / 12)
    spongy = spongy_hu * (1 - 0.25 * marrow) * (1 + 0.26 * grain + 0.14 * canvas.n4[box])
    shell = coverage(sheet(distance + shell_mm / 2, shell_mm * (1 + 0.2 * canvas.n4[box])), 0.7)
    canvas.paint(distance, spongy + shell * (shell_hu - spongy), label, box)


def spine(
    canvas: Canvas,
    x: float,
    y: float,
    *,
    radius_mm: float = 18.5,
    canal_mm: float = 8.5,
    period_mm: float = 26.0,
    slope_mm: float = 14.0,
    process_mm: float = 32.0,
    z_range_mm: tuple[float, float] = (-160.0, 120.0),
    spongy_hu: float = 190.0,
) -> None:
    """Vertebrae ("vertebra-0" contains z = 0), discs ("disc-0" lies below it) and spinal canal.

    Args:
        canvas: where.
        x: centre of the vertebral bodies in template mm.
        y: the same to the back.
        radius_mm: of the bodies: 18 thoracic, 21 lumbar.
        canal_mm: radius of the canal.
        period_mm: height of a vertebra with its disc.
        slope_mm: how far the spinous process descends to its tip: 14 thoracic, 3 lumbar.
        process_mm: half the width across the transverse processes.
        z_range_mm: how far up and down it goes.
        spongy_hu: of the bone inside the bodies.
    """
    box = canvas.box(x - 40, x + 40, y - 26, y + 62, margin_mm=4)
    if canvas.X[box].size == 0:
        return
    X, Y = canvas.X[box] - np.float32(x), canvas.Y[box] - np.float32(y)
    canal_y = 0.86 * radius_mm + 0.62 * canal_mm
    canal = (np.hypot(X / (1.2 * canal_mm), (Y - canal_y) / canal_mm) - 1) * canal_mm
    canvas.paint(canal - 1, -70, "epidural-fat", box)
    canvas.paint(canal + 1.2 + 0.3 * canvas.n8[box], 18, "spinal-canal", box)
    canvas.paint(np.hypot(X / 1.15, Y - canal_y) - 5.2, 36, "spinal-cord", box, soft_mm=1.6)
    for n in range(round(z_range_mm[0] / period_mm), round(z_range_mm[1] / period_mm) + 1):
        _vertebra(canvas, x, y, n, radius_mm, canal_mm, period_mm, slope_mm, process_mm, spongy_hu)


def _vertebra(
    canvas: Canvas,
    x: float,
    y: float,
    n: int,
    radius_mm: float,
    canal_mm: float,
    period_mm: float,
    slope_mm: float,
    process_mm: float,
    spongy_hu: float,
) -> None:
    low, high = (n - 1.2) * period_mm - slope_mm, (n + 0.8) * period_mm
    box = canvas.box(x - 40, x + 40, y - 26, y + 62, low, high, margin_mm=4)
    if canvas.X[box].size == 0:
        canvas.left_out(f"disc-{n}")
        canvas.left_out(f"vertebra-{n}")
        return
    X, Y = canvas.X[box] - np.float32(x), canvas.Y[box] - np.float32(y)
    Z = canvas.Z[box] - np.float32(n * period_mm)
    rough = 0.35 * canvas.n8[box] + 0.2 * canvas.n4[box]
    half = (period_mm - _DISC_MM) / 2
    waist = 1 - 0.09 * np.clip(1 - (Z / half) ** 2, 0, 1)
    rx, ry = 1.1 * radius_mm * waist, 0.87 * radius_mm * waist
    radial = (np.hypot(X / rx, Y / ry) - 1) * 0.95 * radius_mm
    canal_y = 0.86 * radius_mm + 0.62 * canal_mm
    canal = (np.hypot(X / (1.2 * canal_mm), (Y - canal_y) / canal_mm) - 1) * canal_mm
    radial = np.maximum(radial, 1.2 - canal)
    disc = np.maximum(radial - 0.5, np.abs(Z + period_mm / 2) - _DISC_MM / 2 - 0.8)
    canvas.paint(disc + rough, 88 + 6 * canvas.n4[box], f"disc-{n}", box)
    body = smooth_max(radial, np.abs(Z) - half, 2.5) + rough
    bone(canvas, body, f"vertebra-{n}", box, spongy_hu=spongy_hu, shell_hu=640, shell_mm=1.1)
    arch = _arch(canvas, x, y, n * period_mm, canal_y, canal_mm, slope_mm, process_mm, box)
    arch = np.maximum(smooth_min(arch, body + 1.5, 2.0), 0.8 - canal)
    arch = np.maximum(arch + rough, -body - 2.0)
    bone(canvas, arch, f"vertebra-{n}", box, spongy_hu=320, shell_hu=820, shell_mm=1.7)


def _arch(
    canvas: Canvas,
    x: float,
    y: float,
    z: float,
    canal_y: float,
    canal_mm: float,
    slope_mm: float,
    process_mm: float,
    box: Box,
) -> np.ndarray:
    """Distance to pedicles, laminae, articular, transverse and spinous processes."""
    back, side = canal_y + canal_mm, 1.2 * canal_mm + 4
    lean = canvas.patient.rng(f"arch {z:.0f}").normal(0, 1.5)
    half = [
        ([(side, canal_y - 10, 5), (side + 1, canal_y + 3, 4)], [4.6, 4.4]),
        ([(side, canal_y + 3, 6), (side - 1, back + 1, -2), (side - 2, back + 2, -13)], 3.6),
        ([(side, back - 3, 1), (5, back + 2, -4), (0, back + 4, -7)], [4.0, 3.4, 3.4]),
        ([(side - 1, back + 2, -9), (2, back + 4, -11)], [2.6, 3.0]),
        ([(side, canal_y + 4, 4), (process_mm - 6, back + 3, 3), (process_mm, back + 6, 3)],
         [4.4, 3.4, 4.4]),
    ]  # fmt: skip
    parts = [
        (np.array([(sign * a, b, c) for a, b, c in points]), radius)
        for points, radius in half
        for sign in (1, -1)
    ]
    tip = back + 21 - 0.25 * slope_mm
    for drop in (0.0, 5.0):
        line = [(0, back + 4, -6 - drop), (lean / 2, back + 14, -6 - drop - slope_mm / 2)]
        line.append((lean, tip, -6 - drop - slope_mm))
        parts.append((np.array(line), np.array([3.2, 2.4, 3.2])))
    shift = np.array([x, y, z])
    return canvas.tubes([(points + shift, radius) for points, radius in parts], box)


def rib(
    canvas: Canvas,
    label: str,
    cage: Outline,
    distance: np.ndarray,
    angle: np.ndarray,
    side: int,
    height: Callable[[np.ndarray], np.ndarray],
    *,
    centre_y: float = 0.0,
    span: tuple[float, float] = (0.48, 2.86),
    depth_mm: float = 5.0,
    half_height_mm: float = 7.0,
    half_thickness_mm: float = 3.9,
    spongy_hu: float = 230.0,
    shell_hu: float = 850.0,
) -> None:
    """A rib: a bar in the wall of the cage that climbs or falls with the angle.

    Args:
        canvas: where.
        label: "rib-3-left".
        cage: outline of the outer surface of the ribs.
        distance: its signed distance (Z, H, W).
        angle: `Canvas.angle` about (0, ``centre_y``), (Z, H, W).
        side: 1 on the patient's left, -1 on the right.
        height: z in template mm as a function of |angle|.
        centre_y: of the angle.
        span: |angle| at which the rib begins and ends.
        depth_mm: of the bar's centre below the outer surface.
        half_height_mm: of its section along z.
        half_thickness_mm: of its section across the wall.
        spongy_hu: mean of its inside.
        shell_hu: of its surface.
    """
    canvas.left_out(label)
    box = _rib_box(canvas, cage, side, height, centre_y, span, half_height_mm)
    if canvas.X[box].size == 0:
        return
    around, depth = np.abs(angle[box]), distance[box] + depth_mm
    rise = canvas.Z[box] - height(around)
    steep = 1 + 0.6 * np.minimum(np.abs(rise) / half_height_mm, 1)
    bar = np.sqrt((rise / half_height_mm) ** 2 + (depth / half_thickness_mm) ** 2) - 1
    bar = bar * half_thickness_mm * steep + 0.25 * canvas.n4[box]
    reach = np.hypot(canvas.X[box], canvas.Y[box] - centre_y)
    ends = np.maximum(span[0] - around, around - span[1]) * reach
    bar = np.maximum(smooth_max(bar, ends, 2.0), -side * canvas.X[box])
    bone(canvas, bar, label, box, spongy_hu=spongy_hu, shell_hu=shell_hu, shell_mm=1.3)


def _rib_box(
    canvas: Canvas,
    cage: Outline,
    side: int,
    height: Callable[[np.ndarray], np.ndarray],
    centre_y: float,
    span: tuple[float, float],
    half_height_mm: float,
) -> Box:
    """Only where the rib passes the slab's heights; the rest of the cage need not be computed."""
    ring = cage.polygons(np.array([float(canvas.z.mean())]))[0].astype(float)
    around = np.arctan2(ring[:, 0], centre_y - ring[:, 1])
    size = np.abs(around)
    own = (np.sign(around) == side) & (size > span[0] - 0.1) & (size < span[1] + 0.1)
    ring, z = ring[own], height(size[own])
    reach = half_height_mm + 3.2 * sum(a for a, _ in canvas.patient.warps) / 2 + 14
    ring = ring[(z > float(canvas.z.min()) - reach) & (z < float(canvas.z.max()) + reach)]
    if len(ring) == 0:
        return canvas.box(0, -1, 0, -1, 1e6, -1e6)
    (x0, y0), (x1, y1) = ring.min(0), ring.max(0)
    return canvas.box(x0, x1, y0, y1, margin_mm=12)


def couch(canvas: Canvas, top_mm: float, label: str = "couch") -> None:
    """The couch: a curved shell of carbon fibre on foam, and a mattress.

    Args:
        canvas: where.
        top_mm: y of the mattress' surface at x = 0, in world mm.
        label: of all its parts.
    """
    x, y = canvas.x, canvas.y
    sag = x**2 / 1500
    depth = (y - top_mm + sag + 0 * canvas.z).astype(np.float32)
    width = np.abs(x) - 215
    mattress = np.maximum(np.maximum(-depth, depth - 11), np.abs(x) - 195)
    canvas.paint(mattress, -935 + 6 * canvas.n4, label)
    canvas.paint(np.maximum(sheet(mattress + 0.3, 0.6), width), -600, label, opacity=0.6)
    bottom = 13 + 24 * np.sqrt(np.clip(1 - (x / 216) ** 2, 0, 1))
    shell = np.maximum(np.maximum(12 - depth, depth - bottom), width)
    canvas.paint(shell, -930, label)
    canvas.paint(np.maximum(sheet(shell + 0.9, 1.8), width), -180, label)
