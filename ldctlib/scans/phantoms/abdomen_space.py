"""What takes up space in the abdomen: the distances that all painting decisions are made by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline

from ldctlib.scans.phantoms import abdomen_outlines as tables
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.grid import Box
from ldctlib.scans.phantoms.shapes import (
    away_from,
    bump,
    capsule,
    clipped,
    ellipsoid,
    smoothstep,
)

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.abdomen import Plan

# Centre (x, y, z), long and short radius in the slice and half height of the kidneys, in mm.
KIDNEYS = {"left": ((67, 38, -38), (31, 23, 53)), "right": ((-60, 33, -50), (29, 22, 52))}


def kidney_axes(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, side: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates along a kidney's long, short and vertical axis; the hilum lies at negative u.

    The upper poles lean to the middle and to the back.
    """
    (cx, cy, cz), _ = KIDNEYS[side]
    sign = 1 if side == "left" else -1
    w = z - cz
    across = sign * (x - cx) + 0.17 * w
    back = y - cy - 0.20 * w
    turn = 0.60
    return (
        across * np.cos(turn) + back * np.sin(turn),
        back * np.cos(turn) - across * np.sin(turn),
        w,
    )


def kidney_distance(x: np.ndarray, y: np.ndarray, z: np.ndarray, side: str) -> np.ndarray:
    """Signed distance in mm to a kidney without its hilum."""
    _, radii = KIDNEYS[side]
    return np.asarray(ellipsoid(*kidney_axes(x, y, z, side), radii))


def spine_y(z: np.ndarray) -> np.ndarray:
    """Y of the centre of the vertebral bodies, in template mm: the lumbar spine bends forwards."""
    heights = sorted(tables.SPINE_Y)
    curve = CubicSpline(heights, [tables.SPINE_Y[h] for h in heights], bc_type="natural")
    return np.asarray(curve(np.clip(z, heights[0], heights[-1])), np.float32)


class Space:
    """Signed distances in mm of the large organs on a slab, negative inside.

    They are the same whatever is left out of the patient: nothing moves up into the room of a
    structure that is removed.

    Attributes:
        trunk, cavity, skin, lung, liver, stomach, spleen: (Z, H, W).
        kidneys: {"left": …, "right": …}, (Z, H, W).
        angle: about the axis of the body; 0 in front.
        taken: distance to the nearest organ painted so far.
    """

    def __init__(self, canvas: Canvas, plan: Plan) -> None:
        self.canvas = canvas
        outlines = plan.outlines
        self.angle = canvas.angle(y0=15.0)
        self.trunk = canvas.distance(outlines["trunk"])
        self.cavity = canvas.distance(outlines["cavity"]) + 0.8 * canvas.n20
        self.skin = self.trunk - self._fat_mm(plan.numbers["fat"])
        floor = canvas.distance(outlines["diaphragm"]) + 1.8 * canvas.n20 + 0.6 * canvas.n8
        Y = canvas.Y - spine_y(canvas.Z)
        self.spine = np.hypot(canvas.X / 1.1, Y / 0.95) - 23
        lung = np.maximum(self.cavity + 2.2, 1.2 - floor)
        self.lung = np.maximum(away_from(lung, self.spine, 3.0), 16 + canvas.n20 - np.abs(canvas.X))
        self.below = np.maximum(self.cavity, floor)
        self.kidneys = {side: self._kidney(side) for side in ("left", "right")}
        self.liver = np.maximum(self._organ(plan, "liver", inset=1.6), self._fissures())
        self.liver = away_from(self.liver, self.kidneys["right"], 2.2 + 0.8 * canvas.n20)
        self.spleen = away_from(self._organ(plan, "spleen", inset=1.6), self.kidneys["left"], 2.5)
        self.spleen = away_from(self.spleen, self.liver, 2.0)
        self.stomach = away_from(self._organ(plan, "stomach", inset=3.5), self.liver, 1.6)
        self.stomach = away_from(self.stomach, self.spleen, 2.6 + canvas.n20)
        self.stomach = away_from(self.stomach, self.kidneys["left"], 3.0)
        self.taken = np.minimum.reduce(
            [self.liver, self.spleen, self.stomach, *self.kidneys.values(), self.spine]
        )

    def take(self, distance: np.ndarray, box: Box) -> None:
        """Note that an organ has been put here."""
        np.minimum(self.taken[box], distance, out=self.taken[box])

    def _fat_mm(self, fat: float) -> np.ndarray:
        """Thickness of the fat under the skin: belly, flanks, little over the spine."""
        canvas, around = self.canvas, np.abs(self.angle)
        low = smoothstep((10 - canvas.Z) / 70)
        mm = (
            3.0
            + 4.5 * fat
            + (1.0 + 4.5 * fat) * bump(around, 0, 1.0) * (0.85 + 0.4 * low)
            + 6.0 * fat * bump(around, 2.1, 0.5) * (0.3 + 0.7 * low)
            - (0.8 + 1.2 * fat) * bump(around, np.pi, 0.14)
            + (0.3 + 0.3 * fat) * canvas.n20
            + (0.4 + 0.6 * fat) * canvas.field("fat pads", 70)
        )
        navel = bump(canvas.X, 2, 7) * bump(canvas.Z, -66, 9) * (around < 0.5)
        return np.asarray(np.maximum(mm * (1 - 0.9 * navel), 2.0), np.float32)

    def _kidney(self, side: str) -> np.ndarray:
        canvas = self.canvas
        rough = 0.8 * canvas.n8 + 1.1 * canvas.field("kidney lobes", 11)
        distance = kidney_distance(canvas.X, canvas.Y, canvas.Z, side) + rough
        return np.asarray(clipped(distance, self.cavity, 2.5))

    def _fissures(self) -> np.ndarray:
        """Fat in the fissures of the liver: of the ligamentum teres and the ligamentum venosum."""
        canvas = self.canvas
        X, Y, Z = canvas.X + canvas.n8, canvas.Y + 0.7 * canvas.n8, canvas.Z
        teres = capsule(X, Y, (-9, -76), (-17, -52), 0.8, 3.0) + 0.5 * np.maximum(Z - 2, 0)
        venosum = capsule(X, Y, (8, -14), (-22, -18), 1.8, 0.5) + 0.5 * np.maximum(
            np.abs(Z - 12) - 9, 0
        )
        return np.asarray(-np.minimum(teres, venosum))

    def _organ(self, plan: Plan, name: str, inset: float) -> np.ndarray:
        canvas = self.canvas
        distance = canvas.distance(plan.outlines[name]) + 0.7 * canvas.n8 + 0.25 * canvas.n4
        return np.asarray(clipped(distance, self.below, inset))
