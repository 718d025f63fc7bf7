"""The recall experiment: how long it takes, and what it finds.

    python benchmarks/removal.py                                # tubes in 40 x 256 x 256 voxels
    python benchmarks/removal.py --case phantom-chest-nodules   # or another removal_cases()
    python benchmarks/removal.py --pairs 2 --shape 8 64 64      # a quick look

Speed is that of 100 pairs, 5 levels of noise, 2 fractions and all metrics; beside it, SSIM and VIF
of one volume by the functions of ldctlib.metrics and with the reference's part computed once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from _table import record

from ldctlib.hallucinations import (
    LesionPair,
    oracle_segments,
    removal_case,
    removal_cases,
    removal_experiment,
)
from ldctlib.masks import Masks
from ldctlib.metrics import FULL_RANGE, ssim
from ldctlib.metrics.fixed_reference import FixedVif, FixedWindow
from ldctlib.metrics.vif import information
from ldctlib.scans import Scan
from ldctlib.units import window_bounds

TUBES, CONTRASTS_HU = 80, (40.0, 80.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=["tubes", *removal_cases()], default="tubes")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--shape", type=int, nargs=3, default=(40, 256, 256))
    parser.add_argument("--workers", type=int, default=None)
    given = parser.parse_args()
    shape = tuple(given.shape)
    case = tubes(shape) if given.case == "tubes" else removal_case(given.case, shape=shape)
    command = f"python benchmarks/removal.py --case {given.case} --pairs {given.pairs}"

    segments = oracle_segments(case.lesions)
    removal_experiment(case, segments, pairs=1, workers=given.workers)  # compiles
    start = time.perf_counter()
    found = removal_experiment(case, segments, pairs=given.pairs, workers=given.workers)
    seconds = time.perf_counter() - start

    size = " x ".join(map(str, case.present.shape))
    about = f"{given.case}, {size} voxels, {len(case.lesions)} structures, {len(segments)} segments"
    record(f"removal_{given.case}", recalls(found.rows()), command, note=f"Recall / AUC; {about}.")
    if given.case == "tubes":
        images = given.pairs * len(found.noise_hu) * (2 + len(found.fractions))
        row = {"what": "experiment, all metrics", "s": seconds, "images": images}
        note = f"{about}; one run. Images: {given.pairs} pairs, whole, noisier and two fractions."
        record("removal_speed", [row, *one_volume(case.present.hu)], command, note=note)


def tubes(shape: tuple[int, int, int]) -> LesionPair:
    """Short oblique vessels of 40 to 80 HU in smooth tissue, about 150 voxels each."""
    rng = np.random.default_rng(0)
    z, y, x = np.indices(shape, dtype=np.float32)
    tissue = 50 + 15 * np.sin(x / 21) * np.cos(y / 17) + 8 * np.sin(z / 5)
    tissue[(y - shape[1] / 2) ** 2 + (x - shape[2] / 2) ** 2 > (0.46 * shape[2]) ** 2] = -1000
    hu, numbered = tissue.copy(), np.zeros(shape, np.int32)
    length, width = min(12, shape[0] - 2), 2.0
    count = 0
    for _ in range(50 * TUBES):
        foot = rng.uniform(
            (1, 0.25 * shape[1], 0.25 * shape[2]), np.multiply(shape, (1, 0.75, 0.75))
        )
        lean = rng.uniform(-0.5, 0.5, 2)
        if foot[0] + length > shape[0]:
            continue
        rise = z - foot[0]
        away = (y - foot[1] - lean[0] * rise) ** 2 + (x - foot[2] - lean[1] * rise) ** 2
        tube = (rise >= 0) & (rise < length) & (away < width**2)
        near = (rise >= -2) & (rise < length + 2) & (away < (width + 2) ** 2)
        if numbered[near].any() or not tube.any():
            continue
        count += 1
        hu[tube] += rng.uniform(*CONTRASTS_HU)
        numbered[tube] = count
        if count == TUBES:
            break
    masks = Masks.from_label_map(numbered, {i: f"tube-{i}" for i in range(1, count + 1)})
    spacing = (1.5, 1.0, 1.0)
    return LesionPair(
        Scan(hu, spacing, "tubes", "abdomen"), Scan(tissue, spacing, "no tubes", "abdomen"), masks
    )


def recalls(rows: list[dict]) -> list[dict]:
    """One line a metric and fraction, one column a level of noise."""
    table: dict[tuple, dict] = {}
    for row in rows:
        key = row["metric"], row["fraction"]
        line = table.setdefault(
            key,
            {
                "metric": row["metric"],
                "removed": f"{row['structures']} ({row['voxels_percent']:.3f} % of voxels)",
            },
        )
        line[f"{row['noise_hu']:g} HU"] = f"{row['recall']:.2f} / {row['auc']:.2f}"
        line[f"trade, {row['noise_hu']:g} HU"] = f"{row['trade_recall']:.2f}"
    return list(table.values())


def one_volume(reference: np.ndarray) -> list[dict]:
    """Seconds of SSIM and VIF of one volume, in this run, both ways."""
    if min(reference.shape[1:]) < 41:
        return []
    error = np.random.default_rng(1).normal(0, 40, reference.shape).astype(np.float32)
    test = reference + error
    bounds = window_bounds("abdomen")
    fixed, wide = FixedWindow(reference, bounds), FixedWindow(reference, FULL_RANGE)
    vif = FixedVif(reference)
    ways = {
        "SSIM, windowed": (
            lambda: ssim(test, reference, data_range=bounds),
            lambda: fixed.ssim(error),
        ),
        "SSIM, full range": (
            lambda: ssim(test, reference, data_range=FULL_RANGE),
            lambda: wide.ssim(error),
        ),
        "VIF": (lambda: information(test, reference).of_volume(), lambda: vif(error)),
    }
    rows = []
    for what, (plain, quick) in ways.items():
        usual, ours = best(plain), best(quick)
        rows.append({"what": what, "s": ours, "metrics s": usual, "times": usual / ours})
    return rows


def best(work: Callable[[], object], times: int = 5) -> float:
    """Shortest of some runs, in seconds."""
    seconds = []
    for _ in range(times + 1):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


if __name__ == "__main__":
    main()
