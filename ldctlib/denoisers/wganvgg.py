"""WGAN-VGG: a small generator that pleases a critic and a perceptual network, not the pixels.

Yang et al., "Low-dose CT image denoising using a generative adversarial network with Wasserstein
distance and perceptual loss", IEEE Transactions on Medical Imaging 37(6), 2018,
https://doi.org/10.1109/TMI.2018.2827462; hyper-parameters and layers of the published benchmark.
Unlike there, the critic's gradients are cleared before each of its updates, and VGG is frozen.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ldctlib.denoisers.method import Learned, Method, Recipe
from ldctlib.denoisers.objective import Supervised, noise_scale, set_rate, shorten_gradient
from ldctlib.denoisers.perceptual import perceptual_network
from ldctlib.denoisers.short import FROM_IDENTITY, Short, shortened
from ldctlib.denoisers.space import BETA1, CRITIC_STEPS, USUAL, Range


class Network(nn.Module):
    """The generator: eight zero-padded 3x3 convolutions of 32 channels with ReLU between them.

    >>> sum(p.numel() for p in Network().parameters())
    56097
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU()]
        for _ in range(6):
            layers += [nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Conv2d(32, 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Denoise a normalised batch (N, 1, H, W)."""
        return self.net(x)  # type: ignore[no-any-return]


class Critic(nn.Module):
    """Scores how much a patch looks like full dose: six convolutions, two linear layers.

    Args:
        patch: side of the patches in pixels, at least 29.

    Raises:
        ValueError: nothing is left of such a patch after the convolutions.

    >>> sum(p.numel() for p in Critic(77).parameters())
    13991361
    """

    def __init__(self, patch: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        side = patch
        for inputs, outputs in ((1, 64), (64, 128), (128, 256)):
            layers += [nn.Conv2d(inputs, outputs, 3), nn.LeakyReLU()]
            layers += [nn.Conv2d(outputs, outputs, 3, stride=2), nn.LeakyReLU()]
            side = (side - 2 - 3) // 2 + 1
        if side < 1:
            raise ValueError(f"The critic needs patches of at least 29 pixels, not {patch}.")
        self.net = nn.Sequential(*layers)
        self.fc1 = nn.Linear(256 * side * side, 1024)
        self.fc2 = nn.Linear(1024, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, 1) of patches (N, 1, P, P); higher means more like full dose."""
        h = self.fc1(self.net(x).flatten(1))
        score: Tensor = self.fc2(nn.functional.leaky_relu(h))
        return score


def gradient_penalty(critic: nn.Module, fake: Tensor, real: Tensor, share: Tensor) -> Tensor:
    """How far the critic's slope is from 1, on points between fake and real patches.

    Args:
        critic: maps patches (N, 1, P, P) to scores (N, 1).
        fake: denoised patches.
        real: full-dose patches.
        share: (N, 1, 1, 1) share of ``real`` in each mixture, in [0, 1).

    Source: Gulrajani et al. 2017, equation 3, https://doi.org/10.48550/arXiv.1704.00028.

    >>> slope_2 = lambda x: 2 * x.flatten(1)[:, :1]
    >>> gradient_penalty(slope_2, *torch.rand(2, 3, 1, 4, 4), torch.rand(3, 1, 1, 1)).item()
    1.0
    """
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    score = critic(between).sum()
    (slope,) = torch.autograd.grad(score, between, create_graph=True)
    penalty: Tensor = (slope.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty


class Adversarial(Supervised):
    """Wasserstein critic with gradient penalty, and a perceptual loss.

    critic     L_D = mean D(G(x)) - mean D(y) + penalty * gradient penalty
    generator  L_G = perceptual_weight * |F(G(x)) - F(y)| - mean D(G(x))

    Options of the recipe: ``perceptual`` names the feature network F ("vgg19" or a stand-in, see
    `perceptual_network`), ``perceptual_weight``, ``penalty``, ``critic_steps``, and, not in the
    published recipe, ``balance``, ``clip`` (of the generator), ``decay``, ``start`` as in
    `Supervised`.

    Args:
        network: the generator.
        recipe: hyper-parameters; ``patch`` fixes the size of the critic.
        seed: of the critic's initial weights and of the mixtures, too.
        others: as for `Supervised`; the critic's update stays in float32.
    """

    parts = ("network", "critic", "optimiser", "critic_optimiser")

    def __init__(self, network: nn.Module, recipe: Recipe, *, seed: int, **others: Any) -> None:
        super().__init__(network, recipe, seed=seed, **others)
        self.features = perceptual_network(self.options["perceptual"]).to(self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.critic = self.precision.prepare(Critic(recipe.patch).to(self.device))
        self.critic_optimiser = self._adam(self.critic)
        self.generator = torch.Generator(self.device).manual_seed(seed)

    def step(self, low: Tensor, full: Tensor) -> dict[str, Tensor]:
        """One update of critic and generator on normalised patches (N, 1, P, P)."""
        optimisers = (self.optimiser, self.critic_optimiser)
        set_rate(optimisers, self.recipe, self.options, self.steps_done)
        low, full = self.precision.images(low), self.precision.images(full)
        for _ in range(self.options["critic_steps"]):
            critic_loss = self._update_critic(low, full)
        losses = self._update_generator(low, full)
        self.steps_done += 1
        return {**losses, "critic": critic_loss}

    def _update_critic(self, low: Tensor, full: Tensor) -> Tensor:
        with torch.no_grad(), self.precision.context(self.device):
            fake = self.network(low).float()
        share = torch.rand(len(low), 1, 1, 1, generator=self.generator, device=self.device)
        loss = self.critic(fake).mean() - self.critic(full).mean()
        loss = loss + self.options["penalty"] * gradient_penalty(self.critic, fake, full, share)
        self.critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.critic_optimiser.step()
        return loss.detach()  # type: ignore[no-any-return]

    def _update_generator(self, low: Tensor, full: Tensor) -> dict[str, Tensor]:
        self.critic.requires_grad_(False)
        with self.precision.context(self.device):
            fake = self.network(low)
            distance = self.features.distance(fake, full)
            score = self.critic(fake)
        if self.options.get("balance"):
            distance = distance / noise_scale(low, full, self.options["balance"]).sqrt()
        perceptual, score = distance.float().mean(), score.float().mean()
        loss = self.options["perceptual_weight"] * perceptual - score
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        shorten_gradient(self.network, self.options)
        self.optimiser.step()
        self.critic.requires_grad_(True)
        return {"loss": loss.detach(), "perceptual": perceptual.detach(), "score": score.detach()}


PUBLISHED = Recipe(
    learning_rate=7.096903581620458e-5,
    batch=77,
    patch=77,
    steps=68000,
    betas=(0.3260552006030955, 0.999),
    options={
        "perceptual": "vgg19",
        "perceptual_weight": 0.6893269329076448,
        "penalty": 10.0,
        "critic_steps": 1,
    },
)
METHOD = Method(
    name="wganvgg",
    label="WGAN-VGG",
    year=2018,
    citation="Yang et al. 2018, https://doi.org/10.1109/TMI.2018.2827462",
    learned=Learned(
        network=Network,
        objective=Adversarial,
        recipe=PUBLISHED,
        margin=8,
        channels=96,
        space={
            **USUAL,
            "beta1": BETA1,
            "perceptual_weight": Range(0, 1),
            "critic_steps": CRITIC_STEPS,
        },
        published_sha256="1ad87d16aefea99a9eeb474c33127971131cc21a07e129bf464c764cf9ca6003",
        short=Short(
            shortened(
                PUBLISHED,
                3e-4,
                batch=4,
                **FROM_IDENTITY,
                perceptual="random-vgg19-shallow",
                perceptual_weight=10.0,
            )
        ),
    ),
)
