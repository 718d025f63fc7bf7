"""`ldct`: the library from the command line. Every sub-command is one module."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

import ldctlib
from ldctlib.cli import (
    campaign,
    data,
    denoise,
    dose_limit,
    evaluate,
    hallucinations,
    search,
    segment,
    train,
    weights,
)

MISTAKE, INTERRUPTED = 2, 130
COMMANDS = (
    denoise,
    train,
    evaluate,
    segment,
    hallucinations,
    dose_limit,
    search,
    campaign,
    data,
    weights,
)

EXAMPLES = """examples:
  ldct denoise scan/ denoised/ --method redcnn      a DICOM folder, denoised into a new one
  ldct denoise scan.nii.gz denoised.nii.gz --method cnn10 --weights mine/best.safetensors
  ldct train cnn10 --scans lidc-0314 phantom-head:1000 --out mine --steps 2000
  ldct evaluate phantom-chest:7 phantom-head:7 --methods cnn10 redcnn --out results.csv
  ldct segment phantom-chest:7 masks.npz             its structures, found without weights
  ldct segment scan/ masks.npz --method sam --checkpoint vit_h --window lung mediastinum
  ldct hallucinations low.nii.gz denoised.nii.gz full.nii.gz --out segments.csv
  ldct dose-limit cnn10 redcnn --contrast -20 -40    the lowest dose that loses no lesion
  ldct search cnn10 --scans phantom-head:1000 --out tuned --budget 0.002
  ldct campaign cnn10 redcnn --seeds 10 --scans lidc-0314 --test crlm-1004 --out fair
  ldct data list                                    the data sets, and which are on this machine
  ldct weights redcnn                               how the shipped weights were trained
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISTAKE, f"{self.prog}: {message}; see {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: what stands behind ``ldct``; those of the process if None.

    Returns:
        0; 2 after a mistake, which one sentence explains; 130 if interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError, RuntimeError, ImportError, FloatingPointError) as error:
        print(f"ldct: {' '.join(str(error).split())}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt as stop:
        print(f"ldct: {str(stop) or 'Interrupted.'}", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ldct",
        description=ldctlib.__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ldct {ldctlib.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    for module in COMMANDS:
        summary = (module.run.__doc__ or "").splitlines()[0]
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        command = commands.add_parser(name, help=summary, description=summary)
        module.add_arguments(command.add_argument)
        command.set_defaults(run=module.run)
    return parser
