"""Architectures: state dicts of appendix A of the benchmark, and outputs with given parameters."""

import math
from argparse import Namespace

import numpy as np
import pytest
import torch
from layouts import LAYOUTS, PARAMETERS

from ldctlib.denoisers import METHODS, available, network
from ldctlib.denoisers.dugan import cutmix_mask, sobel
from ldctlib.denoisers.objective import start_as_identity
from ldctlib.denoisers.unet import Discriminator
from ldctlib.denoisers.wganvgg import Critic

OF_ONE_SIZE = {"transct"}
ANY_SIZE = [name for name in available() if name not in OF_ONE_SIZE]


def fill(net, factor=1.0):
    """The parameter values that the published fingerprints were made with."""
    state = net.double().state_dict()
    for rank, key in enumerate(sorted(state)):
        value = state[key]
        count = value.numel()
        sine = torch.sin(1.7 * torch.arange(count, dtype=torch.float64) + 0.3 * rank)
        sine = sine.reshape(value.shape)
        if not value.is_floating_point():
            state[key] = torch.zeros_like(value)
        elif key.endswith(("running_var", "running_mean")):
            state[key] = torch.full_like(value, float(key.endswith("var")))
        elif value.ndim <= 1:
            state[key] = 0.1 * sine + (key.endswith("weight") and value.ndim == 1)
        else:
            state[key] = sine / math.sqrt(count / value.shape[0])
        if factor != 1:
            state[key] = factor * state[key]
    net.load_state_dict(state)
    return net.eval()


def image(side=64):
    h, w = torch.meshgrid(*[torch.arange(side, dtype=torch.float64)] * 2, indexing="ij")
    x = torch.sin(0.05 * h) + torch.cos(0.07 * w) + 0.3 * torch.sin(0.9 * h * w / side)
    return x[None, None]


def build(name):
    with torch.device("meta"):
        others = {"critic": lambda: Critic(77), "discriminator": Discriminator}
        return others[name]() if name in others else METHODS[name].trainable.network()


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
    "qae": (
        4.7022788337e-01,
        8.1032446472e-01,
        1.0292479154e00,
        2.0292641142e00,
        -4.7833609591e-01,
    ),
    "sobel": (
        2.9596277458e-01,
        2.4597565698e-01,
        1.0959629740e00,
        2.1270067361e00,
        6.1357831095e-01,
    ),
}


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_fingerprint(name):
    x = image()
    assert x.mean().item() == pytest.approx(4.4095422723e-01, rel=1e-9)
    # Larger parameters would let the squares of QAE overflow.
    net = sobel if name == "sobel" else fill(network(name), factor=0.3 if name == "qae" else 1.0)
    with torch.no_grad():
        y = net(x).flatten()
    got = [y.mean(), y.std(correction=0), y[0], y[y.numel() // 2], y[-1]]
    np.testing.assert_allclose([float(v) for v in got], FINGERPRINTS[name], rtol=2e-9)


def test_fingerprint_of_the_critic():
    with torch.no_grad():
        score = fill(Critic(64))(image())
    assert score.item() == pytest.approx(5.5854147932e-01, rel=1e-9)


def test_fingerprint_of_cutmix():
    """The box of the published code after ``np.random.seed(0)``."""
    draws = np.random.RandomState(0)
    share, x, y = draws.beta(1, 1), draws.uniform(0, 64), draws.uniform(0, 64)
    box = (cutmix_mask(64, 64, share, x, y)[0, 0] == 0).nonzero()
    assert box.amin(0).tolist() == [30, 0]
    assert box.amax(0).tolist() == [63, 24]


@pytest.mark.parametrize("name", available())
def test_same_as_the_benchmark(name):
    """Against the class of ldct-benchmark, where that is installed."""
    pytest.importorskip("ldctbench", reason="ldct-benchmark is not installed")
    module = pytest.importorskip(f"ldctbench.methods.{name}.network")
    theirs, ours = module.Model(Namespace()).eval(), network(name).eval()
    assert list(theirs.state_dict()) == list(ours.state_dict())
    state, x = random_state(ours), torch.cat([image(), image().flip(3)])
    if name in OF_ONE_SIZE:
        x = image(512).float()
    else:
        theirs, ours = theirs.double(), ours.double()
    theirs.load_state_dict(state)
    ours.load_state_dict(state)
    exact = 1e-12 if x.dtype == torch.float64 else 3e-6
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=exact, atol=exact)


def random_state(net):
    """Other values everywhere, also where a network begins with zeros."""
    draw = torch.Generator().manual_seed(5)
    state = net.state_dict()
    for key, value in state.items():
        if value.is_floating_point():
            noise = 0.02 * torch.randn(value.shape, generator=draw)
            state[key] = (value + noise).abs() if key.endswith("running_var") else value + noise
    return state


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


@pytest.mark.parametrize("name", ANY_SIZE)
def test_margin_and_smallest_image(name):
    """A pixel sees as far as the method says, and no farther."""
    method = METHODS[name].trainable
    side = 2 * method.margin + 3
    x = torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    middle = side // 2
    network(name).double().eval()(x)[0, 0, middle, middle].backward()
    seen = x.grad[0, 0].abs().amax(0).nonzero().flatten()
    assert seen.min() == middle - method.margin
    assert seen.max() == middle + method.margin
    smallest = method.smallest
    assert network(name).eval()(torch.zeros(1, 1, smallest, smallest)).shape[-1] == smallest


@pytest.mark.parametrize("name", [name for name in ANY_SIZE if name != "bilateral"])
def test_start_as_identity(name):
    net = network(name).eval()
    start_as_identity(net)
    x = torch.randn(2, 1, 24, 24) * 3
    torch.testing.assert_close(net(x), x, rtol=0, atol=1e-6)
    net(x).square().sum().backward()
    chain = [p for p in net.parameters() if p.ndim == 4]
    (last,) = getattr(net, "last_weights", chain[-1:])
    assert (last.grad.abs().amax((2, 3)) > 0).float().mean() > 0.5


def test_no_identity_without_a_chain_or_a_skip():
    with pytest.raises(ValueError, match="cannot begin as the identity"):
        start_as_identity(network("bilateral"))


def test_initial_weights_follow_the_seed_alone():
    before = torch.random.get_rng_state()
    one, same, other = (network("cnn10", seed=s).layers[0].weight for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_unknown_method():
    with pytest.raises(ValueError, match="No denoiser is called 'unet'"):
        network("unet")
