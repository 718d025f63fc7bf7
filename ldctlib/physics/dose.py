"""Expose a scan: the same patient at full and at a lower dose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ldctlib.physics import noise
from ldctlib.physics.exam import Exam, Sinogram
from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.kernels import KernelLike, kernel_of
from ldctlib.physics.presets import Preset, preset_of
from ldctlib.physics.projector import project
from ldctlib.physics.reconstruction import fbp
from ldctlib.scans.scan import Scan
from ldctlib.units import AIR_HU, MU_WATER_PER_MM, hu_to_mu

SLICES_AT_ONCE = 32


def expose(
    scan: Scan,
    dose: float = 0.25,
    seed: int = 0,
    geometry: FanBeam | None = None,
    kernel: KernelLike | None = None,
    preset: str | Preset = "benchmark",
    photons: float | None = None,
    electronic_noise: float | None = None,
    *,
    truth: bool | None = None,
    modulate: bool = False,
    keep_sinogram: bool = True,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> Exam:
    """The exam in which a scan is taken at full dose and at a fraction of it.

    A patient's scan is the full dose. It is projected, the counts of the lower dose are drawn,
    and the reconstruction of the added noise alone is put on top, so that the vendor's image
    keeps its sharpness. A phantom is the truth: its full dose gets noise as well, and the low
    dose keeps a share of the same photons, as if one exam had been split.

    Args:
        scan: on any grid with square pixels; it is never resampled.
        dose: fraction of the full dose, in (0, 1).
        seed: of the noise. A slice draws by seed and position, so that a slab gets the noise that
            the whole scan gets there. Give each patient a seed of its own.
        geometry: the scanner; `FanBeam.matching` if None.
        kernel: of the reconstruction; the preset's if None.
        preset: "benchmark" (as hard as the published low-dose images), "clinical", or your own.
        photons: at full dose without a patient, by channel and view of ``geometry``; the preset's
            if None.
        electronic_noise: standard deviation in photons; the preset's if None.
        truth: whether the scan is noise-free; if None, procedural phantoms are.
        modulate: let the tube current of each view follow the patient's thickness.
        keep_sinogram: 3.4 MB a slice in the Siemens geometry.
        device: of projection and reconstruction; a GPU where there is one.
        progress: show a bar.

    Returns:
        The exam; its sinogram is that of the low dose.

    Raises:
        ValueError: the dose is not in (0, 1), or the geometry has another grid than the scan.

    Source: noise insertion in the count domain, see `noise.lower_dose`.
    """
    if not 0 < dose < 1:
        raise ValueError(f"A lower dose is a fraction between 0 and 1 of the full one, not {dose}.")
    geometry = geometry or FanBeam.matching(scan)
    _check_grid(scan, geometry)
    if isinstance(preset, str):
        preset = preset_of(preset, scan.anatomy)
    shape = noise.bowtie(geometry, preset.bowtie_radius_mm, preset.bowtie_strength)
    exposure = _Exposure(
        geometry=geometry,
        kernel=preset.kernel if kernel is None else kernel,
        blank=(preset.photons_in(geometry) if photons is None else photons) * shape,
        electronic_noise=preset.electronic_noise if electronic_noise is None else electronic_noise,
        dose=dose,
        seed=seed,
        truth=_is_truth(scan) if truth is None else truth,
        modulate=modulate,
        device=torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")),
    )
    assert scan.z_mm is not None
    full: list[np.ndarray] = []
    low: list[np.ndarray] = []
    lines, blanks = [], []
    for start in tqdm(range(0, len(scan.hu), SLICES_AT_ONCE), "expose", disable=not progress):
        part = slice(start, start + SLICES_AT_ONCE)
        result = exposure.take(scan.hu[part], scan.z_mm[part])
        for whole, piece in zip((full, low), result[:2], strict=True):
            whole.append(piece)
        if keep_sinogram:
            lines.append(result[2])
            blanks.append(result[3])
    sinogram = None
    if keep_sinogram:
        blank = torch.cat(blanks) if modulate else blanks[0][0, 0]
        sinogram = Sinogram(torch.cat(lines), blank, exposure.electronic_noise, geometry)
    facts = {"exposure": exposure.describe()}
    low_name = f"{scan.name}, {dose:.0%} dose"
    return Exam(
        scan.with_hu(np.concatenate(full), **(facts if exposure.truth else {})),
        scan.with_hu(np.concatenate(low), low_name, **facts),
        sinogram,
        dose,
    )


@dataclass(frozen=True)
class _Exposure:
    """All that is set before the slices come; ``blank`` is at full dose, (channels,)."""

    geometry: FanBeam
    kernel: KernelLike
    blank: np.ndarray
    electronic_noise: float
    dose: float
    seed: int
    truth: bool
    modulate: bool
    device: torch.device

    def describe(self) -> str:
        return (
            f"{self.dose:.0%} of {self.blank.max():.3g} photons by channel and view, electronic "
            f"noise {self.electronic_noise:g}, {kernel_of(self.kernel)}, seed {self.seed}"
        )

    def take(
        self, hu: np.ndarray, z_mm: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Tensor, Tensor]:
        """Full and low dose in HU, low-dose line integrals and blank scan, of a few slices."""
        mu = hu_to_mu(torch.from_numpy(_padded(hu, self.geometry.pixels))).to(self.device)
        clean = project(mu, self.geometry).cpu().numpy()
        low_lines, blanks, full = np.empty_like(clean), [], hu
        added = np.empty_like(clean) if self.truth else None
        for i, z in enumerate(z_mm):
            full_lines, low_lines[i], blank = self._measure(clean[i], float(z))
            blanks.append(blank.astype(np.float32))
            if added is not None:
                added[i] = full_lines - clean[i]
        if added is not None:
            full = self._add_noise(hu, added)
        low = self._add_noise(hu, np.subtract(low_lines, clean, out=clean))
        return full, low, torch.from_numpy(low_lines), torch.from_numpy(np.stack(blanks))

    def _measure(self, clean: np.ndarray, z_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Line integrals at full and low dose and low-dose blank scan of one slice."""
        position = round(z_mm * 1000) % 2**32
        draw = np.random.default_rng([self.seed, position])
        blank = self.blank * (noise.modulation(clean) if self.modulate else np.ones((1, 1)))
        # a patient's scan already holds the full dose's noise: its projection stands for the counts
        photons = (
            noise.count(clean, blank, self.electronic_noise, draw)
            if self.truth
            else blank * np.exp(-clean.astype(np.float64))
        )
        fewer = noise.lower_dose(photons, self.dose, self.electronic_noise, draw)
        low_blank = self.dose * blank
        return (
            noise.to_line_integrals(photons, blank),
            noise.to_line_integrals(fewer, low_blank),
            low_blank,
        )

    def _add_noise(self, hu: np.ndarray, lines: np.ndarray) -> np.ndarray:
        """HU plus the reconstruction of noise in the line integrals, where the scanner sees."""
        lines_there = torch.from_numpy(lines).to(self.device)
        reconstructed = fbp(lines_there, self.geometry, self.kernel).cpu().numpy()
        reconstructed = reconstructed[_window(hu.shape[1:], self.geometry.pixels)]
        added = reconstructed * (1000 / MU_WATER_PER_MM)
        # at or below the air of an empty detector lies padding, which was never measured
        measured = _field(self.geometry, hu.shape[1:]) & (hu > AIR_HU)
        noisy: np.ndarray = np.where(measured, (hu + added).clip(AIR_HU), hu)
        return noisy.astype(np.float32)


