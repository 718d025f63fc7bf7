"""A trained network as a tool: HU in, HU out, for a scan of any size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ldctlib.denoisers.method import Method, Precision
from ldctlib.devices import best_device
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan
from ldctlib.units import Normalization

MEMORY_BYTES = 1 << 28


class Span(NamedTuple):
    """A tile along one axis: what is read, and which part of it is kept."""

    read: slice
    keep: slice

    @property
    def within(self) -> slice:
        """The kept part, counted from where the tile begins."""
        return slice(self.keep.start - self.read.start, self.keep.stop - self.read.start)


class Denoiser:
    """A network that denoises images slice by slice.

    Args:
        method: what kind of network it is.
        network: its state is shared, and it is put into evaluation mode.
        normalization: the scale the network works on.
        source: where its weights come from, for the provenance of what it makes.
        device: the best available if None.
        precision: by default float32 throughout; on a CPU bfloat16 is twice as fast, but moves
            CT numbers by up to several HU where a network has no skip connection.
        tiles: let a network that takes images of one size only (``network.size``) work on tiles
            of that size, of which the outer eighth is not used.
    """

    domain: Literal["image"] = "image"

    def __init__(
        self,
        method: Method,
        network: nn.Module,
        *,
        normalization: Normalization | None = None,
        source: str = "unknown",
        device: torch.device | str | None = None,
        precision: Precision | None = None,
        tiles: bool = False,
    ) -> None:
        self.method, self.name, self.source = method, method.name, source
        self.device = best_device(device)
        self.precision = precision or Precision(channels_last=self.device.type == "cpu")
        self.network = self.precision.prepare(network.to(self.device).eval())
        self.normalization = normalization or Normalization.benchmark()
        self.size: int | None = getattr(network, "size", None)
        self.tiles = tiles

    def __repr__(self) -> str:
        return f"Denoiser({self.name!r}, {self.source}, {self.device})"

    def __call__(self, exam: Exam) -> Scan:
        """The low-dose scan of an exam, denoised."""
        return self.denoise(exam.low)

    def denoise(self, scan: Scan) -> Scan:
        """The same scan with less noise."""
        return scan.with_hu(
            self.denoise_image(scan.hu),
            name=f"{scan.name}, {self.name}",
            denoiser=self.name,
            weights=self.source,
        )

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
            clean = self._run(torch.from_numpy(np.ascontiguousarray(tile)))
            result[z : z + together, row.keep, column.keep] = clean[:, row.within, column.within]
        return result.reshape(np.shape(hu))

    def _run(self, hu: Tensor) -> Tensor:
        """HU (N, H, W) on the CPU to denoised HU on the CPU."""
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with torch.inference_mode(), exact, self.precision.context(self.device):
            x = self.normalization(hu.to(self.device)[:, None])
            clean: Tensor = self.network(self.precision.images(x))[:, 0]
        return self.normalization.inverse(clean.float()).cpu()

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
        smallest = self.size or self.method.smallest
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
        if memory_bytes is None:
            memory_bytes = _free_gpu_bytes(self.device) // 4 if self.on_gpu else MEMORY_BYTES
        pixels = memory_bytes // (4 * self.method.channels)
        if self.size:
            rows, columns = (_spans_of(n, self.size) for n in (height, width))
            return rows, columns, max(1, pixels // self.size**2)
        if pixels >= height * width:
            together = pixels // (height * width)
            return list(_spans(height, height, 0)), list(_spans(width, width, 0)), together
        core = math.isqrt(pixels) - 2 * self.method.margin
        if core < self.method.margin or core < self.method.smallest:
            raise ValueError(f"{memory_bytes} bytes are too few for a tile of {self.name}.")
        margin = self.method.margin
        return list(_spans(height, core, margin)), list(_spans(width, core, margin)), 1

    @property
    def on_gpu(self) -> bool:
        """Whether the network runs on a CUDA device."""
        return self.device.type == "cuda"


def _free_gpu_bytes(device: torch.device) -> int:
    free: int = torch.cuda.mem_get_info(device)[0]
    return free


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
