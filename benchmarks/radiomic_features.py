"""Speed-up of the radiomic features of several organs on several scans by worker processes.

    python benchmarks/radiomic_features.py [--slices 40] [--side 512] [--scans 10]

As many scans as in the comparison of eight denoisers with the low dose and the reference. The
processes' start, about a second, is part of the time. The rounds take turns, so that a change in the machine's
load meets both; the faster round of each counts.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

TARGET = 1.7


def main(slices: int, side: int, scans: int, rounds: int = 2) -> None:
    from _table import record

    from ldctlib.metrics import organ_masks, radiomic_features
    from ldctlib.metrics._extraction import forget
    from ldctlib.scans import open_scan

    truth = open_scan("phantom-abdomen", shape=(slices, side, side))
    masks = organ_masks(truth)
    rng = np.random.default_rng(0)
    noise = {f"noise of {s} HU": s * rng.normal(size=truth.shape) for s in np.arange(1, scans) * 5}
    group = {"truth": truth, **{name: truth.with_hu(truth.hu + n) for name, n in noise.items()}}
    load = os.getloadavg()[0]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    values: dict[int, np.ndarray] = {}
    for _ in range(rounds):
        for processes in seconds:
            forget()
            start = time.perf_counter()
            features = radiomic_features(group, masks, processes=processes)
            seconds[processes].append(time.perf_counter() - start)
            values[processes] = features.values
    np.testing.assert_array_equal(values[1], values[2])
    start = time.perf_counter()
    radiomic_features(group, masks)
    again = time.perf_counter() - start
    jobs, one, two = values[1].shape[0] * values[1].shape[1], min(seconds[1]), min(seconds[2])
    name = "benchmarks/radiomic_features.py"
    row = {"scans": scans, "organs": len(features.organs), "slices": slices, "side": side}
    record(
        "radiomics",
        [
            {**row, "processes": 1, "s": round(one, 2), "s a region": round(one / jobs, 3)},
            {**row, "processes": 2, "s": round(two, 2), "s a region": round(two / jobs, 3)}
            | {"times faster": round(one / two, 2), "target": TARGET},
            {**row, "processes": "none, all known", "s": round(again, 2)},
        ],
        command=f"python {name} --slices {slices} --side {side} --scans {scans}",
        note=f"Abdomen phantom with noise, the features of RFS v1; load average {load:.1f} when it "
        "began. The last row asks for the same features once more.",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=40)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--scans", type=int, default=10)
    options = parser.parse_args()
    main(options.slices, options.side, options.scans)
