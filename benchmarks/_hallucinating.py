"""Phantom patients full of lesions, with and without them, for networks that hallucinate."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np

from ldctlib.hallucinations import ExposedPair, LesionPair
from ldctlib.scans import Scan, open_scan
from ldctlib.scans.phantoms.lesions import Lesion

BUILD = Path("build/hallucinating")
PIXELS, PRESET = 256, "clinical"
WANTED = 10  # lesions a patient; fewer where there is no room
# Distance of the slices in mm, height of their middle, number of slices, organ that is looked at.
GRID = {"abdomen": (10.0, -5.0, 8), "chest": (10.0, -24.0, 8), "head": (6.0, 22.0, 8)}
LESION = {"abdomen": "lesion", "chest": "nodule", "head": "lesion"}


@lru_cache(maxsize=1)
def patient(anatomy: str, seed: int) -> LesionPair:
    """A patient with as many lesions as there is room for, and without any."""
    thickness, centre, slices = GRID[anatomy]
    pixel = pixel_mm(anatomy)
    options = {"seed": seed, "shape": (slices, PIXELS, PIXELS), "centre_mm": centre}
    options["spacing_mm"] = (thickness, pixel, pixel)
    wanted = lesions(anatomy, seed)
    while True:
        try:
            present = open_scan(f"phantom-{anatomy}", lesions=wanted, **options)
        except ValueError as error:
            if "no room" not in str(error):
                raise
            wanted = wanted[:-1]
        else:
            break
    absent = open_scan(f"phantom-{anatomy}", lesions=[], **options)
    return LesionPair(_named(present, seed), _named(absent, seed), _lesions_of(present, anatomy))


def exposed(anatomy: str, seed: int, dose: float, draw: int = 0) -> ExposedPair:
    """Both in the same noise; each draw is another."""
    noise = seed + 5000 * draw
    return patient(anatomy, seed).expose(dose, noise, preset=PRESET, keep_sinogram=False)


def pixel_mm(anatomy: str) -> float:
    """Of slices of `PIXELS` that hold the patient."""
    return import_module(f"ldctlib.scans.phantoms.{anatomy}").PIXEL_MM * 512 / PIXELS


def lesions(anatomy: str, seed: int) -> list[Lesion]:
    """Lesions to ask for: liver metastases of -20 to -50 HU, lung nodules, brain lesions."""
    random, wanted = np.random.default_rng([seed, 77]), []
    for _ in range(WANTED):
        if anatomy == "abdomen":
            size, contrast = random.uniform(8, 20), -random.uniform(20, 50)
            wanted.append(Lesion("metastasis", None, float(size), float(contrast)))
        elif anatomy == "chest":
            kind = str(random.choice(["solid", "ground-glass", "part-solid"]))
            wanted.append(Lesion(kind, None, float(random.uniform(6, 14)), None))
        else:
            kind = str(random.choice(["metastasis", "bleed"]))
            size, contrast = random.uniform(7, 14), random.uniform(8, 25)
            wanted.append(Lesion(kind, None, float(size), float(contrast)))
    return wanted


def sections(of: LesionPair, least_px: int = 10) -> Iterator[tuple[int, int, np.ndarray]]:
    """Every lesion in every slice: its position in the masks, the slice and its pixels (H, W).

    Left out is what lies in the fat or in the lung beside a thin lobe of the liver.
    """
    for i in range(len(of.lesions)):
        whole = of.lesions.boolean(i)
        for z in np.flatnonzero(whole.any((1, 2))):
            inside = whole[z]
            if inside.sum() >= least_px and seen(of.present.anatomy, of.added[z][inside].mean()):
                yield i, int(z), inside


def seen(anatomy: str | None, change_hu: float) -> bool:
    """Whether a lesion stands out from its organ as it was meant to."""
    return -60 < change_hu < -6 if anatomy == "abdomen" else change_hu > 6


def _named(scan: Scan, seed: int) -> Scan:
    return scan.with_hu(scan.hu, f"{scan.anatomy}-{seed}")


def _lesions_of(scan: Scan, anatomy: str):
    every = scan.masks["structures"]
    kinds = [label.rpartition("-")[0] for label in every.labels]
    return every.select([i for i, kind in enumerate(kinds) if kind == LESION[anatomy]])
