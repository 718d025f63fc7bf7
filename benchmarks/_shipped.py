"""The exams behind the shipped weights: which patients, exposed how, kept on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from zlib import crc32

import numpy as np

from ldctlib.files import write_arrays
from ldctlib.physics import Exam, expose
from ldctlib.scans import Scan, open_scan, patients

BUILD = Path("build/shipped")
DOSES = (0.25, 0.10)
PRESETS = ("benchmark", "clinical")
ANATOMIES = ("chest", "abdomen", "head")


@dataclass(frozen=True)
class Patient:
    """A real scan, or phantoms of one anatomy that count as one patient.

    Args:
        name: of the scan.
        slices: how many, evenly spread; of each phantom.
        seeds: of the phantoms.
    """

    name: str
    slices: int
    seeds: range | None = None

    @property
    def key(self) -> str:
        return self.name if self.seeds is None else f"{self.name}-{self.seeds[0]}"

    def describe(self) -> str:
        seeds = f"seeds {self.seeds[0]} to {self.seeds[-1]}, " if self.seeds else ""
        each = " each" if self.seeds else ""
        return f"{self.name} ({seeds}{self.slices} slices{each})"

    def scan(self) -> Scan:
        """The chosen slices."""
        if self.seeds is None:
            scan = open_scan(self.name)
            z = np.linspace(0, len(scan.hu) - 1, self.slices).round().astype(int)
            return replace(scan, hu=scan.hu[z], z_mm=scan.z_mm[z], masks={})
        anatomy = import_module(f"ldctlib.scans.phantoms.{self.name.removeprefix('phantom-')}")
        bottom, top = anatomy.Z_RANGE_MM
        places = bottom + (top - bottom) * np.linspace(0.1, 0.9, self.slices + 2)[1:-1]
        parts = [
            open_scan(self.name, seed=seed, shape=(1, 512, 512), centre_mm=float(z))
            for seed in self.seeds
            for z in places
        ]
        hu = np.concatenate([part.hu for part in parts])
        # The noise is drawn by position: no two slices may share one.
        return replace(parts[0], hu=hu, z_mm=np.arange(len(hu)) * 1.0, masks={})


def trained_on() -> list[Patient]:
    """Real patients and phantoms of the training split: both alike often for each anatomy."""
    real = [name for name, options in patients("training") if not options]
    return [Patient(name, 12 if name == "head-ge" else 16) for name in real] + [
        Patient(f"phantom-{anatomy}", 2, range(1000, 1008)) for anatomy in ANATOMIES
    ]


def validated_on() -> list[Patient]:
    """Patients that decide which weights are best."""
    return [Patient(f"phantom-{anatomy}", 1, range(1100, 1102)) for anatomy in ANATOMIES]


def unseen() -> list[Patient]:
    """Patients that took no part, neither in training nor in choosing."""
    real = ("nsclc-lung1-001", "totalsegmentator-dicom", "dcmqi-liver")
    return [Patient(name, 2) for name in real] + [
        Patient(f"phantom-{anatomy}", 1, range(2)) for anatomy in ANATOMIES
    ]


def exams(some: list[Patient], train: bool = False) -> Iterator[tuple[str, float, Exam]]:
    """Each patient at each preset and dose, from disk where it was exposed before.

    With ``train``, every slice is exposed once, each fourth one alike.
    """
    for patient in some:
        for k, (preset, dose) in enumerate(product(PRESETS, DOSES)):
            path = BUILD / "exams" / f"{patient.key}-{preset}-{dose:.2f}{'-train' * train}.npz"
            if not path.exists():
                scan = scan_of(patient)
                every = slice(k, None, 4) if train else slice(None)
                scan = replace(scan, hu=scan.hu[every], z_mm=scan.z_mm[every])
                write_exam(path, scan, patient.key, preset, dose)
            with np.load(path) as file:
                facts = json.loads(str(file["facts"]))
                full, low = (Scan(file[k].astype(np.float32), **facts) for k in ("full", "low"))
            yield preset, dose, Exam(full, low, None, dose)


@cache
def scan_of(patient: Patient) -> Scan:
    """`Patient.scan`, once for all four exposures."""
    return patient.scan()


def write_exam(path: Path, scan: Scan, name: str, preset: str, dose: float) -> None:
    """Expose, and keep full and low dose as int16 HU."""
    seed = crc32(path.stem.encode())  # no two exams may share their noise
    exam = expose(scan, dose=dose, seed=seed, preset=preset, keep_sinogram=False)
    facts = {"name": name, "anatomy": scan.anatomy, "spacing_mm": scan.spacing_mm}
    full, low = (np.rint(s.hu).astype(np.int16) for s in (exam.full, exam.low))
    write_arrays(path, {"full": full, "low": low, "facts": json.dumps(facts)})
