"""Guided and random search for hyper-parameters of CNN-10, after the same number of trials."""

from __future__ import annotations

import argparse
import time

import numpy as np
from _table import record

from ldctlib.physics import expose
from ldctlib.scans import open_scan
from ldctlib.training import search

ANATOMIES = {"phantom-chest": 0.1, "phantom-abdomen": 0.25, "phantom-head": 0.25}


def exams_of(seed: int, slices: int, side: int) -> list:
    """One phantom of each anatomy at the benchmark's dose."""
    return [
        expose(open_scan(name, seed=seed, shape=(slices, side, side)), dose=dose, seed=seed)
        for name, dose in ANATOMIES.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--budget", type=float, default=0.002)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--side", type=int, default=256)
    asked = parser.parse_args()
    data = exams_of(1000, 8, asked.side), exams_of(1100, 4, asked.side)
    search("cnn10", *data, trials=1, budget=asked.budget, progress=False)  # compiles
    rows = []
    for seed in range(asked.seeds):
        for sampler in ("gp", "random"):
            begin = time.perf_counter()
            settings = {"trials": asked.trials, "budget": asked.budget, "seed": seed}
            found = search("cnn10", *data, sampler=sampler, **settings)
            best = np.fmax.accumulate([row["ssim"] for row in found.rows])
            row = {"search": sampler, "seed": seed, "seconds": round(time.perf_counter() - begin)}
            marks = sorted({min(n, asked.trials) for n in (10, 25, 50)})
            rows.append({**row, **{f"best of {n}": round(best[n - 1], 4) for n in marks}})
    note = (
        f"CNN-10, {asked.trials} trials at {asked.budget:g} of the published steps, validation "
        "SSIM on phantoms; the first ten trials of both searches are the same."
    )
    record("search", rows, note=note)


if __name__ == "__main__":
    main()
