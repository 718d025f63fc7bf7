"""`ldct data`."""

from __future__ import annotations

import argparse
from typing import Any


def add_arguments(add: Any) -> None:
    """What stands behind the command."""
    add("action", choices=("list", "fetch", "check"), nargs="?", default="list")
    add("names", nargs="*", metavar="NAME", help="data sets; all if none is named")


def run(options: argparse.Namespace) -> None:
    """List the data sets, fetch them to this machine, or check that they are whole."""
    from ldctlib.scans import catalogue

    names = options.names or catalogue.datasets()
    problems = {name: catalogue.verify(catalogue.dataset(name).name) for name in names}
    for name in names:
        if options.action == "list":
            entry = catalogue.dataset(name)
            here = "absent" if problems[name] else "here"
            line = f"{name:24} {here:7} {entry.megabytes:5.1f} MB  {entry.anatomy or '-':8}"
            print(f"{line} {entry.licence}")
        elif options.action == "fetch":
            print(f"{name}: {catalogue.fetch(name)}")
        else:
            print(f"{name}: {problems[name][0] if problems[name] else 'whole'}")
    if options.action == "check" and any(problems.values()):
        bad = ", ".join(name for name in names if problems[name])
        raise ValueError(f"Missing or damaged: {bad}. ldct data fetch NAME gets a data set.")
