"""TransCT: the order of its shuffles, its blur, the one size that it takes, and tiles."""

import numpy as np
import pytest
import torch

from ldctlib.denoisers import METHODS, ImageNetwork, load, network
from ldctlib.denoisers.image_network import _spans_of
from ldctlib.denoisers.transct import blur, depth_to_space, space_to_depth

SMALL = 128


def test_channels_lie_in_the_order_of_tensorflow():
    x = torch.rand(2, 3, 4, 6)
    y = space_to_depth(x, 2)
    for row in range(2):
        for column in range(2):
            for c in range(3):
                channel = (row * 2 + column) * 3 + c
                assert torch.equal(y[:, channel], x[:, c, row::2, column::2])
    assert torch.equal(depth_to_space(y, 2), x)


def test_blur():
    transforms = pytest.importorskip("torchvision.transforms")
    x = torch.rand(2, 1, 40, 50)
    torch.testing.assert_close(blur(x), transforms.GaussianBlur(11, 1.5)(x))


def test_one_size_alone():
    net = network("transct", size=SMALL)
    with pytest.raises(ValueError, match="slices of 128 x 128 pixels, not 64 x 128"):
        net(torch.zeros(1, 1, 64, 128))
    with pytest.raises(ValueError, match="multiple of 128"):
        network("transct", size=200)
    denoiser = ImageNetwork(METHODS["transct"], net, device="cpu")
    with pytest.raises(ValueError, match="tiles=True"):
        denoiser.denoise_image(np.zeros((256, 256)))


def test_tiles_cover_every_pixel_once():
    for length in (128, 129, 300, 512):
        kept = np.zeros(length, int)
        for span in _spans_of(length, SMALL):
            assert span.read.stop - span.read.start == SMALL
            assert span.read.start <= span.keep.start < span.keep.stop <= span.read.stop
            kept[span.keep] += 1
        assert (kept == 1).all()


def test_a_tile_is_what_the_network_makes_of_it():
    net = network("transct", size=SMALL)
    denoiser = ImageNetwork(METHODS["transct"], net, device="cpu", tiles=True)
    hu = np.random.default_rng(0).normal(0, 100, (200, 128)).astype(np.float32)
    got = denoiser.denoise_image(hu)
    single = ImageNetwork(METHODS["transct"], net, device="cpu")
    np.testing.assert_allclose(got[:100], single.denoise_image(hu[:128])[:100], atol=1e-2)
    np.testing.assert_allclose(got[100:], single.denoise_image(hu[72:])[28:], atol=1e-2)
    with pytest.raises(ValueError, match="at least 128 x 128"):
        denoiser.denoise_image(hu[:100])


def test_weights_of_another_size_say_so(tmp_path):
    from ldctlib.denoisers import write_weights
    from ldctlib.units import Normalization

    path, state = tmp_path / "small.safetensors", network("transct", size=SMALL).state_dict()
    facts = {"network": {"size": SMALL}, "tiles": True}
    write_weights(path, "transct", state, normalization=Normalization.benchmark(), facts=facts)
    denoiser = load("transct", weights=path, device="cpu")
    assert denoiser.size == SMALL
    assert denoiser.tiles
    write_weights(path, "transct", state, normalization=Normalization.benchmark())
    with pytest.raises(ValueError, match="does not fit transct"):
        load("transct", weights=path)
