"""RED-CNN: a residual encoder-decoder of ten unpadded layers.

Chen et al., "Low-dose CT with a residual encoder-decoder convolutional neural network", IEEE
Transactions on Medical Imaging 36(12), 2017, https://doi.org/10.1109/TMI.2017.2715284. The paper
ends with a ReLU; here, as in the published benchmark, it does not, since the data have zero mean.
"""

from __future__ import annotations

from torch import Tensor, nn

from ldctlib.denoisers.method import Learned, Method, Recipe
from ldctlib.denoisers.objective import Supervised
from ldctlib.denoisers.short import FROM_IDENTITY, Short, shortened


class Network(nn.Module):
    """Five 5x5 convolutions without padding, five transposed ones back, three skip connections.

    Args:
        out_ch: feature maps of every hidden layer.

    >>> sum(p.numel() for p in Network().parameters())
    1848865
    """

    def __init__(self, out_ch: int = 96) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, out_ch, 5)
        self.conv2 = nn.Conv2d(out_ch, out_ch, 5)
        self.conv3 = nn.Conv2d(out_ch, out_ch, 5)
        self.conv4 = nn.Conv2d(out_ch, out_ch, 5)
        self.conv5 = nn.Conv2d(out_ch, out_ch, 5)
        self.tconv1 = nn.ConvTranspose2d(out_ch, out_ch, 5)
        self.tconv2 = nn.ConvTranspose2d(out_ch, out_ch, 5)
        self.tconv3 = nn.ConvTranspose2d(out_ch, out_ch, 5)
        self.tconv4 = nn.ConvTranspose2d(out_ch, out_ch, 5)
        self.tconv5 = nn.ConvTranspose2d(out_ch, 1, 5)

    @property
    def last_weights(self) -> list[Tensor]:
        """What has to be zero for the network to change nothing."""
        return [self.tconv5.weight]

    def forward(self, x: Tensor) -> Tensor:
        """Denoise a normalised batch (N, 1, H, W); the sides are at least 21 pixels."""
        # The layers shrink the image by 4 pixels each; the skips join maps of equal size.
        after2 = self.conv2(self.conv1(x).relu_()).relu_()
        after4 = self.conv4(self.conv3(after2).relu_()).relu_()
        h = self.conv5(after4).relu_()
        h = self.tconv1(h).add_(after4).relu_()
        h = self.tconv2(h).relu_()
        h = self.tconv3(h).add_(after2).relu_()
        h = self.tconv4(h).relu_()
        change: Tensor = self.tconv5(h)
        # Out of place: under autocast the sum is then float32, not rounded to steps of 4 HU.
        return x + change


PUBLISHED = Recipe(learning_rate=9.583417460320728e-5, batch=73, patch=128, steps=93000)
METHOD = Method(
    name="redcnn",
    label="RED-CNN",
    year=2017,
    citation="Chen et al. 2017, https://doi.org/10.1109/TMI.2017.2715284",
    learned=Learned(
        network=Network,
        objective=Supervised,
        recipe=PUBLISHED,
        margin=20,
        channels=480,
        smallest=21,
        published_sha256="058ae58264a00116e5620ed88047e687c7e93c8b732bfd6d7796e76bae0c74f3",
        short=Short(shortened(PUBLISHED, 2e-4, batch=4, **FROM_IDENTITY), bfloat16=True),
    ),
)
