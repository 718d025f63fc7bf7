"""How many photons make a low-dose scan as hard as the published one; how far the preset is off.

python benchmarks/calibrate_dose.py [--slices 8] [--search]

The published benchmark gives the mean PSNR of its low-dose images against full dose, each slice in
its anatomy's display window. Here the training scans are exposed with the "benchmark" preset,
stored as a scanner does, which clips the noise in air and lung, and measured the same way. With
--search the photons are changed until both agree: these numbers are what
ldctlib/physics/presets.py holds. The scans come from the cache, LDCTLIB_DATA_DIR or the net.

Published values: LD row of the results table of ldct-benchmark,
https://github.com/eeulig/ldct-benchmark, doi:10.1002/mp.17379.
"""

import argparse
import sys

import numpy as np
from _table import record

from ldctlib.metrics import psnr
from ldctlib.physics import PRESETS, expose
from ldctlib.physics.presets import BENCHMARK_DOSE
from ldctlib.scans import open_scan
from ldctlib.units import WINDOW_OF_ANATOMY

# anatomy: (training scan, published PSNR of low dose in dB)
PUBLISHED = {
    "chest": ("lidc-0314", 18.066),
    "abdomen": ("crlm-1004", 29.117),
    "head": ("head-ge", 30.923),
}
DB_PER_DECADE = 13  # 10 where noise follows the square root, more where the detector starves


def measure(scan, photons, seed=1):
    """PSNR of each low-dose slice in dB."""
    exam = expose(
        scan,
        BENCHMARK_DOSE[scan.anatomy],
        seed,
        preset="benchmark",
        photons=photons,
        clip=True,
        keep_sinogram=False,
    )
    window = WINDOW_OF_ANATOMY[scan.anatomy]
    return [
        psnr(low, full, window=window) for low, full in zip(exam.low.hu, exam.full.hu, strict=True)
    ]


def every(scan, slices):
    """About as many slices as asked for, spread over the scan."""
    chosen = np.unique(np.linspace(0, len(scan.hu) - 1, slices + 2).round().astype(int)[1:-1])
    return type(scan)(
        scan.hu[chosen], scan.spacing_mm, scan.name, scan.anatomy, {}, scan.z_mm[chosen]
    )


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--slices", type=int, default=8)
    options.add_argument("--search", action="store_true")
    args = options.parse_args()
    rows = []
    for anatomy, (name, published) in PUBLISHED.items():
        scan = every(open_scan(name), args.slices)
        photons = PRESETS["benchmark"][anatomy].photons
        found = measure(scan, photons)
        while args.search and abs(np.mean(found) - published) > 0.05:
            photons *= 10 ** ((published - np.mean(found)) / DB_PER_DECADE)
            found = measure(scan, photons)
            print(f"{anatomy}: {photons:.4g} photons, {np.mean(found):.3f} dB", flush=True)
        rows.append(
            {
                "anatomy": anatomy,
                "scan": name,
                "slices": len(found),
                "dose": BENCHMARK_DOSE[anatomy],
                "kernel": PRESETS["benchmark"][anatomy].kernel,
                "photons": f"{photons:.3g}",
                "published PSNR (dB)": published,
                "PSNR (dB)": round(float(np.mean(found)), 2),
                "lowest slice": round(float(min(found)), 2),
                "highest slice": round(float(max(found)), 2),
            }
        )
    record(
        "dose",
        rows,
        command=" ".join(["python benchmarks/calibrate_dose.py", *sys.argv[1:]]),
        note="Mean over slices of the PSNR of low against full dose, stored as a scanner does and "
        "windowed.",
    )


if __name__ == "__main__":
    main()
