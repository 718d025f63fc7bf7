"""MobileSAM: segment-anything with a small image encoder, TinyViT, here taken from timm."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

IMAGE_PX = 1024
CHANNELS = 256
ENCODER = "image_encoder."

# Published name of a part of the encoder, and timm's.
RENAMED = (
    (r"^patch_embed\.seq\.0\.", "patch_embed.conv1."),
    (r"^patch_embed\.seq\.2\.", "patch_embed.conv2."),
    (r"\.c\.", ".conv."),
    (r"^layers\.(\d)\.downsample\.", lambda m: f"stages.{int(m[1]) + 1}.downsample."),
    (r"^layers\.(\d)\.blocks\.", r"stages.\1.blocks."),
)
# The classifier of the pretraining, and tables that timm works out by itself.
DROPPED = re.compile(r"^(head|norm_head)\.|\.(attention_bias_idxs|ab)$")


class TinyEncoder(nn.Module):
    """TinyViT-5M, whose last stage keeps its resolution, and the neck of segment-anything.

    Maps images (N, 3, 1024, 1024) to embeddings (N, 256, 64, 64). 5.74 million parameters without
    the classifier.

    Source: Zhang et al. 2023, https://doi.org/10.48550/arXiv.2306.14289; TinyViT: Wu et al. 2022,
    https://doi.org/10.1007/978-3-031-19803-8_5.
    """

    img_size = IMAGE_PX  # segment-anything asks its encoder

    def __init__(self) -> None:
        import timm
        from segment_anything.modeling.common import LayerNorm2d

        super().__init__()
        tiny: Any = timm.create_model("tiny_vit_5m_224", pretrained=False, num_classes=0)
        tiny.stages[3].downsample.conv2.conv.stride = (1, 1)
        self.patch_embed: nn.Module = tiny.patch_embed
        self.stages: nn.Module = tiny.stages
        self.neck = nn.Sequential(
            nn.Conv2d(320, CHANNELS, 1, bias=False),
            LayerNorm2d(CHANNELS),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False),
            LayerNorm2d(CHANNELS),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings of a batch of normalised images."""
        embeddings: Tensor = self.neck(self.stages(self.patch_embed(x)))
        return embeddings


def mobile_sam() -> Any:
    """The architecture of MobileSAM with random weights; prompts and masks as in segment-anything.

    The prompt encoder and the mask decoder are the package's own, at the published sizes.
    """
    from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    grid = (IMAGE_PX // 16, IMAGE_PX // 16)
    return Sam(
        TinyEncoder(),
        PromptEncoder(
            embed_dim=CHANNELS,
            image_embedding_size=grid,
            input_image_size=(IMAGE_PX, IMAGE_PX),
            mask_in_chans=16,
        ),
        MaskDecoder(
            transformer_dim=CHANNELS,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=CHANNELS, num_heads=8, mlp_dim=2048
            ),
        ),
    ).eval()


def timm_state(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict of MobileSAM with the names that `mobile_sam` has.

    >>> names = ["layers.0.downsample.conv1.c.weight", "neck.0.weight", "head.bias"]
    >>> list(timm_state({f"image_encoder.{name}": None for name in names}))
    ['image_encoder.stages.1.downsample.conv1.conv.weight', 'image_encoder.neck.0.weight']
    """
    state = {}
    for key, value in published.items():
        if key.startswith(ENCODER):
            name = key.removeprefix(ENCODER)
            if DROPPED.search(name):
                continue
            for pattern, replacement in RENAMED:
                name = re.sub(pattern, replacement, name)
            key = ENCODER + name
        state[key] = value
    return state
