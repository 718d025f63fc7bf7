"""Local means, variances and covariance of two images: what SSIM and VIF are made of."""

from __future__ import annotations

import numba
import numpy as np
import torch
import torch.nn.functional as F


def gaussian_kernel(size: int, sigma: float) -> np.ndarray:
    """Weights (size,) of a Gaussian, summing to one."""
    x = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum())


@numba.njit(cache=True, fastmath=True)
def filter_valid(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Image (H, W) filtered along both axes with (K,) weights, without the border: float64."""
    k = len(kernel)
    rows, columns = image.shape[0] - k + 1, image.shape[1] - k + 1
    out = np.zeros((rows, columns))
    line = np.empty(image.shape[1])
    for i in range(rows):
        line[:] = 0
        for t in range(k):
            for j in range(image.shape[1]):
                line[j] += kernel[t] * image[i + t, j]
        for t in range(k):
            for j in range(columns):
                out[i, j] += kernel[t] * line[j + t]
    return out


@numba.njit(cache=True, fastmath=True)
def local_moments(
    x: np.ndarray, y: np.ndarray, kernel: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Local means of x and y, their variances, and their covariance, without the border.

    Squares are taken about the images' means: E[x^2] - E[x]^2 of CT numbers near 1000 HU would
    lose digits that the variance of a smooth region needs.
    """
    sx, sy = x.mean(), y.mean()
    dx, dy = x - sx, y - sy
    mx, my = filter_valid(dx, kernel), filter_valid(dy, kernel)
    vx = filter_valid(dx * dx, kernel) - mx * mx
    vy = filter_valid(dy * dy, kernel) - my * my
    vxy = filter_valid(dx * dy, kernel) - mx * my
    return mx + sx, my + sy, vx, vy, vxy


def filter_valid_torch(images: torch.Tensor, kernel: np.ndarray) -> torch.Tensor:
    """Images (N, H, W) filtered along both axes with (K,) weights, without the border."""
    weights = torch.as_tensor(kernel, dtype=images.dtype, device=images.device)
    images = F.conv2d(images[:, None], weights.view(1, 1, -1, 1))
    return F.conv2d(images, weights.view(1, 1, 1, -1))[:, 0]


def local_moments_torch(
    x: torch.Tensor, y: torch.Tensor, kernel: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """As `local_moments`, for stacks (N, H, W), differentiable."""
    sx, sy = x.mean((-2, -1), keepdim=True), y.mean((-2, -1), keepdim=True)
    dx, dy = x - sx, y - sy
    moments = filter_valid_torch(torch.cat([dx, dy, dx * dx, dy * dy, dx * dy]), kernel)
    mx, my, xx, yy, xy = moments.chunk(5)
    return mx + sx, my + sy, xx - mx * mx, yy - my * my, xy - mx * my
