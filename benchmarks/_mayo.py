"""Real slices in the folder layout of the Mayo data set, and ldct-benchmark set up to read them."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom

from ldctlib.physics import Exam
from ldctlib.scans import Scan, open_scan, write_dicom
from ldctlib.units import Normalization

# What ldct-benchmark's trainers read beside the common arguments.
EXTRAS = {
    "dugan": {
        "lam_adv": 0.080335201069619,
        "lam_cutmix": 2.647865385857211,
        "lam_px_grad": 27.81452397771084,
        "lam_px_im": 1.0,
        "cutmix_prob": 0.5,
        "cutmix_warmup_iter": 7615,
        "n_d_train": 2,
    }
}
PATIENTS = {"C001": "lidc-0314", "L001": "crlm-1004", "N001": "head-ge"}


def write_mayo(folder: Path) -> dict:
    """Three patients as DICOM files; the ``info.yml`` of ldct-benchmark that describes them.

    The low dose is the full dose plus white noise: for the speed of reading, noise is noise.
    """
    scale = Normalization.benchmark()
    info: dict = {"mean": scale.mean_hu + 1024, "std": scale.std_hu, "min": 0, "max": 4095}
    records = []
    for patient, name in PATIENTS.items():
        full = open_scan(name)
        full = replace(full, hu=full.hu.clip(-1024, 3071), masks={})
        noise = np.random.default_rng(0).normal(0, 40, full.shape)
        low = full.with_hu((full.hu + noise).clip(-1024, 3071))
        record = {"id": patient, "n_slices": len(full.hu)}
        for key, scan in (("input", low), ("target", full)):
            series = Path("LDCT-and-Projection-data") / patient / "01-01-2020-NA-NA-00001" / key
            _write_series(scan, folder / series)
            record[key] = f"./{series}"
        records.append(record)
    return {**info, "train_set": records, "val_set": records}


def _write_series(scan: Scan, folder: Path) -> None:
    files = sorted(p for p in write_dicom(scan, folder).iterdir() if p.is_file())
    for i, file in enumerate(files, 1):
        file.rename(folder / f"1-{i:0{len(str(len(files)))}}.dcm")


def exams_of(folder: Path, info: dict) -> list[Exam]:
    """The same DICOM files as exams of this library."""
    anatomies = {"C": "chest", "L": "abdomen", "N": "head"}
    exams = []
    for record in info["train_set"]:
        low, full = (
            Scan(
                np.stack([_hu(file) for file in sorted((folder / record[key][2:]).iterdir())]),
                (1.0, 1.0, 1.0),
                record["id"],
                anatomy=anatomies[record["id"][0]],
            )
            for key in ("input", "target")
        )
        exams.append(Exam(full=full, low=low, sinogram=None, dose=0.25))
    return exams


def _hu(file: Path) -> np.ndarray:
    image = pydicom.dcmread(file)
    return image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)


def ldct_benchmark(info: dict) -> None:
    """Import ldct-benchmark with W&B switched off and its list of patients replaced by ours."""
    os.environ["WANDB_MODE"] = "disabled"
    import ldctbench.data.LDCTMayo  # noqa: F401
    import wandb

    wandb.init(mode="disabled")
    # The package's name for the module is hidden by the class of the same name.
    sys.modules["ldctbench.data.LDCTMayo"].load_yaml = lambda path: info


def arguments(folder: Path, method: str, *, batch: int, patch: int, steps: int) -> Namespace:
    """What ldct-benchmark's configuration files hold, for a CPU."""
    from ldctlib.denoisers import METHODS

    recipe = METHODS[method].trainable.recipe
    return Namespace(
        trainer=method,
        datafolder=str(folder),
        data_norm="meanstd",
        data_subset=1.0,
        patchsize=patch,
        eval_patchsize=patch,
        mbs=batch,
        iterations_before_val=steps,
        max_iterations=steps,
        num_workers=2,
        valsamples=0,
        seed=1339,
        cuda=False,
        devices=0,
        optimizer="adam",
        lr=recipe.learning_rate,
        adam_b1=recipe.betas[0],
        adam_b2=recipe.betas[1],
        **EXTRAS.get(method, {}),
    )
