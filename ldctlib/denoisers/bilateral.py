"""Trainable bilateral filters: three in a row, with nine numbers to learn.

Wagner et al., "Ultralow-parameter denoising: trainable bilateral filter layers in computed
tomography", Medical Physics 49(8), 2022, https://doi.org/10.1002/mp.15718. Each pixel becomes a
mean of its neighbours, weighted by how near they are and how alike.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ldctlib.denoisers.method import Learned, Method, Recipe
from ldctlib.denoisers.objective import Supervised
from ldctlib.denoisers.short import SHORT, Short, shortened
from ldctlib.denoisers.space import USUAL, Range

SMALLEST_WINDOW = 5
# What the published training began with, whatever its configuration said.
BENCHMARK_START = {"sigma_xyz": 0.5, "sigma_r": 0.01}


def window_side(sigma: float) -> int:
    """Pixels of the window along one axis, odd.

    >>> window_side(0.5), window_side(1.2), window_side(-1.5)
    (5, 7, 9)
    """
    return max(math.ceil(5 * abs(sigma)) | 1, SMALLEST_WINDOW)


def bilateral_filter(x: Tensor, sigma_x: Tensor, sigma_y: Tensor, sigma_r: Tensor) -> Tensor:
    """Mean over a window, weighted by distance and by likeness; differentiable in everything.

    Neighbours outside of the image do not count.

    Args:
        x: (N, 1, H, W).
        sigma_x: width of the spatial Gaussian along H, in pixels.
        sigma_y: the same along W.
        sigma_r: width of the Gaussian of the differences, in the units of x.

    Returns:
        (N, 1, H, W).
    """
    height, width = x.shape[-2:]
    half_x, half_y = (window_side(sigma.item()) // 2 for sigma in (sigma_x, sigma_y))
    edges = (half_y, half_y, half_x, half_x)
    values, inside = functional.pad(x, edges), functional.pad(torch.ones_like(x[:1]), edges)
    by_x, by_y, by_value = (-0.5 / sigma**2 for sigma in (sigma_x, sigma_y, sigma_r))
    total, weights = x, torch.ones_like(x)
    for dx, dy in product(range(-half_x, half_x + 1), range(-half_y, half_y + 1)):
        if dx == dy == 0:
            continue
        rows = slice(half_x + dx, half_x + dx + height)
        columns = slice(half_y + dy, half_y + dy + width)
        neighbour = values[..., rows, columns]
        exponent = (neighbour - x).square() * by_value + (dx**2 * by_x + dy**2 * by_y)
        weight = exponent.exp() * inside[..., rows, columns]
        total = total + weight * neighbour
        weights = weights + weight
    return total / weights


class Filter(nn.Module):
    """One bilateral filter.

    Args:
        sigma_xyz: initial width in pixels along all axes.
        sigma_r: initial width in units of the image.
    """

    def __init__(self, sigma_xyz: float, sigma_r: float) -> None:
        super().__init__()
        self.sigma_x = nn.Parameter(torch.tensor(sigma_xyz))
        self.sigma_y = nn.Parameter(torch.tensor(sigma_xyz))
        # For volumes: slices are filtered one by one here, and nothing depends on it.
        self.sigma_z = nn.Parameter(torch.tensor(sigma_xyz))
        self.color_sigma = nn.Parameter(torch.tensor(sigma_r))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to the same shape."""
        return bilateral_filter(x, self.sigma_x, self.sigma_y, self.color_sigma)


class Network(nn.Module):
    """Three filters, one after the other.

    Args:
        sigma_xyz, sigma_r: initial widths of all three.

    >>> sum(p.numel() for p in Network().parameters())
    12
    """

    def __init__(self, sigma_xyz: float = 0.486467, sigma_r: float = 0.952656) -> None:
        super().__init__()
        self.filters = nn.ModuleList(Filter(sigma_xyz, sigma_r) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Denoise a normalised batch (N, 1, H, W)."""
        for each in self.filters:
            x = each(x)
        return x


class TwoRates(Supervised):
    """`Supervised`, with a learning rate of its own for the widths in grey value.

    Options of the recipe: ``range_rate`` of those widths; ``sigma_xyz`` and ``sigma_r``, which
    all filters begin with (`BENCHMARK_START` names what the published training really began
    with); and those of `Supervised`.

    Args:
        network, recipe, others: as for `Supervised`.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, **others: Any) -> None:
        super().__init__(network, recipe, **others)
        in_space: list[nn.Parameter] = []
        in_range: list[nn.Parameter] = []
        for name, sigma in network.named_parameters():
            key = "sigma_r" if name.endswith("color_sigma") else "sigma_xyz"
            sigma.data.fill_(self.options[key])
            (in_range if key == "sigma_r" else in_space).append(sigma)
        self.optimiser = torch.optim.Adam(
            [
                {"params": in_space, "lr": recipe.learning_rate},
                {"params": in_range, "lr": self.options["range_rate"]},
            ],
            betas=recipe.betas,
        )


PUBLISHED = Recipe(
    learning_rate=4.001423666414552e-5,
    batch=2,
    patch=121,
    steps=75000,
    options={
        "range_rate": 0.003555342304006777,
        "sigma_xyz": 0.486467,
        "sigma_r": 0.952656,
    },
)
METHOD = Method(
    name="bilateral",
    label="Bilateral",
    year=2022,
    citation="Wagner et al. 2022, https://doi.org/10.1002/mp.15718",
    learned=Learned(
        network=Network,
        objective=TwoRates,
        recipe=PUBLISHED,
        margin=6,
        channels=8,
        # of the sigmas only what was found is published: their ranges are this library's
        space={
            **USUAL,
            "range_rate": Range(1e-5, 1e-2, log=True),
            "sigma_xyz": Range(0.01, 1),
            "sigma_r": Range(0.01, 1),
        },
        published_sha256="3e0722758e31c92fd11cc8bb9f5d2e93714a885bbe21183228fbe8946e79d5ff",
        short=Short(shortened(PUBLISHED, 1e-2, batch=4, **SHORT, range_rate=1e-2, sigma_r=0.1)),
    ),
)
