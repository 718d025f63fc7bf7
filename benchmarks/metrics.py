"""Speed of SSIM and VIF on a volume, beside scikit-image and sewar in the same run.

python benchmarks/metrics.py
"""

import time

import numpy as np
from _table import record
from sewar.full_ref import vifp
from skimage.metrics import structural_similarity

from ldctlib.metrics import psnr, rmse, ssim, vif

SLICES, SIDE, ROUNDS = 40, 512, 3


def seconds_a_slice(call, slices):
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) / slices)
    return min(times)


def main():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 200, (SLICES, SIDE, SIDE)).cumsum(1)
    test = truth + rng.normal(0, 40, truth.shape)
    few = 4  # the slow ones see fewer slices
    for metric in (ssim, vif):  # compile
        metric(test[:2], truth[:2], data_range=(-1024, 1900))
    span = 2924.0
    ours = {
        "RMSE": seconds_a_slice(lambda: rmse(test, truth, data_range=(-1024, 1900)), SLICES),
        "PSNR": seconds_a_slice(lambda: psnr(test, truth, data_range=(-1024, 1900)), SLICES),
        "SSIM": seconds_a_slice(lambda: ssim(test, truth, data_range=(-1024, 1900)), SLICES),
        "VIF": seconds_a_slice(lambda: vif(test, truth, data_range=(-1024, 1900)), SLICES),
    }
    theirs = {
        "SSIM": (
            "scikit-image",
            seconds_a_slice(
                lambda: [
                    structural_similarity(test[z], truth[z], data_range=span) for z in range(few)
                ],
                few,
            ),
        ),
        "VIF": ("sewar", seconds_a_slice(lambda: vifp(truth[0], test[0]), 1)),
    }
    rows = []
    for name, seconds in ours.items():
        row = {"metric": name, "ldctlib ms a slice": round(1e3 * seconds, 2)}
        if name in theirs:
            other, time_other = theirs[name]
            row |= {
                "beside": other,
                "their ms a slice": round(1e3 * time_other, 1),
                "times faster": round(time_other / seconds, 1),
            }
        rows.append(row)
    record("metrics", rows, command="python benchmarks/metrics.py")


if __name__ == "__main__":
    main()
