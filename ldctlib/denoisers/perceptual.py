"""Feature networks in whose eyes two images are compared: VGG-19, and named stand-ins for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pooch
import torch
from torch import Tensor, nn

# Index of the last layer that is used: conv5_4, before its ReLU.
LAST = 34
# Taps of a stand-in: conv1_2 and conv2_2, before their ReLUs.
SHALLOW = (2, 7)


class Perceptual(nn.Module):
    """Distance of two images in the feature maps of a frozen network.

    Args:
        features: layers, applied one after the other to three-channel images.
        taps: positions of the layers whose output is compared.
    """

    def __init__(self, features: nn.Sequential, taps: Sequence[int]) -> None:
        super().__init__()
        self.features = nn.ModuleList(list(features)[: max(taps) + 1])
        self.taps = frozenset(taps)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps of a normalised grey batch (N, 1, H, W), one tensor a tap.

        As in the benchmark the values stay on the scale of CT, not of photographs.
        """
        h = x.expand(-1, 3, -1, -1)
        maps: list[Tensor] = []
        for i, layer in enumerate(self.features):
            h = layer(h)
            if i in self.taps:
                # The ReLUs that follow work in place.
                maps.append(h.clone() if len(maps) + 1 < len(self.taps) else h)
        return maps

    def distance(self, test: Tensor, reference: Tensor) -> Tensor:
        """(N,) mean absolute difference of the feature maps, averaged over the taps."""
        with torch.no_grad():
            targets = self(reference)
        pairs = zip(self(test), targets, strict=True)
        return torch.stack([(a - b).abs().mean((1, 2, 3)) for a, b in pairs]).mean(0)


def perceptual_network(name: str) -> Perceptual:
    """The feature network of a perceptual loss.

    Args:
        name: "vgg19": trained on ImageNet, the official weights of torchvision. Stand-ins that
            need no download, whose weights are random (He normal, always the same):
            "random-vgg19", the same architecture to the same depth, and "random-vgg19-shallow",
            which compares conv1_2 and conv2_2.

    Raises:
        RuntimeError: the official weights, or torchvision, cannot be had.
        ValueError: no network has this name.

    Source: Simonyan and Zisserman 2015, https://doi.org/10.48550/arXiv.1409.1556; He et al. 2015,
    https://doi.org/10.1109/ICCV.2015.123.
    """
    if name == "vgg19":
        layers = _vgg19_layers()
        layers.load_state_dict(_official_weights())
        return Perceptual(layers, [LAST])
    if name == "random-vgg19":
        return Perceptual(_random(_vgg19_layers()), [LAST])
    if name == "random-vgg19-shallow":
        return Perceptual(_random(_vgg19_layers()), SHALLOW)
    raise ValueError(
        f"No perceptual network is called {name!r}; there are vgg19, random-vgg19 and "
        "random-vgg19-shallow."
    )


def _vgg19_layers() -> nn.Sequential:
    try:
        from torchvision.models import vgg
    except ImportError as error:
        raise RuntimeError(
            "The perceptual loss takes VGG-19 from torchvision: install ldctlib[notebooks]."
        ) from error
    layers: nn.Sequential = vgg.make_layers(vgg.cfgs["E"], batch_norm=False)
    return layers


def _official_weights() -> dict[str, Tensor]:
    """Of the convolutions; torchvision checks the download, and here the file is checked again."""
    from torchvision.models import VGG19_Weights

    weights = VGG19_Weights.IMAGENET1K_V1
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    try:
        state = weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise RuntimeError(
            f"The perceptual loss needs torchvision's VGG-19 weights, and they could not be "
            f"downloaded ({error}): put {path.name} into {path.parent}, or choose a stand-in, "
            "e.g. perceptual='random-vgg19-shallow'."
        ) from error
    prefix = path.stem.split("-")[-1]
    if not pooch.file_hash(str(path)).startswith(prefix):
        raise RuntimeError(f"{path} is damaged (its SHA-256 does not begin with {prefix}).")
    convolutions = {k: v for k, v in state.items() if k.startswith("features.")}
    return {key.removeprefix("features."): value for key, value in convolutions.items()}


def _random(layers: nn.Sequential) -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return layers
