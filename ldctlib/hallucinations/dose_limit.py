"""How far may the dose fall before a denoiser loses lesions?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ldctlib.hallucinations.dose_limit_cells import Cell, Store, of_patient, of_weights
from ldctlib.hallucinations.dose_limit_results import DoseLimit, Outcome
from ldctlib.hallucinations.flag import flag
from ldctlib.hallucinations.lesions.exposed import Denoises, ExposedPair, denoised, share_kept
from ldctlib.hallucinations.lesions.pair import LesionPair
from ldctlib.hallucinations.rings import contrast, rings
from ldctlib.physics import Preset

DOSES = (0.5, 0.25, 0.1, 0.05, 0.025)


def dose_limit(
    denoisers: Mapping[str, Denoises],
    patients: Iterable[LesionPair],
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

    A patient is exposed once at each dose, with and without the lesions in the same noise. A
    lesion is lost if less than ``least_kept`` of its contrast is `kept`. Beside it stands what a
    comparison with the truth would say: whether `flag` calls it "removed".

    All doses have the patients and lesions in common, and the noise of the full dose, to which each
    adds its own: the points of a curve are not independent.

    Args:
        denoisers: by name; the sinogram is there for those that say that they need it (``needs``
            is not "image").
        patients: as from `lesion_pair`. Networks see what they were trained for on its usual grid.
        doses: fractions of the full dose.
        least_kept: share of the contrast below which a lesion is lost.
        preset: of `expose`.
        seed: of the noise; every patient gets its own.
        margin_px: the image is cut to the lesions and so much around them before it is denoised,
            which saves time and changes nothing for a network that sees no further; sinograms
            stay whole. None cuts nothing.
        folder: keeps what is done of every denoiser, dose and patient, so that the same call
            continues.
        progress: show a progress bar.

    Raises:
        ValueError: the input does not fit, or the folder holds another run.
    """
    pairs, doses = list(patients), sorted(map(float, doses), reverse=True)
    _check(denoisers, pairs, doses, least_kept)
    lines = any(getattr(denoiser, "needs", "image") != "image" for denoiser in denoisers.values())
    store = Store(folder, {"seed": seed, "preset": str(preset), "margin": margin_px})
    weights = {name: of_weights(denoiser) for name, denoiser in denoisers.items()}
    known = [of_patient(pair) for pair in pairs]
    records: list[Outcome] = []
    every = list(product(doses, range(len(pairs))))
    bar = tqdm(total=len(every) * len(denoisers), desc="dose limit", disable=not progress)
    for dose, number in every:
        pair = None
        for name, denoiser in denoisers.items():
            cell = Cell(name, dose, number, known[number], weights[name])
            found = store.read(cell)
            if found is None:
                pair = pair or _exposed(
                    pairs[number], dose, seed + number, preset, margin_px, lines
                )
                found = _outcomes(name, denoiser, pair, number)
                store.write(found, cell)
            records += found
            bar.update()
    bar.close()
    return DoseLimit(tuple(records), float(least_kept))


def _exposed(
    patient: LesionPair,
    dose: float,
    seed: int,
    preset: str | Preset,
    margin_px: int | None,
    keep_sinogram: bool,
) -> ExposedPair:
    """The exams with and without the lesions, cut to where the lesions are."""
    pair = patient.expose(dose, seed, preset=preset, keep_sinogram=keep_sinogram)
    return pair if margin_px is None else pair.crop(margin_px)


def _outcomes(name: str, denoiser: Denoises, pair: ExposedPair, patient: int) -> list[Outcome]:
    """What became of every lesion of one patient at one dose."""
    present, absent, masks = pair
    clean, bare = (denoised(denoiser, exam, name) for exam in (present, absent))
    around = rings(masks)
    true = masks.sum_over(pair.added) / masks.areas
    kept = share_kept(clean - bare, pair.added, masks)
    truth, healthy = (exam.truth or exam.full for exam in (present, absent))
    anatomy, seen, unseen = (contrast(hu, masks, around) for hu in (healthy.hu, clean, bare))
    flags = flag(present.low, clean, truth, masks)
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


def _check(
    denoisers: Mapping[str, Denoises],
    patients: Sequence[LesionPair],
    doses: Sequence[float],
    least_kept: float,
) -> None:
    """Raise before any work is done."""
    if not denoisers or not patients or not doses:
        raise ValueError("A dose limit needs a denoiser, a patient and a dose at least.")
    if not all(0 < dose < 1 for dose in doses) or len(set(doses)) < len(doses):
        raise ValueError(f"Doses are different fractions between 0 and 1, not {list(doses)}.")
    if not 0 < least_kept < 1:
        raise ValueError(f"The share to be kept lies between 0 and 1, not at {least_kept}.")
    for patient in patients:
        change = np.abs(patient.lesions.sum_over(patient.added))
        if (change < patient.lesions.areas).any():
            raise ValueError(
                f"{patient.present.name} needs lesions that change their pixels by 1 HU or more."
            )
