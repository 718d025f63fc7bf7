"""Lesions of the liver: metastasis, cyst, haemangioma, and the exact sphere anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.lesions import Lesion, check_kinds, lump, paint_sphere, place
from ldctlib.scans.phantoms.outlines import Outline
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import coverage, sheet, smoothstep

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.abdomen import Plan

KINDS = ("sphere", "metastasis", "cyst", "haemangioma")
_USUAL_HU = {"metastasis": -35.0, "haemangioma": 35.0}
_BOUNDS = ((-124.0, 80.0), (-70.0, 76.0), (-58.0, 44.0))
_BILE_HU = 7.0


@dataclass(frozen=True)
class Placed:
    """A lesion, its label and its centre in world mm."""

    lesion: Lesion
    label: str
    centre: tuple[float, float, float]


def placed(
    patient: Patient, liver: Outline, lesions: Sequence[Lesion] | None
) -> tuple[Placed, ...]:
    """Find room in the liver for every lesion that does not say where it lies."""
    wanted = _drawn(patient) if lesions is None else list(lesions)
    check_kinds(wanted, KINDS)
    found: list[Placed] = []
    for n, lesion in enumerate(wanted, 1):
        label, radius, centre = f"lesion-{n}", lesion.diameter_mm / 2, lesion.centre_mm
        if centre is None:
            taken = [(np.array(p.centre), p.lesion.diameter_mm / 2) for p in found]
            # The painted liver is smaller than its outline where it keeps clear of its neighbours.
            x, y, z = place(patient, label, radius + 4, liver.at, _BOUNDS, taken)
            centre = (float(x), float(y), float(z))
        found.append(Placed(lesion, label, centre))
    return tuple(found)


def paint(canvas: Canvas, plan: Plan) -> None:
    """Paint every lesion; the contrast is to the mean of the liver."""
    liver = plan.numbers["liver_hu"]
    for item in plan.lesions:
        lesion, label = item.lesion, item.label
        size = lesion.diameter_mm
        usual = _BILE_HU - liver if lesion.kind == "cyst" else _USUAL_HU.get(lesion.kind, 0.0)
        contrast = usual if lesion.contrast_hu is None else lesion.contrast_hu
        if lesion.kind == "sphere":
            paint_sphere(canvas, item.centre, size, contrast, label)
            continue
        distance, box = lump(
            canvas, item.centre, size, label, rough=0.04 if lesion.kind == "cyst" else 0.13
        )
        n4 = canvas.n4[box]
        if lesion.kind == "metastasis":
            core = smoothstep(-distance / (0.4 * size))
            rim = coverage(sheet(distance + 0.8, 1.6), 2.0)
            hu = liver + contrast * (0.85 + 0.3 * core) + 0.35 * abs(contrast) * rim + 4 * n4
            canvas.paint(distance, hu, label, box, soft_mm=2.2)
        elif lesion.kind == "cyst":
            canvas.paint(distance, liver + contrast + 2 * n4, label, box, soft_mm=0.9)
        else:
            nodules = smoothstep((-distance / 3 + 0.6 * n4 + 1) / 2)
            canvas.paint(distance, liver + contrast * nodules, label, box, soft_mm=1.5)


def _drawn(patient: Patient) -> list[Lesion]:
    rng = patient.rng("lesions")
    found = []
    for _ in range(int(rng.integers(1, 6))):
        kind = str(rng.choice(["metastasis", "metastasis", "cyst", "haemangioma"]))
        size = float(np.exp(rng.uniform(np.log(5), np.log(24))))
        contrast = float(-rng.uniform(18, 50)) if kind == "metastasis" else None
        found.append(Lesion(kind, None, size, contrast))
    return found
