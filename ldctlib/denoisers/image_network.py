"""A trained network as a tool: HU in, HU out, for a scan of any size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from ldctlib.denoisers.network_denoiser import NetworkDenoiser
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan


class Span(NamedTuple):
    """A tile along one axis: what is read, and which part of it is kept."""

    read: slice
    keep: slice

    @property
    def within(self) -> slice:
        """The kept part, counted from where the tile begins."""
        return slice(self.keep.start - self.read.start, self.keep.stop - self.read.start)


class ImageNetwork(NetworkDenoiser):
    """A network that denoises images slice by slice.

    Args:
        method, network, others: as for `NetworkDenoiser`.
    """

    needs = "image"

    def __call__(self, exam: Exam) -> Scan:
        """The low-dose scan of an exam, denoised."""
        return self.denoise(exam.low)

    def denoise(self, scan: Scan) -> Scan:
        """The same scan with less noise."""
        return self.signed(scan.with_hu(self.denoise_image(scan.hu)))

    def denoise_image(self, hu: np.ndarray, memory_bytes: int | None = None) -> np.ndarray:
        """Denoise CT numbers.

        Several slices are done at once, or a slice in overlapping tiles, as the memory allows;
        the overlap is as wide as the network sees, so the result is the same.

        Args:
            hu: (H, W) or (Z, H, W) in HU, of any size a network of this method accepts.
            memory_bytes: bound for the feature maps; by default 256 MiB, on a GPU a quarter of
                what is free.

        Returns:
            HU, float32, same shape.

        Raises:
            ValueError: wrong shape, too small, not finite, or the memory too little for a tile.
        """
        volume = self._checked(hu)
        rows, columns, together = self._plan(volume.shape, memory_bytes)
        starts = range(0, len(volume), together)
        result = np.empty(volume.shape, np.float32)
        parts = [(z, row, column) for z in starts for row in rows for column in columns]
        for z, row, column in tqdm(parts, desc=self.name, delay=2.0, leave=False):
            tile = volume[z : z + together, row.read, column.read]
            with torch.inference_mode():
                clean = self.differentiable(torch.from_numpy(np.ascontiguousarray(tile))).cpu()
            result[z : z + together, row.keep, column.keep] = clean[:, row.within, column.within]
        return result.reshape(np.shape(hu))

    def differentiable(self, hu: Tensor) -> Tensor:
        """Denoise CT numbers such that gradients pass, to the image and to the weights.

        Args:
            hu: (N, H, W) in HU, whole: nothing is cut into tiles.

        Returns:
            HU, float32 (N, H, W) on the network's device, the numbers of `denoise_image`.

        >>> from ldctlib.denoisers import load
        >>> slices = torch.zeros(1, 32, 32, requires_grad=True)
        >>> load("cnn10", device="cpu").differentiable(slices).sum().backward()
        >>> slices.grad.shape
        torch.Size([1, 32, 32])
        """
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with exact, self.precision.context(self.device):
            x = self.normalization(hu.to(self.device)[:, None])
            clean: Tensor = self.network(self.precision.images(x))[:, 0]
        return self.normalization.inverse(clean.float())

    def _checked(self, hu: np.ndarray) -> np.ndarray:
        image = np.asarray(hu)
        if image.ndim not in (2, 3) or 0 in image.shape:
            raise ValueError(f"An image is (H, W) or (Z, H, W), not {image.shape}.")
        height, width = image.shape[-2:]
        if self.size and not self.tiles and (height, width) != (self.size, self.size):
            raise ValueError(
                f"This {self.name} takes slices of {self.size} x {self.size} pixels, not {height} "
                f"x {width}; load it with tiles=True to cut them into tiles."
            )
        smallest = self.size or self.learned.smallest
        if min(height, width) < smallest:
            raise ValueError(
                f"{self.name} needs slices of at least {smallest} x {smallest} pixels, not "
                f"{height} x {width}."
            )
        image = image.astype(np.float32, copy=False)
        if not np.isfinite(image).all():
            raise ValueError("The image holds values that are not finite; replace them first.")
        return image.reshape(-1, *image.shape[-2:])

    def _plan(
        self, shape: tuple[int, ...], memory_bytes: int | None
    ) -> tuple[list[Span], list[Span], int]:
        """Tiles along rows and columns, and how many slices are done together."""
        _, height, width = shape
        memory_bytes = self.memory() if memory_bytes is None else memory_bytes
        pixels = memory_bytes // (4 * self.learned.channels)
        if self.size:
            rows, columns = (_spans_of(n, self.size) for n in (height, width))
            return rows, columns, max(1, pixels // self.size**2)
        if pixels >= height * width:
            together = pixels // (height * width)
            return list(_spans(height, height, 0)), list(_spans(width, width, 0)), together
        core = math.isqrt(pixels) - 2 * self.learned.margin
        if core < self.learned.margin or core < self.learned.smallest:
            raise ValueError(f"{memory_bytes} bytes are too few for a tile of {self.name}.")
        margin = self.learned.margin
        return list(_spans(height, core, margin)), list(_spans(width, core, margin)), 1


def _spans_of(length: int, size: int) -> list[Span]:
    """Cut an axis into tiles of exactly one size; the outer eighth of each belongs to others.

    >>> [(span.read.start, span.keep.start, span.keep.stop) for span in _spans_of(20, 8)]
    [(0, 0, 7), (6, 7, 13), (12, 13, 20)]
    """
    margin = size // 8
    count = max(1, math.ceil((length - 2 * margin) / (size - 2 * margin)))
    starts = [round(i * (length - size) / max(count - 1, 1)) for i in range(count)]
    edges = [0, *((a + size + b) // 2 for a, b in pairwise(starts)), length]
    keeps = [slice(a, b) for a, b in pairwise(edges)]
    return [Span(slice(a, a + size), keep) for a, keep in zip(starts, keeps, strict=True)]


def _spans(length: int, core: int, margin: int) -> Iterator[Span]:
    """Cut an axis into parts of at most ``core`` pixels that overlap their neighbours.

    >>> [(span.read.start, span.read.stop, span.keep.start) for span in _spans(10, 5, 2)]
    [(0, 7, 0), (3, 10, 5)]
    """
    count = math.ceil(length / core)
    edges = [round(i * length / count) for i in range(count + 1)]
    for begin, end in pairwise(edges):
        read = slice(max(0, begin - margin), min(length, end + margin))
        yield Span(read, slice(begin, end))
