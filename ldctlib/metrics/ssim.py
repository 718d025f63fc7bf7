"""Structural similarity."""

from __future__ import annotations

from typing import Any, Literal

import numba
import numpy as np
import torch

from ldctlib.metrics._inputs import (
    DataRange,
    Image,
    Reduce,
    as_slices,
    clip_to_range,
    reduced,
    require_range,
)
from ldctlib.metrics._moments import gaussian_kernel, local_moments, local_moments_torch
from ldctlib.units import Window

K1, K2 = 0.01, 0.03


def ssim(
    test: Image,
    reference: Image,
    *,
    window: Window | None = None,
    data_range: DataRange = None,
    neighbourhood: Literal["uniform", "gaussian"] = "uniform",
    reduce: Reduce = "mean",
) -> Any:
    """Mean structural similarity, slice by slice.

    Args:
        test: image (H, W) or volume (Z, H, W) in HU, numpy or torch; each side at least 11 pixels.
        reference: the truth, same shape.
        window: clip both to this window; its width is the range.
        data_range: the range in HU: (low, high) to clip to and count from, or a number. SSIM
            compares means too, so that its value depends on where zero lies: a number leaves
            it at 0 HU.
        neighbourhood: "uniform": 7 x 7 pixels and sample variances, as scikit-image and the
            published benchmark; "gaussian": 11 x 11 pixels, sigma 1.5, as Wang et al.
        reduce: "mean" over the slices, or "none" for one value a slice.

    Returns:
        1 for identical images, less otherwise. Windows that leave the image are left out.

    Raises:
        ValueError: shapes differ, a value is not finite, the image is too small, or neither window
            nor range is given.

    Source: Wang et al., IEEE Trans Image Process 13, 600 (2004), doi:10.1109/TIP.2003.819861.

    >>> flat = np.zeros((16, 16))
    >>> round(ssim(flat + 0.1, flat, data_range=1.0), 8)  # C1 / (0.1^2 + C1)
    0.00990099
    """
    x, y = as_slices(test, reference)
    x, y, width = clip_to_range(x, y, window, data_range)
    peak = require_range(width, "SSIM")
    if min(x.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs at least 11 x 11 pixels, not {tuple(x.shape[-2:])}.")
    if neighbourhood == "uniform":
        kernel, sample = np.full(7, 1 / 7), 49 / 48
    elif neighbourhood == "gaussian":
        kernel, sample = gaussian_kernel(11, 1.5), 1.0
    else:
        raise ValueError(f"neighbourhood is 'uniform' or 'gaussian', not {neighbourhood!r}.")
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    if isinstance(x, torch.Tensor):
        return reduced(_similarity_torch(x, y, kernel, sample, c1, c2), reduce)
    return reduced(_similarity(x, y, kernel, sample, c1, c2), reduce)


@numba.njit(cache=True, parallel=True)
def _similarity(
    test: np.ndarray, reference: np.ndarray, kernel: np.ndarray, sample: float, c1: float, c2: float
) -> np.ndarray:
    mean = np.empty(len(test))
    for z in numba.prange(len(test)):
        mx, my, vx, vy, vxy = local_moments(test[z], reference[z], kernel)
        total = 0.0
        for i in range(mx.shape[0]):
            for j in range(mx.shape[1]):
                m = mx[i, j] * my[i, j]
                power = mx[i, j] ** 2 + my[i, j] ** 2
                luminance = (2 * m + c1) / (power + c1)
                structure = (2 * sample * vxy[i, j] + c2) / (sample * (vx[i, j] + vy[i, j]) + c2)
                total += luminance * structure
        mean[z] = total / mx.size
    return mean


def _similarity_torch(
    x: torch.Tensor, y: torch.Tensor, kernel: np.ndarray, sample: float, c1: float, c2: float
) -> torch.Tensor:
    mx, my, vx, vy, vxy = local_moments_torch(x, y, kernel)
    luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
    structure = (2 * sample * vxy + c2) / (sample * (vx + vy) + c2)
    return (luminance * structure).mean((-2, -1))
