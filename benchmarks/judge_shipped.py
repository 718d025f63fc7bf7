"""What the shipped networks do on exams whose dose is a share of the scan's own, into their cards.

    python benchmarks/judge_shipped.py              all of them
    python benchmarks/judge_shipped.py cnn10 qae

Exposed once for all networks; a card changes only when its network is done.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _shipped import unseen
from _table import as_markdown
from tqdm import tqdm

import ldctlib
from ldctlib.denoisers import load
from ldctlib.files import write_text
from ldctlib.metrics import psnr, ssim
from ldctlib.physics import Exam, expose
from ldctlib.physics.kernels import kernel_name
from ldctlib.units import WINDOW_OF_ANATOMY

WEIGHTS = Path(ldctlib.__file__).parent / "weights"
DOSES = (0.25, 0.1)
SEED = 700
TITLE = "## On exams of a known dose"
TEXT = """
By `benchmarks/judge_shipped.py`. A dose here is a share of the scan's own: real patients are
matched to the noise that they have, phantoms have the preset "clinical", and "as noisy as" is the
dose that was measured back. The weights were trained on other exams (above), so that noise of this
strength and colour is partly new to them; they are to be trained again. PSNR in dB and SSIM in the
window of the anatomy, means over slices, against the full dose of real patients and the truth of
phantoms. Noise in soft tissue in HU, of the full and of the low dose.

{table}

"""


def judged(name: str, exams: list[Exam]) -> list[dict]:
    """A row for every exam."""
    denoiser, rows = load(name), []
    for exam in tqdm(exams, name):
        reference = (exam.truth or exam.full).hu
        window = WINDOW_OF_ANATOMY[exam.full.anatomy]
        clean = denoiser(exam).hu
        noise = noise_hu(exam)
        row = {
            "patient": exam.full.name,
            "kernel": kernel_name(exam.exposure.kernel).split(":")[0],
            "dose": f"{exam.dose:.0%}",
            "as noisy as": f"{exam.equivalent_dose:.1%}",
            "noise: full": f"{noise:.1f}",
            "low": f"{noise / exam.equivalent_dose**0.5:.1f}",
        }
        for label, metric, digits in (("PSNR", psnr, 1), ("SSIM", ssim, 3)):
            before, after = (
                np.mean(metric(hu, reference, window=window, reduce="none"))
                for hu in (exam.low.hu, clean)
            )
            row[f"{label}: low"] = f"{before:.{digits}f}"
            row["denoised" + " " * (label == "SSIM")] = f"{after:.{digits}f}"
            row["gain" + " " * (label == "SSIM")] = f"{after - before:+.{digits}f}"
        rows.append(row)
    return rows


def noise_hu(exam: Exam) -> float:
    """Of the full dose in soft tissue."""
    if exam.truth is None:
        return exam.exposure.own_noise_hu
    soft = np.abs(exam.truth.hu - 40) < 60
    return float((exam.full.hu - exam.truth.hu)[soft].std())


def with_section(card: str, table: str) -> str:
    """A card with the section of today in front of that of the data."""
    before = card.split(TITLE)[0].split("## Data")[0].rstrip()
    return f"{before}\n\n{TITLE}\n{TEXT.format(table=table)}## Data{card.split('## Data')[1]}"


def main() -> None:
    shipped = sorted(p.stem for p in WEIGHTS.glob("*.safetensors") if "-" not in p.stem)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(shipped)}")
    names = parser.parse_args().names or shipped
    exams = [
        expose(scan, dose, SEED + i, keep_sinogram=False)
        for i, scan in enumerate(tqdm([patient.scan() for patient in unseen()], "expose"))
        for dose in DOSES
    ]
    for name in names:
        card = WEIGHTS / f"{name}.md"
        write_text(card, with_section(card.read_text("utf-8"), as_markdown(judged(name, exams))))


if __name__ == "__main__":
    main()
