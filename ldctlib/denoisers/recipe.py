"""How one training is done: its hyper-parameters, and in which numbers it computes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of one training.

    Args:
        learning_rate: of Adam.
        batch: patches a step.
        patch: side of a patch in pixels.
        steps: number of updates.
        betas: of Adam.
        options: whatever else the method's objective reads, by name.
    """

    learning_rate: float
    batch: int
    patch: int
    steps: int
    betas: tuple[float, float] = (0.9, 0.999)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.learning_rate > 0 or min(self.batch, self.patch, self.steps) < 1:
            raise ValueError(f"Learning rate, batch, patch and steps must be positive: {self}.")
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))


@dataclass(frozen=True)
class Precision:
    """How a network computes on a device; the default is plain float32.

    Args:
        autocast: type of the matrix products (float16, bfloat16), or None for float32 throughout.
        channels_last: store images with the channel as the fastest axis.
    """

    autocast: torch.dtype | None = None
    channels_last: bool = False

    def prepare(self, module: AnyModule) -> AnyModule:
        """The same module with its weights in this memory format."""
        if self.channels_last:
            return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
        return module

    def images(self, batch: Tensor) -> Tensor:
        """A batch (N, C, H, W) in this memory format."""
        return batch.contiguous(memory_format=torch.channels_last) if self.channels_last else batch

    def context(self, device: torch.device) -> AbstractContextManager[Any]:
        """The autocast context of a forward pass."""
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(device.type, dtype=self.autocast)
