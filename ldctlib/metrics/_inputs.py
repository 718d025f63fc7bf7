"""What every metric asks of its two images before it compares them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import torch

from ldctlib.units import Window, window_bounds

Image: TypeAlias = "np.ndarray | torch.Tensor"
DataRange: TypeAlias = "float | tuple[float, float] | None"
Reduce: TypeAlias = Literal["mean", "none"]


def as_slices(test: Any, reference: Any) -> tuple[Any, Any]:
    """Both images as stacks (Z, H, W) in float64, as numpy or, if one is a tensor, as torch.

    Raises:
        ValueError: shapes differ, are not (H, W) or (Z, H, W), or a value is not finite.
    """
    if isinstance(test, torch.Tensor) or isinstance(reference, torch.Tensor):
        device = test.device if isinstance(test, torch.Tensor) else reference.device
        pair: list[Any] = [
            torch.as_tensor(image, device=device).double() for image in (test, reference)
        ]
        finite = all(bool(torch.isfinite(image).all()) for image in pair)
    else:
        pair = [np.asarray(image, np.float64) for image in (test, reference)]
        finite = all(bool(np.isfinite(image).all()) for image in pair)
    if pair[0].shape != pair[1].shape:
        raise ValueError(
            f"The test image is {tuple(pair[0].shape)}, the reference {tuple(pair[1].shape)}: "
            "bring them to one grid first."
        )
    if pair[0].ndim not in (2, 3) or 0 in pair[0].shape:
        raise ValueError(f"A metric takes (H, W) or (Z, H, W), not {tuple(pair[0].shape)}.")
    if not finite:
        raise ValueError("An image holds values that are not finite.")
    if pair[0].ndim == 2:
        return pair[0][None], pair[1][None]
    return pair[0], pair[1]


def clip_to_range(
    test: Any, reference: Any, window: Window | None, data_range: DataRange
) -> tuple[Any, Any, float | None]:
    """Clip both images to the window or range, counted from its lower end, and say its width.

    Returns:
        Test, reference, and the width in HU; None if neither a window nor a range was given.
        A range given as a number clips and shifts nothing.

    Raises:
        ValueError: both were given, or the range is empty.
    """
    if window is not None and data_range is not None:
        raise ValueError("Give a window or a data_range, not both.")
    if window is None and data_range is None:
        return test, reference, None
    if isinstance(data_range, (int, float)):
        if not data_range > 0:
            raise ValueError(f"data_range must be positive, not {data_range}.")
        return test, reference, float(data_range)
    low, high = window_bounds(window) if window is not None else data_range  # type: ignore[misc]
    if not high > low:
        raise ValueError(f"data_range must go from low to high, not from {low} to {high}.")
    return test.clip(low, high) - low, reference.clip(low, high) - low, float(high - low)


def require_range(width: float | None, metric: str) -> float:
    """The width in HU, or an error: a metric must not guess its range."""
    if width is None:
        raise ValueError(
            f"{metric} depends on the range of grey values: give window='lung' (or another name, "
            "or (level, width)), or data_range=(low, high) in HU."
        )
    return width


def reduced(per_slice: Any, reduce: Reduce) -> Any:
    """The mean over slices as a number (a tensor if it carries a gradient), or all values."""
    if reduce == "none":
        return per_slice
    if reduce != "mean":
        raise ValueError(f"reduce is 'mean' or 'none', not {reduce!r}.")
    mean = per_slice.mean()
    return mean if getattr(mean, "requires_grad", False) else float(mean)
