"""What several commands share: scans by name, and exposures of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

METHODS = "such as redcnn; ldct weights lists them"
PHANTOMS = ("phantom-chest:1100", "phantom-abdomen:1100", "phantom-head:1100")
DEVICE = "cpu or cuda; the best there is if not given"


def add_data(add: Any) -> None:
    """Arguments that say what is trained on."""
    add("--scans", nargs="+", required=True, metavar="SCAN", help="names, files, phantom-chest:7")
    add("--validation", nargs="+", metavar="SCAN", default=PHANTOMS, help="other patients")
    add("--dose", type=float, nargs="+", default=[0.25, 0.1], help="fractions of the full dose")
    add("--preset", default="benchmark", help="of the exposure: benchmark or clinical")


def open_source(source: str, **options: Any) -> Any:
    """A scan by name or path; a phantom may carry its seed, as in phantom-chest:7."""
    from ldctlib.scans import open_scan

    name, colon, seed = source.partition(":")
    if name.startswith("phantom-") and colon:
        if not seed.isdigit():
            raise ValueError(f"The seed of a phantom is a number, as in {name}:7, not {seed!r}.")
        return open_scan(name, seed=int(seed))
    if source.endswith(".npy") and not options.get("spacing_mm"):
        raise ValueError(f"{source} does not say how large its voxels are: give --spacing-mm.")
    return open_scan(source, **{key: v for key, v in options.items() if v is not None})


def exams_of(
    sources: Sequence[str], options: argparse.Namespace, methods: Sequence[str], seed: int = 0
) -> list[Any]:
    """Every scan at every dose, named by both; with what these methods need of it."""
    from ldctlib.denoisers import needs_sinogram
    from ldctlib.denoisers.registry import method
    from ldctlib.physics import expose

    keep = needs_sinogram(*map(method, methods))
    exams = []
    for source in sources:
        scan = open_source(source)
        for dose in options.dose:
            exam = expose(scan, dose, seed, preset=options.preset, keep_sinogram=keep)
            name = f"{source} at {dose:.0%}"
            exams.append(replace(exam, full=replace(exam.full, name=name)))
    return exams


def denoisers_of(asked: Sequence[str] | None, device: str | None) -> dict[str, Any]:
    """Denoisers by what they were asked by: "cnn10", or "cnn10=FILE"."""
    from ldctlib.denoisers import available, load
    from ldctlib.denoisers.weights import shipped_weights

    if asked is None:
        asked = []
        for name in available():
            with suppress(FileNotFoundError):
                shipped_weights(name)
                asked.append(name)
    return {
        wish: load(wish.partition("=")[0], wish.partition("=")[2] or "shipped", device=device)
        for wish in asked
    }


def asked_for(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those of the named options that were given."""
    asked = {name: getattr(options, name) for name in names}
    return {name: value for name, value in asked.items() if value is not None}


def new_csv(path: Path | None) -> None:
    """Refuse, before any work, a table that would not be written.

    Raises:
        ValueError: the file is there already, or is no .csv file.
    """
    if path and (path.suffix != ".csv" or path.exists()):
        wrong = "is there already" if path.exists() else "is no .csv file"
        raise ValueError(f"{path} {wrong}; name a new .csv file.")
