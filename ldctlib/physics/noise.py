"""Photons: what the patient lets through, how many are counted, and what fewer would have shown."""

from __future__ import annotations

import numpy as np

from ldctlib.physics.geometry import FanBeam
from ldctlib.units import MU_WATER_PER_MM

FLOOR = 1.0  # photons: smaller counts, and negative ones, are raised to this before the logarithm


def bowtie(geometry: FanBeam, radius_mm: float, strength: float) -> np.ndarray:
    """Share of the photons that a bowtie filter lets through, by channel.

    Args:
        geometry: the scanner.
        radius_mm: of the water cylinder whose attenuation the filter evens out.
        strength: 0 for no filter, 1 to even it out completely; real ones 0.5 to 0.8.

    Returns:
        (channels,) in (0, 1], 1 in the middle.

    >>> bowtie(FanBeam.course(), radius_mm=150, strength=0.7)[[0, 368]].round(3).tolist()
    [0.018, 1.0]
    """
    chord = 2 * np.sqrt(
        np.maximum(radius_mm**2 - (geometry.sod_mm * np.sin(geometry.gamma)) ** 2, 0)
    )
    share: np.ndarray = np.exp(-MU_WATER_PER_MM * strength * (2 * radius_mm - chord))
    return share


def modulation(line_integrals: np.ndarray) -> np.ndarray:
    """Tube current by view that follows the patient's thickness, as automatic exposure does.

    Args:
        line_integrals: noise-free, (views, channels).

    Returns:
        (views, 1) factors with mean 1: the square root of the attenuation, before normalisation
        limited to [0.4, 1.6].

    Source: Gies et al. 1999, Med Phys 26:2235, doi:10.1118/1.598779 (the square root is optimal).
    """
    thickest = line_integrals.max(1, keepdims=True)
    factor = np.exp((thickest - thickest.mean()) / 2).clip(0.4, 1.6)
    result: np.ndarray = factor / factor.mean()
    return result


def count(
    expected: np.ndarray, electronic_noise: float, generator: np.random.Generator
) -> np.ndarray:
    """Photons counted: Poisson, plus Gaussian noise of the electronics.

    Args:
        expected: photons behind the patient, on average.
        electronic_noise: standard deviation in photons.
        generator: source of randomness.

    Returns:
        Counts, which may be negative, shaped as ``expected``.

    Source: Whiting et al. 2006, Med Phys 33:3290, doi:10.1118/1.2230762.
    """
    gaussian = electronic_noise * generator.standard_normal(expected.shape)
    counts: np.ndarray = generator.poisson(expected) + gaussian
    return counts


def to_line_integrals(counts: np.ndarray, blank: np.ndarray | float) -> np.ndarray:
    """Minus the logarithm of the transmitted share; counts below `FLOOR` are raised to it."""
    return np.asarray(-np.log(np.maximum(counts, FLOOR) / blank))


def log_bias(
    photons: np.ndarray, dose: float, electronic_noise: float, most: float = 1e4
) -> np.ndarray:
    """By how much few counts lengthen a line integral on average: about 1 / (2 N).

    It is the mean of the logarithm of what `lower_dose` makes of noise-free counts, floor included.

    Args:
        photons: at full dose, noise-free.
        dose: fraction of the full dose.
        electronic_noise: in photons.
        most: low-dose counts beyond which the bias is taken as 0; at 10,000 it is 0.00005.

    >>> log_bias(np.array([20.0, 200.0]), 0.5, 0.0).round(4).tolist()
    [0.0273, 0.0025]
    """
    logs, step = np.linspace(np.log(0.01), np.log(most), 512, retstep=True)
    expected = np.exp(logs)[:, None]
    x = np.linspace(-6, 6, 601)  # evenly: the floor makes an edge, which spoils Gauss-Hermite
    weights = np.exp(-(x**2) / 2)
    variance = (1 - dose) * expected + (1 - dose**2) * electronic_noise**2
    lines = to_line_integrals(expected + np.sqrt(variance) * x, expected) @ weights / weights.sum()
    lines[-1] = 0
    # on equal steps a place is a division, where np.interp would search for it
    place = ((np.log(dose * photons) - logs[0]) / step).clip(0, len(lines) - 1.001)
    below = place.astype(np.int32)
    bias: np.ndarray = lines[below] + (place - below) * np.diff(lines, append=0.0)[below]
    return bias


def lower_dose(
    counts: np.ndarray, dose: float, electronic_noise: float, generator: np.random.Generator
) -> np.ndarray:
    """Counts that the same exam would have given at a fraction of its dose.

    Args:
        counts: at full dose, noisy.
        dose: fraction, in (0, 1).
        electronic_noise: of the detector, in photons; it does not shrink with the dose.
        generator: source of randomness.

    Returns:
        Counts, with the mean and variance of a low-dose exam: scaling alone gives variance
        a**2 (N + s**2) where a N + s**2 is wanted; Gaussian noise adds the rest.

    Source: in the role of Zabic et al. 2013, Med Phys 40:031102, doi:10.1118/1.4789628.

    >>> counts = np.full(100_000, 1000.0)  # no noise yet: it stays scaled and gets the rest
    >>> low = lower_dose(counts, 0.1, 0.0, np.random.default_rng(0))
    >>> round(low.mean()), round(low.var())
    (100, 90)
    """
    missing = dose * (1 - dose) * np.maximum(counts, 0) + (1 - dose**2) * electronic_noise**2
    low: np.ndarray = dose * counts + np.sqrt(missing) * generator.standard_normal(counts.shape)
    return low


def lower_dose_post_log(
    line_integrals: np.ndarray,
    dose: float,
    blank: np.ndarray | float,
    electronic_noise: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Line integrals at a fraction of the dose, with the noise added after the logarithm.

    For teaching: right where about 200 photons are left, too quiet and without bias below.

    Args:
        line_integrals: at full dose.
        dose: fraction, in (0, 1).
        blank: photons at full dose without a patient.
        electronic_noise: in photons.
        generator: source of randomness.

    Source: Yu et al. 2012, J Comput Assist Tomogr 36:477, doi:10.1097/RCT.0b013e318258e891.
    """
    per_photon = np.exp(line_integrals) / blank
    electronic = (1 + dose) / dose * electronic_noise**2 * per_photon
    variance = (1 - dose) / dose * per_photon * (1 + electronic)
    noise = np.sqrt(variance) * generator.standard_normal(line_integrals.shape)
    return np.asarray(line_integrals + noise)


def variance(
    line_integrals: np.ndarray, blank: np.ndarray | float, electronic_noise: float
) -> np.ndarray:
    """Variance of measured line integrals: 1 / N + s**2 / N**2 with N photons expected.

    >>> round(float(variance(np.log(10.0), 1000.0, 10.0)), 9)
    0.02
    """
    photons = blank * np.exp(-line_integrals)
    return np.asarray(1 / photons + (electronic_noise / photons) ** 2)
