"""How far may the dose fall before a denoiser loses lesions?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ldctlib.hallucinations.cases import RemovalCase
from ldctlib.hallucinations.dose_limit_cells import Cell, Store, of_patient, of_weights
from ldctlib.hallucinations.dose_limit_results import DoseLimit, Outcome
from ldctlib.hallucinations.flag import flag
from ldctlib.hallucinations.rings import contrast, rings
from ldctlib.masks import Masks
from ldctlib.physics import Exam, Preset, expose
from ldctlib.scans import Scan

Denoises = Callable[[Exam], Scan]
DOSES = (0.5, 0.25, 0.1, 0.05, 0.025)


def dose_limit(
    denoisers: Mapping[str, Denoises],
    patients: Iterable[RemovalCase],
    doses: Sequence[float] = DOSES,
    *,
    least_kept: float = 0.5,
    preset: str | Preset = "benchmark",
    seed: int = 0,
    margin_px: int | None = 32,
    folder: str | Path | None = None,
    progress: bool = True,
) -> DoseLimit:
    """At each dose, the share of lesions that a denoiser loses.

    A patient is exposed once at each dose, with the lesions. The same image without them has the
    same noise, exactly: the lesions are subtracted, so few and faint that the photons do not feel
    it. What the two denoised images differ by is what the denoiser hands on of the lesions, free
    of noise: a lesion is lost if its mean is less than ``least_kept`` of the truth. Beside it
    stands what a comparison with the full dose would say: whether `flag` calls it "removed".

    Args:
        denoisers: image-domain ones, by name.
        patients: as from `lesion_patient`; the patient without lesions is needed.
        doses: fractions of the full dose.
        least_kept: share of the contrast below which a lesion is lost.
        preset: of `expose`.
        seed: of the noise; every patient gets its own.
        margin_px: the image is cut to the lesions and so much around them before it is denoised,
            which saves time and changes nothing for a network that sees no further; None cuts
            nothing.
        folder: keeps what is done of every denoiser, dose and patient, so that the same call
            continues.
        progress: show a progress bar.

    Raises:
        ValueError: the input does not fit, or the folder holds another run.
    """
    cases, doses = list(patients), sorted(map(float, doses), reverse=True)
    _check(denoisers, cases, doses, least_kept)
    store = Store(folder, {"seed": seed, "preset": str(preset), "margin": margin_px})
    weights = {name: of_weights(denoiser) for name, denoiser in denoisers.items()}
    known = [of_patient(case) for case in cases]
    records: list[Outcome] = []
    every = list(product(doses, range(len(cases))))
    bar = tqdm(total=len(every) * len(denoisers), desc="dose limit", disable=not progress)
    for dose, number in every:
        exam = None
        for name, denoiser in denoisers.items():
            cell = Cell(name, dose, number, known[number], weights[name])
            found = store.read(cell)
            if found is None:
                exam = exam or _exposed(cases[number], dose, seed + number, preset, margin_px)
                found = _outcomes(name, denoiser, *exam, number)
                store.write(found, cell)
            records += found
            bar.update()
    bar.close()
    return DoseLimit(tuple(records), float(least_kept))


def _exposed(
    case: RemovalCase, dose: float, seed: int, preset: str | Preset, margin_px: int | None
) -> tuple[Exam, Exam, Masks]:
    """The exams with and without the lesions, in the same noise, cut to where the lesions are."""
    assert case.without is not None
    exam = expose(case.reference, dose, seed, preset=preset, truth=True, keep_sinogram=False)
    added = case.reference.hu - case.without.hu
    rows, columns = _around(case.structures, margin_px)

    def cut(scan: Scan, hu: np.ndarray) -> Scan:
        return replace(scan, hu=np.ascontiguousarray(hu[:, rows, columns]), masks={})

    truth, low = case.reference, exam.low
    present = Exam(cut(truth, truth.hu), cut(low, low.hu), None, dose)
    absent = Exam(cut(truth, case.without.hu), cut(low, low.hu - added), None, dose)
    return present, absent, case.structures.crop(slice(0, truth.shape[0]), rows, columns)


def _around(masks: Masks, margin_px: int | None) -> tuple[slice, slice]:
    """Rows and columns of all masks with a margin."""
    height, width = masks.shape[1:]
    if margin_px is None:
        return slice(0, height), slice(0, width)
    _, _, y0, y1, x0, x1 = masks.bounding_boxes.T
    return (
        slice(max(0, int(y0.min()) - margin_px), min(height, int(y1.max()) + margin_px)),
        slice(max(0, int(x0.min()) - margin_px), min(width, int(x1.max()) + margin_px)),
    )


def _outcomes(
    name: str, denoiser: Denoises, present: Exam, absent: Exam, masks: Masks, patient: int
) -> list[Outcome]:
    """What became of every lesion of one patient at one dose."""
    clean, bare = (_denoised(name, denoiser, exam) for exam in (present, absent))
    around = rings(masks)
    true = masks.sum_over(present.full.hu - absent.full.hu) / masks.areas
    kept = masks.sum_over(clean - bare) / masks.areas / true
    anatomy, seen, unseen = (contrast(hu, masks, around) for hu in (absent.full.hu, clean, bare))
    flags = flag(present.low, clean, present.full, masks)
    removed = {record.label for record in flags.flagged if record.kind == "removed"}
    return [
        Outcome(
            denoiser=name,
            dose=present.dose,
            patient=patient,
            lesion=label,
            true_hu=float(true[i]),
            kept=float(kept[i]),
            anatomy_hu=float(anatomy[i]),
            present_hu=float(seen[i]),
            absent_hu=float(unseen[i]),
            removed=label in removed,
        )
        for i, label in enumerate(masks.labels)
    ]


def _denoised(name: str, denoiser: Denoises, exam: Exam) -> np.ndarray:
    hu = denoiser(exam).hu
    if hu.shape != exam.low.shape or not np.isfinite(hu).all():
        raise ValueError(
            f"{name} made {hu.shape} of {exam.low.shape}, or values that are not finite."
        )
    return hu


def _check(
    denoisers: Mapping[str, Denoises],
    cases: Sequence[RemovalCase],
    doses: Sequence[float],
    least_kept: float,
) -> None:
    """Raise before any work is done."""
    if not denoisers or not cases or not doses:
        raise ValueError("A dose limit needs a denoiser, a patient and a dose at least.")
    if not all(0 < dose < 1 for dose in doses) or len(set(doses)) < len(doses):
        raise ValueError(f"Doses are different fractions between 0 and 1, not {list(doses)}.")
    if not 0 < least_kept < 1:
        raise ValueError(f"The share to be kept lies between 0 and 1, not at {least_kept}.")
    for case in cases:
        name = case.reference.name
        if case.without is None:
            raise ValueError(f"{name} was not rendered without its lesions; see lesion_patient.")
        if not case.reference.shape == case.without.shape == case.structures.shape:
            raise ValueError(f"{name}, the same without lesions, and the masks need one grid.")
        change = np.abs(case.structures.sum_over(case.reference.hu - case.without.hu))
        if len(case.structures) == 0 or (change < case.structures.areas).any():
            raise ValueError(f"{name} needs lesions that change their pixels by 1 HU or more.")
