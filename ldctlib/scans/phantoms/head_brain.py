"""The surface of the brain: sulci, fissures, cortex, and the white matter below."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ldctlib.scans.phantoms import head_outlines as tables
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.head_folds import sheet_distance
from ldctlib.scans.phantoms.shapes import capsule, smooth_min, smoothstep

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.head import Plan

SIDES = (("left", 1), ("right", -1))
_RIBBON_MM = 2.6  # thickness of the cortex


@dataclass(frozen=True)
class BrainShapes:
    """Signed distances in mm (Z, H, W).

    Args:
        inner: inner table of the skull.
        fluid: inside the fluid of sulci, fissures and the space about the brain.
        cortex: inside the cortical ribbon.
        middle: distance from the displaced midline plane, positive on the patient's left.
    """

    inner: np.ndarray
    fluid: np.ndarray
    cortex: np.ndarray
    middle: np.ndarray


def shapes(canvas: Canvas, plan: Plan, inner: np.ndarray) -> BrainShapes:
    """Where the brain's surface folds."""
    X, Y, Z = canvas.X, canvas.Y, canvas.Z
    atrophy = plan.numbers["atrophy"]
    middle = X - 1.6 * canvas.field("falx", 26) - 0.35 * canvas.n8
    depth = _depth(canvas, inner)
    wide = np.maximum(1 + 0.35 * canvas.n20 + 0.25 * canvas.n8, 0.3)
    narrow = np.maximum(1 + 0.4 * canvas.n8, 0.2)

    reach = 19 + 4 * canvas.n20 + 1.5 * canvas.n8  # depth of the sulci
    shallow = 4.5 + 4 * canvas.field("shallow sulci", 14)
    primary, secondary = _convexity_folds(canvas, inner, depth, middle)
    primary = np.hypot(primary, np.maximum(depth - reach, 0))
    secondary = np.hypot(secondary, np.maximum(depth - shallow, 0))
    gap1 = (0.15 + 0.42 * atrophy) * wide * _taper(depth, reach)
    gap2 = (0.10 + 0.20 * atrophy) * narrow * _taper(depth, shallow)

    beside = np.abs(middle)
    # In front and behind only, where the corpus callosum bridges the hemispheres.
    callosum = 40 - 14 * smoothstep(-Z / 8) - np.maximum(Z - 26, 0) * 2.4
    bridge = np.maximum(callosum - np.abs(Y + 4), 0)
    fissure = np.hypot(beside, bridge)
    medial_reach = 10 + 4 * canvas.n20
    medial = _medial_folds(canvas, inner, middle)
    medial = np.hypot(np.hypot(medial, np.maximum(beside - medial_reach, 0)), 0.7 * bridge)
    gap3 = (0.10 + 0.32 * atrophy) * narrow * _taper(beside, medial_reach)
    gap4 = (0.30 + 0.50 * atrophy) * narrow
    sylvian = _sylvian(canvas)
    gap5 = (0.4 + 1.1 * atrophy) * np.maximum(1 + 0.5 * canvas.n8, 0.2)
    around = (0.2 + 1.0 * atrophy) * smoothstep(0.4 * canvas.n20 + 0.5)

    fluid = np.minimum.reduce(
        [primary - gap1, secondary - gap2, medial - gap3, fissure - gap4, sylvian - gap5,
         depth - around]
    )  # fmt: skip
    surface = np.minimum.reduce([primary, secondary, medial, fissure, sylvian, depth])
    return BrainShapes(inner, fluid, surface - _RIBBON_MM - 0.3 * canvas.n8, middle)


