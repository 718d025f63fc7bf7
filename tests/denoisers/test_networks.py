"""Architectures: state dicts of appendix A of the benchmark, and outputs with given parameters."""

import math
from argparse import Namespace

import numpy as np
import pytest
import torch

from ldctlib.denoisers import METHODS, available, network
from ldctlib.denoisers.objective import start_as_identity
from ldctlib.denoisers.wganvgg import Critic


def pair(key, weight, bias):
    return {f"{key}.weight": weight, f"{key}.bias": (bias,)}


def layout(*layers):
    return {k: v for layer in layers for k, v in pair(*layer).items()}


CRITIC = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256)]
LAYOUTS = {
    "cnn10": layout(
        ("layers.0", (64, 1, 9, 9), 64),
        ("layers.2", (32, 64, 3, 3), 32),
        ("layers.4", (1, 32, 5, 5), 1),
    ),
    "redcnn": layout(
        ("conv1", (96, 1, 5, 5), 96),
        *[(f"conv{i}", (96, 96, 5, 5), 96) for i in (2, 3, 4, 5)],
        *[(f"tconv{i}", (96, 96, 5, 5), 96) for i in (1, 2, 3, 4)],
        ("tconv5", (96, 1, 5, 5), 1),
    ),
    "wganvgg": layout(
        ("net.0", (32, 1, 3, 3), 32),
        *[(f"net.{i}", (32, 32, 3, 3), 32) for i in range(2, 14, 2)],
        ("net.14", (1, 32, 3, 3), 1),
    ),
    "critic": layout(
        *[(f"net.{2 * i}", (out, inp, 3, 3), out) for i, (inp, out) in enumerate(CRITIC)],
        ("fc1", (1024, 12544), 1024),
        ("fc2", (1, 1024), 1),
    ),
}
PARAMETERS = {"cnn10": 24513, "redcnn": 1848865, "wganvgg": 56097, "critic": 13991361}


def fill(net):
    """The parameter values that the published fingerprints were made with."""
    state = net.double().state_dict()
    for rank, key in enumerate(sorted(state)):
        value = state[key]
        count = value.numel()
        sine = torch.sin(1.7 * torch.arange(count, dtype=torch.float64) + 0.3 * rank)
        sine = sine.reshape(value.shape)
        state[key] = 0.1 * sine if value.ndim <= 1 else sine / math.sqrt(count / value.shape[0])
    net.load_state_dict(state)
    return net.eval()


def image(side=64):
    h, w = torch.meshgrid(*[torch.arange(side, dtype=torch.float64)] * 2, indexing="ij")
    x = torch.sin(0.05 * h) + torch.cos(0.07 * w) + 0.3 * torch.sin(0.9 * h * w / side)
    return x[None, None]


def build(name):
    return Critic(77) if name == "critic" else network(name)


@pytest.mark.parametrize("name", LAYOUTS)
def test_state_dict(name):
    net = build(name)
    assert {k: tuple(v.shape) for k, v in net.state_dict().items()} == LAYOUTS[name]
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == PARAMETERS[name]


@pytest.mark.parametrize(("patch", "count"), [(64, 7699905), (128, 45448641)])
def test_critic_grows_with_the_patch(patch, count):
    with torch.device("meta"):
        assert sum(p.numel() for p in Critic(patch).parameters()) == count


def test_critic_of_the_smallest_patch():
    assert Critic(29)(torch.zeros(2, 1, 29, 29)).shape == (2, 1)
    with pytest.raises(ValueError, match="at least 29"):
        Critic(28)


