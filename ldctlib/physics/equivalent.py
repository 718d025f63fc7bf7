"""What a dose amounts to: the noise of the full dose beside that of the low dose."""

from __future__ import annotations

import numpy as np

from ldctlib.physics.exam import Exposure
from ldctlib.physics.own_noise import local_noise, sampled, usual_noise
from ldctlib.scans.scan import Scan


def equivalent_dose(
    scan: Scan, full: np.ndarray, low: np.ndarray, exposure: Exposure
) -> tuple[float | None, float | None]:
    """The fraction of the full dose that the noise of the low dose amounts to, in soft tissue.

    Noise adds in variance, and its variance goes with 1 / dose: a scan of variance s² with added
    variance t² is as noisy as s² / (s² + t²) of its dose.

    Args:
        scan: what was exposed: noise-free, or a patient's scan.
        full: (Z, H, W) in HU.
        low: likewise.
        exposure: how they were made.

    Returns:
        The fraction, and the own noise of a patient's scan in HU; None where there is too little
        soft tissue to measure it.
    """
    chosen = sampled(len(full))
    usual, own = usual_noise(scan.hu[chosen], scan.pixel_mm)
    if own is None:
        return None, None

    def variance(change: np.ndarray) -> float:
        _, spread = local_noise(change, scan.pixel_mm)
        return float((spread[usual] ** 2).mean())

    added = variance(low[chosen] - scan.hu[chosen])
    if exposure.truth:
        return variance(full[chosen] - scan.hu[chosen]) / added, None
    return own**2 / (own**2 + added), own
