"""TransCT: a transformer that draws the fine detail of a slice with the coarse one in mind.

Zhang et al., "TransCT: dual-path transformer for low dose computed tomography", MICCAI 2021,
https://doi.org/10.1007/978-3-030-87231-1_6; layers as in the published benchmark. The image is
blurred; what the blur leaves and what it takes away go two ways and meet again in the decoder.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ldctlib.denoisers.method import Learned, Method, Recipe
from ldctlib.denoisers.objective import Supervised
from ldctlib.denoisers.short import SHORT, Short, shortened
from ldctlib.denoisers.space import USUAL

SIZE = 512
SLOPE = 0.2
HEADS, LAYERS, EXPANSION = 8, 3, 8
BLUR_TAPS, BLUR_SIGMA = 11, 1.5


def blur(x: Tensor) -> Tensor:
    """Gaussian of 1.5 pixels in a window of 11, reflected at the border; (N, 1, H, W)."""
    offset = torch.arange(BLUR_TAPS, device=x.device, dtype=x.dtype) - BLUR_TAPS // 2
    taps = torch.exp(-0.5 * (offset / BLUR_SIGMA) ** 2)
    taps = taps / taps.sum()
    wide = functional.pad(x, [BLUR_TAPS // 2] * 4, mode="reflect")
    return functional.conv2d(
        functional.conv2d(wide, taps[None, None, :, None]), taps[None, None, None]
    )


def space_to_depth(x: Tensor, block: int) -> Tensor:
    """(N, C, H, W) to (N, block^2 C, H / block, W / block), channels in TensorFlow's order.

    The channel of row r and column c of a block is (block r + c) C + the former channel.
    """
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // block, block, w // block, block)
    return blocks.permute(0, 3, 5, 1, 2, 4).reshape(n, -1, h // block, w // block)


def depth_to_space(x: Tensor, block: int) -> Tensor:
    """The inverse of `space_to_depth`.

    >>> x = torch.rand(1, 3, 8, 8)
    >>> torch.equal(depth_to_space(space_to_depth(x, 4), 4), x)
    True
    """
    n, c, h, w = x.shape
    blocks = x.reshape(n, block, block, c // block**2, h, w)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * block, w * block)


def convolutions(*channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolutions from one number of channels to the next, LeakyReLU after each."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        layers += [
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2),
            nn.LeakyReLU(SLOPE),
        ]
    return nn.Sequential(*layers)


def feed_forward(width: int) -> nn.Sequential:
    """Two linear layers, LeakyReLU after each."""
    return nn.Sequential(
        nn.Linear(width, EXPANSION * width),
        nn.LeakyReLU(SLOPE),
        nn.Linear(EXPANSION * width, width),
        nn.LeakyReLU(SLOPE),
    )


class Coarse(nn.Module):
    """Strided 5x5 convolutions of the blurred image: maps for two skips, and for attention."""

    def __init__(self) -> None:
        super().__init__()
        self.base_encoder = convolutions(1, 16, 32, kernel=5, stride=2)
        self.lc1 = convolutions(32, 64, kernel=5, stride=2)
        self.lc2 = convolutions(64, 256, kernel=5, stride=2)
        # Spelled like this in the published weights.
        self.transformer_endoder = convolutions(32, 64, 128, 256, kernel=5, stride=2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps of an eighth, a sixteenth and (for attention) a 32nd of the side."""
        base = self.base_encoder(x)
        eighth = self.lc1(base)
        return eighth, self.lc2(eighth), self.transformer_endoder(base)


class Encode(nn.Module):
    """Self-attention and two linear layers, each added to what came in; no normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mha = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.ff = feed_forward(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, width) to the same."""
        x = x + self.mha(x, x, x, need_weights=False)[0]
        return x + self.ff(x)  # type: ignore[no-any-return]


