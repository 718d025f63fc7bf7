"""`ldct evaluate`: judge trained networks on scans, or on the Mayo data as published."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ldctlib.cli.common import denoisers_of, new_csv, open_source


def add_arguments(add: Any) -> None:
    """What stands behind the command."""
    add("scans", nargs="*", metavar="SCAN", help="names, files or folders, phantom-chest:7")
    add(
        "--mayo",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="instead: the published protocol on a download of the Mayo data; LDCT_MAYO_DIR if no "
        "folder is given",
    )
    add("--split", default="test", help="of the Mayo data: training, validation or test")
    add(
        "--methods",
        nargs="*",
        metavar="METHOD",
        help="names, or name=FILE for weights of your own; all with shipped weights if not given",
    )
    add("--dose", type=float, default=0.25, help="fraction of the full dose of the scans")
    add("--preset", default="benchmark", help="of the exposure: benchmark or clinical")
    add("--seed", type=int, default=0, help="of the noise of the first scan; 1 more for each next")
    add("--anatomy", help="of scans that do not say it, or of the Mayo data: chest, abdomen, head")
    add(
        "--metrics",
        nargs="+",
        metavar="METRIC",
        help="of psnr ssim vif vif-ldctbench rmse rfs; if not given, psnr ssim vif rmse, and of "
        "the Mayo data those published",
    )
    add(
        "--masks",
        nargs="+",
        metavar="FILE",
        help="TotalSegmentator's label map of each scan, for rfs; phantoms have their own",
    )
    add(
        "--by",
        default="slice",
        choices=("slice", "patient", "volume"),
        help="how values become the mean that is printed",
    )
    add("--out", type=Path, metavar="FILE", help="a new .csv with every value")
    add("--device", help="cpu or cuda; the best there is if not given")


def run(options: argparse.Namespace) -> None:
    """Judge trained networks on scans at a low dose, or on the Mayo data as published."""
    if bool(options.scans) == (options.mayo is not None):
        raise ValueError("Say what to evaluate on: scans, or --mayo, and not both.")
    new_csv(options.out)
    if options.masks and len(options.masks) != len(options.scans):
        raise ValueError(f"{len(options.masks)} label maps do not fit {len(options.scans)} scans.")
    from ldctlib.files import write_text
    from ldctlib.metrics import aggregate

    denoisers = denoisers_of(options.methods, options.device)
    judge = _on_scans if options.mayo is None else _on_mayo
    table = judge(denoisers, options)
    print(_as_text(aggregate(table, options.by)))
    for metric, definition in table.attrs["definitions"].items():
        print(f"{metric}: {definition}")
    if options.out:
        write_text(options.out, table.to_csv(index=False, lineterminator="\n"))
        print(f"All {len(table)} values are in {options.out}")


def _on_scans(denoisers: Mapping[str, Any], options: argparse.Namespace) -> Any:
    from ldctlib.metrics import evaluate as judge

    asked = {"metrics": options.metrics} if options.metrics else {}
    bar = sys.stderr.isatty()
    return judge(denoisers, _exams(options, denoisers), progress=bar, **asked)


def _on_mayo(denoisers: Mapping[str, Any], options: argparse.Namespace) -> Any:
    from ldctlib.metrics import PUBLISHED, evaluate_mayo

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        table = evaluate_mayo(
            denoisers,
            options.mayo or None,
            split=options.split,
            anatomy=options.anatomy,
            metrics=options.metrics or PUBLISHED,
            progress=sys.stderr.isatty(),
        )
    for warning in caught:
        print(f"ldct: {warning.message}", file=sys.stderr)
    return table


def _exams(options: argparse.Namespace, denoisers: Mapping[str, Any]) -> Iterator[Any]:
    """Every scan at the dose, named as on the command line, one at a time."""
    from ldctlib.denoisers import needs_sinogram
    from ldctlib.physics import expose
    from ldctlib.scans import read_masks

    keep = needs_sinogram(*denoisers.values())
    for i, source in enumerate(options.scans):
        scan = open_source(source)
        if options.anatomy:
            scan = replace(scan, anatomy=options.anatomy)
        if options.masks:
            scan = replace(scan, masks={"organs": read_masks(options.masks[i], scan)})
        seed, preset = options.seed + i, options.preset
        exam = expose(scan, options.dose, seed, preset=preset, keep_sinogram=keep)
        yield replace(exam, full=replace(exam.full, name=source))


def _as_text(means: Any) -> str:
    """One row a method, one column for every anatomy and metric."""
    from ldctlib.metrics import MEASURES

    wide = means.pivot_table(
        index="method", columns=["anatomy", "metric"], values="value", sort=False
    )
    wide.index.name = None
    formats = {column: f"{{:.{MEASURES[column[1]].digits}f}}".format for column in wide.columns}
    return str(wide.to_string(formatters=formats))
