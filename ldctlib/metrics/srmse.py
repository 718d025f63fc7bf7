"""Segment-wise error: the root mean square error of every segment, and its extremes.

A lesion is one voxel in ten thousand. Its loss hardly moves an error averaged over the volume, but
it is most of the error of the segment that held it.

Source: Kachelriess, Problems in assessing AI image quality.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ldctlib.masks import Masks
from ldctlib.metrics._inputs import Image
from ldctlib.metrics._segment_sums import difference_sums
from ldctlib.metrics.segment_errors import segment_errors


def srmse(test: Image, reference: Image, masks: Masks) -> Any:
    """Root mean square error of every segment in HU: SRMSE_s = sqrt(sum_s (x - y)^2 / n_s).

    Args:
        test: volume (Z, H, W) in HU, or an image (H, W) if the masks lie on one slice; numpy, or
            a torch tensor, which then carries its gradient.
        reference: the truth, same shape.
        masks: S segments on the same grid; they may overlap, and lie in one slice or several.

    Returns:
        (S,) errors in HU, float64; a tensor on the device of ``test`` if that is one.

    Raises:
        ValueError: shapes differ, a segment is empty, or a value in a segment is not finite.

    >>> lesion = np.zeros((64, 64), bool); lesion[30:34, 30:34] = True
    >>> segments = Masks.from_slices([(0, lesion), (0, ~lesion)], (1, 64, 64))
    >>> vanished = np.where(lesion, 50.0, 0.0)
    >>> srmse(np.zeros((64, 64)), vanished, segments).tolist()
    [50.0, 0.0]
    """
    if isinstance(test, torch.Tensor) or isinstance(reference, torch.Tensor):
        device = test.device if isinstance(test, torch.Tensor) else reference.device
        test, reference = (torch.as_tensor(image, device=device) for image in (test, reference))
        errors = segment_errors(test, reference, masks)
        if not bool(torch.isfinite(errors).all()):
            raise ValueError("An image holds values that are not finite, in a segment.")
        return errors
    return np.sqrt(difference_sums(test, reference, masks)[1] / masks.areas)


def mean_srmse(test: Image, reference: Image, masks: Masks) -> Any:
    """Mean of `srmse` over the segments in HU: a float, or a tensor with a gradient."""
    return _as_number(_some(srmse(test, reference, masks)).mean())


def max_srmse(test: Image, reference: Image, masks: Masks) -> Any:
    """Largest `srmse` of any segment in HU: a float, or a tensor with a gradient."""
    return _as_number(_some(srmse(test, reference, masks)).max())


def percentile_srmse(test: Image, reference: Image, masks: Masks, percentile: float = 99.0) -> Any:
    """Percentile of `srmse` over the segments in HU: between the mean's calm and the maximum's.

    Args:
        test: as for `srmse`.
        reference: as for `srmse`.
        masks: as for `srmse`.
        percentile: 0 to 100; 100 is `max_srmse`. Between two segments it is interpolated.

    Raises:
        ValueError: as for `srmse`, or there is no such percentile.
    """
    if not 0 <= percentile <= 100:
        raise ValueError(f"A percentile lies between 0 and 100, not at {percentile}.")
    errors = _some(srmse(test, reference, masks))
    if isinstance(errors, torch.Tensor):
        return _as_number(torch.quantile(errors, percentile / 100))
    return float(np.percentile(errors, percentile))


def _some(errors: Any) -> Any:
    if len(errors) == 0:
        raise ValueError("There are no segments, so there is no error of a segment.")
    return errors


def _as_number(value: Any) -> Any:
    return value if getattr(value, "requires_grad", False) else float(value)
