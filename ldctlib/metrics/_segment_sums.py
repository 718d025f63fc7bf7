"""Sums of the error and of its square over every segment, in one pass over the runs."""

# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

from typing import Any

import numpy as np

from ldctlib.masks import Masks
from ldctlib.masks.loops import as_flat, in_threads, summing


def difference_sums(test: Any, reference: Any, masks: Masks) -> np.ndarray:
    """(2, S) sums of test - reference and of its square over every mask, in float64.

    Nothing is copied: the loop reads both volumes where the runs are.

    Args:
        test: volume (Z, H, W) in HU, or an image (H, W) if the masks lie on one slice.
        reference: same shape.
        masks: on the same grid.

    Raises:
        ValueError: shapes differ, a mask is empty, or a value under a mask is not finite.
    """
    test, reference = np.asarray(test), np.asarray(reference)
    check_grid(test.shape, reference.shape, masks)
    sums = np.empty((2, len(masks)))
    arrays = as_flat(test), as_flat(reference), masks.offsets, masks.starts, masks.lengths
    in_threads(lambda first, past: _add_up(*arrays, first, past, *sums), masks.offsets)
    if not np.isfinite(sums).all():
        at = int(np.flatnonzero(~np.isfinite(sums).all(0))[0])
        raise ValueError(f"An image holds values that are not finite, in mask {_name(masks, at)}.")
    return sums


def check_grid(test: tuple[int, ...], reference: tuple[int, ...], masks: Masks) -> None:
    """Refuse images that differ in shape, that the masks do not fit, and empty masks."""
    if test != reference:
        raise ValueError(
            f"The test image is {tuple(test)}, the reference {tuple(reference)}: "
            "bring them to one grid first."
        )
    if (1, *test)[-3:] != masks.shape or len(test) not in (2, 3):
        raise ValueError(f"The images are {tuple(test)}, the masks lie on {masks.shape}.")
    empty = np.flatnonzero(np.diff(masks.offsets) == 0)
    if len(empty):
        raise ValueError(
            f"Mask {_name(masks, int(empty[0]))} has no voxel, so it has no error: leave it out "
            "with masks.select(masks.areas > 0)."
        )


def _name(masks: Masks, at: int) -> str:
    return f"{at} ({masks.labels[at]!r})"


@summing
def _add_up(test, reference, offsets, starts, lengths, first, past, sums, squares):
    for i in range(first, past):
        total, square = 0.0, 0.0
        for r in range(offsets[i], offsets[i + 1]):
            begin, end = starts[r], starts[r] + lengths[r]
            a, b = test[begin:end], reference[begin:end]
            for k in range(len(a)):
                error = np.float64(a[k]) - np.float64(b[k])
                total += error
                square += error * error
        sums[i], squares[i] = total, square
