"""What an exposure gives: full and low dose of one patient, the sinogram, and how it was made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ldctlib.physics import noise
from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.kernels import Kernel, kernel_name
from ldctlib.physics.projector import project
from ldctlib.physics.reconstruction import fbp
from ldctlib.physics.reconstruction import noise_map as map_of
from ldctlib.physics.square import HU_PER_MU, attenuation, corner_of, padding, seen, window
from ldctlib.scans.scan import Scan
from ldctlib.units import AIR_HU

ALL = slice(None)


@dataclass(frozen=True)
class Sinogram:
    """Measured line integrals.

    Args:
        line_integrals: dimensionless, float32 (Z, views, channels).
        blank: photons that reach each channel without a patient, float32 (channels,), or
            (Z, views, channels) where the tube current was modulated.
        electronic_noise: standard deviation in photons.
        geometry: the scanner.
    """

    line_integrals: torch.Tensor
    blank: torch.Tensor
    electronic_noise: float
    geometry: FanBeam


@dataclass(frozen=True)
class Exposure:
    """How an exam is made; `expose` fills it in.

    Args:
        geometry: the scanner.
        kernel: of the reconstruction.
        blank: photons at full dose without a patient, (channels,), in each view of ``geometry``.
        electronic_noise: standard deviation in photons of ``geometry``.
        dose: fraction of the full dose.
        seed: of the noise.
        preset: how the photons were chosen: "matched", "benchmark", "clinical", or "own".
        truth: whether the scan was free of noise, so that the full dose got some.
        corner: row and column of the images' first pixel in the grid of ``geometry``.
        modulate: whether the tube current follows the patient's thickness.
        clip: whether images are stored as a scanner does, see `stored`.
        common_noise: whether all doses have the same random numbers.
        own_noise_hu: of a patient's scan in soft tissue; None if unknown.
    """

    geometry: FanBeam
    kernel: Kernel
    blank: np.ndarray
    electronic_noise: float
    dose: float
    seed: int
    preset: str
    truth: bool
    corner: tuple[int, int]
    modulate: bool = False
    clip: bool = False
    common_noise: bool = False
    own_noise_hu: float | None = None

    def describe(self) -> str:
        """The settings in one line, for the provenance of a scan."""
        return (
            f"{self.dose:.3g} of {self.blank.max():.3g} photons by channel and view "
            f"({self.preset}), electronic noise {self.electronic_noise:.3g}, kernel "
            f"{kernel_name(self.kernel)}, seed {self.seed}{', clipped' if self.clip else ''}"
        )


@dataclass(frozen=True)
class Exam:
    """One scan at full and at a lower dose.

    Args:
        full: the scan at full dose.
        low: the same slices at ``dose``.
        sinogram: of the low-dose scan, or None where only images are known.
        dose: fraction of the full dose that was asked for, in (0, 1).
        truth: the patient without noise, as sharp as the other two; None where nobody knows it.
        exposure: how it was made; None where only images are known.
        equivalent_dose: fraction of the full dose that the noise amounts to: the variance of the
            full dose over that of the low dose, in soft tissue; None if unknown.

    Raises:
        ValueError: the scans do not share a grid, or the dose is not in (0, 1).
    """

    full: Scan
    low: Scan
    sinogram: Sinogram | None
    dose: float
    truth: Scan | None = None
    exposure: Exposure | None = None
    equivalent_dose: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.dose < 1:
            raise ValueError(f"A lower dose is a fraction between 0 and 1, not {self.dose}.")
        for scan in (self.low, self.truth):
            if scan is not None and (
                scan.shape != self.full.shape
                or not np.allclose(scan.spacing_mm, self.full.spacing_mm, rtol=1e-3)
            ):
                raise ValueError(
                    f"{scan.name} is {scan.shape} of {scan.spacing_mm} mm and {self.full.name} "
                    f"{self.full.shape} of {self.full.spacing_mm} mm; both must lie on one grid."
                )
        if self.sinogram is not None and len(self.sinogram.line_integrals) != len(self.full.hu):
            raise ValueError(
                f"{self.full.name} has {len(self.full.hu)} slices and the sinogram "
                f"{len(self.sinogram.line_integrals)}."
            )

    def __repr__(self) -> str:
        same = "" if self.equivalent_dose is None else f", equivalent {self.equivalent_dose:.3g}"
        made = "" if self.exposure is None else f", {self.exposure.describe()}"
        lines = "" if self.sinogram is None else ", with sinogram"
        return f"Exam({self.full.name}, {self.full.shape}, dose {self.dose:g}{same}{made}{lines})"

    def crop(self, rows: slice = ALL, columns: slice = ALL, z: slice = ALL) -> Exam:
        """A part of the slices. Of the sinogram whole slices stay: a line crosses all of them.

        Args:
            rows: with step 1, as in `Scan.crop`.
            columns: likewise.
            z: likewise.
        """
        full, low = self.full.crop(rows, columns, z), self.low.crop(rows, columns, z)
        truth = self.truth and self.truth.crop(rows, columns, z)
        exposure, sinogram = self.exposure, self.sinogram
        if exposure is not None:
            height, width = self.full.shape[1:]
            row = exposure.corner[0] + rows.indices(height)[0]
            column = exposure.corner[1] + columns.indices(width)[0]
            exposure = replace(exposure, corner=(row, column))
        if sinogram is not None:
            blank = sinogram.blank if sinogram.blank.ndim == 1 else sinogram.blank[z]
            sinogram = replace(sinogram, line_integrals=sinogram.line_integrals[z], blank=blank)
        return replace(self, full=full, low=low, truth=truth, exposure=exposure, sinogram=sinogram)

    def with_lines(self, line_integrals: torch.Tensor) -> Scan:
        """The image that belongs to other line integrals, such as denoised ones.

        It is the low-dose image plus the reconstruction of what changed, so that a patient keeps
        the vendor's image, a phantom its truth, and nothing but the change is blurred or aliased.

        Args:
            line_integrals: (Z, views, channels), in place of those of the sinogram.

        Raises:
            ValueError: the exam has no sinogram, or was clipped, or the shape is another.
        """
        exposure = self._exposure("with_lines")
        if self.sinogram is None:
            raise ValueError(
                f"The exam of {self.full.name} has no sinogram: expose(..., keep_sinogram=True)."
            )
        if exposure.clip:
            raise ValueError("A clipped image cannot be put together again: expose without clip.")
        measured = self.sinogram.line_integrals
        if line_integrals.shape != measured.shape:
            raise ValueError(
                f"Line integrals are {tuple(measured.shape)}, not {tuple(line_integrals.shape)}."
            )
        change = line_integrals.to(measured) - measured
        return self.low.with_hu(add_lines(self.low.hu, change, exposure))

    def noise_map(self) -> np.ndarray:
        """Standard deviation of the low dose's noise at every pixel in HU, float32 (Z, H, W).

        Of a patient it is exact where the exam is matched; elsewhere the scan's own noise, as
        measured in soft tissue, is added to what the lower dose adds.

        Raises:
            ValueError: only images are known, or the images were cropped and the sinogram is gone.
        """
        exposure = self._exposure("noise_map")
        geometry = exposure.geometry
        if self.sinogram is not None:
            lines = self.sinogram.line_integrals
        elif exposure.corner == corner_of(self.full.shape, geometry):
            source = self.full if self.truth is None else self.truth
            lines = project(attenuation(source.hu, geometry), geometry)
        else:
            raise ValueError("A cropped exam needs its sinogram: expose(..., keep_sinogram=True).")
        maps = []
        for dose in (exposure.dose, 1.0):
            blank = dose * exposure.blank
            variance = noise.variance(lines.double().numpy(), blank, exposure.electronic_noise)
            square = map_of(torch.from_numpy(variance), geometry, exposure.kernel).numpy()
            maps.append(square[window(self.full.shape, exposure.corner)] ** 2)
        low, full = maps
        if exposure.truth or exposure.preset == "matched":
            return np.asarray(np.sqrt(low), np.float32)
        own = exposure.own_noise_hu or 0.0
        return np.asarray(np.sqrt(low - full + own**2), np.float32)

    def _exposure(self, what: str) -> Exposure:
        if self.exposure is None:
            raise ValueError(
                f"{what} needs to know how {self.full.name} was measured, but only images are "
                "known."
            )
        return self.exposure


def add_lines(hu: np.ndarray, change: torch.Tensor, exposure: Exposure) -> np.ndarray:
    """HU plus the reconstruction of a change of the line integrals, where the scanner sees.

    Args:
        hu: (Z, H, W) at ``exposure.corner`` of the scanner's grid.
        change: (Z, views, channels).
        exposure: how the exam is made.

    Returns:
        float32 (Z, H, W).
    """
    geometry = exposure.geometry
    image = fbp(change, geometry, exposure.kernel).cpu().numpy()
    added = image[window(hu.shape, exposure.corner)] * HU_PER_MU
    measured = seen(geometry, hu.shape, exposure.corner) & ~padding(hu)
    return np.asarray(np.where(measured, hu + added, hu), np.float32)


def stored(hu: np.ndarray) -> np.ndarray:
    """CT numbers as a scanner stores them: whole, from -1024 to 3071 HU (12 bits)."""
    return np.asarray(np.rint(hu).clip(AIR_HU, 3071), np.float32)
