"""The denoiser as a tool: HU in and out, any size, a memory bound, honest refusals."""

import numpy as np
import pytest
import torch
from torch import nn

from ldctlib.denoisers import (
    METHODS,
    ImageNetwork,
    Learned,
    Method,
    Precision,
    available,
    load,
    network,
)
from ldctlib.denoisers.objective import Supervised, start_as_identity
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan

RECIPE = METHODS["cnn10"].trainable.recipe
ANY_SIZE = [name for name in available() if name != "transct"]


def denoiser(name, **kw):
    return ImageNetwork(METHODS[name], network(name), device="cpu", **kw)


def anatomy(*shape, seed=0):
    """Air, fat, tissue and bone with noise, in HU."""
    random = np.random.default_rng(seed)
    hu = np.where(random.random(shape) < 0.5, 40.0, -1000.0)
    return (hu + random.normal(0, 100, shape)).astype(np.float32)


def test_identity_network_changes_nothing():
    """The published tool adds 20.73 HU here, since it de-normalises with another mean."""
    identity = Method("identity", learned=Learned(nn.Identity, Supervised, RECIPE, channels=1))
    hu = np.array([[-1024.0, 0.0], [500.0, 3071.0]])
    clean = ImageNetwork(identity, nn.Identity()).denoise_image(hu)
    np.testing.assert_allclose(clean, hu, atol=3e-4)
    assert clean.dtype == np.float32


@pytest.mark.parametrize("name", ["cnn10", "wganvgg"])
def test_network_that_starts_as_identity(name):
    net = network(name)
    start_as_identity(net)
    hu = anatomy(2, 40, 40)
    clean = ImageNetwork(METHODS[name], net, device="cpu").denoise_image(hu)
    np.testing.assert_allclose(clean, hu, atol=2e-3)


@pytest.mark.parametrize("name", ANY_SIZE)
@pytest.mark.parametrize("shape", [(33, 47), (3, 40, 29)])
def test_any_size(name, shape):
    d = denoiser(name)
    hu = anatomy(*shape)
    clean = d.denoise_image(hu)
    x = torch.from_numpy(hu.reshape(-1, 1, *shape[-2:]) - d.normalization.mean_hu)
    with torch.no_grad():
        y = d.network(x / d.normalization.std_hu).reshape(shape)
    expected = y.numpy() * d.normalization.std_hu + d.normalization.mean_hu
    np.testing.assert_allclose(clean, expected, atol=0.01)


@pytest.mark.parametrize("name", ANY_SIZE)
def test_tiles_are_exact(name):
    d = denoiser(name)
    hu = anatomy(2, 150, 131)
    whole = d.denoise_image(hu)
    margin = d.learned.margin
    side = max(4 * margin, 2 * margin + 24)
    bound = side**2 * 4 * d.learned.channels
    rows, columns, together = d._plan(hu.shape, bound)
    assert len(rows) > 1
    assert len(columns) > 1
    assert together == 1
    tiles = d.denoise_image(hu, memory_bytes=bound)
    np.testing.assert_allclose(tiles, whole, atol=0.01)
    assert np.abs(np.diff(whole)).max() > 1


@pytest.mark.parametrize("together", [1, 2, 5])
def test_batches_are_exact(together):
    d = denoiser("cnn10")
    hu = anatomy(5, 30, 30)
    bound = together * 30 * 30 * 4 * d.learned.channels
    assert d._plan(hu.shape, bound)[2] == together
    np.testing.assert_allclose(
        d.denoise_image(hu, memory_bytes=bound),
        np.stack([d.denoise_image(z) for z in hu]),
        atol=0.01,
    )


def test_an_exam_gives_a_scan_that_says_what_was_done():
    low = Scan(anatomy(2, 32, 32), (1.0, 0.7, 0.7), "patient", "chest", provenance={"source": "x"})
    exam = Exam(full=low, low=low, sinogram=None, dose=0.25)
    d = denoiser("redcnn", source="shipped")
    clean = d(exam)
    np.testing.assert_array_equal(clean.hu, d.denoise_image(low.hu))
    assert clean.name == "patient, redcnn"
    assert dict(clean.provenance) == {"source": "x", "denoiser": "redcnn", "weights": "shipped"}
    assert (clean.spacing_mm, clean.anatomy, d.needs) == (low.spacing_mm, "chest", "image")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_what_is_not_finite(value):
    hu = anatomy(32, 32)
    hu[3, 3] = value
    with pytest.raises(ValueError, match="not finite"):
        denoiser("cnn10").denoise_image(hu)


def test_refuses_small_images_and_wrong_shapes():
    with pytest.raises(ValueError, match="at least 21 x 21 pixels, not 20 x 64"):
        denoiser("redcnn").denoise_image(np.zeros((20, 64)))
    for shape in ((64,), (1, 1, 64, 64), (0, 64, 64)):
        with pytest.raises(ValueError, match="An image is"):
            denoiser("redcnn").denoise_image(np.zeros(shape))
    with pytest.raises(ValueError, match="too few for a tile"):
        denoiser("redcnn").denoise_image(np.zeros((64, 64)), memory_bytes=100_000)


def test_half_precision_stays_near():
    """bfloat16 where it is asked for: near, and not the same."""
    hu = anatomy(64, 64)
    exact = denoiser("redcnn").denoise_image(hu)
    rough = denoiser("redcnn", precision=Precision(torch.bfloat16, True)).denoise_image(hu)
    error = np.abs(rough - exact).max()
    assert 0 < error < 5


def test_untrained_and_unknown():
    assert (
        repr(load("cnn10", weights=None, device="cpu")) == "ImageNetwork('cnn10', untrained, cpu)"
    )
    with pytest.raises(ValueError, match="there are cnn10, redcnn, wganvgg"):
        load("bm3d")
