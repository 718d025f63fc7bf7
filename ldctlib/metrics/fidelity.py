"""Root mean square error and peak signal-to-noise ratio."""

from __future__ import annotations

from typing import Any

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
from ldctlib.units import Window


def rmse(
    test: Image,
    reference: Image,
    *,
    window: Window | None = None,
    data_range: DataRange = None,
    reduce: Reduce = "mean",
) -> Any:
    """Root mean square error in HU.

    Args:
        test: image (H, W) or volume (Z, H, W) in HU, numpy or torch.
        reference: the truth, same shape.
        window: clip both to this window first.
        data_range: clip both to (low, high) in HU first; the benchmark takes (-1024, 1900).
        reduce: "mean" over the slices, or "none" for one value a slice.

    Returns:
        Error in HU: a number, or (Z,) values.

    Raises:
        ValueError: shapes differ or a value is not finite.

    >>> rmse(np.full((8, 8), 3.0), np.zeros((8, 8)))
    3.0
    """
    test, reference = as_slices(test, reference)
    test, reference, _ = clip_to_range(test, reference, window, data_range)
    return reduced(_mean_square(test - reference) ** 0.5, reduce)


def psnr(
    test: Image,
    reference: Image,
    *,
    window: Window | None = None,
    data_range: DataRange = None,
    reduce: Reduce = "mean",
) -> Any:
    """Peak signal-to-noise ratio in dB: 20 log10(range / RMSE).

    Args:
        test: image (H, W) or volume (Z, H, W) in HU, numpy or torch.
        reference: the truth, same shape.
        window: clip both to this window; its width is the range.
        data_range: the range in HU: a number, or (low, high) to clip to first.
        reduce: "mean" over the slices, or "none" for one value a slice.

    Returns:
        dB; infinite for identical images.

    Raises:
        ValueError: shapes differ, a value is not finite, or neither window nor range is given.

    >>> psnr(np.full((8, 8), 10.0), np.zeros((8, 8)), data_range=100)
    20.0
    """
    test, reference = as_slices(test, reference)
    test, reference, width = clip_to_range(test, reference, window, data_range)
    peak = require_range(width, "PSNR")
    error = _mean_square(test - reference) ** 0.5
    if isinstance(error, torch.Tensor):
        return reduced(20 * torch.log10(peak / error), reduce)
    with np.errstate(divide="ignore"):  # identical images: infinite, as documented
        return reduced(20 * np.log10(peak / error), reduce)


def _mean_square(error: Any) -> Any:
    return (error**2).mean((-2, -1))
