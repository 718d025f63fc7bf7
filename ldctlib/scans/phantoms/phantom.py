"""Procedural patients: CT volumes of anatomy that never existed, with the truth known exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ldctlib.masks import Masks
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.labels import Labels
from ldctlib.scans.phantoms.lesions import Lesion
from ldctlib.scans.scan import ANATOMIES, Scan

_SLAB = 8  # slices painted at a time, which bounds the memory
_REFERENCE_PIXELS = 512


def phantom(
    anatomy: str,
    *,
    seed: int = 0,
    shape: tuple[int, int, int] = (16, 512, 512),
    spacing_mm: tuple[float, float, float] | None = None,
    centre_mm: float = 0.0,
    without: Iterable[str] = (),
    lesions: Sequence[Lesion] | None = None,
) -> Scan:
    """A procedural patient, without noise and without a scanner's blur.

    A pixel is the mean over its area; `physics.expose` and `physics.imaged` add the sharpness of a
    kernel.

    A seed is a patient: whatever slices are asked for, they are slices of the same body, equal to
    rounding. The couch is a structure like any other (``without=["couch"]``).

    These patients are anthropomorphic but invented; what ranks methods on them may not do so on
    real ones. Motion, clothes, lines and metal are missing.

    Args:
        anatomy: "chest", "abdomen" or "head".
        seed: of the patient.
        shape: (Z, H, W) in voxels; fewer pixels make them larger, not the view smaller.
        spacing_mm: (dz, dy, dx); by default the anatomy's own, with square pixels.
        centre_mm: height of the middle of the slab: 0 is the carina (chest), the upper pole region
            of the kidneys (abdomen), the third ventricle (head); positive is towards the head.
        without: labels of structures that this patient shall not have; nothing else changes.
        lesions: None lets the seed draw some; a list asks for exactly these, [] for none.

    Returns:
        A scan with ``masks["structures"]``: for every organ, bone, vessel branch and lesion the
        voxels in which it is on top, labelled "liver", "rib-3-left", "lung-vessel-203", …. What
        fills less than half of a voxel (soft edges, slivers between neighbours) is in no mask.

    Raises:
        ValueError: an unknown anatomy, structure or lesion, slices outside the anatomy's range, or
            a shape or spacing that is not positive.

    >>> scan = phantom("chest", seed=1, shape=(2, 64, 64))
    >>> scan.shape, "trachea" in scan.masks["structures"].labels
    ((2, 64, 64), True)
    """
    if anatomy not in ANATOMIES:
        raise ValueError(f"No phantom is called {anatomy!r}; there are {', '.join(ANATOMIES)}.")
    module = import_module(f"ldctlib.scans.phantoms.{anatomy}")
    spacing = _spacing(module, shape, spacing_mm)
    blur = module.SLICE_BLUR_MM
    margin = int(3 * blur / spacing[0] + 0.5)
    z = _heights(module, anatomy, shape[0], spacing[0], centre_mm)
    labels = Labels(without)
    plan = module.plan(seed, lesions)
    wide = _extended(z, spacing[0], margin)
    hu, ids = _painted(module, plan, wide, shape[1:], spacing, labels)
    labels.check_known()
    if margin:
        hu = gaussian_filter1d(hu, blur / spacing[0], axis=0, radius=margin)
    inside = slice(margin, margin + len(z))
    return Scan(
        np.maximum(hu[inside], -1024),
        spacing,
        f"phantom-{anatomy}",
        anatomy,
        masks={"structures": _masks(ids[inside], labels)},
        z_mm=z,
        provenance={"source": f"procedural phantom, {anatomy}, seed {seed}", "licence": "MIT"},
    )


def _painted(
    module: ModuleType,
    plan: Any,
    z: np.ndarray,
    shape: tuple[int, int],
    spacing_mm: tuple[float, float, float],
    labels: Labels,
) -> tuple[np.ndarray, np.ndarray]:
    """CT numbers and structure numbers, slab by slab."""
    hu = np.empty((len(z), *shape), np.float32)
    ids = np.empty((len(z), *shape), np.int32)
    for start in range(0, len(z), _SLAB):
        part = slice(start, start + _SLAB)
        canvas = Canvas(plan.patient, z[part], shape, spacing_mm[2], spacing_mm[0], labels)
        module.paint(canvas, plan)
        hu[part], ids[part] = canvas.hu, canvas.ids
    return hu, ids


def _masks(ids: np.ndarray, labels: Labels) -> Masks:
    present = (int(n) for n in np.unique(ids) if n)
    return Masks.from_label_map(ids, {n: labels.name(n) for n in present})


def _spacing(
    module: ModuleType, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float] | None
) -> tuple[float, float, float]:
    if len(shape) != 3 or min(shape) < 1 or min(shape[1:]) < 16:
        raise ValueError(f"A phantom needs at least 1 slice of 16 x 16 pixels, not {shape}.")
    pixel = module.PIXEL_MM * _REFERENCE_PIXELS / shape[2]
    dz, dy, dx = spacing_mm or (module.SLICE_MM, pixel, pixel)
    if min(dz, dy, dx) <= 0 or abs(dy - dx) > 1e-6 * dx:
        raise ValueError(f"A phantom has square pixels of positive size, not {spacing_mm}.")
    return float(dz), float(dy), float(dx)


def _heights(
    module: ModuleType, anatomy: str, count: int, step: float, centre: float
) -> np.ndarray:
    """(Z,) heights of the slices; rounded so that every slab finds the same numbers."""
    z = np.round(centre + (np.arange(count) - (count - 1) / 2) * step, 6)
    low, high = module.Z_RANGE_MM
    if z[0] < low or z[-1] > high:
        raise ValueError(
            f"The {anatomy} phantom exists from {low:g} to {high:g} mm, not {z[0]:g} to {z[-1]:g}; "
            "ask for fewer or thinner slices or another centre_mm."
        )
    return z


def _extended(z: np.ndarray, step: float, margin: int) -> np.ndarray:
    before = z[0] - step * np.arange(margin, 0, -1)
    after = z[-1] + step * np.arange(1, margin + 1)
    return np.round(np.concatenate([before, z, after]), 6)
