"""What lies between the lungs: heart, great vessels, airways, oesophagus, nodes, fat."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from ldctlib.scans.phantoms import chest_outlines as template
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.capsules import centre_line, chain_distance
from ldctlib.scans.phantoms.chest_heart import CHAMBERS, chamber, paint_heart
from ldctlib.scans.phantoms.chest_patient import Habitus
from ldctlib.scans.phantoms.grid import Box
from ldctlib.scans.phantoms.outlines import Outline
from ldctlib.scans.phantoms.shapes import (
    coverage,
    ellipsoid,
    sheet,
    smooth_min,
    smoothstep,
    strands,
)

_FAR = np.float32(99)
_HALO_MM = 1.6  # fat and pleura around the great vessels

# Vessels that shape the surface between mediastinum and lung.
CENTRAL = {
    "aorta": template.AORTA,
    "pulmonary-trunk": template.PULMONARY_TRUNK,
    "pulmonary-artery-left": template.LEFT_PULMONARY_ARTERY,
    "pulmonary-artery-right": template.RIGHT_PULMONARY_ARTERY,
    "superior-vena-cava": template.SUPERIOR_VENA_CAVA,
    "azygos-vein": template.AZYGOS,
    "left-atrial-appendage": template.ATRIAL_APPENDAGE,
    "trachea": template.TRACHEA,
    "main-right": template.BRONCHI["main-right"],
    "main-left": template.BRONCHI["main-left"],
    "intermediate": template.BRONCHI["intermediate"],
}


@dataclass(frozen=True)
class Parts:
    """Distances of the mediastinum in one slab.

    Args:
        surface: (Z, H, W) of its boundary with the lungs.
        great: name to (distance, box) of the central vessels and airways.
        chambers: name to distance, on ``heart_box``.
        core: (Z, H, W) of the outline without heart and vessels.
        heart: of the whole heart, on ``heart_box``.
        sac: the pericardium, which spans the grooves, on ``heart_box``.
        heart_box: part of the slab around the heart.
    """

    surface: np.ndarray
    great: dict[str, tuple[np.ndarray, Box]]
    chambers: dict[str, np.ndarray]
    core: np.ndarray
    heart: np.ndarray
    sac: np.ndarray
    heart_box: Box


def distance_at(points: np.ndarray, outline: Outline) -> np.ndarray:
    """Signed distance in mm to the mediastinum at points (n, 3) in template mm, without texture."""
    X, Y, Z = np.asarray(points, np.float32).T
    parts = [chamber(name, X, Y, Z) for name in CHAMBERS]
    for line, radius in CENTRAL.values():
        parts.append(chain_distance(X, Y, Z, centre_line(line, radius, 6.0)))
    union = reduce(np.minimum, parts)
    return np.asarray(smooth_min(outline.at(points), union - _HALO_MM, 8.0))


def shapes(canvas: Canvas, outline: Outline) -> Parts:
    """Where everything is in this slab."""
    rough = 0.5 * canvas.n8 + 0.2 * canvas.n4
    union = np.full(canvas.hu.shape, _FAR)
    great = {}
    for name, (line, radius) in CENTRAL.items():
        distance, box = canvas.tube(line, radius)
        distance += 0.7 * rough[box]
        great[name] = (distance, box)
        union[box] = smooth_min(union[box], distance, 5.0)
    heart_box = canvas.box(-50, 80, -74, 20, z1=-22)
    X, Y, Z = canvas.X[heart_box], canvas.Y[heart_box], canvas.Z[heart_box]
    chambers = {
        name: (chamber(name, X, Y, Z) + 1.4 * rough[heart_box]).astype(np.float32)
        for name in CHAMBERS
    }
    heart = reduce(lambda a, b: smooth_min(a, b, 4.0), chambers.values())
    # Epicardial fat fills the grooves of the heart; the pericardium spans them.
    sac = reduce(lambda a, b: smooth_min(a, b, 16.0), chambers.values())
    sac = smooth_min(sac, np.maximum(union[heart_box], Z + 20), 12.0)
    union[heart_box] = smooth_min(union[heart_box], sac - 2.0, 7.0)
    core = canvas.distance(outline) + 1.0 * canvas.n8
    surface = smooth_min(core, union - _HALO_MM, 8.0)
    return Parts(np.asarray(surface, np.float32), great, chambers, core, heart, sac, heart_box)


def paint_fat(canvas: Canvas, pleura: np.ndarray, surface: np.ndarray) -> None:
    """Fat with strands: the ground of the mediastinum."""
    weave = strands(canvas.field("mediastinal strands", 7), 0.09)
    weave *= smoothstep(canvas.field("strand patches", 18) + 0.8)
    fat = -96 + 6 * canvas.n4 + 58 * weave * coverage(pleura + 3, 2)
    canvas.paint(np.maximum(pleura + 1.0, surface - 1.0), fat, "mediastinal-fat")


def paint_contents(canvas: Canvas, habitus: Habitus, parts: Parts, lung: np.ndarray) -> None:
    """Oesophagus, nodes, heart and vessels, from the back to the front."""
    _paint_thymus(canvas, habitus, parts)
    _paint_nodes(canvas, parts)
    _paint_oesophagus(canvas)
    paint_heart(canvas, habitus, parts.heart, parts.chambers, parts.sac, parts.heart_box)
    blood = 42 + habitus.contrast_hu
    extra = {
        "superior-vena-cava": 0.35,
        "pulmonary-trunk": 0.15,
        "aorta": -0.05,
        "left-atrial-appendage": -0.1,
    }
    grain = canvas.texture("blood", 3.0, 4.0)
    hilar = {f"pulmonary-artery-{k}": v for k, v in template.HILAR_ARTERIES.items()}
    hilar |= {f"pulmonary-vein-{k}": v for k, v in template.HILAR_VEINS.items()}
    tubes = {k: v for k, v in parts.great.items() if k in _VESSELS}
    for name, (line, radius) in hilar.items():
        distance, box = canvas.tube(line, radius)
        tubes[name] = (distance + 0.25 * canvas.n8[box] + 0.12 * canvas.n4[box], box)
    for name, (distance, box) in tubes.items():
        hu = blood + extra.get(name, 0.0) * habitus.contrast_hu + 3 * grain[box]
        canvas.paint(distance, hu, name, box)
    _paint_plaques(canvas, habitus, parts)
    _paint_mammary(canvas, blood)


_VESSELS = tuple(
    n for n in CENTRAL if n not in ("trachea", "main-right", "main-left", "intermediate")
)


def _paint_thymus(canvas: Canvas, habitus: Habitus, parts: Parts) -> None:
    """A remnant in front of the aorta, thinner with age."""
    box = canvas.box(-16, 22, -64, -36, z0=-40)
    line = [(2, -56, 40), (3, -54, 0), (4, -52, -50)]
    distance, box = canvas.tube(line, 9.0)
    weave = canvas.n4[box] * 0.7 + canvas.n8[box] - 1.6 * habitus.age + 0.6
    alpha = 0.55 * smoothstep(weave) * coverage(distance, 4.0)
    canvas.blend(alpha, 30, None, box)


def _paint_nodes(canvas: Canvas, parts: Parts) -> None:
    """Lymph nodes wherever fat leaves room for them."""
    rng = canvas.patient.rng("mediastinal nodes")
    great = parts.surface * 0 + _FAR
    for distance, box in parts.great.values():
        great[box] = np.minimum(great[box], distance)
    for n in range(60):
        x, y, z = rng.uniform(-32, 32), rng.uniform(-58, 30), rng.uniform(-85, 40)
        a, b, turn = rng.uniform(2, 5.5), rng.uniform(1.6, 3.4), rng.uniform(0, np.pi)
        box = canvas.box(x - 7, x + 7, y - 7, y + 7, z - 7, z + 7, margin_mm=3)
        X, Y, Z = canvas.X[box] - x, canvas.Y[box] - y, canvas.Z[box] - z
        node = ellipsoid(
            np.cos(turn) * X + np.sin(turn) * Y, np.cos(turn) * Y - np.sin(turn) * X, Z, (a, b, a)
        )
        node = np.maximum(node + 0.4 * canvas.n4[box], 1.0 - great[box])
        node = np.maximum(node, parts.surface[box] + 1.0)
        canvas.paint(node, 44, f"lymph-node-{n}", box)


def _paint_oesophagus(canvas: Canvas) -> None:
    distance, box = canvas.tube(template.OESOPHAGUS, 7.0)
    distance = distance + 0.9 * canvas.n8[box] + 0.3 * canvas.n4[box]
    canvas.paint(distance, 40 + 4 * canvas.n4[box], "oesophagus", box)
    gas = distance + 4.6 + 1.3 * canvas.field("oesophageal gas", 12, box)
    canvas.paint(gas, -780, "oesophageal-gas", box, soft_mm=1.4)


def _paint_plaques(canvas: Canvas, habitus: Habitus, parts: Parts) -> None:
    """Calcium in the wall of the aorta, with age."""
    distance, box = parts.great["aorta"]
    patch = canvas.field("aortic plaques", 6, box) - 3.4 + 1.9 * habitus.age
    chalk = coverage(sheet(distance + 0.7, 1.5), 0.8) * smoothstep(2.5 * patch)
    canvas.blend(chalk, 520, "aortic-calcium", box)


def _paint_mammary(canvas: Canvas, blood: float) -> None:
    for side, sign in (("left", 1), ("right", -1)):
        line = [(sign * x, y, z) for x, y, z in template.INTERNAL_MAMMARY]
        distance, box = canvas.tube(line, 1.3)
        canvas.paint(distance, blood, f"internal-mammary-{side}", box)


def paint_airways(canvas: Canvas) -> None:
    """Trachea and large bronchi: all walls first, then all lumina."""
    lines = {"trachea": template.TRACHEA}
    lines |= {f"bronchus-{name}": tube for name, tube in template.BRONCHI.items()}
    tubes = {}
    for name, (line, radius) in lines.items():
        distance, box = canvas.tube(line, radius)
        distance = distance + 0.25 * canvas.n8[box]
        tubes[name] = (distance, box)
        wall = 0.55 + 0.1 * max(radius)
        canvas.paint(distance - wall, 30, "airway-wall", box)
    for name, (distance, box) in tubes.items():
        canvas.paint(distance, -995, name, box)
