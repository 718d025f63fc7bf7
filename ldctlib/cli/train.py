"""`ldct train`."""

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
    add("--steps", type=int, help="updates; as published if not given")
    add("--batch", type=int, help="patches a step; as published if not given")
    add(
        "--patch",
        type=int,
        help="their side, pixels or views; as published if not given",
    )
    add("--learning-rate", type=float, help="as published if not given")
    add("--perceptual", help="network of the perceptual loss: vgg19, or a stand-in for it")
    add("--validate-every", type=int, default=500, metavar="STEPS")
    add("--seed", type=int, default=0)
    add("--device", help=DEVICE)


def run(options: argparse.Namespace) -> None:
    """Train a method on low-dose exposures of scans; after Ctrl-C the same call goes on."""
    from dataclasses import replace

    from ldctlib.denoisers.registry import method
    from ldctlib.training import fit

    published = method(options.method).trainable.recipe
    asked = asked_for(options, "batch", "patch", "learning_rate")
    fit(
        options.method,
        exams_of(options.scans, options, [options.method], options.seed),
        exams_of(options.validation, options, [options.method], options.seed),
        recipe=replace(published, **asked),
        steps=options.steps,
        seed=options.seed,
        device=options.device,
        folder=options.out,
        validate_every=options.validate_every,
        **asked_for(options, "perceptual"),
    )
    print(f"The best weights are in {options.out / 'best.safetensors'}")
