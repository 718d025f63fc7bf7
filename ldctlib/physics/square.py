"""Images in the middle of a scanner's square grid."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ldctlib.physics.geometry import FanBeam
from ldctlib.units import AIR_HU, MU_WATER_PER_MM

HU_PER_MU = 1000 / MU_WATER_PER_MM


def corner_of(shape: tuple[int, ...], geometry: FanBeam) -> tuple[int, int]:
    """Row and column of the first pixel of images (…, H, W) in the middle of the grid."""
    row, column = ((geometry.pixels - size) // 2 for size in shape[-2:])
    return row, column


def window(shape: tuple[int, ...], corner: tuple[int, int]) -> tuple[slice, slice, slice]:
    """Where slices of ``shape`` (…, H, W) lie in the grid."""
    (row, column), (height, width) = corner, shape[-2:]
    return slice(None), slice(row, row + height), slice(column, column + width)


def padding(hu: np.ndarray) -> np.ndarray:
    """Pixels that were never measured: all readers set them to just the value of no signal.

    >>> padding(np.array([-1024.0, -1100.0, -1000.0])).tolist()
    [True, False, False]
    """
    return np.asarray(hu == AIR_HU)


def attenuation(hu: np.ndarray, geometry: FanBeam, corner: tuple[int, int] | None = None) -> Tensor:
    """Attenuation in 1/mm on the scanner's grid, float32 (Z, n, n), of slices (Z, H, W) in HU.

    Around the slices is air, and so is `padding`. Noise and overshoot below the value of air stay
    negative: raised to zero, they would lengthen all rays through air.
    """
    square = np.zeros((len(hu), geometry.pixels, geometry.pixels), np.float32)
    place = window(hu.shape, corner or corner_of(hu.shape, geometry))
    square[place] = np.where(padding(hu), 0, np.float32(MU_WATER_PER_MM) * (1 + hu / 1000))
    return torch.from_numpy(square)


def seen(geometry: FanBeam, shape: tuple[int, ...], corner: tuple[int, int]) -> np.ndarray:
    """The pixels of slices of ``shape`` that every view sees: boolean (H, W)."""
    x_mm = (np.arange(geometry.pixels) - (geometry.pixels - 1) / 2) * geometry.pixel_mm
    inside = np.hypot(*np.meshgrid(x_mm, x_mm)) <= geometry.field_radius_mm
    return np.asarray(inside[window(shape, corner)[1:]])
