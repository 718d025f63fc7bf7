"""`ldct denoise`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import ldctlib
from ldctlib.cli.common import DEVICE, METHODS, open_source


def add_arguments(add: Any) -> None:
    """What stands behind the command."""
    add("source", metavar="IN", help="DICOM folder or file, NIfTI, NRRD, .npy, or name of a scan")
    add("target", metavar="OUT", help="a new folder for DICOM; or .nii.gz, .nii, .nrrd, .mha, .npy")
    add("--method", required=True, help=METHODS)
    add("--weights", default="shipped", metavar="FILE", help="instead of the shipped ones")
    add("--series", help="UID or number, where a DICOM folder holds several series")
    add("--spacing-mm", type=float, nargs=3, metavar=("DZ", "DY", "DX"), help="of a .npy file")
    add("--device", help=DEVICE)


def run(options: argparse.Namespace) -> None:
    """Denoise a scan with a trained network, on the scan's own grid."""
    from ldctlib.denoisers import load

    target = Path(options.target)
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise FileExistsError(f"{target} is there already; name a new file or folder.")
    denoiser = load(options.method, weights=options.weights, device=options.device)
    scan = open_source(options.source, series=options.series, spacing_mm=options.spacing_mm)
    write(denoiser.denoise(scan), target, Path(options.source))
    print(f"{scan.name}: {len(scan.hu)} slices, denoised with {denoiser.name}, are in {target}")


def write(scan: Any, target: Path, source: Path) -> None:
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
