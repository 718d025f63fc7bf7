"""A procedural chest, from 75 mm below the carina to 27 mm above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ldctlib.scans.phantoms import (
    chest_lungs,
    chest_mediastinum,
    chest_nodules,
    chest_wall,
)
from ldctlib.scans.phantoms import (
    chest_outlines as template,
)
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.chest_nodules import Nodule
from ldctlib.scans.phantoms.chest_patient import Habitus, draw_habitus
from ldctlib.scans.phantoms.lesions import Lesion
from ldctlib.scans.phantoms.outlines import Outline
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.trees import Tree

PIXEL_MM = 0.72
SLICE_MM = 1.5
Z_RANGE_MM = (-75.0, 27.0)
SLICE_BLUR_MM = 0.0


@dataclass(frozen=True)
class Chest:
    """All that is random in one chest and does not depend on the slices asked for.

    Args:
        patient: its random numbers and its warp.
        habitus: sex, fat, contrast medium, ….
        pleura: outline of the inside of the ribs.
        mediastinum: outline of what parts the lungs besides heart and vessels.
        vessels: arteries and veins of both lungs, in world mm.
        bronchi: those that run along the arteries, in world mm.
        nodules: lesions, in world mm.
    """

    patient: Patient
    habitus: Habitus
    pleura: Outline
    mediastinum: Outline
    vessels: Tree
    bronchi: Tree
    nodules: list[Nodule]


def plan(seed: int, lesions: Sequence[Lesion] | None) -> Chest:
    """Draw a patient."""
    chest = _without_nodules(seed)
    nodules = chest_nodules.draw_nodules(
        chest.patient, chest.pleura, chest.mediastinum, lesions, Z_RANGE_MM
    )
    return replace(chest, nodules=nodules)


@lru_cache(maxsize=2)
def _without_nodules(seed: int) -> Chest:
    habitus, patient = draw_habitus(seed)
    pleura = patient.outline("pleura", template.pleura_keys(), jitter_mm=2.0)
    mediastinum = patient.outline("mediastinum", template.MEDIASTINUM, jitter_mm=1.2)
    vessels, bronchi = chest_lungs.grow_trees(patient, pleura, mediastinum)
    return Chest(patient, habitus, pleura, mediastinum, vessels, bronchi, [])


def paint(canvas: Canvas, chest: Chest) -> None:
    """Paint one slab, from the couch inwards."""
    pleura = canvas.distance(chest.pleura) + 0.5 * canvas.n20
    chest_wall.paint_wall(canvas, chest.habitus, chest.pleura, pleura)
    parts = chest_mediastinum.shapes(canvas, chest.mediastinum)
    lung = chest_lungs.lung_distance(pleura, parts.surface)
    chest_mediastinum.paint_fat(canvas, pleura, parts.surface)
    chest_wall.paint_spine(canvas, chest.habitus, parts.core)
    chest_lungs.paint_lungs(canvas, lung)
    chest_lungs.paint_vessels(canvas, chest.vessels, lung, chest.habitus)
    chest_mediastinum.paint_contents(canvas, chest.habitus, parts, lung)
    chest_lungs.paint_bronchi(canvas, chest.bronchi, lung)
    chest_mediastinum.paint_airways(canvas)
    chest_nodules.paint_nodules(canvas, chest.nodules, lung)