FINGERPRINTS = {  # mean, population standard deviation, first, middle and last element
    "cnn10": (
        9.5570610463e-02,
        9.5990252146e-04,
        9.3400685715e-02,
        9.4961952990e-02,
        9.4103138674e-02,
    ),
    "wganvgg": (
        9.7302514195e-02,
        7.1861810955e-04,
        9.9731421932e-02,
        1.0154980892e-01,
        9.7610258418e-02,
    ),
}


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_fingerprint(name):
    x = image()
    assert x.mean().item() == pytest.approx(4.4095422723e-01, rel=1e-9)
    with torch.no_grad():
        y = fill(network(name))(x).flatten()
    got = [y.mean(), y.std(correction=0), y[0], y[y.numel() // 2], y[-1]]
    np.testing.assert_allclose([float(v) for v in got], FINGERPRINTS[name], rtol=2e-9)


def test_fingerprint_of_the_critic():
    with torch.no_grad():
        score = fill(Critic(64))(image())
    assert score.item() == pytest.approx(5.5854147932e-01, rel=1e-9)


@pytest.mark.parametrize("name", available())
def test_same_as_the_benchmark(name):
    """Against the class of ldct-benchmark, where that is installed."""
    pytest.importorskip("ldctbench", reason="ldct-benchmark is not installed")
    module = pytest.importorskip(f"ldctbench.methods.{name}.network")
    theirs, ours = fill(module.Model(Namespace())), fill(network(name))
    assert list(theirs.state_dict()) == list(ours.state_dict())
    x = torch.cat([image(), image().flip(3)])
    with torch.no_grad():
        # The numbers grow layer by layer (RED-CNN's to 1e4), so the comparison is relative.
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)


def redcnn_step_by_step(p, x):
    """RED-CNN written out as its table, with convolutions by unfolding."""

    def conv(h, name):
        columns = torch.nn.functional.unfold(h, 5)
        weight = p[f"{name}.weight"].flatten(1)
        side = h.shape[-1] - 4
        return (weight @ columns).reshape(1, -1, side, side) + p[f"{name}.bias"][:, None, None]

    def tconv(h, name):
        columns = p[f"{name}.weight"].flatten(1).T @ h.flatten(2)
        return (
            torch.nn.functional.fold(columns, (h.shape[-1] + 4,) * 2, 5)
            + p[f"{name}.bias"][:, None, None]
        )

    c1 = conv(x, "conv1").relu()
    c2 = conv(c1, "conv2").relu()
    c3 = conv(c2, "conv3").relu()
    c4 = conv(c3, "conv4").relu()
    t1 = (tconv(conv(c4, "conv5").relu(), "tconv1") + c4).relu()
    t3 = (tconv(tconv(t1, "tconv2").relu(), "tconv3") + c2).relu()
    return tconv(tconv(t3, "tconv4").relu(), "tconv5") + x


def test_redcnn_against_its_table():
    net = network("redcnn").double()
    x = image(32)
    with torch.no_grad():
        torch.testing.assert_close(net(x), redcnn_step_by_step(net.state_dict(), x))


@pytest.mark.parametrize("name", available())
def test_margin_and_smallest_image(name):
    """A pixel sees as far as the method says, and no farther."""
    method = METHODS[name]
    side = 2 * method.margin + 3
    x = torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    middle = side // 2
    network(name).double()(x)[0, 0, middle, middle].backward()
    seen = x.grad[0, 0].abs().amax(0).nonzero().flatten()
    assert seen.min() == middle - method.margin
    assert seen.max() == middle + method.margin
    smallest = method.smallest
    assert network(name)(torch.zeros(1, 1, smallest, smallest)).shape[-1] == smallest


@pytest.mark.parametrize("name", available())
def test_start_as_identity(name):
    net = network(name)
    start_as_identity(net)
    x = torch.randn(2, 1, 24, 24) * 3
    torch.testing.assert_close(net(x), x, rtol=0, atol=1e-6)
    net(x).square().sum().backward()
    last = [p for p in net.parameters() if p.ndim == 4][-1]
    assert (last.grad.abs().amax((2, 3)) > 0).float().mean() > 0.5


def test_initial_weights_follow_the_seed_alone():
    before = torch.random.get_rng_state()
    one, same, other = (network("cnn10", seed=s).layers[0].weight for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_unknown_method():
    with pytest.raises(ValueError, match="No denoiser is called 'unet'"):
        network("unet")
