"""The methods by name: a plain dict, and what makes a network or a denoiser of a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ldctlib.denoisers import (
    bilateral,
    cnn10,
    dugan,
    qae,
    redcnn,
    resnet,
    transct,
    wganvgg,
)
from ldctlib.denoisers.denoiser import Denoiser
from ldctlib.denoisers.domains import denoiser_of
from ldctlib.denoisers.method import Method
from ldctlib.denoisers.published import published_weights
from ldctlib.denoisers.weights import read_weights, shipped_weights, variants

# In the order of the published benchmark's tables.
MODULES = (cnn10, redcnn, wganvgg, resnet, qae, dugan, transct, bilateral)
METHODS: dict[str, Method] = {module.METHOD.name: module.METHOD for module in MODULES}


def available() -> list[str]:
    """Names of the methods.

    >>> available()
    ['cnn10', 'redcnn', 'wganvgg', 'resnet', 'qae', 'dugan', 'transct', 'bilateral']
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
    learned = method(name).trainable
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return learned.network(**options)


def load(
    name: str,
    weights: str | Path | None = "shipped",
    device: torch.device | str | None = None,
    *,
    tiles: bool = False,
    **options: Any,
) -> Denoiser:
    """A denoiser that is ready to use.

    Args:
        name: one of `available`.
        weights: "shipped"; a name of `weights.variants`, for a network that hallucinates on
            purpose; "ldct-benchmark", which downloads what that project published; a file of
            `write_weights`; a checkpoint of ldct-benchmark or a bare state dict (``.pt``); or
            None for an untrained network. An algorithm without weights is ready with None, and
            with "shipped".
        device: of a network; the best available if None.
        tiles: let a network that takes one size only (TransCT) work on tiles of that size.
        options: of an algorithm without weights.

    Returns:
        A `Denoiser`; of a learned method an `ImageNetwork`, `SinogramNetwork` or `DualNetwork`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds the weights of another method; or the method has
            no weights, or no options.

    >>> load("redcnn", weights=None, device="cpu")
    ImageNetwork('redcnn', untrained, cpu)
    """
    kind = method(name)
    if kind.learned is None:
        return _built(kind, weights, options)
    if options:
        raise ValueError(f"{name} is a network, and has no option {', '.join(options)}.")
    normalization, source = None, "untrained"
    if weights is None:
        net = network(name)
    else:
        path, source = _found(name, weights)
        file = read_weights(path, METHODS, name)
        net = network(name, **file.network_options)
        net.load_state_dict(file.state)
        normalization = file.normalization
        tiles = tiles or file.facts.get("tiles", False)
    settings: dict[str, Any] = {"source": source, "device": device, "tiles": tiles}
    return denoiser_of(kind, net, normalization=normalization, **settings)


def _built(kind: Method, weights: str | Path | None, options: dict[str, Any]) -> Denoiser:
    """An algorithm without weights."""
    assert kind.build is not None
    if weights not in (None, "shipped"):
        raise ValueError(
            f"{kind.name} is an algorithm without weights, and {weights} is not for it: "
            f"load({kind.name!r})."
        )
    return kind.build(**options)


def _found(name: str, weights: str | Path) -> tuple[Path, str]:
    """The weight file, and what it is called."""
    if weights == "shipped":
        return shipped_weights(name), weights
    if weights == "ldct-benchmark":
        return published_weights(method(name)), weights
    path = Path(weights)
    if weights in variants(name) or (isinstance(weights, str) and _is_name(path)):
        return shipped_weights(name, str(weights)), str(weights)
    return path, path.name


def _is_name(path: Path) -> bool:
    """Whether this is a word rather than a file: neither folder nor suffix, and not there."""
    return len(path.parts) == 1 and not path.suffix and not path.exists()


def method(name: str) -> Method:
    """The entry of a method.

    Raises:
        ValueError: there is none of this name.

    >>> method("redcnn").label
    'RED-CNN'
    """
    if name not in METHODS:
        raise ValueError(f"No denoiser is called {name!r}; there are {', '.join(METHODS)}.")
    return METHODS[name]