def _is_truth(scan: Scan) -> bool:
    return scan.provenance.get("source", "").startswith("procedural phantom")


def _check_grid(scan: Scan, geometry: FanBeam) -> None:
    fits = max(scan.shape[1:]) == geometry.pixels
    if not fits or abs(scan.pixel_mm - geometry.pixel_mm) > 1e-3 * scan.pixel_mm:
        raise ValueError(
            f"{scan.name} has {scan.shape[1]} x {scan.shape[2]} pixels of {scan.pixel_mm:.4g} mm, "
            f"the geometry {geometry.pixels} of {geometry.pixel_mm:.4g} mm: use "
            "FanBeam.matching(scan), or a preset with this grid, FanBeam.siemens(pixels, pixel_mm)."
        )


def _window(shape: tuple[int, ...], pixels: int) -> tuple[slice, slice, slice]:
    """Where images of ``shape`` lie in the middle of the scanner's square grid."""
    top, left = ((pixels - size) // 2 for size in shape)
    return slice(None), slice(top, top + shape[0]), slice(left, left + shape[1])


def _padded(hu: np.ndarray, pixels: int) -> np.ndarray:
    square = np.full((len(hu), pixels, pixels), AIR_HU, np.float32)
    square[_window(hu.shape[1:], pixels)] = hu
    return square


def _field(geometry: FanBeam, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels of an image of ``shape`` that every view sees."""
    x_mm = (np.arange(geometry.pixels) - (geometry.pixels - 1) / 2) * geometry.pixel_mm
    inside = np.hypot(*np.meshgrid(x_mm, x_mm)) <= geometry.field_radius_mm
    return np.asarray(inside[_window(shape, geometry.pixels)[1:]])
