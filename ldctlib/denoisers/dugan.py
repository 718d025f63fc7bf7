"""DU-GAN: RED-CNN judged by two U-Nets, pixel by pixel, one of images and one of their edges.

Huang et al., "DU-GAN: generative adversarial networks with dual-domain U-Net-based
discriminators for low-dose CT denoising", IEEE Transactions on Instrumentation and Measurement 71,
2022, https://doi.org/10.1109/TIM.2021.3128703; layers and hyper-parameters as in the published
benchmark, whose trainer leaves the betas of its configuration unused (`BENCHMARK_BETAS`).
"""

from __future__ import annotations

import copy
import math
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from ldctlib.denoisers.method import Learned, Method, Recipe
from ldctlib.denoisers.objective import Supervised, noise_scale, set_rate, shorten_gradient
from ldctlib.denoisers.redcnn import Network
from ldctlib.denoisers.short import SHORT, Short, shortened
from ldctlib.denoisers.space import BETA1, CRITIC_STEPS, USUAL, Range
from ldctlib.denoisers.unet import Discriminator

Scores: TypeAlias = "tuple[Tensor, Tensor]"

# What the published training used, whatever its configuration said.
BENCHMARK_BETAS = (0.9, 0.999)
SOBEL = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]) / 4


def sobel(x: Tensor) -> Tensor:
    """Magnitude of the gradient of a batch (N, 1, H, W), zero-padded, never exactly zero.

    >>> round(sobel(torch.zeros(1, 1, 5, 5)).max().item(), 3)
    0.01
    """
    kernels = torch.stack([SOBEL, SOBEL.T])[:, None].to(x)
    slopes = functional.conv2d(x, kernels, padding=1)
    return (slopes.square().sum(1, keepdim=True) + 1e-4).sqrt()


def cutmix_mask(height: int, width: int, share: float, x: float, y: float) -> Tensor:
    """(1, 1, H, W) of ones with a box of zeros.

    Args:
        height: of the mask in pixels.
        width: of the mask.
        share: of the area that stays one, where the box does not reach over the border.
        x: centre of the box along the width, in pixels.
        y: the same along the height.

    Source: Yun et al. 2019, https://doi.org/10.1109/ICCV.2019.00612.

    >>> cutmix_mask(64, 64, 0.75, 32, 32).mean().item()
    0.75
    """
    half = math.sqrt(1 - share) / 2
    left, right = (round(min(max(x + s * half * width, 0), width)) for s in (-1, 1))
    top, bottom = (round(min(max(y + s * half * height, 0), height)) for s in (-1, 1))
    mask = torch.ones(1, 1, height, width)
    mask[..., top:bottom, left:right] = 0
    return mask


def distance_to(scores: Scores, target: float) -> Tensor:
    """Mean squared distance of both answers of a discriminator to one number, added up."""
    image, pixels = scores
    return (image - target).square().mean() + (pixels - target).square().mean()


