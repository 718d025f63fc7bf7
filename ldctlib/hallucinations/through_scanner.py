"""An image and its residual seen through the scanner, and what noise does to a contrast there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from tqdm import tqdm

from ldctlib.masks import Masks
from ldctlib.physics import FanBeam, Kernel, Sinogram, fbp, fbp_transposed, project
from ldctlib.physics.square import HU_PER_MU, attenuation, corner_of, window

SLICES_AT_ONCE = 8


def through_scanner(
    hu: np.ndarray, sinogram: Sinogram, kernel: Kernel, every: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the scanner would show of an image, and where its measurement differs.

    Args:
        hu: image (Z, H, W) in HU, in the middle of the scanner's grid.
        sinogram: of the same slices.
        kernel: of the reconstruction.
        every: the variance is given for one of so many views.

    Returns:
        Reconstruction of the image's own projections and of the residual, both (Z, H, W) in HU,
        and the variance of the line integrals under "the image is the truth",
        (Z, views / every, channels).
    """
    geometry, parts = sinogram.geometry, []
    inside = window(hu.shape, corner_of(hu.shape, geometry))
    for start in range(0, len(hu), SLICES_AT_ONCE):
        part = slice(start, start + SLICES_AT_ONCE)
        lines = project(attenuation(hu[part], geometry), geometry)
        blank = (sinogram.blank if sinogram.blank.ndim == 1 else sinogram.blank[part]).double()
        expected = blank * torch.exp(-lines.double())
        counted = blank * torch.exp(-sinogram.line_integrals[part].double())
        residual = (counted / expected - 1).float()  # A x - p to first order
        thin = expected[:, ::every]
        variance = (thin + sinogram.electronic_noise**2) / thin**2
        images = (fbp(x, geometry, kernel).numpy()[inside] for x in (lines, residual))
        parts.append([*(x * HU_PER_MU for x in images), variance.float().numpy()])
    seen, missing, thinned = (np.concatenate(part) for part in zip(*parts, strict=True))
    return seen, missing, thinned


def errors_of_contrast(
    masks: Masks,
    around: Masks,
    variance: np.ndarray,
    geometry: FanBeam,
    kernel: Kernel,
    progress: bool = False,
) -> np.ndarray:
    """Standard error of every segment's contrast, from the noise of the line integrals.

    Args:
        masks: S segments, in the middle of the scanner's grid.
        around: their rings.
        variance: of the line integrals, (Z, views / every, channels).
        geometry: the scanner with all its views.
        kernel: of the reconstruction.
        progress: show a bar.

    Returns:
        (S,) HU.
    """
    every = geometry.views // variance.shape[1]
    few = replace(geometry, views=variance.shape[1])
    squares = np.zeros(len(masks))
    weights = 1 / masks.areas, -1 / around.areas
    for i in tqdm(range(len(masks)), "consistency", disable=not progress, leave=False):
        both = [_runs(part, i, geometry) for part in (masks, around)]
        z, rows, columns, lengths = (np.concatenate(x) for x in zip(*both, strict=True))
        values = np.repeat([w[i] for w in weights], [len(found[0]) for found in both])
        for k in np.unique(z):
            here = z == k
            template = rows[here], columns[here], lengths[here], values[here]
            spread = fbp_transposed(*template, few, kernel).numpy().astype(np.float64)
            squares[i] += (spread**2 * variance[k]).sum() / every
    return np.asarray(np.sqrt(squares) * HU_PER_MU)


def _runs(masks: Masks, i: int, geometry: FanBeam) -> tuple[np.ndarray, ...]:
    """Slice, row and column in the scanner's grid, and length, of every run of a mask."""
    _, height, width = masks.shape
    runs = slice(masks.offsets[i], masks.offsets[i + 1])
    z, pixel = np.divmod(masks.starts[runs], height * width)
    row, column = np.divmod(pixel, width)
    first_row, first_column = corner_of(masks.shape, geometry)
    return z, row + first_row, column + first_column, masks.lengths[runs]
