"""One exposure: the settings of the scanner, and what it measures of each slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ldctlib.physics import noise
from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.kernels import KernelLike, kernel_of
from ldctlib.physics.projector import project
from ldctlib.physics.reconstruction import fbp
from ldctlib.units import AIR_HU, MU_WATER_PER_MM, hu_to_mu


class Taken(NamedTuple):
    """What an exposure gives of Z slices.

    Args:
        full, low: HU, float32 (Z, H, W).
        line_integrals: of the low dose, (Z, views, channels).
        blank: photons at low dose without a patient, (Z, 1, channels) or (Z, views, channels).
    """

    full: np.ndarray
    low: np.ndarray
    line_integrals: Tensor
    blank: Tensor


@dataclass(frozen=True)
class Exposure:
    """All that is set before the slices come.

    Args:
        geometry, kernel, electronic_noise, dose, seed, truth, modulate: as in `expose`.
        blank: photons at full dose without a patient, (channels,).
        device: of projection and reconstruction.
    """

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
        """The settings in one line, for the provenance of a scan."""
        return (
            f"{self.dose:.0%} of {self.blank.max():.3g} photons by channel and view, electronic "
            f"noise {self.electronic_noise:g}, {kernel_of(self.kernel)}, seed {self.seed}"
        )

    def take(self, hu: np.ndarray, z_mm: np.ndarray) -> Taken:
        """Expose slices ``hu`` (Z, H, W) at the positions ``z_mm``."""
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
        return Taken(full, low, torch.from_numpy(low_lines), torch.from_numpy(np.stack(blanks)))

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
