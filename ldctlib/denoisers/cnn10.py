"""CNN-10: three convolutions, the smallest network of the benchmark.

Chen et al., "Low-dose CT via convolutional neural network", Biomedical Optics Express 8(2), 2017,
https://doi.org/10.1364/BOE.8.000679. Despite the name there are three convolutions, and no skip
connection: the network has to draw the whole image, not the noise.
"""

from __future__ import annotations

from torch import Tensor, nn

from ldctlib.denoisers.method import Learned, Method, Recipe
from ldctlib.denoisers.objective import Supervised
from ldctlib.denoisers.short import FROM_IDENTITY, Short, shortened


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


PUBLISHED = Recipe(learning_rate=1.5837006124497214e-4, batch=68, patch=92, steps=87000)
METHOD = Method(
    name="cnn10",
    label="CNN-10",
    year=2017,
    citation="Chen et al. 2017, https://doi.org/10.1364/BOE.8.000679",
    learned=Learned(
        network=Network,
        objective=Supervised,
        recipe=PUBLISHED,
        margin=7,
        channels=160,
        published_sha256="ee96e494c8eda02e946464df29cf43c14163e63bc4b1df6d8907ee33a1a18c3e",
        short=Short(shortened(PUBLISHED, 3e-4, batch=8, **FROM_IDENTITY)),
    ),
)
