"""The head: a brain with folds, deep grey matter and ventricles, in a skull.

z = 0 lies at the third ventricle and the basal ganglia; positive is towards the vertex.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ldctlib.scans.phantoms import (
    head_base,
    head_brain,
    head_deep,
    head_fossa,
    head_lesions,
    head_skull,
)
from ldctlib.scans.phantoms import head_outlines as tables
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.head_lesions import Placed
from ldctlib.scans.phantoms.lesions import Lesion
from ldctlib.scans.phantoms.outlines import Outline, mirrored, transformed
from ldctlib.scans.phantoms.patient import Patient

PIXEL_MM = 0.5
SLICE_MM = 2.0
Z_RANGE_MM = (-24.0, 66.0)
SLICE_BLUR_MM = 1.5


@dataclass(frozen=True)
class Plan:
    """All that is random about one head and does not depend on the slab.

    Args:
        patient: whose head it is.
        inner_table: outline of the inside of the skull.
        parts: outlines of the deep structures and ventricles, "caudate-left", ….
        numbers: drawn once: CT numbers in HU, atrophy, thicknesses in mm.
        lesions: what was asked for or drawn, with its place.
    """

    patient: Patient
    inner_table: Outline
    parts: dict[str, Outline]
    numbers: dict[str, float]
    lesions: tuple[Placed, ...] = ()


def plan(seed: int, lesions: Sequence[Lesion] | None) -> Plan:
    """Draw one patient."""
    body = Patient("head", seed).rng("body")
    patient = Patient(
        "head",
        seed,
        width=float(np.clip(body.normal(1, 0.03), 0.94, 1.07)),
        depth=float(np.clip(body.normal(1, 0.03), 0.93, 1.06)),
        warps=((2.2, 80.0), (0.5, 16.0)),
    )
    inner = patient.outline("inner table", _inner_table(), jitter_mm=1.6)
    parts = {
        f"{name}-{side}": patient.outline(f"{name}-{side}", _sided(keys, sign), jitter_mm=0.9)
        for table in (tables.DEEP, tables.VENTRICLES)
        for name, keys in table.items()
        for side, sign in (("left", 1), ("right", -1))
    }
    parts |= head_base.outlines(patient)
    numbers = _numbers(patient)
    return Plan(patient, inner, parts, numbers, head_lesions.placed(patient, inner, lesions))


def paint(canvas: Canvas, plan: Plan) -> None:
    """Paint one slab, from the skin inwards."""
    skull = head_skull.shapes(canvas, plan)
    head_skull.paint(canvas, plan, skull)
    brain = head_brain.shapes(canvas, plan, skull.inner)
    horns = head_deep.ventricles(canvas, plan)
    head_brain.paint(canvas, plan, brain, head_deep.nearest(canvas, horns))
    head_deep.paint(canvas, plan, brain, horns)
    head_fossa.paint(canvas, plan, skull.inner)
    if skull.orbits:
        head_base.paint_sella(canvas)
    head_lesions.paint(canvas, plan, brain)


def _inner_table() -> tables.Keys:
    """The inner table shrinks towards the vertex like an ellipsoid."""
    keys: tables.Keys = {}
    for z in (-30, 0, 14, 26, 36, 44, 51, 57, 62, 66, 69):
        size = float(np.sqrt(max(0.05, 1 - ((z - 2) / tables.VERTEX_MM) ** 2)))
        keys[z] = transformed(mirrored(tables.INNER_TABLE), scale=(size, size))
    return keys


def _sided(keys: tables.Keys, sign: int) -> tables.Keys:
    return {z: transformed(points, scale=(sign, 1)) for z, points in keys.items()}


def _numbers(patient: Patient) -> dict[str, float]:
    """CT numbers in HU and shapes that differ between patients."""
    rng = patient.rng("numbers")
    return {
        "grey_hu": float(np.clip(rng.normal(37.0, 0.6), 35.5, 38.5)),
        "white_hu": float(np.clip(rng.normal(28.0, 0.6), 26.5, 29.5)),
        "atrophy": float(rng.uniform(0.45, 1.6)),
        "ageing_hu": float(5.0 * rng.uniform(0, 1) ** 2),  # dark white matter about the ventricles
        "ventricle_left": float(np.clip(rng.normal(0.0, 0.8), -1.5, 1.5)),  # mm wider or narrower
        "ventricle_right": float(np.clip(rng.normal(0.0, 0.8), -1.5, 1.5)),
        "skull_mm": float(np.clip(rng.normal(5.2, 0.6), 4.0, 6.5)),
        "sinus_top_mm": float(rng.uniform(-16, 8)),
        "coronal": float(rng.normal(0.86, 0.05)),
        "lambdoid": float(rng.normal(2.2, 0.06)),
        "scalp_mm": float(np.clip(rng.normal(6.5, 1.3), 4.5, 9.5)),
        "choroid": float(rng.random()),
        "pineal": float(rng.random()),
    }
