"""The noise that a patient's scan already has: how strong it is, and of what colour.

Strength: the standard deviation in small windows of soft tissue, where it is most frequent. Colour:
the kernel whose noise has the same correlation between neighbours.

Source of the first: Christianson et al. 2015, AJR 205:W93, doi:10.2214/AJR.14.13613.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import correlate1d, uniform_filter, uniform_filter1d
from scipy.special import j0

from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.kernels import KERNELS, Kernel
from ldctlib.physics.projector import project
from ldctlib.physics.reconstruction import noise_map
from ldctlib.physics.square import attenuation, corner_of, window
from ldctlib.scans.scan import Scan

SOFT_TISSUE_HU = (-20.0, 120.0)
WINDOW_MM = 7.0
FEWEST_WINDOWS = 300
SLICES = 5
KEPT_HU = (-1100.0, 1500.0)
ODD_HU = (20.0, 60.0)
ODD_SIGMAS = 2.5
PASSES = 3
NEAR = 0.4  # of a logarithm
MOST_AT_BORDER = 0.25
LAGS = (1, 2, 3)
VIEWS = 96  # enough for a map of the noise,
COARSER = 4  # and so are pixels of four times the size
_ADVICE = "which preset='matched' needs: choose preset='clinical' or 'benchmark', or give photons."


@dataclass(frozen=True)
class OwnNoise:
    """The noise of a scan in soft tissue.

    Args:
        sigma_hu: standard deviation, the most frequent one.
        kernel: whose noise has this colour.
        correlation: of neighbours at a distance of 1, 2 and 3 pixels.
        photons: at full dose without a patient, in the middle channel of each view, that make this
            noise with this kernel; None where no geometry was given.
    """

    sigma_hu: float
    kernel: Kernel
    correlation: tuple[float, ...]
    photons: float


def own_noise(
    scan: Scan, geometry: FanBeam, bowtie: np.ndarray, kernel: Kernel | None = None
) -> OwnNoise:
    """Estimate the noise of a patient's scan, and the photons that explain it.

    Args:
        scan: with noise.
        geometry: the scanner that is to make the same noise.
        bowtie: (channels,) its share of photons by channel.
        kernel: of the reconstruction, if it is known.

    Raises:
        ValueError: there is too little soft tissue.
    """
    side = _side(scan.pixel_mm)
    if side < 5:
        raise ValueError(
            f"{scan.name}: in pixels of {scan.pixel_mm:.2g} mm noise cannot be told from anatomy, "
            f"{_ADVICE}"
        )
    hu = scan.hu[sampled(len(scan.hu))]
    if _truncated(hu) > MOST_AT_BORDER:
        raise ValueError(
            f"{scan.name} is cut out of a larger slice, so that its rays do not know how thick the "
            f"patient is, {_ADVICE}"
        )
    usual, sigma = usual_noise(hu, scan.pixel_mm)
    if sigma is None:
        raise ValueError(f"{scan.name} shows too little soft tissue to measure noise, {_ADVICE}")
    residual = hu - uniform_filter(hu.clip(*KEPT_HU), (1, side, side))
    correlation = _correlation(residual, usual)
    kernel = kernel or _kernel_of_colour(correlation, scan.pixel_mm, geometry)
    per_photon = _noise_of_one_photon(hu, geometry, bowtie, kernel)
    photons = float((per_photon[usual] ** 2).mean()) / sigma**2
    return OwnNoise(sigma, kernel, tuple(correlation.tolist()), photons)


def sampled(depth: int) -> np.ndarray:
    """The few slices, evenly spaced, that stand for a scan."""
    places = np.linspace(0, depth - 1, SLICES + 2)[1:-1]
    return np.unique(places.round().astype(int))


def local_noise(
    hu: np.ndarray, pixel_mm: float, odd_hu: float = ODD_HU[1]
) -> tuple[np.ndarray, np.ndarray]:
    """Where windows of soft tissue are, and the standard deviation in every window, about a plane.

    A window that touches air, lung or bone has parts that are far from its mean, and is left out.

    Args:
        hu: (Z, H, W).
        pixel_mm: pixel size.
        odd_hu: what is far, for the mean of 3 x 3 pixels.

    Returns:
        Boolean and float (Z, H, W), at the middle of each window.
    """
    side = _side(pixel_mm)
    size, kept = (1, side, side), hu.astype(np.float64).clip(*KEPT_HU)  # padding spoils sums
    mean = uniform_filter(kept, size)
    square = (uniform_filter(kept**2, size) - mean**2) * side**2 - _of_slopes(kept, side)
    spread = np.sqrt(square.clip(1e-6) / (side**2 - 3))
    odd = np.abs(uniform_filter(kept, (1, 3, 3)) - mean) > odd_hu
    whole = uniform_filter(odd.astype(np.float32), size) < 0.02
    soft = (mean > SOFT_TISSUE_HU[0]) & (mean < SOFT_TISSUE_HU[1])
    return whole & soft, spread


def _of_slopes(hu: np.ndarray, side: int) -> np.ndarray:
    """What a plane fitted to each window takes of its sum of squares: anatomy, most of it."""
    ramp = np.arange(side) - side // 2
    slopes = [
        side * uniform_filter1d(correlate1d(hu, ramp, axis=along), side, axis=across)
        for along, across in ((1, 2), (2, 1))
    ]
    return np.asarray((slopes[0] ** 2 + slopes[1] ** 2) / (side * (ramp**2).sum()))


def usual_noise(hu: np.ndarray, pixel_mm: float) -> tuple[np.ndarray, float | None]:
    """The windows of soft tissue with the most frequent standard deviation, and that deviation.

    Windows of a good half or a good half more of it count, too: with some tens of independent
    pixels an estimate spreads, and edges of organs, which would raise it, lie above.

    Args:
        hu: (Z, H, W).
        pixel_mm: pixel size.

    Returns:
        Boolean (Z, H, W), and HU; None where there is too little soft tissue.
    """
    odd_hu = ODD_HU[1]
    for _ in range(PASSES):  # the quieter the scan, the fainter an edge that would spoil a window
        flat, spread = local_noise(hu, pixel_mm, odd_hu)
        if flat.sum() < FEWEST_WINDOWS:
            return flat, None
        sigma = most_frequent(spread[flat])
        odd_hu = float(np.clip(ODD_SIGMAS * sigma, *ODD_HU))
    return flat & (np.abs(np.log(spread / sigma)) < NEAR), sigma


def most_frequent(values: np.ndarray) -> float:
    """The mode: the middle of the densest fifth of the values.

    >>> values = np.concatenate([np.full(500, 10.0), np.linspace(10, 90, 500)])
    >>> round(most_frequent(values), 1)
    10.0
    """
    ordered = np.sort(values)
    count = max(2, len(ordered) // 5)
    widths = ordered[count - 1 :] - ordered[: len(ordered) - count + 1]
    first = int(np.argmin(widths))
    return float(np.median(ordered[first : first + count]))


def _side(pixel_mm: float) -> int:
    """Pixels along a window, an odd number."""
    return 2 * max(1, round(WINDOW_MM / pixel_mm / 2)) + 1


def _truncated(hu: np.ndarray) -> float:
    """Share of the images' border at which a patient goes on."""
    edges = [hu[:, 0], hu[:, -1], hu[:, :, 0], hu[:, :, -1]]
    return float(np.mean(np.concatenate(edges, axis=1) > -500))


