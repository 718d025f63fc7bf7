"""Updates: what they minimise, and that a training goes on where it stopped."""

import copy

import pytest
import torch

from ldctlib.denoisers import METHODS, Precision, Recipe, network
from ldctlib.denoisers.objective import Supervised, noise_scale
from ldctlib.denoisers.perceptual import Perceptual, perceptual_network
from ldctlib.denoisers.wganvgg import Adversarial, Critic, gradient_penalty

CPU = torch.device("cpu")
TINY = {
    "perceptual": "random-vgg19-shallow",
    "perceptual_weight": 1.0,
    "penalty": 10.0,
    "critic_steps": 2,
}


def patches(n=4, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    full = torch.rand(n, 1, side, side, generator=generator).round()
    return full + 0.2 * torch.randn(full.shape, generator=generator), full


def supervised(**options):
    recipe = Recipe(learning_rate=1e-3, batch=4, patch=32, steps=10, options=options)
    return Supervised(network("cnn10"), recipe, device=CPU, precision=Precision(), seed=0)


def adversarial(seed=0, **options):
    recipe = Recipe(1e-3, batch=4, patch=32, steps=10, betas=(0.3, 0.999), options=TINY)
    net = network("wganvgg", seed=seed)
    return Adversarial(net, recipe, device=CPU, precision=Precision(), seed=seed, **options)


def test_supervised_is_plain_adam_on_the_mean_squared_error():
    objective = supervised()
    twin = network("cnn10")
    adam = torch.optim.Adam(twin.parameters(), lr=1e-3)
    low, full = patches()
    for _ in range(3):
        losses = objective.step(low, full)
        loss = ((twin(low) - full) ** 2).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        torch.testing.assert_close(losses["loss"], loss.detach())
    for ours, theirs in zip(objective.network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_balance_counts_every_patch_alike():
    low, full = patches(2)
    low[1] = full[1] + 10 * (low[1] - full[1])
    noise = noise_scale(low, full, floor_hu=0.0)
    torch.testing.assert_close(noise, (low - full).var((1, 2, 3), correction=0), rtol=0.1, atol=0)
    assert (noise[1] / noise[0]).item() > 50
    objective = supervised(balance=20.0, start="identity")
    loss = objective.step(low, full)["loss"].item()
    expected = (noise / (noise + (20 / 502.185) ** 2)).mean().item()
    assert loss == pytest.approx(expected, rel=1e-4)


def test_decay_ends_at_rest():
    objective = supervised(decay=True)
    low, full = patches()
    for _ in range(10):
        objective.step(low, full)
    before = copy.deepcopy(objective.network.state_dict())
    objective.step(low, full)
    for key, value in objective.network.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize("make", [supervised, adversarial])
def test_resume_is_exact(make):
    low, full = patches()
    straight, broken = make(), make()
    for objective in (straight, broken):
        objective.step(low, full)
        objective.step(low, full)
    state = copy.deepcopy(broken.state_dict())
    resumed = make(seed=5) if make is adversarial else make()
    resumed.load_state_dict(state)
    for _ in range(2):
        expected, got = straight.step(low, full), resumed.step(low, full)
        assert {k: v.item() for k, v in got.items()} == {k: v.item() for k, v in expected.items()}
    for a, b in zip(straight.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_gradient_penalty_by_hand():
    critic = Critic(29).double()
    fake, real = torch.randn(2, 3, 1, 29, 29, dtype=torch.float64)
    share = torch.rand(3, 1, 1, 1, dtype=torch.float64)
    total = 0.0
    for f, r, a in zip(fake, real, share, strict=True):
        between = (a * r + (1 - a) * f)[None].requires_grad_()
        critic(between).backward()
        total += (between.grad.norm() - 1).item() ** 2
    penalty = gradient_penalty(critic, fake, real, share)
    assert penalty.item() == pytest.approx(total / 3, rel=1e-9)


def test_adversarial_losses_are_those_of_the_paper():
    objective = adversarial(critic_steps=1)
    generator, critic = copy.deepcopy(objective.network), copy.deepcopy(objective.critic)
    low, full = patches()
    losses = objective.step(low, full)
    share = torch.rand(4, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    fake = generator(low)
    expected = critic(fake).mean() - critic(full).mean()
    expected = expected + 10 * gradient_penalty(critic, fake, full, share)
    torch.testing.assert_close(losses["critic"], expected.detach())
    features = objective.features
    perceptual = features.distance(fake, full).mean()
    score = objective_score = losses["score"]
    torch.testing.assert_close(losses["perceptual"], perceptual.detach())
    torch.testing.assert_close(losses["loss"], perceptual.detach() - score)
    assert objective_score.item() != pytest.approx(critic(fake).mean().item(), abs=1e-9)


def test_generator_update_leaves_critic_and_features_alone():
    objective = adversarial()
    low, full = patches()
    objective.step(low, full)
    critic = copy.deepcopy(objective.critic.state_dict())
    features = copy.deepcopy(objective.features.state_dict())
    objective._update_generator(low, full)
    assert all(torch.equal(v, critic[k]) for k, v in objective.critic.state_dict().items())
    assert all(torch.equal(v, features[k]) for k, v in objective.features.state_dict().items())
    assert all(p.grad is None for p in objective.features.parameters())
    assert all(p.requires_grad for p in objective.critic.parameters())


def test_stand_in_is_the_architecture_of_vgg19():
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        vgg = torchvision.models.vgg19(weights=None).features
    net = perceptual_network("random-vgg19")
    expected = {k: v.shape for k, v in vgg[:35].state_dict().items()}
    got = {k.removeprefix("features."): v.shape for k, v in net.state_dict().items()}
    assert got == expected
    assert isinstance(net.features[34], torch.nn.Conv2d)
    assert len(net(torch.zeros(1, 1, 32, 32))) == 1


def test_distance_sees_the_taps_before_their_relu():
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 1, 1), torch.nn.ReLU(inplace=True), torch.nn.Conv2d(1, 1, 1)
    )
    for layer in (layers[0], layers[2]):
        torch.nn.init.constant_(layer.weight, -1.0)
        torch.nn.init.zeros_(layer.bias)
    x, y = torch.full((1, 1, 4, 4), 2.0), torch.full((1, 1, 4, 4), 1.0)
    # First tap -6 and -3, then ReLU gives 0 for both.
    assert Perceptual(layers, [0, 2]).distance(x, y).item() == pytest.approx(1.5)
    assert Perceptual(layers, [2]).distance(x, y).item() == 0


def test_official_weights_out_of_reach(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(RuntimeError, match=r"could not be downloaded.*perceptual='random-vgg19"):
        perceptual_network("vgg19")
    assert METHODS["wganvgg"].trainable.recipe.options["perceptual"] == "vgg19"


def test_damaged_official_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = tmp_path / "checkpoints" / "vgg19-dcbb9e9d.pth"
    path.parent.mkdir()
    torch.save({"features.0.weight": torch.zeros(1)}, path)
    with pytest.raises(RuntimeError, match="damaged"):
        perceptual_network("vgg19")


def test_unknown_perceptual_network():
    with pytest.raises(ValueError, match="No perceptual network is called 'lpips'"):
        perceptual_network("lpips")
