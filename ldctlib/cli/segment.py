"""`ldct segment`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ldctlib.cli.common import DEVICE, asked_for, open_source

ONLY_SAM = ("window", "checkpoint", "points_per_side", "device", "cache_folder")


def add_arguments(add: Any) -> None:
    """What stands behind the command."""
    add("source", metavar="IN", help="DICOM folder or file, NIfTI, NRRD, .npy, or name of a scan")
    add("target", metavar="OUT", help="a new file .npz, for ldctlib.segments.Masks.load")
    add("--method", default="builtin", help="builtin, which needs no weights; or sam")
    add("--tier", default="core", help="core, the sure ones; or extended")
    add("--link", action="store_true", help="join masks of neighbouring slices")
    add("--processes", type=int, help="with builtin: how many work side by side")
    add("--window", nargs="+", type=_window, metavar="WINDOW", help="with sam: lung, 40/400, …")
    add("--checkpoint", help="with sam: mobile_sam, vit_b, vit_l, vit_h, or a file")
    add("--points-per-side", type=int, metavar="N", help="with sam: of the grid of prompts")
    add("--device", help=f"with sam: {DEVICE}")
    add("--cache-folder", metavar="FOLDER", help="with sam: for the slices that are done")
    add("--series", help="UID or number, where a DICOM folder holds several series")
    add("--spacing-mm", type=float, nargs=3, metavar=("DZ", "DY", "DX"), help="of a .npy file")


def run(options: argparse.Namespace) -> None:
    """Find the structures of a scan and write their masks to one file."""
    from ldctlib.segments import segment

    target = Path(options.target)
    if target.suffix != ".npz":
        raise ValueError(f"Masks are written to a file .npz, not to {target}.")
    if target.exists():
        raise FileExistsError(f"{target} is there already; name a new file.")
    scan = open_source(options.source, series=options.series, spacing_mm=options.spacing_mm)
    given = asked_for(options, *ONLY_SAM, "processes")
    masks = segment(scan, options.method, tier=options.tier, link=options.link, **given)
    target.parent.mkdir(parents=True, exist_ok=True)
    masks.save(target)
    print(f"{scan.name}: {len(masks)} masks in {len(scan.hu)} slices are in {target}")


def _window(text: str) -> str | tuple[float, float]:
    """A name, or level and width in HU with a stroke between them."""
    level, stroke, width = text.partition("/")
    return (float(level), float(width)) if stroke else text
