"""QAE: an autoencoder of quadratic neurons, each of which multiplies two linear ones.

Fan et al., "Quadratic autoencoder (Q-AE) for low-dose CT denoising", IEEE Transactions on Medical
Imaging 39(6), 2020, https://doi.org/10.1109/TMI.2019.2963248; layers as in the published
benchmark. The quadratic terms begin at zero, as in the authors' code: random ones diverge.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ldctlib.denoisers.method import Learned, Method, Recipe
from ldctlib.denoisers.objective import Supervised
from ldctlib.denoisers.short import FROM_IDENTITY, Short, shortened

CHANNELS = 15
INITIAL_STD = 0.1


class Quadratic(nn.Module):
    """(W_r * x + b_r) (W_g * x + b_g) + (W_b * x^2 + b_b), where * is a 3x3 convolution.

    It begins as the linear map W_r * x.

    Args:
        inputs, outputs: feature maps.
        padding: of the convolutions; of a transposed one, what is cut off.
        transposed: whether they are transposed convolutions.
    """

    def __init__(
        self, inputs: int, outputs: int, padding: int = 1, transposed: bool = False
    ) -> None:
        super().__init__()
        self.padding, self.transposed = padding, transposed
        shape = (inputs, outputs, 3, 3) if transposed else (outputs, inputs, 3, 3)
        weight = torch.empty(shape)
        nn.init.trunc_normal_(weight, std=INITIAL_STD, a=-2 * INITIAL_STD, b=2 * INITIAL_STD)
        self.W_r = nn.Parameter(weight)
        self.W_g = nn.Parameter(torch.zeros(shape))
        self.W_b = nn.Parameter(torch.zeros(shape))
        self.b_r = nn.Parameter(torch.zeros(outputs))
        self.b_g = nn.Parameter(torch.ones(outputs))
        self.b_b = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ..)."""
        convolve = functional.conv_transpose2d if self.transposed else functional.conv2d
        linear = convolve(x, self.W_r, self.b_r, padding=self.padding)
        gate = convolve(x, self.W_g, self.b_g, padding=self.padding)
        power = convolve(x * x, self.W_b, self.b_b, padding=self.padding)
        return linear * gate + power


class Network(nn.Module):
    """Five quadratic convolutions and five transposed ones, with skips; adds its input.

    >>> sum(p.numel() for p in Network().parameters())
    49818
    """

    def __init__(self) -> None:
        super().__init__()
        wide = CHANNELS
        self.encoder = nn.ModuleList(
            [Quadratic(1, wide)]
            + [Quadratic(wide, wide) for _ in range(3)]
            + [Quadratic(wide, wide, padding=0)]
        )
        self.decoder = nn.ModuleList(
            [Quadratic(wide, wide, padding=0, transposed=True)]
            + [Quadratic(wide, wide, transposed=True) for _ in range(3)]
            + [Quadratic(wide, 1, transposed=True)]
        )

    @property
    def last_weights(self) -> list[Tensor]:
        """What has to be zero for the network to change nothing."""
        last = self.decoder[-1]
        assert isinstance(last, Quadratic)
        return [last.W_r]

    def forward(self, x: Tensor) -> Tensor:
        """Denoise a normalised batch (N, 1, H, W); the sides are at least 3 pixels."""
        h, skips = x, []
        for unit in self.encoder:
            h = unit(h).relu()
            skips.append(h)
        h = (self.decoder[0](h) + skips[3]).relu()
        h = self.decoder[1](h).relu()
        h = (self.decoder[2](h) + skips[1]).relu()
        h = self.decoder[3](h).relu()
        change: Tensor = self.decoder[4](h)
        return change + x


PUBLISHED = Recipe(learning_rate=2.8427860979114494e-5, batch=125, patch=36, steps=95000)
METHOD = Method(
    name="qae",
    label="QAE",
    year=2020,
    citation="Fan et al. 2020, https://doi.org/10.1109/TMI.2019.2963248",
    learned=Learned(
        network=Network,
        objective=Supervised,
        recipe=PUBLISHED,
        margin=10,
        channels=150,
        smallest=3,
        published_sha256="ca6ce543b476d4c3673acd2f3d1284d47d98483c41a61cc912f5214c80921363",
        # Quadratic neurons overflow: 1e-4 after 2500 steps, this rate within 4848 of a longer plan.
        # Trained with --steps 4000.
        short=Short(shortened(PUBLISHED, 5e-5, batch=16, patch=36, **FROM_IDENTITY)),
    ),
)
