"""Lesions of the brain: bleeding, infarct, metastasis with oedema, and the exact sphere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.head_brain import BrainShapes
from ldctlib.scans.phantoms.lesions import Lesion, check_kinds, lump, paint_sphere, place
from ldctlib.scans.phantoms.outlines import Outline
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import coverage

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.head import Plan

KINDS = ("sphere", "bleed", "infarct", "metastasis")
_SIZES_MM = {"bleed": (8.0, 28.0), "infarct": (20.0, 42.0), "metastasis": (5.0, 14.0)}
_USUAL_HU = {"bleed": 30.0, "infarct": -6.0, "metastasis": 9.0}
_BOUNDS = ((-58.0, 58.0), (-68.0, 72.0), (-4.0, 48.0))
_UNDER_BONE_MM = 5.0


@dataclass(frozen=True)
class Placed:
    """A lesion, its label and its centre in world mm."""

    lesion: Lesion
    label: str
    centre: tuple[float, float, float]

    @property
    def contrast_hu(self) -> float:
        """Asked for, or usual for the kind."""
        if self.lesion.contrast_hu is not None:
            return self.lesion.contrast_hu
        return _USUAL_HU[self.lesion.kind]


def placed(
    patient: Patient, inner_table: Outline, lesions: Sequence[Lesion] | None
) -> tuple[Placed, ...]:
    """Find room for every lesion that does not say where it lies."""
    wanted = _drawn(patient) if lesions is None else list(lesions)
    check_kinds(wanted, KINDS)
    found: list[Placed] = []
    for n, lesion in enumerate(wanted, 1):
        label, radius = f"lesion-{n}", lesion.diameter_mm / 2
        centre = lesion.centre_mm
        if centre is None:
            taken = [(np.array(p.centre), p.lesion.diameter_mm / 2) for p in found]

            def brain(points: np.ndarray) -> np.ndarray:
                midline = 4 - np.abs(points[:, 0])
                return np.asarray(np.maximum(inner_table.at(points) + _UNDER_BONE_MM, midline))

            room = radius * (0.5 if lesion.kind == "infarct" else 1.0)
            x, y, z = place(patient, label, room, brain, _BOUNDS, taken)
            centre = (float(x), float(y), float(z))
        found.append(Placed(lesion, label, centre))
    return tuple(found)


def paint(canvas: Canvas, plan: Plan, brain: BrainShapes) -> None:
    """Paint every lesion; what surrounds it has a label of its own, "lesion-1-oedema"."""
    for item in plan.lesions:
        if item.lesion.kind == "sphere":
            paint_sphere(canvas, item.centre, item.lesion.diameter_mm, item.contrast_hu, item.label)
        elif item.lesion.kind == "infarct":
            _infarct(canvas, plan, brain, item)
        else:
            _mass(canvas, plan, brain, item)


def _drawn(patient: Patient) -> list[Lesion]:
    rng = patient.rng("lesions")
    found = []
    for _ in range(int(rng.integers(0, 4))):
        kind = str(rng.choice(["bleed", "infarct", "metastasis"]))
        low, high = np.log(_SIZES_MM[kind])
        found.append(Lesion(kind, None, float(np.exp(rng.uniform(low, high))), None))
    return found


def _mass(canvas: Canvas, plan: Plan, brain: BrainShapes, item: Placed) -> None:
    """A bleeding or a metastasis in its oedema; the contrast is to grey matter."""
    size, bleed = item.lesion.diameter_mm, item.lesion.kind == "bleed"
    distance, box = lump(canvas, item.centre, size, item.label)
    tissue = coverage(brain.inner[box] + 1, 1.0)
    wide = (2.0 if bleed else 0.35 * size + 2) + 1.5 * canvas.n8[box]
    # Oedema spreads in white matter and leaves the cortex alone.
    swollen = np.maximum.reduce([distance - wide, -brain.cortex[box], brain.inner[box] + 1])
    label = f"{item.label}-oedema"
    canvas.blend(coverage(swollen, 2.6), plan.numbers["white_hu"] - 9 + canvas.n4[box], label, box)
    core = plan.numbers["grey_hu"] + item.contrast_hu + 1.5 * canvas.n4[box]
    canvas.blend(coverage(distance, 1.4) * tissue, core, item.label, box)


def _infarct(canvas: Canvas, plan: Plan, brain: BrainShapes, item: Placed) -> None:
    """Swollen dark tissue in which grey and white matter no longer differ."""
    distance, box = lump(canvas, item.centre, item.lesion.diameter_mm, item.label, rough=0.22)
    tissue = coverage(np.maximum(-brain.fluid[box], brain.inner[box]), 1.6)
    below = canvas.hu[box]
    grey = below - plan.numbers["white_hu"]
    dark = below + item.contrast_hu - 0.35 * np.clip(grey, 0, 12)
    canvas.blend(coverage(distance, 5.0) * tissue, dark, item.label, box)
