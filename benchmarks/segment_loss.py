"""Does a network keep small lesions when it is paid for segments?

    python benchmarks/segment_loss.py              # 5 minutes of one core; continues when stopped
    python benchmarks/segment_loss.py --seeds 1 --steps 50

CNN-10 is trained on phantom livers full of small faint lesions, at a twentieth of the dose: with
the error of the pixels alone, and with the segment loss beside it; same weights to begin with, same
batches. Each is judged on unseen patients, and compared with the cheapest way to keep contrast: the
network trained on pixels, blended with the low-dose image until it keeps as much.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _table import record
from scipy.stats import t as student
from tqdm import tqdm

from ldctlib import hallucinations, metrics, physics
from ldctlib.denoisers import METHODS, ImageNetwork, Recipe
from ldctlib.files import write_arrays, write_text
from ldctlib.masks import Masks
from ldctlib.training import SegmentSampler, SegmentSupervised, fit

FOLDER = Path("build/segment-loss")
DOSE, MARGIN_PX, SMALLEST_PX = 0.05, 24, 8
LESIONS = {"diameter_mm": (5, 8), "contrast_hu": (-15, -25, -40), "count": 14, "pixels": 256}
TRAINED_ON, JUDGED_ON = range(300, 312), range(400, 412)
LOSSES = {
    "pixels": {"segment_weight": 0.0},
    "pixels + 0.1 mean": {"segment_weight": 0.1},
    "pixels + mean": {"segment_weight": 1.0},
    "pixels + soft maximum": {"segment_weight": 1.0, "softness": 0.01},
}
METHOD = METHODS["cnn10"].with_learned(objective=SegmentSupervised)


class Patient(NamedTuple):
    """A liver with and without lesions, and the segments in which a loss looks."""

    pair: hallucinations.ExposedPair
    segments: Masks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=600)
    given = parser.parse_args()
    folder = FOLDER / str(given.steps)
    rows: dict[str, list[dict]] = {name: [] for name in LOSSES}
    todo = [(seed, name) for seed in range(given.seeds) for name in LOSSES]
    patients: list[list[Patient]] = []
    for seed, name in tqdm(todo):
        path = folder / f"{name}-{seed}.json"
        if not path.exists():
            patients = patients or [list(exposed(seeds)) for seeds in (TRAINED_ON, JUDGED_ON)]
            found = one(name, seed, given.steps, *patients, folder)
            write_text(path, json.dumps(found))
        rows[name].append(json.loads(path.read_text()))
    note = (
        f"CNN-10, {given.steps} steps of 8 patches of 40 x 40, dose {DOSE:g}, {len(JUDGED_ON)} "
        f"unseen patients; mean over {given.seeds} seeds; differences with their 95 % intervals."
    )
    record("segment_loss", table(rows), note=note)


def exposed(seeds: range) -> Iterator[Patient]:
    """Patients, cut to the liver."""
    for seed in seeds:
        patient = hallucinations.lesion_pair(seed, **LESIONS)
        pair = patient.expose(DOSE, seed, preset="benchmark", keep_sinogram=False).crop(MARGIN_PX)
        every = pair.present.full.masks["structures"]
        yield Patient(pair, every.select(every.areas >= SMALLEST_PX))


def trained_on(patient: Patient) -> physics.Exam:
    """The exam in which the truth takes the place of the full dose."""
    exam = patient.pair.present
    return replace(exam, full=exam.truth)


def one(
    name: str, seed: int, steps: int, train: list[Patient], test: list[Patient], folder: Path
) -> dict:
    """Train once and judge; beside it the blend that keeps as much contrast."""
    start = time.process_time()
    denoiser = trained(LOSSES[name], seed, steps, train)
    seconds = time.process_time() - start
    images = [[denoiser(exam).hu for exam in p.pair[:2]] for p in test]
    judged = judge(images, test)
    keeps = folder / f"pixels-{seed}.npz"
    if name == "pixels":
        write_arrays(keeps, {f"arr_{i}": image for i, image in enumerate(sum(images, []))})
    with np.load(keeps) as file:
        plain = [file[f"arr_{i}"] for i in range(2 * len(test))]
    plain = [plain[i : i + 2] for i in range(0, len(plain), 2)]
    kept = judge(plain, test)["kept"]
    share = (judged["kept"] - kept) / (1 - kept)  # of the low dose; contrast is linear in it
    lows = [[exam.low.hu for exam in p.pair[:2]] for p in test]
    mixed = [
        [share * low + (1 - share) * clean for low, clean in zip(*pair, strict=True)]
        for pair in zip(lows, plain, strict=True)
    ]
    return {**judged, "blend": judge(mixed, test), "share": share, "s": seconds}


def trained(options: dict, seed: int, steps: int, train: list[Patient]) -> ImageNetwork:
    sampler = SegmentSampler(
        [trained_on(p) for p in train], [p.segments for p in train], 40, 8, smallest=SMALLEST_PX
    )
    return fit(
        METHOD,
        sampler,
        [trained_on(train[0])],  # the last weights are judged, not the best
        recipe=Recipe(1e-3, 8, 40, steps),
        seed=seed,
        validate_every=steps,
        precision="float32",
        progress=False,
        start="identity",
        decay=True,
        **options,
    )


def judge(images: list, patients: list[Patient]) -> dict[str, float]:
    """Contrast kept, errors, and how well an observer finds the lesions."""
    kept, present, absent, errors = [], [], [], []
    for (clean, bare), (pair, segments) in zip(images, patients, strict=True):
        lesions, truth = pair.lesions, pair.present.truth.hu
        around, sign = hallucinations.rings(lesions), np.sign(lesions.sum_over(pair.added))
        kept.append(hallucinations.share_kept(clean - bare, pair.added, lesions))
        present.append(sign * hallucinations.contrast(clean, lesions, around))
        absent.append(sign * hallucinations.contrast(bare, lesions, around))
        of_segments = metrics.srmse(clean, truth, segments)
        of_image = metrics.rmse(clean, truth)
        of_lesions = metrics.srmse(clean, truth, lesions)
        errors.append([of_image, of_segments.mean(), of_segments.max(), of_lesions.mean()])
    shares = np.concatenate(kept)
    names = ("RMSE", "MeanSRMSE", "MaxSRMSE", "SRMSE of lesions")
    return {
        "kept": float(shares.mean()),
        "lost": float((shares < 0.5).mean()),
        "AUC": metrics.auc(np.concatenate(present), np.concatenate(absent)),
        **dict(zip(names, map(float, np.mean(errors, 0)), strict=True)),
    }


def table(rows: dict[str, list[dict]]) -> list[dict]:
    """One line a loss: what it gives, how that differs from pixels alone and from the blend."""
    lines = []
    for name, runs in rows.items():
        line: dict = {"loss": name}
        for key in ("kept", "lost", "AUC", "RMSE", "MeanSRMSE", "MaxSRMSE", "SRMSE of lesions"):
            values = np.array([run[key] for run in runs])
            line[key] = float(values.mean())
            if name != "pixels":
                plain = np.array([run[key] for run in rows["pixels"]])
                line[f"{key}, less pixels"] = interval(values - plain)
                if key != "kept":
                    blend = np.array([run["blend"][key] for run in runs])
                    line[f"{key}, less blend"] = interval(values - blend)
        lines.append({**line, "s": float(np.mean([run["s"] for run in runs]))})
    return lines


def interval(differences: np.ndarray) -> str:
    """Mean and Student's 95 % interval over the seeds."""
    mean, n = float(differences.mean()), len(differences)
    if n < 2:
        return f"{mean:+.3g}"
    half = student.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n)
    return f"{mean:+.3g} ({mean - half:+.3g} to {mean + half:+.3g})"


if __name__ == "__main__":
    main()
