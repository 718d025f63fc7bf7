"""The low-contrast test on real images, and whether the intervals hold what they promise.

python benchmarks/detectability.py    # about 20 s; needs the data set mita-lcd
"""

import argparse

import numpy as np
from _table import record

from ldctlib.metrics import (
    auc_from_dprime,
    auc_interval,
    cho,
    disc_task,
    dprime_pw,
    frequency_grid,
    low_contrast_table,
)
from ldctlib.scans import mita_lcd

SIDE = 64
# demo_analyze_dose_reduction.py of github.com/DIDSR/LCD_CT at 6140dcd: "example results" at 100 %
# dose, scanner and number of images not stated
EXAMPLE = {
    "fbp": (0.906, 0.913, 0.953, 0.957),
    "network": (0.918, 0.923, 0.962, 0.966),
}


def noise_spectrum(absent, pixel_mm):
    """Radially averaged noise power (H, W) in HU² mm² of patches, with a Hann window."""
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    window *= pixel_mm / SIDE / np.sqrt(np.mean(window**2))
    residuals = absent - absent.mean(axis=0)
    power = (np.abs(np.fft.fft2(residuals * window)) ** 2).sum(axis=0) / (len(absent) - 1)
    ring = np.digitize(frequency_grid((SIDE, SIDE), pixel_mm), np.arange(0, 1.2, 0.025))
    return (np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel()).clip(1))[ring]


def low_contrast():
    rows = []
    for row in low_contrast_table(size=SIDE):
        images = mita_lcd(row["method"], row["dose"])
        insert = images.inserts[row["insert"]]
        noise = noise_spectrum(images.patches(row["insert"], SIDE)[1], images.pixel_mm)
        low = frequency_grid((SIDE, SIDE), images.pixel_mm) < 0.2
        task = disc_task(insert.diameter_mm, insert.contrast_hu, (SIDE, SIDE), images.pixel_mm)
        fourier = dprime_pw(task, noise, images.pixel_mm)
        which = list(images.inserts).index(row["insert"])
        rows.append(
            {
                "method": row["method"],
                "dose %": row["dose"],
                "insert": row["insert"],
                "CHO d'": round(row["dprime"], 2),
                "CHO AUC": round(row["auc"], 3),
                "low": round(row["low"], 3),
                "high": round(row["high"], 3),
                "Fourier PW d'": round(fourier, 2),
                "Fourier PW AUC": round(auc_from_dprime(fourier), 3),
                "noise power below 0.2/mm, HU² mm²": round(float(noise[low].mean())),
                "authors' example AUC": EXAMPLE[row["method"]][which] if row["dose"] == 100 else "",
            }
        )
    return rows


def bootstrap(present, absent, rng, resamples=1000):
    """Percentile interval; the area of a sample is bilinear in how often each image is drawn."""
    wins = present[:, None] > absent[None, :]
    n, m = wins.shape
    p = rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    a = rng.multinomial(m, np.full(m, 1 / m), size=resamples) / m
    return np.quantile(((p @ wins) * a).sum(axis=1), [0.025, 0.975])


def coverage(trials):
    rng = np.random.default_rng(0)
    channels, rows = np.eye(5).reshape(5, 1, 5), []
    for count in (10, 25, 100):
        for d in (0.7, 1.5, 2.5):
            truth, held = auc_from_dprime(d), np.zeros(3)
            widths = np.zeros(3)
            for _ in range(trials):
                v1, v0 = rng.normal(size=(2, count, 5))
                v1[:, 0] += d
                exact = cho(v1[:, None], v0[:, None], channels)
                score = auc_interval(v1[:, 0], v0[:, 0])
                drawn = bootstrap(v1[:, 0], v0[:, 0], rng)
                ends = np.array([(exact.low, exact.high), (score.low, score.high), drawn])
                held += (ends[:, 0] <= truth) & (truth <= ends[:, 1])
                widths += ends[:, 1] - ends[:, 0]
            row = {"images of each kind": count, "AUC": round(truth, 3)}
            for k, name in enumerate(("exact CHO, 5 channels", "score", "bootstrap")):
                row[f"{name}: held %"] = round(100 * held[k] / trials, 1)
                row[f"{name}: width"] = round(widths[k] / trials, 3)
            rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    trials = parser.parse_args().trials
    record(
        "detectability",
        low_contrast(),
        note="MITA-LCD images: channelised Hotelling observer, five Laguerre-Gauss channels as "
        "wide as the disc, 10 images with and 40 patches without; exact 95 % intervals. Fourier: "
        "prewhitening d' of the ideal disc in the noise measured on the same patches.",
    )
    record(
        "detectability_intervals",
        coverage(trials),
        note=f"How often nominal 95 % intervals of the AUC hold the truth, {trials} simulated "
        "studies with normal outputs; score and bootstrap judge a known template.",
    )


if __name__ == "__main__":
    main()
