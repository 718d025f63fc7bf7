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
    add("--dose", type=float, help="expose the scan at this fraction of its dose first")
    add("--spacing-mm", type=float, nargs=3, metavar=("DZ", "DY", "DX"), help="of a .npy file")
    add("--device", help=DEVICE)


def run(options: argparse.Namespace) -> None:
    """Denoise a scan, on the scan's own grid."""
    from ldctlib.denoisers import ImageNetwork, load

    target = Path(options.target)
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise FileExistsError(f"{target} is there already; name a new file or folder.")
    denoiser = load(options.method, weights=options.weights, device=options.device)
    if options.dose is None and not isinstance(denoiser, ImageNetwork):
        raise ValueError(
            f"{denoiser.name} must know how a scan was measured, and images do not say it: "
            "--dose 0.25 exposes the scan first."
        )
    scan = open_source(options.source, series=options.series, spacing_mm=options.spacing_mm)
    done = _denoised(denoiser, scan, options.dose)
    write(done, target, Path(options.source), denoiser.name)
    print(f"{scan.name}: {len(scan.hu)} slices, denoised with {denoiser.name}, are in {target}")


def _denoised(denoiser: Any, scan: Any, dose: float | None) -> Any:
    """The scan denoised as it is, or after its exposure at a lower dose."""
    from ldctlib.physics import expose

    return denoiser.denoise(scan) if dose is None else denoiser(expose(scan, dose))


def write(scan: Any, target: Path, source: Path, method: str) -> None:
    """Write a denoised scan the way the target's name says."""
    from ldctlib.scans import write_dicom
    from ldctlib.scans.volumes import SUFFIXES
    from ldctlib.scans.write_volume import write_volume

    is_volume = source.is_file() and source.name.lower().endswith(SUFFIXES)
    is_dicom = source.exists() and not is_volume and source.suffix != ".npy"
    if target.suffix == ".npy" or target.name.lower().endswith(SUFFIXES):
        write_volume(scan, target, like=source if is_volume else None)
    else:
        told = f"Denoised with {method}, ldctlib {ldctlib.__version__}"
        write_dicom(scan, target, template=source if is_dicom else None, derivation=told)
