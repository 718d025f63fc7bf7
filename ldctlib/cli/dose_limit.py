"""`ldct dose-limit`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ldctlib.cli.common import denoisers_of, new_csv


def add_arguments(add: Any) -> None:
    """What stands behind the command."""
    add(
        "methods",
        nargs="+",
        metavar="METHOD",
        help="names, or name=FILE for weights of your own",
    )
    add("--doses", type=float, nargs="+", metavar="DOSE", help="fractions of the full dose")
    add("--diameter", type=float, nargs="+", default=[8.0], metavar="MM", help="of the lesions")
    add("--contrast", type=float, nargs="+", default=[-15, -25, -40], metavar="HU", help="of them")
    add(
        "--pixels",
        type=int,
        default=512,
        help="side of a slice of 400 mm; 512, as the shipped networks were trained, if not given",
    )
    add("--patients", type=int, default=4, metavar="N", help="phantoms; 12 lesions each")
    add("--seed", type=int, default=0, help="of the first patient; 1 more for each next")
    add(
        "--by",
        default="contrast",
        choices=("contrast", "sight", "flag"),
        help="what makes a lesion lost: half of its contrast gone, not to be seen, or flagged",
    )
    add("--preset", default="benchmark", help="of the exposure: benchmark or clinical")
    add("--folder", type=Path, metavar="FOLDER", help="keeps what is done, to go on after a stop")
    add("--out", type=Path, metavar="FILE", help="a new .csv with every dose and kind of lesion")
    add("--device", help="cpu or cuda; the best there is if not given")


def run(options: argparse.Namespace) -> None:
    """Find the lowest dose at which a method loses no lesion of a stated size and contrast."""
    new_csv(options.out)
    if options.patients < 1:
        raise ValueError(f"A dose limit needs a patient at least, not {options.patients}.")
    from ldctlib.files import write_text
    from ldctlib.hallucinations import DOSES, dose_limit, lesion_pair

    denoisers = denoisers_of(options.methods, options.device)
    lesions = {
        "diameter_mm": options.diameter,
        "contrast_hu": options.contrast,
        "pixels": options.pixels,
    }
    seeds = range(options.seed, options.seed + options.patients)
    found = dose_limit(
        denoisers,
        [lesion_pair(seed, **lesions) for seed in seeds],
        options.doses or DOSES,
        preset=options.preset,
        folder=options.folder,
        progress=sys.stderr.isatty(),
    )
    for name in found.denoisers:
        for group in found.groups:
            print(f"{name:20} {group:16} {_told(found, name, group, options.by)}")
    if options.out:
        write_text(options.out, found.table().to_csv(index=False, lineterminator="\n"))
        print(f"All doses are in {options.out}")


def _told(found: Any, name: str, group: str, by: str) -> str:
    """A limit in words."""
    limit = found.limit(name, group, by=by)
    if limit.dose is None:
        highest = found.doses[0]
        lost = found.lost(name, highest, group, by=by).lost
        return f"no dose: {lost} of {limit.lesions} lost at {highest:g}"
    return f"{limit.dose:g}: none lost of {limit.lesions}, so at most {limit.at_most:.0%} are"