def paint(canvas: Canvas, plan: Plan, brain: BrainShapes, to_ventricle: np.ndarray) -> None:
    """Fluid, grey matter over it, white matter over that.

    Args:
        canvas: the slab.
        plan: the patient.
        brain: its surfaces.
        to_ventricle: (Z, H, W) distance in mm; white matter is darker near it in the old.
    """
    numbers = plan.numbers
    texture = canvas.texture("brain", 2.8)
    canvas.paint(brain.inner, 8, "csf")
    inside = np.maximum(-brain.fluid, brain.inner)
    canvas.paint(inside, numbers["grey_hu"] + texture, "grey-matter", soft_mm=1.6)
    aged = numbers["ageing_hu"] * np.exp(-np.maximum(to_ventricle, 0) / 7)
    matter = numbers["white_hu"] + 1.1 * texture + 0.8 * canvas.n20 - aged
    canvas.paint(np.maximum(-brain.cortex, inside + 1), matter, "white-matter", soft_mm=2.4)


def _depth(canvas: Canvas, inner: np.ndarray) -> np.ndarray:
    """Depth below the convexity in mm: slices near the vertex cut it at a slant."""
    X, Y, Z, top = canvas.X, canvas.Y, canvas.Z, tables.VERTEX_MM
    slant = np.sqrt(np.maximum(1 - ((Z - 2) / top) ** 2, 0.05))
    dome = top * np.sqrt(np.maximum(1 - 0.9 * ((X / 74) ** 2 + (Y / 86) ** 2), 0)) + 2
    return np.asarray(smooth_min(-inner * slant, dome - np.abs(Z), 14.0))


def _taper(depth: np.ndarray, reach: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(1.15 - depth / np.maximum(reach, 3), 0, 1) ** 0.6)


def _convexity_folds(
    canvas: Canvas, inner: np.ndarray, depth: np.ndarray, middle: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the sheets of the deep and of the shallow sulci of the convexity.

    The pattern lies on the surface and is carried inwards along the normals, slightly bent: sulci
    then run inwards from the surface and never close to rings at the sides of the head.
    """
    X, Y, Z = canvas.X, canvas.Y, canvas.Z
    axis = 0.85 * np.clip(Y, -34, 36)
    up = 0.8 * (Z - 6)
    stretch = 66 / (np.sqrt(X**2 + (Y - axis) ** 2 + up**2) + 6)
    bend = 0.22 * np.clip(depth, 0, 30)
    other = np.where(middle > 0, np.float32(0), np.float32(151))
    wanted = (inner < 2) & (depth < 40)
    x = X * stretch + other + bend * canvas.field("bend x", 13)
    y = axis / 0.85 + (Y - axis) * stretch + bend * canvas.field("bend y", 13)
    z = up * stretch + bend * canvas.field("bend z", 11)
    deep = sheet_distance(x, y, z, wanted, canvas.patient.key("sulci"), 6.8)
    fine = sheet_distance(x, y, z, wanted & (depth < 20), canvas.patient.key("fine sulci"), 5.2)
    return deep / stretch, fine / stretch


def _medial_folds(canvas: Canvas, inner: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Distance to the sheets of the sulci that leave the interhemispheric fissure sideways."""
    beside = np.abs(middle)
    x = 0.35 * middle + np.where(middle > 0, np.float32(0), np.float32(117)) + 0.5 * canvas.n8
    y = canvas.Y + 0.12 * beside * canvas.field("bend x", 13) + canvas.n8
    z = canvas.Z + 0.12 * beside * canvas.field("bend z", 11)
    wanted = (inner < 2) & (beside < 30)
    return sheet_distance(x, y, z, wanted, canvas.patient.key("medial sulci"), 6.0)


def _sylvian(canvas: Canvas) -> np.ndarray:
    """Distance to the Sylvian fissure and the fissures about the insula."""
    best = np.full(canvas.hu.shape, 99, np.float32)
    for side, sign in SIDES:
        X = sign * canvas.X + 2.0 * canvas.n8
        Y = canvas.Y + 3 * canvas.field(f"sylvian {side}", 16) + 1.5 * canvas.n4
        away = np.maximum(np.abs(canvas.Z + 2) - 17, 0) * 0.9
        for line in tables.SYLVIAN:
            for a, b in pairwise(line):
                best = np.minimum(best, capsule(X, Y, a, b, 0, 0) + away)
    return best
