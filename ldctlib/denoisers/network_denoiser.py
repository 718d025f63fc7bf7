"""What the networks of all domains have in common: weights, a device, a scale, a source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import nn

from ldctlib.denoisers.denoiser import Needs
from ldctlib.denoisers.method import Method, Precision
from ldctlib.devices import best_device
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan
from ldctlib.units import Normalization

MEMORY_BYTES = 1 << 28


class NetworkDenoiser(ABC):
    """A network with its weights, ready for use.

    Args:
        method: what kind of network it is.
        network: its state is shared, and it is put into evaluation mode.
        normalization: the scale the network works on; that of its domain if None.
        source: where its weights come from, for the provenance of what it makes.
        device: the best available if None.
        precision: by default float32 throughout; on a CPU bfloat16 is twice as fast, but moves
            CT numbers by up to several HU where a network has no skip connection.
        tiles: let a network that takes images of one size only (``network.size``) work on tiles
            of that size, of which the outer eighth is not used.
    """

    needs: ClassVar[Needs]
    scale = Normalization.benchmark()

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
        self.learned = method.trainable
        self.device = best_device(device)
        self.precision = precision or Precision(channels_last=self.device.type == "cpu")
        self.network = self.precision.prepare(network.to(self.device).eval())
        self.normalization = normalization or self.scale
        self.size: int | None = getattr(network, "size", None)
        self.tiles = tiles

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.source}, {self.device})"

    @abstractmethod
    def __call__(self, exam: Exam) -> Scan:
        """The scan that the network makes of an exam."""

    def signed(self, scan: Scan) -> Scan:
        """The scan with the denoiser in its name and its provenance."""
        name = f"{scan.name}, {self.name}"
        return scan.with_hu(scan.hu, name, denoiser=self.name, weights=self.source)

    def memory(self) -> int:
        """Bytes that feature maps may take: 256 MiB, on a GPU a quarter of what is free."""
        if self.device.type != "cuda":
            return MEMORY_BYTES
        free: int = torch.cuda.mem_get_info(self.device)[0]
        return free // 4

    def together(self, pixels: int, memory_bytes: int | None = None) -> int:
        """How many images or sinograms of so many pixels are done at once, at least one."""
        memory_bytes = self.memory() if memory_bytes is None else memory_bytes
        return max(1, memory_bytes // (4 * self.learned.channels * pixels))
