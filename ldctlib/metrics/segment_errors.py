"""Segment-wise error as PyTorch sees it: on any device, with a gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from ldctlib.masks import Masks
from ldctlib.metrics._segment_sums import check_grid


def segment_errors(test: Tensor, reference: Tensor, masks: Masks) -> Tensor:
    """Root mean square error of every segment, differentiable: `srmse` for tensors.

    Squares are added up in float64 (float32 where a device has no other). A segment without any
    error has the gradient zero, where the square root has none. A value that is not finite makes
    the errors of its segments so: a training must not wait for a GPU to look.

    Args:
        test: volume (Z, H, W), or an image (H, W) if the masks lie on one slice, in any unit.
        reference: same shape, on the same device.
        masks: S segments on the same grid.

    Returns:
        (S,) errors in the unit of the images, float64 or float32 as the images are.

    Raises:
        ValueError: shapes differ, or a segment is empty.

    >>> masks = Masks.from_label_map(torch.tensor([[[1, 1, 2]]]).numpy(), {1: "a", 2: "b"})
    >>> test = torch.tensor([[[3.0, 4.0, 0.0]]], requires_grad=True)
    >>> segment_errors(test, torch.zeros(1, 1, 3), masks).tolist()
    [3.5355..., 0.0]
    """
    check_grid(test.shape, reference.shape, masks)
    device, narrow = test.device, torch.promote_types(test.dtype, torch.float32)
    wide = torch.float32 if device.type == "mps" else torch.float64
    starts, lengths, areas = (
        torch.from_numpy(a).to(device) for a in (masks.starts, masks.lengths, masks.areas)
    )
    count = int(masks.lengths.sum())
    first = starts - lengths.cumsum(0) + lengths
    voxels = torch.repeat_interleave(first, lengths, output_size=count)
    voxels += torch.arange(count, device=device)
    owner = torch.repeat_interleave(
        torch.arange(len(areas), device=device), areas, output_size=count
    )
    # The voxels are gathered first: a float64 copy of the images would be larger than the masks.
    under = [image.reshape(-1).index_select(0, voxels).to(wide) for image in (test, reference)]
    sums = torch.zeros(len(areas), dtype=wide, device=device)
    mean = sums.index_add(0, owner, (under[0] - under[1]).square()) / areas
    wrong = mean != 0
    return (torch.where(wrong, mean, 1.0).sqrt() * wrong).to(narrow)
