"""MobileSAM: names and shapes of the published weights, and what the encoder does with images."""

import pytest
import torch

from ldctlib.segments.checkpoints import load_sam

pytest.importorskip("segment_anything", reason="needs ldctlib[sam]")
pytest.importorskip("timm", reason="needs ldctlib[sam]")
from ldctlib.segments.mobile_sam import TinyEncoder, mobile_sam, timm_state

WIDTHS, DEPTHS, HEADS, WINDOWS = (64, 128, 160, 320), (2, 2, 6, 2), (2, 4, 5, 10), (7, 7, 14, 7)


def convolution(name, *shape):
    """A convolution without bias and its batch normalisation."""
    norm = {
        f"{name}.bn.{part}": shape[:1] for part in ("weight", "bias", "running_mean", "running_var")
    }
    return {f"{name}.c.weight": shape, **norm, f"{name}.bn.num_batches_tracked": ()}


def affine(name, *shape):
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def published_shapes():
    """The image encoder of the published file: TinyViT-5M as its authors wrote it, and a neck."""
    shapes = {**convolution("patch_embed.seq.0", 32, 3, 3, 3)}
    shapes |= convolution("patch_embed.seq.2", 64, 32, 3, 3)
    for i, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
        for block in (f"layers.{i}.blocks.{b}" for b in range(depth)):
            if i == 0:
                shapes |= convolution(f"{block}.conv1", 4 * width, width, 1, 1)
                shapes |= convolution(f"{block}.conv2", 4 * width, 1, 3, 3)
                shapes |= convolution(f"{block}.conv3", width, 4 * width, 1, 1)
                continue
            shapes[f"{block}.attn.attention_biases"] = (HEADS[i], WINDOWS[i] ** 2)
            shapes |= affine(f"{block}.attn.norm", width)
            shapes |= affine(f"{block}.attn.qkv", 3 * width, width)
            shapes |= affine(f"{block}.attn.proj", width, width)
            shapes |= affine(f"{block}.mlp.norm", width)
            shapes |= affine(f"{block}.mlp.fc1", 4 * width, width)
            shapes |= affine(f"{block}.mlp.fc2", width, 4 * width)
            shapes |= convolution(f"{block}.local_conv", width, 1, 3, 3)
        if i < 3:
            wider = WIDTHS[i + 1]
            shapes |= convolution(f"layers.{i}.downsample.conv1", wider, width, 1, 1)
            shapes |= convolution(f"layers.{i}.downsample.conv2", wider, 1, 3, 3)
            shapes |= convolution(f"layers.{i}.downsample.conv3", wider, wider, 1, 1)
    shapes |= {**affine("norm_head", 320), **affine("head", 1000, 320)}
    shapes |= {"neck.0.weight": (256, 320, 1, 1), **affine("neck.1", 256)}
    shapes |= {"neck.2.weight": (256, 256, 3, 3), **affine("neck.3", 256)}
    return {f"image_encoder.{name}": shape for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def model():
    return mobile_sam()


@pytest.fixture(scope="module")
def published(model):
    """A state dict as published, with random values."""
    generator = torch.Generator().manual_seed(7)
    rest = {k: v for k, v in model.state_dict().items() if not k.startswith("image_encoder.")}
    return {
        **{k: torch.rand(s, generator=generator) for k, s in published_shapes().items()},
        **{k: torch.rand(v.shape, generator=generator) for k, v in rest.items()},
    }


def test_every_published_name_has_its_place(model, published):
    renamed = timm_state(published)
    expected = {key: value.shape for key, value in model.state_dict().items()}
    assert {key: value.shape for key, value in renamed.items()} == expected
    learned = sum(p.numel() for p in model.parameters())
    assert learned / 1e6 == pytest.approx(10.13 - 0.32, abs=0.01), "10.13 M with the classifier"


def test_a_published_file_is_recognised(published, tmp_path):
    path = tmp_path / "mobile_sam.pt"
    torch.save(published, path)
    model, _ = load_sam(path)
    name = "image_encoder.layers.2.downsample.conv2.c.weight"
    state = model.state_dict()
    torch.testing.assert_close(
        state["image_encoder.stages.3.downsample.conv2.conv.weight"], published[name]
    )
    del published[name]
    torch.save(published, path)
    with pytest.raises(ValueError, match="does not fit the model mobile"):
        load_sam(path)


def test_the_encoder():
    """A quarter of the size: stride 16 as in SAM's own encoders."""
    encoder = TinyEncoder().eval()
    assert encoder.img_size == 1024
    with torch.no_grad():
        embedding = encoder(torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(1)))
        image = torch.zeros(1, 3, 1024, 1024, device="meta")
        assert encoder.to("meta")(image).shape == (1, 256, 64, 64)
    assert embedding.shape == (2, 256, 16, 16)
    assert torch.isfinite(embedding).all()
    assert (embedding[0] != embedding[1]).any()
