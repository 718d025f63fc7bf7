"""`ldct`: the library from the command line. Every sub-command is one function."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import ldctlib
from ldctlib.evaluate_command import evaluate, evaluate_arguments

MISTAKE, INTERRUPTED = 2, 130
METHODS = "cnn10, redcnn, wganvgg, resnet, qae, dugan, transct or bilateral"

EXAMPLES = """examples:
  ldct denoise scan/ denoised/ --method redcnn      a DICOM folder, denoised into a new one
  ldct denoise scan.nii.gz denoised.nii.gz --method cnn10 --weights mine/best.safetensors
  ldct train cnn10 --scans lidc-0314 phantom-head:1000 --out mine --steps 2000
  ldct evaluate phantom-chest:7 phantom-head:7 --methods cnn10 redcnn --out results.csv
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
    for function, add_arguments in (
        (denoise, _denoise_arguments),
        (evaluate, evaluate_arguments),
        (train, _train_arguments),
        (data, _data_arguments),
        (weights, _weights_arguments),
    ):
        summary = (function.__doc__ or "").splitlines()[0]
        command = commands.add_parser(function.__name__, help=summary, description=summary)
        add_arguments(command.add_argument)
        command.set_defaults(run=function)
    return parser


def _denoise_arguments(add: Any) -> None:
    add("source", metavar="IN", help="DICOM folder or file, NIfTI, NRRD, .npy, or name of a scan")
    add("target", metavar="OUT", help="a new folder for DICOM; or .nii.gz, .nii, .nrrd, .mha, .npy")
    add("--method", required=True, help=METHODS)
    add("--weights", default="shipped", metavar="FILE", help="instead of the shipped ones")
    add("--series", help="UID or number, where a DICOM folder holds several series")
    add("--spacing-mm", type=float, nargs=3, metavar=("DZ", "DY", "DX"), help="of a .npy file")
    add("--device", help="cpu or cuda; the best there is if not given")


def denoise(options: argparse.Namespace) -> None:
    """Denoise a scan with a trained network, on the scan's own grid."""
    from ldctlib.denoisers import load

    target = Path(options.target)
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise FileExistsError(f"{target} is there already; name a new file or folder.")
    denoiser = load(options.method, weights=options.weights, device=options.device)
    scan = _open(options.source, series=options.series, spacing_mm=options.spacing_mm)
    _write(denoiser.denoise(scan), target, Path(options.source))
    print(f"{scan.name}: {len(scan.hu)} slices, denoised with {denoiser.name}, are in {target}")


def _train_arguments(add: Any) -> None:
    phantoms = ["phantom-chest:1100", "phantom-abdomen:1100", "phantom-head:1100"]
    add("method", help=METHODS)
    add("--scans", nargs="+", required=True, metavar="SCAN", help="names, files, phantom-chest:7")
    add("--validation", nargs="+", metavar="SCAN", default=phantoms, help="other patients")
    add("--out", required=True, type=Path, metavar="FOLDER", help="the same call continues there")
    add("--steps", type=int, help="updates; as published if not given")
    add("--dose", type=float, nargs="+", default=[0.25, 0.1], help="fractions of the full dose")
    add("--preset", default="benchmark", help="of the exposure: benchmark or clinical")
    add("--batch", type=int, help="patches a step; as published if not given")
    add("--patch", type=int, help="their side in pixels; as published if not given")
    add("--learning-rate", type=float, help="as published if not given")
    add("--perceptual", help="network of the perceptual loss: vgg19, or a stand-in for it")
    add("--validate-every", type=int, default=500, metavar="STEPS")
    add("--seed", type=int, default=0)
    add("--device", help="cpu or cuda; the best there is if not given")


def train(options: argparse.Namespace) -> None:
    """Train a method on low-dose exposures of scans; after Ctrl-C the same call goes on."""
    from dataclasses import replace

    from ldctlib.denoisers.registry import method
    from ldctlib.training import fit

    asked = {key: getattr(options, key) for key in ("batch", "patch", "learning_rate")}
    recipe = replace(
        method(options.method).recipe, **{k: v for k, v in asked.items() if v is not None}
    )
    fit(
        options.method,
        _exams(options.scans, options),
        _exams(options.validation, options),
        recipe=recipe,
        steps=options.steps,
        seed=options.seed,
        device=options.device,
        folder=options.out,
        validate_every=options.validate_every,
        **({"perceptual": options.perceptual} if options.perceptual else {}),
    )
    print(f"The best weights are in {options.out / 'best.safetensors'}")


def _data_arguments(add: Any) -> None:
    add("action", choices=("list", "fetch", "check"), nargs="?", default="list")
    add("names", nargs="*", metavar="NAME", help="data sets; all if none is named")


def data(options: argparse.Namespace) -> None:
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


def _weights_arguments(add: Any) -> None:
    add("method", nargs="?", help=f"{METHODS}; all in brief if not given")


def weights(options: argparse.Namespace) -> None:
    """Print how the shipped weights were trained, and what they achieve."""
    from ldctlib.denoisers.registry import available, method
    from ldctlib.denoisers.weights import shipped_weights

    if options.method:
        file = shipped_weights(method(options.method).name)
        print(file.with_suffix(".md").read_text("utf-8"))
        return
    for name in available():
        try:
            size = f"{shipped_weights(name).stat().st_size / 1e6:4.1f} MB"
        except FileNotFoundError:
            size = "   none"
        print(f"{name:9} {size}  {method(name).citation}")


def _open(source: str, **options: Any) -> Any:
    """A scan by name or path; a phantom may carry its seed, as in phantom-chest:7."""
    from ldctlib.scans import open_scan

    name, colon, seed = source.partition(":")
    if name.startswith("phantom-") and colon:
        if not seed.isdigit():
            raise ValueError(f"The seed of a phantom is a number, as in {name}:7, not {seed!r}.")
        return open_scan(name, seed=int(seed))
    if source.endswith(".npy") and not options.get("spacing_mm"):
        raise ValueError(f"{source} does not say how large its voxels are: give --spacing-mm.")
    return open_scan(source, **{key: v for key, v in options.items() if v is not None})


def _exams(sources: Sequence[str], options: argparse.Namespace) -> list[Any]:
    """Every scan at every dose."""
    from ldctlib.physics import expose

    scans = [_open(source) for source in sources]
    return [
        expose(scan, dose=dose, preset=options.preset, seed=options.seed)
        for scan in scans
        for dose in options.dose
    ]


def _write(scan: Any, target: Path, source: Path) -> None:
    """Write a denoised scan the way the target's name says."""
    from ldctlib.scans import write_dicom
    from ldctlib.scans.volumes import SUFFIXES
    from ldctlib.scans.write_volume import write_volume

    is_volume = source.is_file() and source.name.lower().endswith(SUFFIXES)
    is_dicom = source.exists() and not is_volume and source.suffix != ".npy"
    if target.suffix == ".npy" or target.name.lower().endswith(SUFFIXES):
        write_volume(scan, target, like=source if is_volume else None)
    else:
        method = f"Denoised with {scan.provenance['denoiser']}, ldctlib {ldctlib.__version__}"
        write_dicom(scan, target, template=source if is_dicom else None, derivation=method)


if __name__ == "__main__":
    sys.exit(main())
