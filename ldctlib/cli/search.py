"""`ldct search`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ldctlib.cli.common import DEVICE, METHODS, add_data, asked_for, exams_of


def add_arguments(add: Any) -> None:
    """What stands behind the command."""
    add("method", help=METHODS)
    add_data(add)
    add("--out", required=True, type=Path, metavar="FOLDER", help="the same call continues there")
    add("--trials", type=int, default=50, help="of all processes that make the same call")
    add("--budget", type=float, default=1.0, help="fraction of the published steps; 0.002 is quick")
    add("--sampler", default="gp", help="gp: Gaussian process with expected improvement; random")
    add("--perceptual", help="network of the perceptual loss: vgg19, or a stand-in for it")
    add("--seed", type=int, default=0)
    add("--device", help=DEVICE)


def run(options: argparse.Namespace) -> None:
    """Search for a method's hyper-parameters; several processes may share one folder."""
    from ldctlib.files import write_table
    from ldctlib.training import search
    from ldctlib.training.recipes import write_recipe

    found = search(
        options.method,
        exams_of(options.scans, options, [options.method]),
        exams_of(options.validation, options, [options.method]),
        trials=options.trials,
        budget=options.budget,
        storage=options.out / "trials.log",
        sampler=options.sampler,
        seed=options.seed,
        device=options.device,
        **asked_for(options, "perceptual"),
    )
    name = f"{options.method}-{options.sampler}"
    write_table(options.out / f"{name}.csv", found.rows)
    recipe = options.out / f"{name}.json"
    write_recipe(options.method, found.recipe, recipe)
    print(f"SSIM {found.ssim:.4f} is the best of {len(found.rows)} trials; its recipe is {recipe}")
