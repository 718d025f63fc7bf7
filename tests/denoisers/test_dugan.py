"""DU-GAN: its judges, its losses, and what is honoured of its published configuration."""

import copy

import pytest
import torch
from torch import nn

from ldctlib.denoisers import METHODS, Precision, Recipe, network, unet
from ldctlib.denoisers.dugan import BENCHMARK_BETAS, DualDomain, distance_to, sobel
from ldctlib.denoisers.unet import Discriminator

CPU = torch.device("cpu")
small = pytest.mark.usefixtures("small_judges")


class Judge(nn.Module):
    """Stands for the U-Net: its answers are the mean and the pixels, times a number."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return self.factor * x.mean((1, 2, 3)), self.factor * x


@pytest.fixture
def small_judges(monkeypatch):
    """Instead of twice 57 million weights."""
    monkeypatch.setattr(unet, "CHANNELS", (1, *[8] * 7))


def make(judge=Judge, **options):
    recipe = METHODS["dugan"].trainable.recipe
    recipe = Recipe(1e-4, batch=2, patch=32, steps=10, betas=recipe.betas, options=recipe.options)
    net = network("dugan", out_ch=4)
    objective = DualDomain(net, recipe, device=CPU, precision=Precision(), seed=0, **options)
    if judge is not None:
        objective.images, objective.edges = judge(), judge()
        for name in ("images", "edges"):
            optimiser = torch.optim.Adam(getattr(objective, name).parameters(), lr=0.0)
            setattr(objective, f"{name}_optimiser", optimiser)
    return objective


def patches(seed=0, side=32):
    draw = torch.Generator().manual_seed(seed)
    full = torch.rand(2, 1, side, side, generator=draw)
    return full + 0.1 * torch.randn(full.shape, generator=draw), full


def test_sobel_of_a_ramp():
    ramp = (0.3 * torch.arange(9.0)).expand(1, 1, 9, 9)
    slope = sobel(ramp)[0, 0, 1:-1, 1:-1]
    torch.testing.assert_close(slope, torch.full((7, 7), (0.6**2 + 1e-4) ** 0.5))
    torch.testing.assert_close(sobel(ramp.mT)[0, 0, 1:-1, 1:-1], slope)


@small
def test_the_low_dose_counts_as_fake():
    """Without CutMix the loss of a judge has six terms."""
    objective = make(cutmix_probability=0.0, critic_steps=1)
    low, full = patches()
    fake = objective.network(low).detach()
    judge = copy.deepcopy(objective.images)
    expected = (
        distance_to(judge(full), 1) + distance_to(judge(fake), 0) + distance_to(judge(low), 0)
    )
    losses = objective.step(low, full)
    torch.testing.assert_close(losses["images"], expected.detach())


@small
def test_cutmix_adds_what_the_pixels_are():
    objective = make(cutmix_probability=1.0, cutmix_warm_up=0, cutmix=0.0)
    plain = make(cutmix_probability=0.0)
    low, full = patches()
    fake = torch.zeros_like(full)
    ours, without = (
        o._update(o.images, o.images_optimiser, low, full, fake) for o in (objective, plain)
    )
    assert ours > without
    # The judge is linear, so its answer to a mixture is the mixture of its answers.
    consistent = make(cutmix_probability=1.0, cutmix_warm_up=0, cutmix=5.0)
    update = consistent._update(consistent.images, consistent.images_optimiser, low, full, fake)
    torch.testing.assert_close(update, ours)


@small
def test_cutmix_begins_slowly():
    objective = make(cutmix_probability=0.5, cutmix_warm_up=100)
    assert objective._cutmix_probability() == pytest.approx(0.005)
    objective.steps_done = 49
    assert objective._cutmix_probability() == pytest.approx(0.25)
    objective.steps_done = 1000
    assert objective._cutmix_probability() == 0.5


@small
def test_loss_of_the_generator():
    objective = make(cutmix_probability=0.0, adversarial=2.0, edge=3.0, pixel=5.0)
    low, full = patches()
    fake = objective.network(low).detach()
    judged = distance_to(objective.images(fake), 1) + distance_to(objective.edges(sobel(fake)), 1)
    expected = (
        2 * judged
        + 3 * (sobel(fake) - sobel(full)).abs().mean()
        + 5 * (fake - full).square().mean()
    )
    torch.testing.assert_close(objective.step(low, full)["loss"], expected.detach())


@small
def test_betas_of_the_configuration_are_honoured():
    assert make().optimiser.param_groups[0]["betas"] == (0.653411010331042, 0.999)
    assert BENCHMARK_BETAS == (0.9, 0.999)


@small
def test_both_judges_begin_alike_and_part():
    objective = make(judge=None)
    one, other = objective.images.state_dict(), objective.edges.state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)
    objective.step(*patches(side=64))
    assert not torch.equal(objective.images.conv_out.weight, objective.edges.conv_out.weight)


@small
def test_resume_is_exact():
    low, full = patches()
    whole, first, second = (make(cutmix_probability=0.5, cutmix_warm_up=1) for _ in range(3))
    for _ in range(4):
        whole.step(low, full)
    for _ in range(2):
        first.step(low, full)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(2):
        second.step(low, full)
    for key, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[key])


def test_discriminator_takes_odd_sizes():
    scores, pixels = Discriminator()(torch.randn(2, 1, 70, 93))
    assert scores.shape == (2,)
    assert pixels.shape == (2, 1, 70, 93)
    with pytest.raises(ValueError, match="at least 64 pixels, not 63 x 64"):
        Discriminator()(torch.zeros(1, 1, 63, 64))


def test_discriminator_same_as_the_benchmark():
    pytest.importorskip("ldctbench", reason="ldct-benchmark is not installed")
    from ldctbench.methods.dugan.network import UNet
    from torch.nn.utils import spectral_norm

    theirs = UNet(repeat_num=6, use_discriminator=True, conv_dim=64, use_sigmoid=False)
    for layer in theirs.modules():
        if isinstance(layer, nn.Conv2d) and layer.out_channels > 1 and layer.in_channels > 4:
            spectral_norm(layer)
    ours = Discriminator()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(1, 1, 70, 65, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():  # while training, so that both estimate the norms by the same iterations
        for got, expected in zip(ours(x), theirs(x), strict=True):
            torch.testing.assert_close(got.flatten(), expected.flatten())
            assert expected.abs().max() > 0
