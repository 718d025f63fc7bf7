"""The heart: its chambers in epicardial fat, the pericardium and the coronary arteries."""

from __future__ import annotations

import numpy as np

from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.chest_patient import Habitus
from ldctlib.scans.phantoms.grid import Box
from ldctlib.scans.phantoms.shapes import Values, coverage, ellipsoid, sheet, smoothstep

# The heart's chambers: centre, radii, rotation about z in degrees.
CHAMBERS = {
    "left-ventricle": ((40, -24, -92), (32, 27, 46), -32),
    "right-ventricle": ((10, -48, -86), (40, 18, 42), 14),
    "right-atrium": ((-25, -25, -68), (17, 24, 30), 0),
    "left-atrium": ((-1, 0, -52), (25, 13, 21), 0),
}
_ENHANCED = {
    "left-ventricle": 1.0,
    "right-ventricle": 1.1,
    "right-atrium": 1.15,
    "left-atrium": 1.0,
}


def chamber(name: str, X: Values, Y: Values, Z: Values) -> Values:
    """Signed distance in mm to a chamber, in template mm."""
    (x, y, z), radii, degrees = CHAMBERS[name]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    dx, dy = X - x, Y - y
    return ellipsoid(c * dx - s * dy, s * dx + c * dy, Z - z, radii)


def paint_heart(
    canvas: Canvas,
    habitus: Habitus,
    heart: np.ndarray,
    chambers: dict[str, np.ndarray],
    sac: np.ndarray,
    box: Box,
) -> None:
    """Muscle, blood and pericardium from their distances on the heart's box; then its arteries."""
    if heart.size == 0:
        return
    muscle = 46 + 0.45 * habitus.contrast_hu + 4 * canvas.n4[box]
    canvas.paint(heart, muscle, "myocardium", box, soft_mm=1.6)
    walls = {
        "left-ventricle": 10.0,
        "right-ventricle": 3.0,
        "right-atrium": 2.0,
        "left-atrium": 2.0,
    }
    for name, distance in chambers.items():
        rough = 0.8 * canvas.n4[box] if "ventricle" in name else 0.3 * canvas.n4[box]
        blood = 42 + habitus.contrast_hu * _ENHANCED[name]
        canvas.paint(
            distance + walls[name] + rough, blood + 3 * canvas.n4[box], f"heart-{name}", box, 2.0
        )
    pericardium = sheet(sac - 2.2 - 0.6 * canvas.n20[box], 0.9)
    canvas.paint(pericardium, 10, "pericardium", box, opacity=0.6)
    _paint_coronaries(canvas, habitus)


def _paint_coronaries(canvas: Canvas, habitus: Habitus) -> None:
    """Coronary arteries in the fat of their grooves."""
    blood = 42 + 0.9 * habitus.contrast_hu
    lines = {
        "left-anterior": [(10, -30, -46), (24, -38, -50), (36, -52, -62), (44, -60, -90)],
        "circumflex": [(10, -26, -47), (28, -14, -54), (40, -4, -70), (44, 2, -95)],
        "right": [(-8, -44, -50), (-16, -52, -60), (-22, -54, -76), (-18, -46, -100)],
    }
    for name, line in lines.items():
        fat, box = canvas.tube(line, 4.2)
        canvas.paint(fat + 0.8 * canvas.n4[box], -75, None, box, soft_mm=2.5, opacity=0.9)
        vessel, box = canvas.tube(line, 1.7)
        canvas.paint(vessel, blood, f"coronary-{name}", box)
        plaque = canvas.field(f"plaque {name}", 5, box) - 2.6 + 1.6 * habitus.age
        chalk = coverage(vessel + 0.2, 1.0) * smoothstep(2 * plaque)
        canvas.blend(chalk, 420, f"coronary-calcium-{name}", box)
