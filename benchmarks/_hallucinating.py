"""Phantom patients with and without lesions, and what a denoiser makes of each lesion.

The low dose of a phantom is the truth plus noise. The same noise on the patient without lesions
makes a second low dose, and the difference of the two denoised scans is the network's exact answer
to the lesions: nothing of it is noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from scipy.ndimage import find_objects

from ldctlib.files import write_arrays
from ldctlib.masks import Masks
from ldctlib.physics import expose
from ldctlib.scans import Scan, open_scan
from ldctlib.scans.phantoms.lesions import Lesion
from ldctlib.units import AIR_HU

BUILD = Path("build/hallucinating")
PIXELS = 256
WANTED = 10  # lesions a patient; fewer where there is no room
# Distance of the slices in mm, height of their middle, number of slices, organ that is looked at.
GRID = {"abdomen": (10.0, -5.0, 8), "chest": (10.0, -24.0, 8), "head": (6.0, 22.0, 8)}
LESION = {"abdomen": "lesion", "chest": "nodule", "head": "lesion"}


@dataclass(frozen=True)
class Patient:
    """A phantom patient with lesions, all volumes (Z, H, W) in HU.

    Args:
        anatomy, seed: of the phantom.
        truth: without noise.
        without: the same patient without any lesion.
        lesions: number of the lesion of every voxel, 0 for none.
        spacing_mm: (dz, dy, dx).
    """

    anatomy: str
    seed: int
    truth: np.ndarray
    without: np.ndarray
    lesions: np.ndarray
    spacing_mm: tuple[float, float, float]

    @property
    def name(self) -> str:
        return f"{self.anatomy}-{self.seed}"

    def noise(self, dose: float, draw: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Noise of the full and of the low dose, in HU; kept on disk."""
        path = BUILD / f"{self.name}-{dose:g}-{draw}.npz"
        if not path.exists():
            scan = Scan(
                self.truth,
                self.spacing_mm,
                f"phantom-{self.anatomy}",
                self.anatomy,
                z_mm=np.arange(len(self.truth)) * self.spacing_mm[0],
            )
            seed = self.seed + 5000 * draw
            exam = expose(scan, dose=dose, seed=seed, truth=True, keep_sinogram=False)
            noise = {name: getattr(exam, name).hu - self.truth for name in ("full", "low")}
            write_arrays(path, noise)
        with np.load(path) as file:
            return file["full"], file["low"]

    def masks(self) -> Masks:
        """The lesions."""
        numbers = [int(n) for n in np.unique(self.lesions) if n]
        return Masks.from_label_map(self.lesions, {n: f"lesion-{n}" for n in numbers})


def patient(anatomy: str, seed: int) -> Patient:
    """A patient, from disk where it was rendered before."""
    path = BUILD / f"{anatomy}-{seed}.npz"
    spacing = _spacing(anatomy)
    if not path.exists():
        truth, without = _rendered(anatomy, seed, spacing)
        lesions = _numbers(truth, anatomy)
        write_arrays(path, {"truth": truth.hu, "without": without.hu, "lesions": lesions})
    with np.load(path) as file:
        return Patient(anatomy, seed, **file, spacing_mm=spacing)


def _spacing(anatomy: str) -> tuple[float, float, float]:
    pixel = import_module(f"ldctlib.scans.phantoms.{anatomy}").PIXEL_MM * 512 / PIXELS
    return GRID[anatomy][0], pixel, pixel


def _rendered(anatomy: str, seed: int, spacing: tuple[float, float, float]) -> tuple[Scan, Scan]:
    """The same patient with lesions and without."""
    _, centre, slices = GRID[anatomy]
    options = {"seed": seed, "shape": (slices, PIXELS, PIXELS), "centre_mm": centre}
    options["spacing_mm"] = spacing
    wanted = lesions(anatomy, seed)
    while True:
        try:
            scan = open_scan(f"phantom-{anatomy}", lesions=wanted, **options)
        except ValueError as error:
            if "no room" not in str(error):
                raise
            wanted = wanted[:-1]
        else:
            return scan, open_scan(f"phantom-{anatomy}", lesions=[], **options)


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


def _numbers(scan: Scan, anatomy: str) -> np.ndarray:
    structures = scan.masks["structures"]
    found = np.zeros(scan.shape, np.int16)
    for i, label in enumerate(structures.labels):
        kind, _, number = label.rpartition("-")
        if kind == LESION[anatomy]:
            found[structures.boolean(i)] = int(number)
    return found


def sections(of: Patient, least_px: int = 10) -> Iterator[tuple[int, int, np.ndarray]]:
    """Every lesion in every slice: its number, the slice and its pixels (H, W).

    Left out is what lies in the fat or in the lung beside a thin lobe of the liver.
    """
    change = of.truth - of.without
    for n, box in enumerate(find_objects(of.lesions), 1):
        for z in range(box[0].start, box[0].stop) if box else ():
            inside = of.lesions[z] == n
            if inside.sum() >= least_px and seen(of.anatomy, change[z][inside].mean()):
                yield n, z, inside


def seen(anatomy: str, change_hu: float) -> bool:
    """Whether a lesion stands out from its organ as it was meant to."""
    return -60 < change_hu < -6 if anatomy == "abdomen" else change_hu > 6


def low_doses(of: Patient, dose: float, draw: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The same noise on the patient with lesions, and on the patient without."""
    _, noise = of.noise(dose, draw)
    return (of.truth + noise).clip(AIR_HU), (of.without + noise).clip(AIR_HU)