class Decode(nn.Module):
    """Self-attention, attention to the memory, two linear layers, each added."""

    def __init__(self, width: int, memory: int) -> None:
        super().__init__()
        self.mha1 = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.mha2 = nn.MultiheadAttention(width, HEADS, kdim=memory, vdim=memory, batch_first=True)
        self.ff = feed_forward(width)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """(N, tokens, width) to the same."""
        x = x + self.mha1(x, x, x, need_weights=False)[0]
        x = x + self.mha2(x, memory, memory, need_weights=False)[0]
        return x + self.ff(x)  # type: ignore[no-any-return]


class Combine(nn.Module):
    """Joins detail and coarse maps, and unfolds them to an image."""

    def __init__(self) -> None:
        super().__init__()
        self.block1 = convolutions(256, 256, 256)
        self.block2 = convolutions(64, 64, 64)

    def forward(self, detail: Tensor, eighth: Tensor, sixteenth: Tensor) -> Tensor:
        """(N, 256, S/16, S/16) and the maps of `Coarse` to (N, 1, S, S)."""
        h = detail + sixteenth
        h = depth_to_space(h + self.block1(h), 2) + eighth
        return depth_to_space(h + self.block2(h), 8)


class Network(nn.Module):
    """TransCT for slices of one size. A channel is a token, its pixels are the embedding.

    Args:
        size: side of the slices in pixels, a multiple of 128; its attention costs as size^4.

    >>> with torch.device("meta"):
    ...     sum(p.numel() for p in Network().parameters())
    79347520
    """

    def __init__(self, size: int = SIZE) -> None:
        super().__init__()
        if size < 128 or size % 128:
            raise ValueError(f"The size of TransCT is a multiple of 128 pixels, not {size}.")
        self.size = size
        coarse, fine = (size // 32) ** 2, (size // 16) ** 2
        self.conv_encoder_lf = Coarse()
        self.conv_encoder_hf = convolutions(256, 256, 256, 256)
        self.memory = nn.ModuleList(Encode(coarse) for _ in range(LAYERS))
        self.decoder = nn.ModuleList(Decode(fine, coarse) for _ in range(LAYERS))
        self.combine = Combine()

    def forward(self, x: Tensor) -> Tensor:
        """Denoise a normalised batch (N, 1, size, size).

        Raises:
            ValueError: the images have another size.
        """
        if x.shape[-2:] != (self.size, self.size):
            height, width = x.shape[-2:]
            raise ValueError(
                f"This TransCT takes slices of {self.size} x {self.size} pixels, not {height} x "
                f"{width}."
            )
        low = blur(x)
        eighth, sixteenth, attended = self.conv_encoder_lf(low)
        memory = attended.flatten(2)
        for encode in self.memory:
            memory = encode(memory)
        detail = self.conv_encoder_hf(space_to_depth(x - low, 16))
        tokens = detail.flatten(2)
        for decode in self.decoder:
            tokens = decode(tokens, memory)
        out: Tensor = self.combine(tokens.reshape(detail.shape), eighth, sixteenth)
        return out


SHORT_SIZE = 128  # the side of the small one that comes with the library
PUBLISHED = Recipe(learning_rate=2.3978185694166783e-5, batch=16, patch=SIZE, steps=90000)
METHOD = Method(
    name="transct",
    label="TransCT",
    year=2021,
    citation="Zhang et al. 2021, https://doi.org/10.1007/978-3-030-87231-1_6",
    learned=Learned(
        network=Network,
        objective=Supervised,
        recipe=PUBLISHED,
        margin=SIZE,
        channels=256,
        smallest=SIZE,
        # its patch is the whole slice
        space={name: ends for name, ends in USUAL.items() if name != "patch"},
        published_sha256="37b5af1cb4fdfaa0c1d67d5992a5e9c6da5b6afda59bf5274d1fe5db163f959e",
        short=Short(
            shortened(PUBLISHED, 3e-4, batch=4, patch=SHORT_SIZE, **SHORT),
            network={"size": SHORT_SIZE},
        ),
    ),
)
