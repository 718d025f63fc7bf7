"""`ldct weights`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ldctlib.cli.common import METHODS


def add_arguments(add: Any) -> None:
    """What stands behind the command."""
    add("method", nargs="?", help=f"{METHODS}, or cnn10=no-lesions; all in brief if not given")


def run(options: argparse.Namespace) -> None:
    """Print how the shipped weights were trained, and what they achieve."""
    from ldctlib.denoisers.registry import available, method
    from ldctlib.denoisers.weights import shipped_weights, variants

    if options.method:
        name, _, variant = options.method.partition("=")
        file = shipped_weights(method(name).name, variant)
        print(file.with_suffix(".md").read_text("utf-8"))
        return
    for name in available():
        if method(name).learned is None:
            print(f"{name:9}     none needed  {method(name).citation}")
            continue
        try:
            print(f"{name:9} {_size(shipped_weights(name))}  {method(name).citation}")
        except FileNotFoundError:
            print(f"{name:9}     none  {method(name).citation}")
    print("Made to fail, to be found out:")
    for name in available():
        for variant in variants(name):
            called = f"{name}={variant}"
            print(f"{called:21} {_size(shipped_weights(name, variant))}")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e3:5.0f} kB"
