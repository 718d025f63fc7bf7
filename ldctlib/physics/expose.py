"""Expose a scan: the same patient at full and at a lower dose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ldctlib.devices import best_device
from ldctlib.physics import noise
from ldctlib.physics.equivalent import equivalent_dose
from ldctlib.physics.exam import Exam, Exposure, Sinogram, add_lines, stored
from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.kernels import KernelLike, kernel_for
from ldctlib.physics.own_noise import own_noise
from ldctlib.physics.presets import Preset, in_geometry, preset_of
from ldctlib.physics.projector import project
from ldctlib.physics.sharpness import imaged
from ldctlib.physics.square import attenuation, corner_of
from ldctlib.scans.scan import Scan

SLICES_AT_ONCE = 32


def expose(
    scan: Scan,
    dose: float = 0.25,
    seed: int = 0,
    geometry: FanBeam | None = None,
    kernel: KernelLike | None = None,
    preset: str | Preset | None = None,
    photons: float | None = None,
    electronic_noise: float | None = None,
    *,
    truth: bool | None = None,
    modulate: bool = False,
    clip: bool = False,
    common_noise: bool = False,
    keep_sinogram: bool = True,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> Exam:
    """The exam in which a scan is taken at full dose and at a fraction of it.

    A patient's scan is the full dose. It is projected, the counts of the lower dose are drawn,
    and the reconstruction of the added noise alone is put on top, so that the vendor's image
    keeps its sharpness. A phantom is the truth: it gets the sharpness of the kernel, its full dose
    gets noise as well, and the low dose keeps a share of the same photons, as if one exam had been
    split.

    By default a patient's exam is "matched": the photons are chosen so that the full dose would
    have just the noise that the scan has, in strength and colour, and a dose of a adds (1 - a) / a
    of its variance. All of it counts as noise of photons, none as electronic, and the bias that the
    logarithm of few counts has is taken off.

    Args:
        scan: on any grid with square pixels; it is never resampled.
        dose: fraction of the full dose, in (0, 1).
        seed: of the noise. A slice draws by seed and position, so that a slab gets the noise that
            the whole scan gets there; matched, up to the strength, which is measured on the slices
            that are given. Give each patient a seed of its own.
        geometry: the scanner; `FanBeam.matching` if None.
        kernel: of the reconstruction; if None that of the preset, or the one whose noise has the
            colour of the scan's own where that is matched.
        preset: "matched" (patients only), "clinical", "benchmark" (as noisy as the published
            low-dose images, whatever the scan), or your own; if None "matched" for patients and
            "clinical" for phantoms.
        photons: at full dose without a patient, in each channel and view of `FanBeam.siemens`;
            another ``geometry`` gets the same dose. The preset's if None.
        electronic_noise: standard deviation in photons, likewise; the preset's if None, and 0 where
            the scan's own noise is matched.
        truth: whether the scan is noise-free; if None, procedural phantoms are.
        modulate: let the tube current of each view follow the patient's thickness.
        clip: store images as a scanner does, in whole HU from -1024 up. Where the noise is
            strong this brightens lung and air.
        common_noise: use the same random numbers at every dose. By default the noise that a dose
            adds is independent of that of any other dose.
        keep_sinogram: 3.4 MB a slice in the Siemens geometry.
        device: of projection and reconstruction; a GPU where there is one.
        progress: show a bar.

    Returns:
        The exam; its sinogram is that of the low dose. It states its ``equivalent_dose``.

    Raises:
        ValueError: the dose is not in (0, 1), the geometry has another grid than the scan, pixels
            or channels are too coarse for the kernel, or the own noise of a patient's scan cannot
            be measured.

    Source: noise insertion in the count domain, see `noise.lower_dose`.
    """
    if not 0 < dose < 1:
        raise ValueError(f"A lower dose is a fraction between 0 and 1 of the full one, not {dose}.")
    geometry = geometry or FanBeam.matching(scan)
    _check_grid(scan, geometry)
    truth = is_phantom(scan) if truth is None else truth
    preset = preset or ("clinical" if truth else "matched")
    exposure = Exposure(
        **_settings(scan, geometry, kernel, preset, photons, electronic_noise, truth),
        geometry=geometry,
        dose=dose,
        seed=seed,
        truth=truth,
        corner=corner_of(scan.shape, geometry),
        modulate=modulate,
        clip=clip,
        common_noise=common_noise,
    )
    thing = scan  # a phantom's rays cross the object, not the image that a kernel blurs
    if truth and is_phantom(scan):
        scan = imaged(scan, exposure.kernel)
    taken = _in_groups(thing, scan, exposure, keep_sinogram, device, progress)
    full, low, lines, blank = taken
    same, own = equivalent_dose(scan, full, low, exposure)
    exposure = replace(exposure, own_noise_hu=own)
    told = {"exposure": exposure.describe()}
    facts = {**told, "dose": dose_in_words(dose, same)}
    sinogram = None
    if keep_sinogram:
        blank = blank if modulate else blank[0, 0]
        sinogram = Sinogram(lines, blank, exposure.electronic_noise, geometry)
    return Exam(
        scan.with_hu(full, **(told if truth else {})),
        scan.with_hu(low, f"{scan.name}, {dose:.0%} dose", **facts),
        sinogram,
        dose,
        scan if truth else None,
        exposure,
        same,
    )


def dose_in_words(dose: float, equivalent: float | None) -> str:
    """What was asked for, and what the noise amounts to.

    >>> dose_in_words(0.1, 0.0052)
    '10 % (as noisy as 0.52 %)'
    """
    same = "equivalent unknown" if equivalent is None else f"as noisy as {100 * equivalent:.2g} %"
    return f"{100 * dose:.3g} % ({same})"


def is_phantom(scan: Scan) -> bool:
    """Whether a scan is a procedural phantom, which holds no noise."""
    return scan.provenance.get("source", "").startswith("procedural phantom")


def _settings(
    scan: Scan,
    geometry: FanBeam,
    kernel: KernelLike | None,
    preset: str | Preset,
    photons: float | None,
    electronic_noise: float | None,
    truth: bool,
) -> dict[str, Any]:
    """Kernel, blank scan and electronic noise of an exposure."""
    matched = preset == "matched"
    if matched and truth:
        raise ValueError(
            f"{scan.name} has no noise of its own to match: preset='clinical' or 'benchmark'."
        )
    name = preset if isinstance(preset, str) else "own"
    usual = preset_of("clinical" if matched else preset, scan.anatomy)
    shape = noise.bowtie(geometry, usual.bowtie_radius_mm, usual.bowtie_strength)
    if matched and photons is None:
        known = None if kernel is None else kernel_for(kernel, geometry)
        own = own_noise(scan, geometry, shape, known)
        return {
            "kernel": own.kernel,
            "blank": own.photons * shape,
            "electronic_noise": in_geometry(0.0, electronic_noise or 0.0, geometry)[1],
            "preset": name,
        }
    photons_here, electronic = in_geometry(
        usual.photons if photons is None else photons,
        usual.electronic_noise if electronic_noise is None else electronic_noise,
        geometry,
    )
    return {
        "kernel": kernel_for(usual.kernel if kernel is None else kernel, geometry),
        "blank": photons_here * shape,
        "electronic_noise": electronic,
        "preset": name if photons is None else "own",
    }


def _in_groups(
    thing: Scan,
    scan: Scan,
    exposure: Exposure,
    keep_sinogram: bool,
    device: torch.device | str | None,
    progress: bool,
) -> tuple[np.ndarray, np.ndarray, Tensor, Tensor]:
    """Full and low dose of the whole scan, as many slices at a time as memory allows."""
    assert scan.z_mm is not None
    where = best_device(device)
    groups = []
    for start in tqdm(range(0, len(scan.hu), SLICES_AT_ONCE), "expose", disable=not progress):
        part = slice(start, start + SLICES_AT_ONCE)
        mu = attenuation(thing.hu[part], exposure.geometry, exposure.corner).to(where)
        full, low, lines, blank = _take(mu, scan.hu[part], scan.z_mm[part], exposure)
        if not keep_sinogram:
            lines = blank = torch.empty(0)
        groups.append((full, low, lines, blank))
    full, low, line_integrals, blank = zip(*groups, strict=True)
    return (
        np.concatenate(full), np.concatenate(low), torch.cat(line_integrals), torch.cat(blank)
    )  # fmt: skip


def _take(
    mu: Tensor, hu: np.ndarray, z_mm: np.ndarray, exposure: Exposure
) -> tuple[np.ndarray, np.ndarray, Tensor, Tensor]:
    """Full and low dose of slices ``hu`` (Z, H, W), lines (Z, views, channels) and blank scan."""
    clean = project(mu, exposure.geometry).cpu().numpy()
    low_lines, blanks, full = np.empty_like(clean), [], hu
    added = np.empty_like(clean) if exposure.truth else None
    for i, z in enumerate(z_mm):
        blank = exposure.blank * (noise.modulation(clean[i]) if exposure.modulate else 1.0)
        photons = blank * np.exp(-clean[i])
        place = [exposure.seed, round(float(z) * 1000) % 2**32]
        if added is not None:  # a patient's scan holds the full dose's noise already
            draw = np.random.default_rng(place)
            photons = noise.count(photons, exposure.electronic_noise, draw)
            added[i] = noise.to_line_integrals(photons, blank) - clean[i]
        low_lines[i] = _low_lines(photons, blank, place, exposure)
        blanks.append(np.atleast_2d(exposure.dose * blank).astype(np.float32))
    if added is not None:
        full = add_lines(hu, torch.from_numpy(added).to(mu.device), exposure)
    change = np.subtract(low_lines, clean, out=clean)
    low = add_lines(hu, torch.from_numpy(change).to(mu.device), exposure)
    if exposure.clip:
        low = stored(low)
        full = stored(full) if exposure.truth else full
    return full, low, torch.from_numpy(low_lines), torch.from_numpy(np.stack(blanks))


def _low_lines(
    photons: np.ndarray, blank: np.ndarray, place: list[int], exposure: Exposure
) -> np.ndarray:
    """Line integrals of one slice at the lower dose, from its counts at full dose."""
    own = [] if exposure.common_noise else [round(exposure.dose * 2**31)]
    draw = np.random.default_rng([*place, *own, 1])
    dose, electronic = exposure.dose, exposure.electronic_noise
    fewer = noise.lower_dose(photons, dose, electronic, draw)
    lines = noise.to_line_integrals(fewer, dose * blank)
    if exposure.preset == "matched":  # noise is to be added and nothing else
        lines -= noise.log_bias(photons, dose, electronic)
    return lines


def _check_grid(scan: Scan, geometry: FanBeam) -> None:
    fits = max(scan.shape[1:]) == geometry.pixels
    if not fits or abs(scan.pixel_mm - geometry.pixel_mm) > 1e-3 * scan.pixel_mm:
        raise ValueError(
            f"{scan.name} has {scan.shape[1]} x {scan.shape[2]} pixels of {scan.pixel_mm:.4g} mm, "
            f"the geometry {geometry.pixels} of {geometry.pixel_mm:.4g} mm: use "
            "FanBeam.matching(scan), or a preset with this grid, FanBeam.siemens(pixels, pixel_mm)."
        )
