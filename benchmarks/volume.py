"""A chest of the size of a patient's through `ldct segment` and `ldct hallucinations`.

    python benchmarks/volume.py [--slices 392] [--folder build/volume]

Phantoms of 98 slices each are stacked, exposed at a tenth of the dose and denoised by CNN-10; what
is done stays in the folder, so that an interrupted run goes on. Then the two commands are run as a
user would, and the memory of each with all its processes is read ten times a second.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from _table import record

from ldctlib import denoisers, physics, scans
from ldctlib.files import replacing, write_arrays
from ldctlib.masks import Masks

DEPTH, PART = 98, 14  # slices of one phantom, slices exposed at a time
SPACING_MM, CENTRE_MM = (1.0, 0.75, 0.75), -24.0
NAMES = ("full", "low", "denoised")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--slices", type=int, default=392)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--folder", type=Path, default=Path("build/volume"))
    options = parser.parse_args()
    files = volumes(options.folder, options.slices, options.size)
    masks, table = (options.folder / name for name in ("segments.npz", "segments.csv"))
    masks.unlink(missing_ok=True)
    table.unlink(missing_ok=True)
    spacing = ["--spacing-mm", *map(str, SPACING_MM)]
    low, denoised = files["low"], files["denoised"]
    steps = {
        "segment": ["segment", files["full"], masks, *spacing],
        "hallucinations": ["hallucinations", low, denoised, files["full"], "--masks", masks]
        + ["--out", table, *spacing],
    }
    rows = []
    for name, arguments in steps.items():
        minutes, peak_gb = watched(["-m", "ldctlib.cli", *map(str, arguments)])
        found = len(Masks.load(masks))
        rows.append({"ldct": name, "segments": found, "minutes": minutes, "peak GB": peak_gb})
    voxel_gb = options.slices * options.size**2 * 4 / 1e9
    record(
        "volume",
        rows,
        f"python benchmarks/volume.py --slices {options.slices} --size {options.size}",
        note=(
            f"Stacked chest phantoms, {options.slices} x {options.size} x {options.size} voxels "
            f"({voxel_gb:.2f} GB a volume in float32; hallucinations holds three). Peak memory is "
            "the sum over all processes of the command."
        ),
    )


def volumes(folder: Path, slices: int, size: int) -> dict[str, Path]:
    """Full dose, low dose and denoised as .npy files, made phantom by phantom."""
    files = {name: folder / f"{name}-{slices}-{size}.npy" for name in NAMES}
    if all(file.exists() for file in files.values()):
        return files
    network = denoisers.load("cnn10")
    parts: list[Path] = []
    for seed, first in enumerate(range(0, slices, DEPTH)):
        parts.append(folder / f"part-{size}-{first}-{min(DEPTH, slices - first)}.npz")
        if not parts[-1].exists():
            shape = (min(DEPTH, slices - first), size, size)
            write_arrays(parts[-1], exposed(network, seed, shape))
        print(f"{first + DEPTH} of {slices} slices are there", flush=True)
    for name, file in files.items():
        whole = np.concatenate([np.load(part)[name] for part in parts])
        with replacing(file) as unfinished:
            np.save(unfinished, whole)
    return files


def exposed(
    network: denoisers.ImageNetwork, seed: int, shape: tuple[int, int, int]
) -> dict[str, np.ndarray]:
    """One phantom at full dose, at a tenth of it, and denoised, (Z, H, W) in HU each."""
    scan = scans.open_scan(
        "phantom-chest", seed=31 + seed, shape=shape, spacing_mm=SPACING_MM, centre_mm=CENTRE_MM
    )
    found: dict[str, list[np.ndarray]] = {name: [] for name in NAMES}
    for first in range(0, shape[0], PART):
        part = scan.slab(first, min(first + PART, shape[0]))
        exam = physics.expose(part, dose=0.1, seed=first, keep_sinogram=False)
        for name, hu in zip(NAMES, (exam.full.hu, exam.low.hu, network(exam).hu), strict=True):
            found[name].append(np.float32(hu))
    return {name: np.concatenate(hu) for name, hu in found.items()}


def watched(arguments: list[str]) -> tuple[float, float]:
    """Minutes a command of this Python took, and the most memory of all its processes in GB."""
    start, peak = time.perf_counter(), 0
    process = psutil.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            family = [process, *process.children(recursive=True)]
            peak = max(peak, sum(one.memory_info().rss for one in family))
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.1)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}.")
    return (time.perf_counter() - start) / 60, peak / 1e9


if __name__ == "__main__":
    main()
