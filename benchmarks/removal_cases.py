"""The recall experiment on every patient that the library has for it, and with worse masks.

    python benchmarks/removal_cases.py                        # a quarter of an hour
    python benchmarks/removal_cases.py --pairs 2 --case phantom-chest-nodules

A tenth of the structures vanishes. Phantoms lose them exactly, labelled scans by
`remove_structures`. Segments are the structures themselves among tiles; then, for the tubes of
removal.py, structures whose masks overlap the true ones by less and less.
"""

from __future__ import annotations

import argparse
import json
import time

from _table import RESULTS, record
from removal import tubes

from ldctlib.hallucinations import (
    imperfect_masks,
    oracle_segments,
    removal_case,
    removal_cases,
    removal_experiment,
)
from ldctlib.hallucinations.removal_results import RemovalResults
from ldctlib.metrics import OF_ERROR

MASKS = "masks"
FRACTION, TRADE_AT_HU = 0.1, 40.0
OVERLAPS = {"shrunk": (0.9, 0.7, 0.5), "grown": (0.7, 0.5), "shifted": (0.9, 0.7, 0.5)}
OF_SEGMENTS = ("mean-srmse", "max-srmse", "max-bias")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = [*removal_cases(), MASKS]
    parser.add_argument("--case", nargs="+", choices=every, default=every)
    parser.add_argument("--pairs", type=int, default=20)
    given = parser.parse_args()
    note = f"Recall / AUC, {FRACTION:.0%} of the structures removed"
    command = "python benchmarks/removal_cases.py"
    rows = kept("removal_cases", given.case)
    for name in given.case:
        if name == MASKS:
            continue
        start = time.perf_counter()
        rows += of_case(name, given.pairs)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        record("removal_cases", rows, command, note=f"{note}.")
    if MASKS in given.case:
        note += f", {given.pairs} pairs; tubes, 40 x 256 x 256 voxels; masks among tiles"
        record("removal_masks", of_masks(given.pairs), command, note=f"{note}.")


def of_case(name: str, pairs: int) -> list[dict]:
    """One row a metric."""
    case = removal_case(name)
    found = removal_experiment(case, fractions=(FRACTION,), pairs=pairs)
    removed = f"{found.counts[0]} of {len(case.lesions)}"
    percent = 100 * float(found.changed.mean())
    about = {"case": name, "pairs": pairs, "removed": removed, "% of voxels": percent}
    return [{**about, **levels(found, metric)} for metric in OF_ERROR]


def of_masks(pairs: int) -> list[dict]:
    """One row a metric of segments, way and overlap."""
    case = tubes((40, 256, 256))
    every = {("as they are", 1.0): case.lesions} | {
        (way, iou): imperfect_masks(case.lesions, iou, way)
        for way, overlaps in OVERLAPS.items()
        for iou in overlaps
    }
    rows = []
    for (way, iou), masks in every.items():
        found = removal_experiment(
            case,
            oracle_segments(masks),
            fractions=(FRACTION,),
            noise_hu=(40, 80, 160),
            pairs=pairs,
            metrics=OF_SEGMENTS,
            trade=0,
        )
        about = {"masks": way, "IoU": iou}
        rows += [{**about, **levels(found, metric, trade=False)} for metric in OF_SEGMENTS]
    return rows


def levels(found: RemovalResults, metric: str, trade: bool = True) -> dict:
    """One column a level of noise."""
    row = {"metric": metric}
    for noise in found.noise_hu:
        share = found.recall(metric, FRACTION, noise).recall
        row[f"{noise:g} HU"] = f"{share:.2f} / {found.area(metric, FRACTION, noise):.2f}"
    if trade:
        share = found.trade_recall(metric, FRACTION, TRADE_AT_HU).recall
        row[f"trade, {TRADE_AT_HU:g} HU"] = share
    return row


def kept(name: str, but: list[str]) -> list[dict]:
    """Rows that were recorded before, of other cases."""
    path = RESULTS / f"{name}.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return [row for row in rows if row["case"] not in but]


if __name__ == "__main__":
    main()
