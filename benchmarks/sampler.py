"""Patches a second: `PatchSampler` beside ldct-benchmark's data set, on the same DICOM files."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch
from _mayo import arguments, exams_of, ldct_benchmark, write_mayo
from _table import record
from torch.utils.data import DataLoader, WeightedRandomSampler

from ldctlib.training import PatchSampler

# Batch and patch of the published recipes of WGAN-VGG, CNN-10 and RED-CNN.
SHAPES = ((77, 77), (68, 92), (73, 128))
ROUNDS = 3


def theirs(dataset, patches: int) -> float:
    """Patches a second, one after the other as the data set gives them."""
    order = list(WeightedRandomSampler(dataset.weights, patches, replacement=True))
    begin = time.perf_counter()
    for index in order:
        dataset[index]
    return patches / (time.perf_counter() - begin)


def theirs_loaded(dataset, batch: int, batches: int) -> float:
    """Patches a second through a data loader with two workers, after the first batches."""
    weighted = WeightedRandomSampler(dataset.weights, (batches + 4) * batch, replacement=True)
    loader = iter(DataLoader(dataset, batch_size=batch, sampler=weighted, num_workers=2))
    for _ in range(4):  # as many as the workers prepare ahead
        next(loader)
    begin = time.perf_counter()
    for _ in range(batches):
        next(loader)
    return batches * batch / (time.perf_counter() - begin)


def ours(sampler: PatchSampler, batches: int) -> float:
    sampler.draw()
    begin = time.perf_counter()
    for _ in range(batches):
        sampler.draw()
    return batches * sampler.batch / (time.perf_counter() - begin)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        info = write_mayo(folder)
        ldct_benchmark(info)
        from ldctbench.data import LDCTMayo

        begin = time.perf_counter()
        exams = exams_of(folder, info)
        samplers = {s: PatchSampler(exams, patch=s[1], batch=s[0]) for s in SHAPES[:1]}
        loading = time.perf_counter() - begin
        samplers |= {s: PatchSampler(exams, patch=s[1], batch=s[0]) for s in SHAPES[1:]}
        rows = []
        for batch, patch in SHAPES:
            args = arguments(folder, "cnn10", batch=batch, patch=patch, steps=1)
            dataset = LDCTMayo("train", args)
            # Alternating, so that both sides meet the same load of the machine.
            rounds = [
                (
                    theirs(dataset, 150),
                    theirs_loaded(dataset, batch, 2),
                    ours(samplers[batch, patch], 100),
                )
                for _ in range(ROUNDS)
            ]
            one, loaded, own = (sorted(column)[ROUNDS // 2] for column in zip(*rounds, strict=True))
            rows.append(
                {
                    "batch x patch": f"{batch} x {patch}",
                    "ldct-benchmark, patches/s": one,
                    "with 2 loader workers": loaded,
                    "ldctlib, patches/s": own,
                    "ratio": own / one,
                    "ratio to the workers": own / loaded,
                }
            )
    slices = sum(len(exam.full.hu) for exam in exams)
    note = (
        f"Median of {ROUNDS} alternating rounds on {slices} pairs of 512 x 512 DICOM slices of "
        f"three patients; reading them into memory took ldctlib {loading:.1f} s, once."
    )
    record("sampler", rows, note=note)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
