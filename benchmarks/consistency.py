"""The test against the measurement: its speed, its power and its false alarms on phantoms.

    python benchmarks/consistency.py [--patients 4] [--doses 0.25 0.1 0.05]

Livers with eight metastases, 512 x 512, are tested against the sinogram twice: as they are, and
from an image in which every lesion is missing. Segments are those that the built-in segmenter
finds in the low dose, and the lesions.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from _table import record
from scipy.ndimage import distance_transform_edt

from ldctlib import segments
from ldctlib.hallucinations import consistency
from ldctlib.masks import Masks
from ldctlib.physics import expose
from ldctlib.scans import Scan, open_scan
from ldctlib.scans.phantoms import Lesion

SIZE = 512
METASTASES = ((20, -40), (16, -55), (13, -45), (10, -60), (8, -40), (8, -60), (6, -50), (10, -25))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--patients", type=int, default=4)
    options.add_argument("--doses", type=float, nargs="+", default=[0.25, 0.1, 0.05])
    arguments = options.parse_args()
    patients = [liver(seed) for seed in range(700, 700 + arguments.patients)]
    rows = [at_dose(dose, patients) for dose in arguments.doses]
    record(
        "consistency",
        rows,
        "python benchmarks/consistency.py --patients "
        f"{arguments.patients} --doses {' '.join(map(str, arguments.doses))}",
        note=(
            f"{arguments.patients} phantom patients, one slice of {SIZE} x {SIZE} pixels with "
            f"{len(METASTASES)} metastases of 6 to 20 mm and 25 to 60 HU. "
            "Found: of the lesions missing in the image. False alarms: of segments of the image "
            "that is the truth. Benjamini-"
            "Hochberg at 5 %, per patient. Speed counts the reconstructions as well."
        ),
    )


def liver(seed: int) -> tuple[Scan, Scan]:
    """A patient with the metastases, and the same one without."""

    def render(lesions: list[Lesion]) -> Scan:
        return open_scan("phantom-abdomen", seed=seed, shape=(1, SIZE, SIZE), lesions=lesions)

    well = render([])
    room = distance_transform_edt(well.masks["structures"].boolean("liver")[0])
    row, column = np.indices(room.shape)
    pixel, middle, wanted = well.pixel_mm, (SIZE - 1) / 2, []
    for diameter, contrast in METASTASES:
        y, x = np.unravel_index(room.argmax(), room.shape)
        centre = (x - middle) * pixel, (y - middle) * pixel, 0.0
        wanted.append(Lesion("metastasis", centre, diameter, contrast))
        room = np.minimum(room, np.hypot(row - y, column - x) - (diameter / 2 + 4) / pixel)
    return render(wanted), well


def at_dose(dose: float, patients: list[tuple[Scan, Scan]]) -> dict[str, float]:
    """One row: all patients at one dose."""
    found, lesions, false, tested, seconds = 0, 0, 0, 0, 0.0
    errors = []
    for seed, (ill, well) in enumerate(patients):
        exam = expose(ill, dose, seed=seed)
        every = ill.masks["structures"]
        own = every.select([name.startswith("lesion-") for name in every.labels])
        masks = Masks.concatenate([own, segments.segment(exam.low, progress=False)])
        consistency(ill, exam.sinogram, masks.select([0]))  # compiles
        start = time.process_time()
        missing = consistency(well, exam.sinogram, masks)
        seconds += time.process_time() - start
        here = missing.flagged()[: len(own)]
        found, lesions = found + int(here.sum()), lesions + len(own)
        errors += missing.standard_error_hu[: len(own)].tolist()
        kept = consistency(ill, exam.sinogram, masks)
        false, tested = false + int(kept.flagged().sum()), tested + len(masks)
    return {
        "dose": f"{dose:.0%}",
        "segments": tested,
        "segments per CPU second": tested / seconds,
        "standard error of lesions (HU)": float(np.median(errors)),
        "found": f"{found} of {lesions}",
        "false alarms": f"{false} of {tested}",
    }


if __name__ == "__main__":
    main()
