"""The methods by name: a plain dict, and what makes a network or a denoiser of a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ldctlib.denoisers import cnn10, redcnn, wganvgg
from ldctlib.denoisers.denoiser import Denoiser
from ldctlib.denoisers.method import Method
from ldctlib.denoisers.weights import read_weights, shipped_weights
from ldctlib.units import Normalization

METHODS: dict[str, Method] = {m.METHOD.name: m.METHOD for m in (cnn10, redcnn, wganvgg)}


def available() -> list[str]:
    """Names of the methods.

    >>> available()
    ['cnn10', 'redcnn', 'wganvgg']
    """
    return list(METHODS)


def network(name: str, *, seed: int = 0, **options: Any) -> nn.Module:
    """A network with random initial weights.

    Args:
        name: one of `available`.
        seed: of the weights.
        options: of the network's class.

    >>> sum(p.numel() for p in network("cnn10").parameters())
    24513
    """
    kind = method(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind.network(**options)


def load(
    name: str,
    weights: str | Path | None = "shipped",
    device: torch.device | str | None = None,
) -> Denoiser:
    """A denoiser that is ready to use.

    Args:
        name: one of `available`.
        weights: "shipped"; a file of `write_weights`; a checkpoint of the published benchmark or
            a bare state dict (``.pt``); or None for an untrained network.
        device: the best available if None.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds the weights of another method.

    >>> load("redcnn", weights=None, device="cpu")
    Denoiser('redcnn', untrained, cpu)
    """
    kind = method(name)
    net = network(name)
    normalization, source = Normalization.benchmark(), "untrained"
    if weights is not None:
        path = shipped_weights(name) if weights == "shipped" else Path(weights)
        file = read_weights(path, METHODS, name)
        net.load_state_dict(file.state)
        normalization = file.normalization or normalization
        source = "shipped" if weights == "shipped" else path.name
    return Denoiser(kind, net, normalization=normalization, source=source, device=device)


def method(name: str) -> Method:
    """The entry of a method: network, objective, published recipe.

    Raises:
        ValueError: there is none of this name.

    >>> method("redcnn").recipe.batch
    73
    """
    if name not in METHODS:
        raise ValueError(f"No denoiser is called {name!r}; there are {', '.join(METHODS)}.")
    return METHODS[name]
