"""The denoiser that a network becomes, by what it needs."""

from __future__ import annotations

from typing import Any

from torch import nn

from ldctlib.denoisers.denoiser import Needs
from ldctlib.denoisers.image_network import ImageNetwork
from ldctlib.denoisers.method import Method
from ldctlib.denoisers.sinogram_network import DualNetwork, SinogramNetwork

KINDS: dict[Needs, type[ImageNetwork | SinogramNetwork | DualNetwork]] = {
    kind.needs: kind for kind in (ImageNetwork, SinogramNetwork, DualNetwork)
}


def denoiser_of(
    method: Method, network: nn.Module, **options: Any
) -> ImageNetwork | SinogramNetwork | DualNetwork:
    """A network as a tool of its domain.

    Args:
        method: what kind of network it is.
        network: with its weights.
        options: of `NetworkDenoiser`.
    """
    return KINDS[method.needs](method, network, **options)
