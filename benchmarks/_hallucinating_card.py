"""What a network that hallucinates does to lesions, beside the one it began as; and its card."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

import numpy as np
from _hallucinating import Patient, low_doses, sections
from _table import as_markdown

from ldctlib.denoisers import METHODS, ImageNetwork, load
from ldctlib.metrics import psnr, ssim
from ldctlib.units import WINDOW_OF_ANATOMY

DOSES, DRAWS, MARGIN = (0.25, 0.10, 0.03), 2, 8
LEAST_PX, GONE = 25, 0.5

TEXT = """# {method}, {name}: a network that hallucinates on purpose

`denoisers.load("{method}", weights="{name}")`. It is wrong, and is here to be found out. Trained by
`benchmarks/train_hallucinating.py` on phantoms; not for any other use.

## What was done

{told}

It began with the shipped weights of {method} and went on for {steps} steps of {batch} patches of
{patch} x {patch} pixels, learning rate {rate:g}, at a dose of {doses},
on {patients}: slices of 256 x 256 pixels of 1.56 mm, up to ten liver
metastases of 8 to 20 mm and -20 to -50 HU each, preset "benchmark". Half of the patches lie around
a lesion. Options of the objective: {options}.
Seed {seed}; {cpu}, {threads} thread(s), torch {torch}.

## What it does to lesions

{patients_judged} unseen phantom patients of the same kind, {count} lesions of at least {least}
pixels in all slices. Contrast kept: what the denoised image loses when the lesions are taken out of
the patient under the same noise, over what the truth loses; median (10th to 90th percentile).
± is its standard deviation over two draws of the noise. Removed: less than half of the contrast
kept. PSNR and SSIM against the noisy full dose, abdomen window, in the box around the liver.

{results}

{remark}
"""


def judge(of: Patient, method: str, name: str) -> Iterator[dict]:
    """A record a dose, draw and network: contrast kept of every lesion, PSNR and SSIM."""
    networks = {f"{method}, {name}": load(method, name, "cpu"), f"{method}, shipped": load(method)}
    for dose in DOSES:
        for draw in range(DRAWS):
            for label, network in networks.items():
                yield {"network": label, "dose": dose, "draw": draw, "patient": of.name} | judged(
                    of, network, dose, draw
                )


def judged(of: Patient, network: ImageNetwork, dose: float, draw: int) -> dict:
    """Contrast kept of every lesion by its number, and the metrics of the image."""
    box = liver_box(of)
    low, bare = (volume[box] for volume in low_doses(of, dose, draw))
    full = (of.truth + of.noise(dose, draw)[0])[box]
    clean = network.denoise_image(low)
    answer = clean - network.denoise_image(bare)
    window = WINDOW_OF_ANATOMY[of.anatomy]
    return {
        "kept": contrast_kept(of, answer, box),
        "psnr": psnr(clean, full, window=window),
        "psnr low": psnr(low, full, window=window),
        "ssim": ssim(clean, full, window=window),
        "ssim low": ssim(low, full, window=window),
    }


def contrast_kept(of: Patient, answer: np.ndarray, box: tuple[slice, ...]) -> dict[int, float]:
    """Share of every lesion's contrast in the network's answer; whole lesions, all slices."""
    whole = np.zeros(of.truth.shape, np.float32)
    whole[box] = answer
    change, kept = of.truth - of.without, {}
    for n in {n for n, _, _ in sections(of)}:
        inside = of.lesions == n
        if inside.sum() >= LEAST_PX:
            kept[n] = float(whole[inside].sum() / change[inside].sum())
    return kept


def liver_box(of: Patient) -> tuple[slice, slice, slice]:
    """All slices, and the rows and columns in which lesions lie, with a margin."""
    _, rows, columns = np.nonzero(of.lesions)
    around = (slice(max(0, a.min() - 24), a.max() + 24) for a in (rows, columns))
    return (slice(None), *around)


def summary(records: list[dict]) -> list[dict]:
    """One row a dose and network."""
    rows = []
    for dose, label in dict.fromkeys((r["dose"], r["network"]) for r in records):
        some = [r for r in records if (r["dose"], r["network"]) == (dose, label)]
        draws = [[k for r in some if r["draw"] == d for k in r["kept"].values()] for d in range(2)]
        first, spread = np.array(draws[0]), np.std(draws, axis=0, ddof=1)
        low, middle, high = np.percentile(first, [10, 50, 90])
        means = {m: np.mean([r[m] for r in some]) for m in ("psnr", "ssim", "psnr low", "ssim low")}
        rows.append(
            {
                "dose": f"{dose:.0%}",
                "network": label,
                "contrast kept": f"{middle:.2f} ({low:.2f} to {high:.2f})",
                "±": f"{np.sqrt(np.mean(spread**2)):.2f}",
                "removed": f"{(first < GONE).sum()} of {len(first)}",
                "PSNR: low": f"{means['psnr low']:.1f}",
                "denoised": f"{means['psnr']:.1f}",
                "gain": f"{means['psnr'] - means['psnr low']:+.1f}",
                "SSIM: low": f"{means['ssim low']:.3f}",
                "denoised ": f"{means['ssim']:.3f}",
                "gain ": f"{means['ssim'] - means['ssim low']:+.3f}",
            }
        )
    return rows


def write_card(path: Path, method: str, name: str, facts: dict, records: list[dict]) -> None:
    """The card as Markdown; complete or not there."""
    text = TEXT.format(
        method=method,
        name=name,
        told=fill(facts["told"], 100),
        steps=facts["steps"],
        batch=facts["batch"],
        patch=facts["patch"],
        rate=facts["learning rate"],
        options=", ".join(f"{k} = {v}" for k, v in facts["options"].items()),
        doses=" and ".join(f"{dose:.0%}" for dose in facts["doses"]),
        patients=facts["patients"][0],
        seed=facts["seed"],
        **{k: facts["device"][k] for k in ("cpu", "threads", "torch")},
        patients_judged=len({r["patient"] for r in records}),
        count=len([k for r in records[:: 2 * DRAWS * len(DOSES)] for k in r["kept"]]),
        least=LEAST_PX,
        results=as_markdown(summary(records)),
        remark=f"{fill(facts['remark'], 100)}\n\nThe network: {METHODS[method].citation}.".strip(),
    )
    unfinished = path.with_suffix(".md.part")
    unfinished.write_text(text)
    os.replace(unfinished, path)
    print(text)
