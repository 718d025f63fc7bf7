"""`ldct hallucinations`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ldctlib.cli.common import asked_for, new_csv, open_source


def add_arguments(add: Any) -> None:
    """What stands behind the command."""
    add("low", metavar="LOW", help="low-dose scan: DICOM folder, NIfTI, NRRD, .npy, or a name")
    add("denoised", metavar="DENOISED", help="the same scan, denoised")
    add("reference", metavar="FULL", help="the full dose, on the same grid")
    add(
        "--masks", type=Path, metavar="FILE", help="segments of the full dose: .npz of ldct segment"
    )
    add("--denoised-masks", type=Path, metavar="FILE", help="segments of the denoised scan")
    add(
        "--method", default="builtin", help="without --masks: builtin or sam finds segments in both"
    )
    add("--tier", default="core", help="without --masks: core, the sure segments; or extended")
    add("--rule", default="either", help="what flags a segment: tolerance, bias or either")
    add("--alpha", type=float, default=0.05, help="level of the bias rule")
    add("--multiplicity", default="benjamini-hochberg", help="or bonferroni, or none")
    add("--threshold", type=float, help="instead of a rule: of the absolute standardised bias")
    add("--out", type=Path, metavar="FILE", help="a new .csv with every segment")
    add("--worst", type=int, default=10, metavar="N", help="how many segments are printed")
    add("--spacing-mm", type=float, nargs=3, metavar=("DZ", "DY", "DX"), help="of .npy files")


def run(options: argparse.Namespace) -> None:
    """Flag the structures that a denoiser removed, introduced or changed."""
    new_csv(options.out)
    from ldctlib.files import write_text
    from ldctlib.hallucinations import flag

    low, denoised, full = (
        open_source(source, spacing_mm=options.spacing_mm)
        for source in (options.low, options.denoised, options.reference)
    )
    masks, denoised_masks = _masks(full, denoised, options)
    flags = flag(
        low,
        denoised,
        full,
        masks,
        denoised_masks=denoised_masks,
        **asked_for(options, "rule", "alpha", "multiplicity", "threshold"),
    )
    print(flags)
    if options.worst > 0 and flags.flagged:
        print(_as_text(flags, options.worst))
    if options.out:
        write_text(options.out, flags.table().to_csv(index=False, lineterminator="\n"))
        print(f"All {len(flags)} segments are in {options.out}")


def _masks(full: Any, denoised: Any, options: argparse.Namespace) -> tuple[Any, Any]:
    """Segments of the full dose and of the denoised scan: from files, or found."""
    from ldctlib import segments
    from ldctlib.masks import Masks

    if options.masks is None and options.denoised_masks is not None:
        raise ValueError(
            "--denoised-masks needs --masks: the segments of the full dose come first."
        )
    if options.masks is not None:
        other = options.denoised_masks
        return Masks.load(options.masks), None if other is None else Masks.load(other)
    found = [segments.segment(s, options.method, tier=options.tier) for s in (full, denoised)]
    return found[0], found[1]


def _as_text(flags: Any, count: int) -> str:
    """The worst flagged segments in one line each."""
    lines = [f"{'segment':24} {'slice':>5} {'pixels':>6} {'low':>6} {'denoised':>8} {'z':>7}  kind"]
    for record in flags.flagged[:count]:
        lines.append(
            f"{record.label[:24]:24} {record.slice:5d} {record.area_px:6d} "
            f"{record.srmse_low_hu:6.1f} {record.srmse_denoised_hu:8.1f} "
            f"{record.standardised_bias:7.1f}  {record.kind}, found in the {record.source} scan"
        )
    if len(flags.flagged) > count:
        lines.append(f"… and {len(flags.flagged) - count} more")
    return "\n".join(lines)
