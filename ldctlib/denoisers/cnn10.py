"""CNN-10: three convolutions, the smallest network of the benchmark.

Chen et al., "Low-dose CT via convolutional neural network", Biomedical Optics Express 8(2), 2017,
https://doi.org/10.1364/BOE.8.000679. Despite the name there are three convolutions, and no skip
connection: the network has to draw the whole image, not the noise.
"""

from __future__ import annotations

from torch import Tensor, nn

from ldctlib.denoisers.method import Method, Recipe
from ldctlib.denoisers.objective import Supervised


class Network(nn.Module):
    """Convolutions 9x9 (64 channels), 3x3 (32), 5x5 (1), zero-padded, ReLU between them.

    >>> sum(p.numel() for p in Network().parameters())
    24513
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(1, 64, 9, padding=4),
                nn.ReLU(),
                nn.Conv2d(64, 32, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(32, 1, 5, padding=2),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Denoise a normalised batch (N, 1, H, W)."""
        for layer in self.layers:
            x = layer(x)
        return x


METHOD = Method(
    name="cnn10",
    network=Network,
    objective=Supervised,
    recipe=Recipe(learning_rate=1.5837006124497214e-4, batch=68, patch=92, steps=87000),
    margin=7,
    channels=160,
    citation="Chen et al. 2017, https://doi.org/10.1364/BOE.8.000679",
)
