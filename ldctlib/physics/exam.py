"""What an exposure gives: the sinogram, and the full- and low-dose scan of one patient."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ldctlib.physics.geometry import FanBeam
from ldctlib.scans.scan import Scan


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
class Exam:
    """One scan at full and at a lower dose.

    Args:
        full: the scan at full dose.
        low: the same slices at ``dose``.
        sinogram: of the low-dose scan, or None where only images are known.
        dose: fraction of the full dose, in (0, 1).
    """

    full: Scan
    low: Scan
    sinogram: Sinogram | None
    dose: float
