"""The upper abdomen, from the bases of the lungs to the lower poles of the kidneys.

z = 0 lies at the first lumbar vertebra; positive is towards the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ldctlib.scans.phantoms import abdomen_lesions, abdomen_organs, abdomen_vessels, abdomen_wall
from ldctlib.scans.phantoms import abdomen_outlines as tables
from ldctlib.scans.phantoms.abdomen_lesions import Placed
from ldctlib.scans.phantoms.abdomen_space import Space
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.lesions import Lesion
from ldctlib.scans.phantoms.outlines import Outline, mirrored, transformed
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.skeleton import couch
from ldctlib.scans.phantoms.trees import Tree

PIXEL_MM = 0.78
SLICE_MM = 1.5
Z_RANGE_MM = (-68.0, 40.0)
SLICE_BLUR_MM = 0.0

SIDES = (("left", 1), ("right", -1))
_TWINS = {"rectus": tables.RECTUS, "erector": tables.ERECTOR, "psoas": tables.PSOAS,
          "quadratus": tables.QUADRATUS, "crus": tables.CRUS}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """All that is random about one abdomen and does not depend on the slab.

    Args:
        patient: whose abdomen it is.
        outlines: of body, cavity, organs and muscles by name.
        numbers: drawn once: CT numbers in HU, fat, thicknesses in mm.
        trees: vessel trees in world mm.
        loops: centre lines (x, y, z) and radius of the small bowel.
        lesions: what was asked for or drawn, with its place.
    """

    patient: Patient
    outlines: dict[str, Outline]
    numbers: dict[str, float]
    trees: dict[str, Tree] = field(default_factory=dict)
    loops: tuple[tuple[np.ndarray, float], ...] = ()
    lesions: tuple[Placed, ...] = ()


def plan(seed: int, lesions: Sequence[Lesion] | None) -> Plan:
    """Draw one patient."""
    body = Patient("abdomen", seed).rng("body")
    fat = float(np.clip(np.exp(body.normal(-0.1, 0.6)), 0.3, 2.5))  # lean to obese, 1 = usual
    patient = Patient(
        "abdomen",
        seed,
        width=float(np.clip(body.normal(1, 0.03), 0.94, 1.06)),
        depth=float(np.clip(body.normal(1, 0.035), 0.93, 1.07)),
        warps=((4.2, 64.0), (0.9, 12.0)),
    )
    outlines = _outlines(patient, fat)
    numbers = _numbers(patient, fat)
    return Plan(
        patient,
        outlines,
        numbers,
        abdomen_vessels.trees(patient, outlines, numbers),
        abdomen_organs.loops(patient),
        abdomen_lesions.placed(patient, outlines["liver"], lesions),
    )


def paint(canvas: Canvas, plan: Plan) -> None:
    """Paint one slab, from the skin inwards."""
    couch(canvas, plan.numbers["couch_mm"])
    space = Space(canvas, plan)
    abdomen_wall.paint(canvas, plan, space)
    abdomen_organs.paint(canvas, plan, space)
    abdomen_vessels.paint(canvas, plan, space)
    abdomen_lesions.paint(canvas, plan)


def _outlines(patient: Patient, fat: float) -> dict[str, Outline]:
    roomy = 1 + 0.05 * (fat - 1)  # fat inside the belly pushes its wall out, not its organs
    wide = (roomy, 1 + 0.8 * (roomy - 1))

    def body(keys: tables.Keys) -> tables.Keys:
        return {z: transformed(mirrored(p), scale=wide) for z, p in keys.items()}

    found = {
        "trunk": patient.outline("trunk", body(tables.TRUNK), jitter_mm=1.5),
        "cavity": patient.outline("cavity", body(tables.CAVITY), jitter_mm=1.6),
        "diaphragm": patient.outline("diaphragm", tables.DIAPHRAGM, jitter_mm=2.0),
        "falciform-fat": patient.outline("falciform-fat", tables.FALCIFORM_FAT, jitter_mm=1.0),
        "liver": patient.outline("liver", tables.LIVER, jitter_mm=2.2),
        "stomach": patient.outline("stomach", tables.STOMACH, jitter_mm=2.5),
        "spleen": patient.outline("spleen", tables.SPLEEN, jitter_mm=1.8),
    }
    for name, keys in _TWINS.items():
        for side, sign in SIDES:
            scale = (sign * wide[0], wide[1]) if name in ("rectus", "erector") else (sign, 1.0)
            sided = {z: transformed(p, scale=scale) for z, p in keys.items()}
            found[f"{name}-{side}"] = patient.outline(f"{name}-{side}", sided, jitter_mm=1.1)
    return found


def _numbers(patient: Patient, fat: float) -> dict[str, float]:
    """CT numbers in HU and shapes that differ between patients."""
    rng = patient.rng("numbers")
    portal = float(rng.random() < 0.67)  # portal venous phase, or no contrast medium
    back = max(y for _, y in tables.TRUNK[25]) * (1 + 0.04 * (fat - 1)) * patient.depth
    return {
        "fat": fat,
        "portal": portal,
        "liver_hu": 58 + 51 * portal + float(np.clip(rng.normal(0, 4), -8, 8)),
        "spleen_hu": 51 + 70 * portal + float(rng.normal(0, 2)),
        "pancreas_hu": 41 + 53 * portal + float(rng.normal(0, 2)),
        "cortex_hu": 34 + portal * float(rng.uniform(125, 155)),
        "medulla_hu": 31 + portal * float(rng.uniform(85, 115)),
        "muscle_hu": 55 + 7 * portal + float(rng.normal(0, 1.5)),
        "blood_hu": 42 + 112 * portal + float(rng.normal(0, 4)),
        "bowel_hu": 42 + 42 * portal,
        "stomach_level_mm": float(rng.uniform(-44, -24)),
        "stomach_full": float(rng.random()),
        "calcium": float(rng.uniform(1.4, 3.2)),
        "colon_level_mm": float(rng.uniform(-62, -48)),
        "couch_mm": back + 4 + 3.5 * fat,
    }
