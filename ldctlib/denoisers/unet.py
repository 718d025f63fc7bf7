"""The U-Net that judges in DU-GAN: one score for the image, one for every pixel.

Schoenfeld et al., "A U-Net based discriminator for generative adversarial networks", CVPR 2020,
https://doi.org/10.1109/CVPR42600.2020.00823; layers as in the published benchmark.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import spectral_norm

CHANNELS = (1, 64, 128, 256, 512, 512, 512, 512)
SMALLEST = 2 ** (len(CHANNELS) - 2)


def twice(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions, LeakyReLU after each."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.LeakyReLU(0.2),
    )


def fitted_to(x: Tensor, other: Tensor) -> Tensor:
    """A map with zeros around it, or without its border, as large as the other map."""
    rows, columns = (b - a for a, b in zip(x.shape[-2:], other.shape[-2:], strict=True))
    before = columns // 2, rows // 2
    return functional.pad(x, (before[0], columns - before[0], before[1], rows - before[1]))


class Down(nn.Module):
    """Two convolutions and a skip; halves the map unless it is the last one."""

    def __init__(self, inputs: int, outputs: int, halve: bool) -> None:
        super().__init__()
        self.conv_res = nn.Conv2d(inputs, outputs, 1, stride=2 if halve else 1)
        self.net = twice(inputs, outputs)
        self.down = nn.Conv2d(outputs, outputs, 4, stride=2, padding=1) if halve else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The smaller map, and what goes to the decoder."""
        past = self.conv_res(x)
        skip = self.net(x)
        h = skip if self.down is None else fitted_to(self.down(skip), past)
        return h + past, skip


class Up(nn.Module):
    """Doubles the map, joins it with the encoder's, two convolutions and a skip."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(inputs, outputs, 1)
        self.conv = twice(2 * inputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, 2 H, 2 W), or as large as the skip."""
        larger = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        larger = fitted_to(larger, skip)
        out: Tensor = self.conv(torch.cat([larger, skip], 1)) + self.shortcut(larger)
        return out


class Discriminator(nn.Module):
    """Seven blocks down, six up; spectral norm on all large convolutions.

    >>> sum(p.numel() for p in Discriminator().parameters())
    57213839
    """

    def __init__(self) -> None:
        super().__init__()
        steps = list(pairwise(CHANNELS))
        self.down_blocks = nn.ModuleList(
            Down(a, b, halve=i < len(steps) - 1) for i, (a, b) in enumerate(steps)
        )
        self.to_logit = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(CHANNELS[-1], 1),
        )
        self.up_blocks = nn.ModuleList(Up(b, a) for a, b in reversed(steps[:-1]))
        self.conv = twice(CHANNELS[-1], CHANNELS[-1])
        self.conv_out = nn.Conv2d(1, 1, 1)
        for layer in list(self.modules()):
            if isinstance(layer, nn.Conv2d) and layer.out_channels > 1 and layer.in_channels > 4:
                spectral_norm(layer)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N,) of images (N, 1, H, W), and (N, 1, H, W) of their pixels.

        Raises:
            ValueError: there is nothing left of so small an image.
        """
        if min(x.shape[-2:]) < SMALLEST:
            height, width = x.shape[-2:]
            raise ValueError(
                f"The discriminator needs at least {SMALLEST} pixels, not {height} x {width}."
            )
        skips = []
        for block in self.down_blocks:
            x, skip = block(x)
            skips.append(skip)
        bottom = self.conv(x) + x
        h = bottom
        for block, skip in zip(self.up_blocks, reversed(skips[:-1]), strict=True):
            h = block(h, skip)
        return self.to_logit(bottom)[:, 0], self.conv_out(h)
