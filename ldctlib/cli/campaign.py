"""`ldct campaign`."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from ldctlib.cli.common import DEVICE, METHODS, add_data, asked_for, exams_of


def add_arguments(add: Any) -> None:
    """What stands behind the command."""
    add("methods", nargs="+", metavar="METHOD", help=METHODS)
    add_data(add)
    add("--test", nargs="+", metavar="SCAN", help="judged on; the validation scans if not given")
    add("--out", required=True, type=Path, metavar="FOLDER", help="the same call continues there")
    add("--seeds", type=int, default=10, help="how many times each method is trained")
    add("--recipes", nargs="+", default=[], metavar="FILE", help="that ldct search has written")
    add("--steps", type=int, help="updates; those of the recipe if not given")
    add("--scheduler", metavar="ADDRESS", help="of a Dask cluster that sees the folder, too")
    add("--metrics", nargs="+", metavar="METRIC", help="as in ldct evaluate")
    add("--perceptual", help="network of the perceptual loss: vgg19, or a stand-in for it")
    add("--validate-every", type=int, default=500, metavar="STEPS")
    add("--device", help=DEVICE)


def run(options: argparse.Namespace) -> None:
    """Train methods with several seeds each, here or on a cluster, and judge them all."""
    from ldctlib.training import campaign
    from ldctlib.training.campaign import EVALUATION
    from ldctlib.training.recipes import read_recipe

    outcome = campaign(
        options.methods,
        options.seeds,
        exams_of(options.scans, options, options.methods),
        exams_of(options.validation, options, options.methods),
        test=exams_of(options.test, options, options.methods) if options.test else None,
        folder=options.out,
        recipes=dict(read_recipe(Path(file)) for file in options.recipes),
        steps=options.steps,
        evaluate=partial(EVALUATION, **asked_for(options, "metrics")),
        scheduler=options.scheduler,
        validate_every=options.validate_every,
        device=options.device,
        **asked_for(options, "perceptual"),
    )
    print(f"The results are in {outcome.folder / 'results.csv'}")
    if outcome.failed:
        told = "; ".join(f"{job}: {problem.rstrip('.')}" for job, problem in outcome.failed.items())
        raise RuntimeError(f"Failed: {told}. The same call tries again.")
