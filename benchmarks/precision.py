"""What mixed precision changes: validation figures of CNN-10 in float32 and bfloat16, by seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from _table import record
from tqdm import tqdm

from ldctlib.denoisers import Precision, Recipe
from ldctlib.physics import Exam, expose
from ldctlib.scans import downsample, open_scan
from ldctlib.training import PatchSampler, Validation, fit

TRAINED, JUDGED = ("lidc-0314", "crlm-1004"), ("nsclc-lung1-001", "totalsegmentator-dicom")
RECIPE = Recipe(1e-3, batch=8, patch=48, steps=600, options={"decay": True, "start": "identity"})
SEEDS = range(5)
PRECISIONS = {
    "float32": Precision(channels_last=True),
    "bfloat16": Precision(torch.bfloat16, channels_last=True),
}


def exam(name: str, slices: int) -> Exam:
    """A few slices on a grid of half the size, at a quarter of the dose."""
    scan = open_scan(name)
    z = np.linspace(0, len(scan.hu) - 1, slices).round().astype(int)
    scan = replace(scan, hu=scan.hu[z], z_mm=scan.z_mm[z], masks={})
    return expose(downsample(scan, 2), dose=0.25, seed=0)


def main() -> None:
    sampler = PatchSampler([exam(name, 8) for name in TRAINED], RECIPE.patch, RECIPE.batch)
    check = Validation([exam(name, 2) for name in JUDGED], slices=2)
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in PRECISIONS}
    for seed in tqdm(SEEDS, desc="seeds"):
        for name, precision in PRECISIONS.items():
            settings = {"seed": seed, "validate_every": RECIPE.steps, "progress": False}
            denoiser = fit("cnn10", sampler, check, recipe=RECIPE, precision=precision, **settings)
            figures[name].append(check(denoiser))
    low = check.of_low_dose()
    rows = []
    for figure in low:
        plain, mixed = (np.array([f[figure] for f in figures[n]]) for n in PRECISIONS)
        rows.append(
            {
                "figure": figure,
                "low dose": low[figure],
                "float32": plain.mean(),
                "bfloat16": mixed.mean(),
                "bfloat16 - float32, same seed": (mixed - plain).mean(),
                "standard deviation over seeds": np.sqrt(
                    (plain.var(ddof=1) + mixed.var(ddof=1)) / 2
                ),
            }
        )
    rows = [{k: v if k == "figure" else round(float(v), 4) for k, v in r.items()} for r in rows]
    note = (
        f"CNN-10, {RECIPE.steps} steps of {RECIPE.batch} x {RECIPE.patch} pixels, "
        f"{len(SEEDS)} seeds each, trained on {' and '.join(TRAINED)}, judged on "
        f"{' and '.join(JUDGED)}, 256 x 256 pixels, a quarter of the dose."
    )
    record("precision", rows, note=note)


if __name__ == "__main__":
    main()
