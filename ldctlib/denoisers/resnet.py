"""ResNet: ten residual blocks that draw the noise, which is then taken from the image.

Missert et al., "Noise subtraction for low-dose CT images using a deep convolutional neural
network", 5th International Conference on Image Formation in X-Ray Computed Tomography, 2018;
layers as in the published benchmark.
"""

from __future__ import annotations

from torch import Tensor, nn

from ldctlib.denoisers.method import Learned, Method, Recipe
from ldctlib.denoisers.objective import Supervised
from ldctlib.denoisers.short import FROM_IDENTITY, Short, shortened


class Block(nn.Module):
    """Convolutions 3x3, 3x3 in eight groups and 1x1, with batch normalisation, and a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, groups=8),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        out: Tensor = x + self.layers(x)
        return out


class Network(nn.Module):
    """A 9x9 convolution, the blocks, a 3x3 convolution; the result is taken from the input.

    Args:
        n_channels: feature maps.
        n_blocks: residual blocks.

    >>> sum(p.numel() for p in Network().parameters())
    1843329
    """

    def __init__(self, n_channels: int = 128, n_blocks: int = 10) -> None:
        super().__init__()
        self.in_conv = nn.Conv2d(1, n_channels, 9, padding=4)
        self.out_conv = nn.Conv2d(n_channels, 1, 3, padding=1)
        self.blocks = nn.ModuleList(Block(n_channels) for _ in range(n_blocks))

    @property
    def last_weights(self) -> list[Tensor]:
        """What has to be zero for the network to change nothing."""
        return [self.out_conv.weight]

    def forward(self, x: Tensor) -> Tensor:
        """Denoise a normalised batch (N, 1, H, W)."""
        h = self.in_conv(x)
        for block in self.blocks:
            h = block(h)
        noise: Tensor = self.out_conv(h)
        return x - noise


PUBLISHED = Recipe(learning_rate=1e-4, batch=64, patch=64, steps=20000)
METHOD = Method(
    name="resnet",
    label="ResNet",
    year=2018,
    citation="Missert et al. 2018, CT Meeting, pp. 399-402",
    learned=Learned(
        network=Network,
        objective=Supervised,
        recipe=PUBLISHED,
        margin=25,
        channels=640,
        published_sha256="4fe7137fe5abe7c381d746914528eaf23f061204580d8f027faf4d5eaaca6714",
        short=Short(shortened(PUBLISHED, 3e-4, batch=4, **FROM_IDENTITY), bfloat16=True),
    ),
)
