"""The card of shipped weights: how they were trained, and what they do to unseen patients."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from _table import as_markdown
from scipy.ndimage import uniform_filter
from tqdm import tqdm

from ldctlib.denoisers import ImageNetwork, Method
from ldctlib.files import write_text
from ldctlib.metrics import psnr, ssim
from ldctlib.physics import Exam
from ldctlib.scans.catalogue import dataset, datasets
from ldctlib.units import WINDOW_OF_ANATOMY

EXPLAINED = {
    "balance": """the error of a patch is divided by the variance of the noise that was in it (plus
  the square of this number in HU), so that a head at a quarter of the dose counts beside a chest
  at a tenth.""",
    "clip": "a longer gradient is shortened to this norm.",
    "decay": """the learning rate rises for 5 % of the steps and falls to zero along a half
  cosine.""",
    "start": "the network begins as the identity.",
    "perceptual": "a stand-in for the VGG-19 of the paper, which could not be downloaded.",
}

TEXT = """# {name}: the weights that come with the library

{citation}

Trained by `benchmarks/train_shipped.py` to show methods at work. Not for diagnosis, not tuned to
be the best of its kind: the published training is {published} steps of {published_batch} patches.

## Training

{training}

Options: {options}.

{explained}

Patients (a real patient is drawn as often as all phantoms of an anatomy together):
{patients}.

The weights were chosen by the PSNR on validation phantoms of other seeds; the patients below took
no part in that. No unseen real head was to be had: the heads below are phantoms of other seeds.

## Unseen patients

PSNR in dB and SSIM against full dose, in the window in which the anatomy is read (chest: lung,
abdomen: abdomen, head: brain), means over slices. Own noise: of the full dose, in HU, in soft
tissue; added: by the lower dose. Where a patient's own noise is the larger part (dcmqi-liver), the
full dose is a poor reference: a network takes away noise that this reference still has, and PSNR
and SSIM then count the better image as the worse one.

{results}

## Data

{licences}
"""


def judge(denoiser: ImageNetwork, exams: Iterable[tuple[str, float, Exam]]) -> list[dict]:
    """A row for every patient, preset and dose."""
    rows = []
    for preset, dose, exam in tqdm(exams, denoiser.name):
        low, full = exam.low.hu, exam.full.hu
        window = WINDOW_OF_ANATOMY[exam.full.anatomy]
        triples = list(zip(low, denoiser.denoise_image(low), full, strict=True))
        row = {"patient": exam.full.name, "preset": preset, "dose": f"{dose:.0%}"}
        row |= {"own noise": own_noise_hu(full), "added": added_noise_hu(low, full)}
        for label, metric, digits in (("PSNR", psnr, 1), ("SSIM", ssim, 3)):
            before = np.mean([metric(noisy, truth, window=window) for noisy, _, truth in triples])
            after = np.mean([metric(clean, truth, window=window) for _, clean, truth in triples])
            row[f"{label}: low"] = f"{before:.{digits}f}"
            row["denoised" + " " * (label == "SSIM")] = f"{after:.{digits}f}"
            row["gain" + " " * (label == "SSIM")] = f"{after - before:+.{digits}f}"
        rows.append(row)
    return rows


def soft_tissue(full: np.ndarray) -> np.ndarray:
    smooth = uniform_filter(full, (0, 9, 9))
    return (smooth > 0) & (smooth < 150)


def own_noise_hu(full: np.ndarray) -> int:
    """Lower quartile of the standard deviation in 7 x 7 pixels of soft tissue: noise, no edges."""
    variance = uniform_filter(full**2, (0, 7, 7)) - uniform_filter(full, (0, 7, 7)) ** 2
    return round(float(np.percentile(np.sqrt(variance.clip(0))[soft_tissue(full)], 25)))


def added_noise_hu(low: np.ndarray, full: np.ndarray) -> int:
    return round(float(np.sqrt(np.mean((low - full)[soft_tissue(full)] ** 2))))


def write_card(path: Path, method: Method, facts: dict, rows: list[dict]) -> None:
    """The card as Markdown; complete or not there."""
    shown = {k: v for k, v in facts.items() if k not in ("options", "patients", "device")}
    shown["doses"] = ", ".join(f"{dose:.0%}" for dose in facts["doses"])
    shown["presets"] = ", ".join(facts["presets"])
    shown["device"] = "{cpu}, {threads} thread(s), torch {torch}".format(**facts["device"])
    given = {k for k, v in facts["options"].items() if v != method.trainable.recipe.options.get(k)}
    text = TEXT.format(
        name=method.name,
        citation=method.citation,
        published=method.recipe.steps,
        published_batch=method.recipe.batch,
        training=as_markdown([{"what": k, "value": str(v)} for k, v in shown.items()]),
        options=", ".join(f"{k} = {v}" for k, v in facts["options"].items()),
        explained="\n".join(f"- `{k}`: {v}" for k, v in EXPLAINED.items() if k in given),
        patients=", ".join(facts["patients"]),
        results=as_markdown(rows),
        licences="\n".join(licences(facts["patients"] + [row["patient"] for row in rows])),
    )
    write_text(path, text)
    print(text)


def licences(names: list[str]) -> list[str]:
    used = [n for n in datasets() if any(name.split(" ")[0] == n for name in names)]
    return [f"- {n}: {dataset(n).licence}. {dataset(n).citation}" for n in used]
