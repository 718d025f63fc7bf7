"""Filtered back-projection, and the noise it makes of the noise in a sinogram."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ldctlib.physics import device_loops
from ldctlib.physics.filtering import (
    FINER,
    cosine_weight,
    filter_views,
    filter_views_transposed,
    fine_channels,
    impulse,
    response,
)
from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.kernels import KernelLike
from ldctlib.physics.loops import TILE, gather, gather_variance, in_threads, scatter, scatter_runs
from ldctlib.physics.projector import Operator, in_lanes, linear
from ldctlib.units import MU_WATER_PER_MM


def fbp(line_integrals: Tensor, geometry: FanBeam, kernel: KernelLike = "standard") -> Tensor:
    """Filtered back-projection, differentiable.

    Args:
        line_integrals: float32 or float64 (..., views, channels).
        geometry: the scanner: a full scan, or a limited angle where no line is measured twice.
        kernel: a name from `KERNELS`, or a `Kernel`.

    Returns:
        Attenuation in 1/mm, (..., n, n).

    Raises:
        ValueError: the kernel is unknown or finer than the detector, or shape or angle do not fit.

    Source: Kak and Slaney, 3.4; doi:10.1137/1.9780898719277.
    """
    shape = geometry.sinogram_shape
    if tuple(line_integrals.shape[-2:]) != shape:
        raise ValueError(
            f"Line integrals are (..., {shape[0]}, {shape[1]}) for this scanner, not "
            f"{tuple(line_integrals.shape)}."
        )
    like: dict[str, Any] = {"dtype": line_integrals.dtype, "device": line_integrals.device}
    spectrum = torch.as_tensor(response(kernel, geometry), **like)
    weight = torch.as_tensor(cosine_weight(geometry), **like)
    slices = line_integrals.reshape(-1, *shape)
    fine = geometry.views, fine_channels(geometry)
    filtered = slices.new_empty(len(slices), *fine)
    for i, views in enumerate(slices):  # one by one: all padded spectra would need gigabytes
        filtered[i] = filter_views(views * weight, spectrum)
    image = linear(filtered, _gather(geometry), _scatter(geometry), fine)
    return image.reshape(*line_integrals.shape[:-2], *image.shape[1:])


def fbp_transposed(
    rows: np.ndarray,
    columns: np.ndarray,
    lengths: np.ndarray,
    values: np.ndarray,
    geometry: FanBeam,
    kernel: KernelLike = "standard",
) -> Tensor:
    """The transpose of `fbp`, of an image that is 0 but for R runs of pixels.

    Where the image is a template, such as the mean over a segment, these are the weights with
    which the line integrals enter it. The cost goes with the pixels in the runs, not in the image.

    Args:
        rows: (R,) row of every run. Runs may overlap.
        columns: (R,) their first columns.
        lengths: (R,) in pixels.
        values: (R,) the image's value in a run.
        geometry: the scanner.
        kernel: a name from `KERNELS`, or a `Kernel`.

    Returns:
        float32 (views, channels).

    >>> scanner = FanBeam.course(32, 10)
    >>> one = fbp_transposed(*np.array([[16], [16], [1]]), np.ones(1), scanner)
    >>> ones = torch.ones(scanner.sinogram_shape)
    >>> bool(torch.isclose((one * ones).sum(), fbp(ones, scanner)[16, 16], rtol=1e-3))
    True
    """
    fine = np.zeros((geometry.views, fine_channels(geometry)))
    scatter_runs(fine, *_where(geometry), rows, columns, lengths, values)
    spectrum = torch.from_numpy(response(kernel, geometry)).float()
    weight = torch.from_numpy(cosine_weight(geometry)).float()
    sino = filter_views_transposed(torch.from_numpy(fine).float(), spectrum, geometry.channels)
    return sino * weight


def noise_map(variance: Tensor, geometry: FanBeam, kernel: KernelLike = "standard") -> Tensor:
    """Standard deviation of every pixel of an FBP image: one more FBP instead of many noisy ones.

    Args:
        variance: of the line integrals, whose noise is independent, (Z, views, channels).
        geometry: the scanner.
        kernel: that of the image.

    Returns:
        Standard deviation in HU, float32 (Z, n, n).

    The image is a weighted sum of line integrals; its variance is the sum of their variances
    times the squared weights. Squared are the filter and the interpolation between samples, with
    the covariance that the filter gives to neighbours, so no constant is left to calibrate.

    Source: the fan-beam form of Wunderlich and Noo 2008, Phys Med Biol 53:2471,
    doi:10.1088/0031-9155/53/10/002.
    """
    shape = impulse(response(kernel, geometry))
    squares = [shape**2, shape * np.roll(shape, -1)]
    spectra = [torch.from_numpy(np.fft.rfft(s)) for s in squares]
    weight = torch.from_numpy(cosine_weight(geometry) ** 2)
    samples = fine_channels(geometry)
    maps = []
    for views in variance.detach().cpu().double():
        spread = views.new_zeros(geometry.views, samples)
        spread[:, ::FINER] = views * weight  # between the channels nothing is measured
        both = torch.fft.rfft(spread, n=len(shape))
        own, shared = (torch.fft.irfft(both * s, n=len(shape))[:, :samples] for s in spectra)
        maps.append(_standard_deviation(own.numpy(), shared.numpy(), geometry))
    return torch.from_numpy(np.stack(maps))


def _standard_deviation(own: np.ndarray, shared: np.ndarray, geometry: FanBeam) -> np.ndarray:
    image = np.zeros((geometry.pixels, geometry.pixels))
    where = _where(geometry)
    in_threads(lambda a, b: gather_variance(own, shared, *where, a, b, image), geometry.pixels)
    return np.asarray(np.sqrt(image.clip(0)) * (1000 / MU_WATER_PER_MM), np.float32)


def _where(geometry: FanBeam) -> tuple[Any, ...]:
    """What the pixel loops need: view directions, the scanner in fine channels, pixel grid."""
    x_mm = (np.arange(geometry.pixels) - (geometry.pixels - 1) / 2) * geometry.pixel_mm
    scanner = (
        geometry.sod_mm,
        FINER / geometry.channel_rad,
        FINER * geometry.central_channel,
        geometry.detector == "arc",
    )
    return np.cos(geometry.beta), np.sin(geometry.beta), scanner, x_mm


def _gather(geometry: FanBeam) -> Operator:
    def on_cpu(sino: np.ndarray) -> np.ndarray:
        image = np.zeros((geometry.pixels, geometry.pixels, sino.shape[-1]), sino.dtype)
        where = *_where(geometry), (0,) * sino.shape[-1]
        tiles = (-(-geometry.pixels // TILE)) ** 2
        in_threads(lambda a, b: gather(sino, *where, a, b, image), tiles, parts=tiles)
        return image

    def operator(sino: Tensor) -> Tensor:
        if sino.device.type != "cpu":
            return device_loops.gather(sino, geometry, FINER)
        return in_lanes(sino.detach(), on_cpu)

    return operator


def _scatter(geometry: FanBeam) -> Operator:
    def on_cpu(image: np.ndarray) -> np.ndarray:
        shape = geometry.views, fine_channels(geometry), image.shape[-1]
        sino = np.zeros(shape, image.dtype)
        where = *_where(geometry), (0,) * image.shape[-1]
        in_threads(lambda a, b: scatter(sino, *where, a, b, image), geometry.views)
        return sino

    def operator(image: Tensor) -> Tensor:
        if image.device.type != "cpu":
            return device_loops.scatter(image, geometry, FINER)
        return in_lanes(image.detach(), on_cpu)

    return operator
