"""Where tensors are computed."""

from __future__ import annotations

import torch


def best_device(wanted: torch.device | str | None = None) -> torch.device:
    """The device that was asked for; without a wish a GPU if there is one, else the CPU.

    >>> best_device("cpu")
    device(type='cpu')
    """
    return torch.device(wanted or ("cuda" if torch.cuda.is_available() else "cpu"))