def _correlation(residual: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Correlation of neighbours in rows and columns, (lags,), where both lie inside."""
    values = []
    for lag in LAGS:
        pairs = []
        for axis in (1, 2):
            n = residual.shape[axis]
            a, b = (np.take(residual, np.arange(s, n - lag + s), axis) for s in (0, lag))
            p, q = (np.take(inside, np.arange(s, n - lag + s), axis) for s in (0, lag))
            both = p & q
            pairs.append((a[both] @ b[both]) / max(1e-9, (a[both] ** 2 + b[both] ** 2).sum() / 2))
        values.append(np.mean(pairs))
    return np.array(values)


def correlation_of_noise(kernel: Kernel, distances_mm: np.ndarray) -> np.ndarray:
    """Correlation of FBP noise at some distances: the transform of its power |f| W(f)^2.

    >>> correlation_of_noise(Kernel("hann", 0.7), np.array([0.0, 0.7, 1.4])).round(2).tolist()
    [1.0, 0.59, 0.01]
    """
    f = np.linspace(0, kernel.cutoff_per_mm, 2001)
    power = f**2 * kernel(f) ** 2  # |f| W^2, and f of the ring
    waves = j0(2 * np.pi * np.multiply.outer(distances_mm, f))
    return np.asarray((waves * power).sum(-1) / power.sum())


def _kernel_of_colour(correlation: np.ndarray, pixel_mm: float, geometry: FanBeam) -> Kernel:
    last = min(0.7, geometry.nyquist_per_mm)
    family = [Kernel("hann", float(c)) for c in np.linspace(0.1, last, 61)]
    family += [k for k in KERNELS.values() if k.boost and k.cutoff_per_mm <= last]
    away = np.array(LAGS) * pixel_mm
    misfits = [((correlation_of_noise(k, away) - correlation) ** 2).sum() for k in family]
    return family[int(np.argmin(misfits))]


def _noise_of_one_photon(
    hu: np.ndarray, geometry: FanBeam, bowtie: np.ndarray, kernel: Kernel
) -> np.ndarray:
    """Standard deviation in HU at every pixel if one photon a view came through the bowtie."""
    every = max(1, geometry.views // VIEWS)
    few = replace(geometry, views=geometry.views // every)
    lines = project(attenuation(hu, few), few).double()
    variance = torch.exp(lines) / torch.from_numpy(bowtie)
    coarse = replace(few, pixels=-(-few.pixels // COARSER), pixel_mm=COARSER * few.pixel_mm)
    sigma = noise_map(variance, coarse, kernel).numpy() * np.sqrt(few.views / geometry.views)
    fine = sigma.repeat(COARSER, axis=1).repeat(COARSER, axis=2)
    return np.asarray(fine[window(hu.shape, corner_of(hu.shape, few))], np.float64)
