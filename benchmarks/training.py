"""Steps a second: `training.fit` beside ldct-benchmark's own training loop, on the same CPU.

python benchmarks/training.py                  by the clock, on an idle machine
python benchmarks/training.py --clock cpu      CPU seconds of one thread, on a busy one
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from _mayo import arguments, exams_of, ldct_benchmark, write_mayo
from _table import record

from ldctlib.denoisers import METHODS, Precision
from ldctlib.physics import Exam
from ldctlib.training import PatchSampler, Validation, choose_precision, fit

# Method, batch, patch. CNN-10 and QAE as published, the others with fewer or smaller patches.
# WGAN-VGG and the bilateral filter cannot be trained there: one fails, one wants compiled CUDA.
CASES = (
    ("cnn10", 68, 92),
    ("redcnn", 8, 128),
    ("redcnn", 8, 64),
    ("resnet", 8, 64),
    ("qae", 125, 36),
    ("dugan", 4, 64),
    ("transct", 1, 512),
)
WARM_UP, STEPS = 2, 4
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class TimedSampler(PatchSampler):
    """Notes when each batch is asked for: between two such times lies one whole step."""

    def draw(self):
        self.times.append(self.clock())
        return super().draw()


def theirs(folder: Path, method: str, batch: int, patch: int, clock: str) -> list[float]:
    """Seconds of the steps of ldct-benchmark's ``Trainer.train()``, data loader included."""
    args = arguments(folder, method, batch=batch, patch=patch, steps=WARM_UP + STEPS)
    args.num_workers = 2 if clock == "wall" else 0
    torch.manual_seed(args.seed)
    module = importlib.import_module(f"ldctbench.methods.{method}.Trainer")
    trainer = module.Trainer(args, torch.device("cpu"))
    times, step = [], trainer.train_step

    def timed_step(batch):
        step(batch)
        times.append(CLOCKS[clock]())

    trainer.train_step = timed_step
    trainer.train()
    return between(times)


def ours(sampler: TimedSampler, check: Validation, method: str, precision) -> list[float]:
    """Seconds of the steps of `fit`."""
    sampler.times = []
    steps = WARM_UP + STEPS + 1
    settings = {"steps": steps, "precision": precision, "device": "cpu", "progress": False}
    fit(method, sampler, check, **settings)
    return between(sampler.times)


def between(times: list[float]) -> list[float]:
    """Differences of consecutive times, without those of the first steps."""
    return [b - a for a, b in zip(times[WARM_UP - 1 :], times[WARM_UP:], strict=False)][-STEPS:]


def compare(folder: Path, exams: list[Exam], rounds: int, clock: str) -> list[dict]:
    rows = []
    for method, batch, patch in CASES:
        check = Validation([exams[2]], slices=1, patch=max(patch, 64))
        sampler = TimedSampler(exams, patch=patch, batch=batch)
        sampler.clock = CLOCKS[clock]
        recipe = replace(METHODS[method].trainable.recipe, batch=batch, patch=patch)
        chosen = choose_precision("auto", METHODS[method], recipe, torch.device("cpu"))
        seconds: dict[str, list[float]] = {"theirs": [], "float32": [], "auto": []}
        for _ in range(rounds):  # alternating, so that all meet the same load of the machine
            seconds["theirs"] += theirs(folder, method, batch, patch, clock)
            for precision in ("float32", "auto"):
                seconds[precision] += ours(sampler, check, method, precision)
        median = {name: statistics.median(values) for name, values in seconds.items()}
        rows.append(
            {
                "method": method,
                "batch x patch": f"{batch} x {patch}",
                "ldct-benchmark, steps/s": 1 / median["theirs"],
                "ldctlib float32, steps/s": 1 / median["float32"],
                "ratio ": median["theirs"] / median["float32"],
                "ldctlib auto, steps/s": 1 / median["auto"],
                "ratio": median["theirs"] / median["auto"],
                "auto chose": describe(chosen),
            }
        )
    return rows


def describe(precision: Precision) -> str:
    name = str(precision.autocast or torch.float32).removeprefix("torch.")
    return f"{name}, channels last" if precision.channels_last else name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()
    if options.clock == "cpu":
        torch.set_num_threads(1)
    unit = "s" if options.clock == "wall" else "CPU s"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        info = write_mayo(folder)
        ldct_benchmark(info)
        rows = compare(folder, exams_of(folder, info), options.rounds, options.clock)
    rows = [{k.replace("/s", f"/{unit}"): v for k, v in row.items()} for row in rows]
    how = {
        "wall": "2 loader workers, by the clock",
        "cpu": "one thread, loading in the process, CPU seconds, since the machine was busy",
    }
    note = (
        f"ldct-benchmark 0.0.15: its Trainer.train() as it is (W&B disabled, {how[options.clock]})"
        " on three patients of 512 x 512 DICOM slices; ldctlib: training.fit on the same files. "
        f"Median of {options.rounds} x {STEPS} steps, alternating, each after {WARM_UP} to warm "
        "up. CNN-10 and QAE as published, the others with fewer or smaller patches."
    )
    command = f"python benchmarks/training.py --clock {options.clock} --rounds {options.rounds}"
    record("training", rows, command, note=note)


if __name__ == "__main__":
    main()
