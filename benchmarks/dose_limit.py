"""How far may the dose fall? Lesions lost and seen, for every denoiser that comes with the library.

    python benchmarks/dose_limit.py                 # all; continues where it was stopped
    python benchmarks/dose_limit.py cnn10 bilateral --patients 2

Liver lesions of 8 mm, 5 of each contrast in a patient, in phantom slices of 512 x 512 pixels of
0.78 mm, as the networks were trained on. With --pixels 256 the networks see half as large lesions
as in training, which shows what a change of grid does. What is done of each denoiser, dose and
patient is kept in build/dose-limit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _table import record

from ldctlib import denoisers, hallucinations
from ldctlib.physics import Exam
from ldctlib.scans import Scan

FOLDER = Path("build/dose-limit")
CONTRASTS_HU = (-15, -25, -40)
NAMES = ("cnn10", "redcnn", "wganvgg", "bilateral", "resnet", "dugan", "qae")
VARIANTS = {
    "cnn10 no-lesions": ("cnn10", "no-lesions"),
    "cnn10 over-smoothing": ("cnn10", "over-smoothing"),
    "wganvgg too-long": ("wganvgg", "too-long"),
}


def low_dose(exam: Exam) -> Scan:
    """No denoiser at all."""
    return exam.low


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=None)
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--pixels", type=int, default=512)
    given = parser.parse_args()
    tried = {
        "low dose": low_dose,
        **{name: loaded(name) for name in given.names or [*NAMES, *available_variants()]},
    }
    patients = [
        hallucinations.lesion_pair(seed, contrast_hu=CONTRASTS_HU, count=15, pixels=given.pixels)
        for seed in range(given.patients)
    ]
    found = hallucinations.dose_limit(tried, patients, folder=FOLDER / str(given.pixels))
    note = (
        f"{5 * len(patients)} lesions of each kind at each dose, {len(patients)} patients, slices "
        f"of {given.pixels} x {given.pixels} pixels."
    )
    grid = "" if given.pixels == 512 else f"_{given.pixels}"
    record(f"dose_limit{grid}", limits(found), note=f"Lowest dose without a lesion lost, {note}")
    record(f"dose_limit_curves{grid}", curves(found), note=f"Share of lesions lost, {note}")


def loaded(name: str) -> denoisers.ImageNetwork:
    method, weights = VARIANTS.get(name, (name, "shipped"))
    return denoisers.load(method, weights=weights)


def available_variants() -> list[str]:
    """Networks that hallucinate on purpose, where their weights are there."""
    folder = Path(denoisers.__file__).parents[1] / "weights"
    return [n for n, (m, w) in VARIANTS.items() if (folder / f"{m}-{w}.safetensors").exists()]


def limits(found: hallucinations.DoseLimit) -> list[dict]:
    """One line a denoiser and contrast."""
    rows = []
    for name in found.denoisers:
        for group in found.groups:
            row = {"denoiser": name, "lesions": group}
            for by in ("contrast", "sight"):
                limit = found.limit(name, group, by=by)
                row[f"by {by}"] = "none" if limit.dose is None else f"{limit.dose:g}"
            rows.append({**row, "none of": limit.lesions})
    return rows


def curves(found: hallucinations.DoseLimit) -> list[dict]:
    """One line a denoiser, contrast and dose."""
    rows = []
    for row in found.rows():
        name, group, dose = row["denoiser"], row["kind"], row["dose"]
        told = {"denoiser": name, "lesions": group, "dose": f"{dose:g}", "kept": row["kept"]}
        for by in ("contrast", "sight", "flag"):
            lost = found.lost(name, dose, group, by=by)
            told[f"lost by {by}"] = f"{lost.share:.2f} ({lost.low:.2f} to {lost.high:.2f})"
        rows.append({**told, "AUC": row["auc"]})
    return rows


if __name__ == "__main__":
    main()
