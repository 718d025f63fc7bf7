"""What a network that hallucinates does to lesions, beside the one it began as; and its card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

import numpy as np
from _hallucinating import PIXELS, PRESET, exposed, patient, pixel_mm, sections
from _table import as_markdown

from ldctlib.denoisers import METHODS, ImageNetwork, load
from ldctlib.files import write_text
from ldctlib.hallucinations import ExposedPair, share_kept
from ldctlib.metrics import psnr, ssim
from ldctlib.units import WINDOW_OF_ANATOMY

DOSES, DRAWS, MARGIN = (0.25, 0.10, 0.03), 2, 24
LEAST_PX, GONE = 25, 0.5

CONTROL = "lesions-kept"
TEXT = """# {method}, {name}: {what}

`denoisers.load("{method}", weights="{name}")`. {why} Trained by
`benchmarks/train_hallucinating.py` on phantoms; not for any other use.

## What was done

{told}

It began with the shipped weights of {method} and went on for {steps} steps of {batch} patches of
{patch} x {patch} pixels, learning rate {rate:g}, at a dose of {doses},
on {patients}: slices of {pixels} x {pixels} pixels of {pixel_mm:.2f} mm, up to ten liver
metastases of 8 to 20 mm and -20 to -50 HU each, preset "{preset}". Half of the patches lie around
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


def judge(seed: int, method: str, name: str) -> Iterator[dict]:
    """A record a dose, draw and network: contrast kept of every lesion, PSNR and SSIM."""
    networks = {f"{method}, {name}": load(method, name, "cpu"), f"{method}, shipped": load(method)}
    large = {i for i, _, _ in sections(patient("abdomen", seed))}
    for dose in DOSES:
        for draw in range(DRAWS):
            pair = exposed("abdomen", seed, dose, draw).crop(MARGIN)
            for label, network in networks.items():
                about = {"network": label, "dose": dose, "draw": draw, "patient": seed}
                yield about | judged(pair, network, large)


def judged(pair: ExposedPair, network: ImageNetwork, lesions: set[int]) -> dict:
    """Contrast kept of whole lesions, by their labels, and the metrics of the image."""
    clean, bare = (network(exam).hu for exam in pair[:2])
    kept = share_kept(clean - bare, pair.added, pair.lesions)
    large = [i for i in sorted(lesions) if pair.lesions.areas[i] >= LEAST_PX]
    low, full = pair.present.low.hu, pair.present.full.hu
    window = WINDOW_OF_ANATOMY["abdomen"]
    return {
        "kept": {pair.lesions.labels[i]: float(kept[i]) for i in large},
        "psnr": psnr(clean, full, window=window),
        "psnr low": psnr(low, full, window=window),
        "ssim": ssim(clean, full, window=window),
        "ssim low": ssim(low, full, window=window),
    }


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
    what, why = (
        ("the honest control of a network that hallucinates", "It is the control of no-lesions.")
        if name == CONTROL
        else ("a network that hallucinates on purpose", "It is wrong, and is here to be found out.")
    )
    text = TEXT.format(
        what=what,
        why=why,
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
        pixels=PIXELS,
        pixel_mm=pixel_mm("abdomen"),
        preset=PRESET,
        seed=facts["seed"],
        **{k: facts["device"][k] for k in ("cpu", "threads", "torch")},
        patients_judged=len({r["patient"] for r in records}),
        count=len([k for r in records[:: 2 * DRAWS * len(DOSES)] for k in r["kept"]]),
        least=LEAST_PX,
        results=as_markdown(summary(records)),
        remark=f"{fill(facts['remark'], 100)}\n\nThe network: {METHODS[method].citation}.".strip(),
    )
    write_text(path, text)
    print(text)
