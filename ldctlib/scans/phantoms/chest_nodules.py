"""Nodules in the lungs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.chest_mediastinum import distance_at as mediastinal_distance
from ldctlib.scans.phantoms.grid import Box
from ldctlib.scans.phantoms.lesions import (
    Lesion,
    check_kinds,
    lump,
    offsets,
    paint_sphere,
    place,
)
from ldctlib.scans.phantoms.outlines import Outline
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import coverage, smoothstep

KINDS = ("sphere", "solid", "spiculated", "ground-glass", "part-solid")
_PARENCHYMA_HU = -860.0


@dataclass(frozen=True)
class Nodule:
    """A lesion that has found its place; ``centre`` in world mm."""

    label: str
    kind: str
    centre: tuple[float, float, float]
    diameter_mm: float
    contrast_hu: float


def draw_nodules(
    patient: Patient,
    pleura: Outline,
    mediastinum: Outline,
    lesions: Sequence[Lesion] | None,
    z_range: tuple[float, float],
) -> list[Nodule]:
    """The nodules asked for, or, where ``lesions`` is None, those of the patient's own."""
    wanted = list(lesions) if lesions is not None else _usual(patient)
    check_kinds(wanted, KINDS)

    def inside(points: np.ndarray) -> np.ndarray:
        inwards = -mediastinal_distance(points, mediastinum)
        return np.asarray(np.maximum(pleura.at(points), inwards))

    bounds = ((-112.0, 112.0), (-76.0, 90.0), (z_range[0] + 5, z_range[1] - 5))
    nodules: list[Nodule] = []
    for n, lesion in enumerate(wanted, start=1):
        label, radius = f"nodule-{n}", lesion.diameter_mm / 2
        taken = [(np.array(o.centre), o.diameter_mm / 2) for o in nodules]
        room = radius if lesion.kind == "sphere" else 0.7 * radius
        centre = lesion.centre_mm
        if centre is None:
            x, y, z = place(patient, label, room, inside, bounds, taken)
            centre = (float(x), float(y), float(z))
        contrast = lesion.contrast_hu
        if contrast is None or (lesion.kind != "sphere" and lesions is None):
            contrast = _usual_contrast(patient, label, lesion.kind)
        nodules.append(Nodule(label, lesion.kind, centre, lesion.diameter_mm, contrast))
    return nodules


def _usual(patient: Patient) -> list[Lesion]:
    rng = patient.rng("nodules")
    kinds = rng.choice(KINDS[1:], 7 + rng.poisson(3), p=[0.45, 0.2, 0.2, 0.15])
    sizes = np.exp(rng.uniform(np.log(4), np.log(18), len(kinds)))
    sizes[(kinds != "solid") & (sizes < 7)] *= 1.8
    return [
        Lesion(str(kind), None, float(size), None) for kind, size in zip(kinds, sizes, strict=True)
    ]


def _usual_contrast(patient: Patient, label: str, kind: str) -> float:
    rng = patient.rng(f"contrast {label}")
    if kind == "ground-glass":
        return float(rng.uniform(180, 380))
    return float(rng.uniform(15, 60) - _PARENCHYMA_HU)


def paint_nodules(canvas: Canvas, nodules: Sequence[Nodule], lung: np.ndarray) -> None:
    """Paint what of every nodule lies in the slab."""
    for nodule in nodules:
        if nodule.kind == "sphere":
            paint_sphere(
                canvas, nodule.centre, nodule.diameter_mm, nodule.contrast_hu, nodule.label
            )
        else:
            _paint_natural(canvas, nodule, lung)


def _paint_natural(canvas: Canvas, nodule: Nodule, lung: np.ndarray) -> None:
    distance, box = lump(canvas, nodule.centre, nodule.diameter_mm, nodule.label)
    within = coverage(lung[box], canvas.pixel_mm)
    hu = _PARENCHYMA_HU + nodule.contrast_hu
    if nodule.kind in ("ground-glass", "part-solid"):
        share = nodule.contrast_hu / -_PARENCHYMA_HU if nodule.kind == "ground-glass" else 0.32
        haze = (share + 0.1 * share * canvas.n4[box]) * smoothstep(0.5 - distance / 3) * within
        # A haze never covers half of a voxel, yet it is the nodule as far as its edge.
        _tint(canvas, haze, (distance < 0) & (within > 0.5), nodule.label, box)
        if nodule.kind == "ground-glass":
            return
        distance = distance + 0.22 * nodule.diameter_mm
    if nodule.kind == "spiculated":
        distance = _spiculated(canvas, nodule, distance, box)
    distance = np.maximum(distance, lung[box] - 0.5)
    canvas.paint(distance, hu + 4 * canvas.n4[box], nodule.label, box)


def _tint(canvas: Canvas, alpha: np.ndarray, core: np.ndarray, label: str, box: Box) -> None:
    if canvas.left_out(label):
        return
    canvas.blend(alpha, 20.0, None, box)
    canvas.ids[box][core] = canvas.labels.number(label)


def _spiculated(canvas: Canvas, nodule: Nodule, distance: np.ndarray, box: Box) -> np.ndarray:
    """Thin straight spicules that taper away from the surface."""
    dx, dy, dz = offsets(canvas, nodule.centre, box)
    square = dx**2 + dy**2 + dz**2
    rng = canvas.patient.rng(f"spicules {nodule.label}")
    radius = nodule.diameter_mm / 2
    for _ in range(int(rng.integers(7, 14))):
        u = rng.normal(size=3)
        u /= np.linalg.norm(u)
        length = nodule.diameter_mm * rng.uniform(0.25, 0.6)
        along = u[0] * dx + u[1] * dy + u[2] * dz
        off_axis = np.sqrt(np.maximum(square - along**2, 0))
        thick = 0.7 * np.maximum(1 - (along - radius) / length, 0) + 0.15
        spicule = np.maximum(off_axis - thick, np.maximum(along - radius - length, -along))
        distance = np.minimum(distance, spicule)
    return np.asarray(distance)
