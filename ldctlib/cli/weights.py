"""`ldct weights`."""

from __future__ import annotations

import argparse
from typing import Any

from ldctlib.cli.common import METHODS


def add_arguments(add: Any) -> None:
    """What stands behind the command."""
    add("method", nargs="?", help=f"{METHODS}; all in brief if not given")


def run(options: argparse.Namespace) -> None:
    """Print how the shipped weights were trained, and what they achieve."""
    from ldctlib.denoisers.registry import available, method
    from ldctlib.denoisers.weights import shipped_weights

    if options.method:
        file = shipped_weights(method(options.method).name)
        print(file.with_suffix(".md").read_text("utf-8"))
        return
    for name in available():
        try:
            size = f"{shipped_weights(name).stat().st_size / 1e3:5.0f} kB"
        except FileNotFoundError:
            size = "    none"
        print(f"{name:9} {size}  {method(name).citation}")
