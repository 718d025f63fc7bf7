"""Seconds per 512 x 512 slice of every procedural anatomy, after compilation, beside the budget.

    python benchmarks/phantoms.py [--slices 16]

Wall time counts whatever else the machine does; CPU time, summed over threads, does not.
"""

from __future__ import annotations

import argparse
import os
import time

import numba
from _table import record

from ldctlib.scans.phantoms import phantom
from ldctlib.scans.scan import ANATOMIES

BUDGET_S = 0.7  # a slice, on two cores


def measure(anatomy: str, slices: int, repeats: int = 2) -> dict:
    phantom(anatomy, seed=1, shape=(1, 64, 64))  # compiles
    walls, cpus = [], []
    for seed in range(2, 2 + repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        phantom(anatomy, seed=seed, shape=(slices, 512, 512))
        walls.append((time.perf_counter() - wall) / slices)
        cpus.append((time.process_time() - cpu) / slices)
    return {
        "anatomy": anatomy,
        "slices": slices,
        "wall s/slice": round(min(walls), 3),
        "CPU s/slice": round(min(cpus), 3),
        "budget s/slice": BUDGET_S,
        "budget / wall": round(BUDGET_S / min(walls), 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=16)
    slices = parser.parse_args().slices
    load = os.getloadavg()[0]
    record(
        "phantoms",
        [measure(anatomy, slices) for anatomy in ANATOMIES],
        note=f"Two new patients each, the faster one; {numba.get_num_threads()} threads; patient "
        f"and slices together; load average {load:.1f} when it began.",
    )
