"""The card of shipped weights: how they were trained, and what they do to unseen patients."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from _table import as_markdown
from tqdm import tqdm

from ldctlib.denoisers import Denoiser, Method
from ldctlib.metrics import psnr, ssim
from ldctlib.physics import Exam
from ldctlib.scans.catalogue import dataset, datasets
from ldctlib.units import WINDOW_OF_ANATOMY

TEXT = """# {name}: the weights that come with the library

{citation}

Trained by `benchmarks/train_shipped.py` to show methods at work. Not for diagnosis, not tuned to
be the best of its kind: the published training is {published} steps of {published_batch} patches.

## Training

{training}

Options: {options}.

- `balance`: the error of a patch is divided by the variance of the noise that was in it (plus
  (2 HU)^2), so that a head at a quarter of the dose counts as much as a chest at a tenth.
- `decay`: the learning rate falls to zero along a half cosine.
- `start`: the network begins as the identity.
{perceptual}
Patients (a real patient is drawn as often as all phantoms of an anatomy together):
{patients}.

The weights were chosen by the PSNR on validation phantoms of other seeds; the patients below took
no part in that. No unseen real head was to be had: the heads below are phantoms of other seeds.

## Unseen patients

PSNR in dB and SSIM against full dose, in the window in which the anatomy is read (chest: lung,
abdomen: abdomen, head: brain), means over slices; low dose, then denoised.

{results}

## Data

{licences}
"""


def judge(denoiser: Denoiser, exams: Iterable[tuple[str, float, Exam]]) -> list[dict]:
    """A row for every patient, preset and dose."""
    rows = []
    for preset, dose, exam in tqdm(exams, denoiser.name):
        window = WINDOW_OF_ANATOMY[exam.full.anatomy]
        pairs = list(
            zip(exam.low.hu, denoiser.denoise_image(exam.low.hu), exam.full.hu, strict=True)
        )
        row = {
            "patient": exam.full.name,
            "anatomy": exam.full.anatomy,
            "preset": preset,
            "dose": dose,
        }
        for label, metric, digits in (("PSNR", psnr, 1), ("SSIM", ssim, 3)):
            low = np.mean([metric(low, full, window=window) for low, _, full in pairs])
            clean = np.mean([metric(clean, full, window=window) for _, clean, full in pairs])
            row[f"{label} low"] = f"{low:.{digits}f}"
            row[f"{label} denoised"] = f"{clean:.{digits}f}"
            row[f"{label} gain"] = f"{clean - low:+.{digits}f}"
        rows.append(row)
    return rows


def write_card(path: Path, method: Method, facts: dict, rows: list[dict]) -> None:
    """The card as Markdown; complete or not there."""
    shown = {k: v for k, v in facts.items() if k not in ("options", "patients", "device")}
    shown["doses"] = ", ".join(f"{dose:.0%}" for dose in facts["doses"])
    shown["presets"] = ", ".join(facts["presets"])
    shown["device"] = "{cpu}, {threads} thread(s), torch {torch}".format(**facts["device"])
    perceptual = facts["options"].get("perceptual")
    text = TEXT.format(
        name=method.name,
        citation=method.citation,
        published=method.recipe.steps,
        published_batch=method.recipe.batch,
        training=as_markdown([{"what": k, "value": str(v)} for k, v in shown.items()]),
        options=", ".join(f"{k} = {v}" for k, v in facts["options"].items()),
        perceptual=f"- `perceptual`: {perceptual}, a stand-in for the VGG-19 of the paper.\n"
        if perceptual and perceptual != "vgg19"
        else "",
        patients=", ".join(facts["patients"]),
        results=as_markdown(rows),
        licences="\n".join(licences(facts["patients"] + [row["patient"] for row in rows])),
    )
    unfinished = path.with_suffix(".md.part")
    unfinished.write_text(text)
    os.replace(unfinished, path)
    print(text)


def licences(names: list[str]) -> list[str]:
    used = [n for n in datasets() if any(name.split(" ")[0] == n for name in names)]
    return [f"- {n}: {dataset(n).licence}. {dataset(n).citation}" for n in used]
