"""The patients of the Mayo data as exams: both doses, without sinogram."""

from __future__ import annotations

import numpy as np

from ldctlib.physics.exam import Exam
from ldctlib.scans.dicom import read_dicom
from ldctlib.scans.mayo import DOSE, MayoIndex, file_names


def mayo_exam(index: MayoIndex, patient: str) -> Exam:
    """Read one patient at both doses, in HU, slices from caudal to cranial.

    Args:
        index: of the download, see `scans.mayo.index`.
        patient: e.g. "C121", which becomes the name of the full dose.

    Raises:
        ValueError: the patient is unknown or not complete, or the two series do not match.
    """
    chosen = next((p for p in index.patients if p.id == patient), None)
    if chosen is None:
        raise ValueError(f"{patient!r} is not a patient of the benchmark.")
    if chosen.problems or chosen.low is None or chosen.full is None:
        raise ValueError(f"{patient} is not complete: {'; '.join(chosen.problems)}.")
    names = file_names(chosen.slices)
    low, full = (
        read_dicom([folder / file for file in names], name=name, anatomy=chosen.anatomy)
        for name, folder in ((f"{patient} low dose", chosen.low), (patient, chosen.full))
    )
    assert low.z_mm is not None
    if low.shape != full.shape or np.abs(low.z_mm - full.z_mm).max() > 0.01:
        raise ValueError(
            f"The low- and full-dose slices of {patient} do not lie at the same place."
        )
    return Exam(full, low, None, DOSE[chosen.anatomy])
