"""The "Low Dose CT Image and Projection Data" of the Mayo Clinic, split as the benchmark splits it.

Data: TCIA, doi:10.7937/9NPB-2637. Patients, splits and slice counts: Eulig et al., "Benchmarking
deep learning-based low-dose CT image denoising algorithms", Med. Phys. 51 (2024),
doi:10.1002/mp.17379.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

SPLITS = ("training", "validation", "test")
# Fraction of the routine dose at which the data set's low-dose images were simulated.
DOSE = {"chest": 0.10, "abdomen": 0.25, "head": 0.25}
_DOWNLOAD = "LDCT-and-Projection-data"


@dataclass(frozen=True)
class Patient:
    """One patient of the benchmark.

    Args:
        id: "C…" chest, "L…" abdomen, "N…" head.
        anatomy, split: where the patient belongs.
        slices: how many slices a series must have.
        low, full: folders of the two image series, or None.
        problems: why the patient cannot be used; empty if all is there.
    """

    id: str
    anatomy: str
    split: str
    slices: int
    low: Path | None = None
    full: Path | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class MayoIndex:
    """The patients of the benchmark, and what a download holds of them.

    Args:
        folder: the download.
        patients: all 150, in the order of the benchmark.
    """

    folder: Path
    patients: tuple[Patient, ...] = field(repr=False)

    def split(self, name: str, anatomy: str | None = None) -> list[Patient]:
        """Patients of "training", "validation" or "test" whose data are complete."""
        if name not in SPLITS:
            raise ValueError(f"A split is {', '.join(SPLITS)}, not {name!r}.")
        return [
            p
            for p in self.patients
            if p.split == name and anatomy in (None, p.anatomy) and not p.problems
        ]

    def weights(self, name: str) -> dict[str, float]:
        """Probability of one slice of each complete patient, so that patients are equally likely.

        Slice weight 1 / slices of the patient, as in the benchmark, normalised over the split.
        """
        chosen = self.split(name)
        return {p.id: 1 / (p.slices * len(chosen)) for p in chosen}

    @property
    def missing(self) -> list[str]:
        """One line for every patient that cannot be used, saying why."""
        return [f"{p.id} ({p.split}): {'; '.join(p.problems)}" for p in self.patients if p.problems]

    def report(self) -> str:
        """What the download holds and what is missing, for people."""
        lines = [f"{self.folder}"]
        for split in SPLITS:
            wanted = sum(p.split == split for p in self.patients)
            lines.append(f"  {split}: {len(self.split(split))} of {wanted} patients complete")
        return "\n".join(lines + [f"  missing: {line}" for line in self.missing])


def index(folder: str | Path | None = None) -> MayoIndex:
    """Look through a download.

    Args:
        folder: holds ``LDCT-and-Projection-data/<patient>/…``, or is that folder; the environment
            variable LDCT_MAYO_DIR if None.

    Raises:
        ValueError: no folder is given, or it does not hold the data set.
    """
    folder = folder or os.environ.get("LDCT_MAYO_DIR")
    if not folder:
        raise ValueError("Say where the Mayo data are: index(folder), or set LDCT_MAYO_DIR.")
    root = Path(folder) / _DOWNLOAD if (Path(folder) / _DOWNLOAD).is_dir() else Path(folder)
    patients = tuple(_look(root, patient) for patient in benchmark_patients())
    if not any((root / p.id).is_dir() for p in patients):
        raise ValueError(
            f"{folder} does not hold the Mayo data: there is no {_DOWNLOAD}/C002 or any other "
            "patient of the benchmark in it. Download version 3 of doi:10.7937/9NPB-2637."
        )
    return MayoIndex(Path(folder), patients)


def benchmark_patients() -> Iterator[Patient]:
    """The benchmark's 150 patients: split, anatomy and number of slices."""
    raw = json.loads(files("ldctlib.scans").joinpath("mayo_patients.json").read_text("utf-8"))
    for split, anatomies in raw.items():
        for anatomy, slices in anatomies.items():
            for patient, count in slices.items():
                yield Patient(patient, anatomy, split, count)


def _look(root: Path, patient: Patient) -> Patient:
    """<patient>/<date>-NA-NA-<study>/<number>-<Low|Full> Dose Images-<series>/1-<n>.dcm."""
    if not (root / patient.id).is_dir():
        return replace(patient, problems=("no folder",))
    found: dict[str, Path | None] = {}
    problems = []
    for dose in ("Low", "Full"):
        series = sorted((root / patient.id).glob(f"*/*{dose} Dose Images*"))
        found[dose] = series[0] if len(series) == 1 else None
        if len(series) != 1:
            problems.append(f"{len(series) or 'no'} series of {dose} Dose Images")
            continue
        held = {p.name for p in series[0].glob("*.dcm")}
        absent = [n for n in file_names(patient.slices) if n not in held]
        if absent:
            problems.append(f"{dose} Dose Images lacks {len(absent)} files, first {absent[0]}")
    return replace(patient, low=found["Low"], full=found["Full"], problems=tuple(problems))


def file_names(slices: int) -> list[str]:
    """Names of a series' files: counted from 1, padded to the digits of the last number.

    >>> file_names(35)[0], file_names(392)[0], file_names(392)[-1]
    ('1-01.dcm', '1-001.dcm', '1-392.dcm')
    """
    return [f"1-{i:0{len(str(slices))}d}.dcm" for i in range(1, slices + 1)]