class DualDomain(Supervised):
    """Two least-squares discriminators with CutMix, and two pixel losses.

    discriminator D  sum over both its answers of (D(y) - 1)^2 + D(G(x))^2 + D(x)^2, and, where a
                     box of G(x) is pasted into y, its answer for every pixel's origin
    generator        adversarial [(D(G(x)) - 1)^2 of both discriminators] + pixel |G(x) - y|^2
                     + edge |S(G(x)) - S(y)|, where S is `sobel`

    The second discriminator sees S of everything. Options of the recipe: the weights
    ``adversarial``, ``cutmix``, ``pixel``, ``edge``; ``critic_steps`` of the discriminator of
    images for one of the other; CutMix is done in a share of the steps that rises to
    ``cutmix_probability`` during ``cutmix_warm_up`` steps; and, not in the published recipe,
    ``balance``, ``clip``, ``decay``, ``start`` as in `Supervised`.

    Args:
        network: the generator.
        recipe: hyper-parameters.
        seed: of the discriminators' initial weights and of CutMix, too.
        others: as for `Supervised`.
    """

    parts = ("network", "images", "edges", "optimiser", "images_optimiser", "edges_optimiser")

    def __init__(self, network: nn.Module, recipe: Recipe, *, seed: int, **others: Any) -> None:
        super().__init__(network, recipe, seed=seed, **others)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.images = Discriminator().to(self.device)
        self.edges = copy.deepcopy(self.images)
        self.images_optimiser, self.edges_optimiser = map(self._adam, (self.images, self.edges))
        self.generator = torch.Generator().manual_seed(seed)

    def step(self, low: Tensor, full: Tensor) -> dict[str, Tensor]:
        """One update of all three networks on normalised patches (N, 1, P, P)."""
        optimisers = (self.optimiser, self.images_optimiser, self.edges_optimiser)
        set_rate(optimisers, self.recipe, self.options, self.steps_done)
        low, full = self.precision.images(low), self.precision.images(full)
        with self.precision.context(self.device):
            fake = self.network(low).float()
        fake_edges, low_edges, full_edges = sobel(fake), sobel(low), sobel(full)
        for _ in range(self.options["critic_steps"]):
            triple = low, full, fake.detach()
            on_images = self._update(self.images, self.images_optimiser, *triple)
        edges = low_edges, full_edges, fake_edges.detach()
        on_edges = self._update(self.edges, self.edges_optimiser, *edges)
        losses = self._update_generator(low, full, fake, fake_edges, full_edges)
        self.steps_done += 1
        return {**losses, "images": on_images, "edges": on_edges}

    def _update(
        self,
        critic: nn.Module,
        optimiser: torch.optim.Optimizer,
        low: Tensor,
        full: Tensor,
        fake: Tensor,
    ) -> Tensor:
        real, drawn, noisy = self._judge(critic, full, fake, low)
        loss = distance_to(real, 1) + distance_to(drawn, 0) + distance_to(noisy, 0)
        chance, share, x, y = torch.rand(4, generator=self.generator).tolist()
        if chance < self._cutmix_probability():
            height, width = full.shape[-2:]
            mask = cutmix_mask(height, width, share, x * width, y * height).to(full)
            ((image, pixels),) = self._judge(critic, mask * full + (1 - mask) * fake)
            pasted = mask * real[1] + (1 - mask) * drawn[1]
            loss = loss + image.square().mean() + (pixels - mask).square().mean()
            loss = loss + self.options["cutmix"] * (pixels - pasted).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return loss.detach()

    def _judge(self, critic: nn.Module, *batches: Tensor) -> list[Scores]:
        """Both answers to each batch. Together, because the spectral norm costs as much as they."""
        with self.precision.context(self.device):
            image, pixels = critic(torch.cat(batches))
        sizes = [len(batch) for batch in batches]
        return list(zip(image.float().split(sizes), pixels.float().split(sizes), strict=True))

    def _cutmix_probability(self) -> float:
        risen = min((self.steps_done + 1) / max(self.options["cutmix_warm_up"], 1), 1.0)
        return float(risen * self.options["cutmix_probability"])

    def _update_generator(
        self, low: Tensor, full: Tensor, fake: Tensor, fake_edges: Tensor, full_edges: Tensor
    ) -> dict[str, Tensor]:
        error = (fake - full).square().mean((1, 2, 3))
        edge = (fake_edges - full_edges).abs().mean((1, 2, 3))
        if self.options.get("balance"):
            variance = noise_scale(low, full, self.options["balance"])
            error, edge = error / variance, edge / variance.sqrt()
        pixel, edge = error.mean(), edge.mean()
        for critic in (self.images, self.edges):
            critic.requires_grad_(False)
        (on_image,), (on_edges,) = (
            self._judge(critic, x) for critic, x in ((self.images, fake), (self.edges, fake_edges))
        )
        adversarial = distance_to(on_image, 1) + distance_to(on_edges, 1)
        loss = self.options["adversarial"] * adversarial + self.options["pixel"] * pixel
        loss = loss + self.options["edge"] * edge
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        shorten_gradient(self.network, self.options)
        self.optimiser.step()
        for critic in (self.images, self.edges):
            critic.requires_grad_(True)
        return {"loss": loss.detach(), "pixel": pixel.detach(), "adversarial": adversarial.detach()}


PUBLISHED = Recipe(
    learning_rate=1.2436216786633454e-5,
    batch=92,
    patch=128,
    steps=34000,
    betas=(0.653411010331042, 0.999),
    options={
        "adversarial": 0.080335201069619,
        "cutmix": 2.647865385857211,
        "edge": 27.81452397771084,
        "pixel": 1.0,
        "cutmix_probability": 0.5,
        "cutmix_warm_up": 7615,
        "critic_steps": 2,
    },
)
METHOD = Method(
    name="dugan",
    label="DU-GAN",
    year=2021,
    citation="Huang et al. 2022, https://doi.org/10.1109/TIM.2021.3128703",
    learned=Learned(
        network=Network,
        objective=DualDomain,
        recipe=PUBLISHED,
        margin=20,
        channels=480,
        smallest=21,
        space={
            **USUAL,
            "beta1": BETA1,
            # six halvings in its discriminator leave nothing of a smaller patch
            "patch": Range(64, 128, whole=True),
            "adversarial": Range(0, 1),
            "cutmix": Range(0, 10),
            "cutmix_warm_up": Range(0, 10_000, whole=True),
            "edge": Range(0, 40),
            "critic_steps": CRITIC_STEPS,
        },
        published_sha256="c6faad8376994fe22eadc0a723f81705fda6f435f40ef0f999666e871216ac5e",
        # Two judges of 57 million weights each leave time for a few hundred steps: not enough to
        # begin with nothing. The weights of the losses are those after division by the noise,
        # which makes the pixel loss about 1.
        short=Short(
            shortened(
                PUBLISHED,
                5e-5,
                batch=4,
                **SHORT,
                adversarial=0.02,
                edge=0.5,
                cutmix_warm_up=200,
                critic_steps=1,
            ),
            bfloat16=True,
            begin_with="redcnn",
        ),
    ),
)
