"""Weight files: safetensors with a few facts as JSON; foreign checkpoints can be read too."""

from __future__ import annotations

import argparse
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ldctlib.denoisers.method import Method
from ldctlib.files import write_tensors
from ldctlib.units import Normalization

State = dict[str, Tensor]
LARGE = 10_000


@dataclass(frozen=True)
class WeightFile:
    """What a weight file holds.

    Args:
        state: parameters by name, float32.
        normalization: the scale the network works on, or None where the file does not say.
        facts: how the network was trained.
        method: name of the method, or "" where the file does not say.
    """

    state: State
    normalization: Normalization | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    method: str = ""

    @property
    def network_options(self) -> dict[str, Any]:
        """What the network's class has to be called with, where that is not the published one."""
        return dict(self.facts.get("network", {}))


def write_weights(
    path: str | Path,
    method: str,
    state: Mapping[str, Tensor],
    *,
    normalization: Normalization,
    facts: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write the parameters of a network to a safetensors file.

    Args:
        path: of the file; it appears complete or not at all.
        method: name of the method.
        state: the network's ``state_dict()``.
        normalization: the scale the network works on.
        facts: anything JSON can hold, e.g. data, steps and seed of the training; ``network``,
            options of the network's class; ``tiles``, whether images are cut into tiles.
        dtype: in which layers of more than 10,000 weights are stored; float16 halves the file.
            Small layers, first and last ones among them, are always stored as float32.
    """
    metadata = {
        "method": method,
        "normalization": json.dumps(asdict(normalization)),
        "facts": json.dumps(dict(facts or {})),
    }
    large = {k for k, v in state.items() if v.is_floating_point() and v.numel() > LARGE}
    tensors = {key: v.to(dtype) if key in large else v for key, v in state.items()}
    write_tensors(path, tensors, metadata)


def read_weights(path: str | Path, methods: Mapping[str, Method], method: str) -> WeightFile:
    """Read the weights of a method from a file of any accepted layout.

    Args:
        path: ``.safetensors`` of `write_weights`, or a torch file that holds
            ``{"args", "iteration", "model_state_dict"}`` as the published benchmark's do, or a
            state dict alone. A prefix ``module.`` of all names is dropped.
        methods: the registry.
        method: name of the method the weights are for.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or does not fit the method.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no weight file {path}.")
    file = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    _check(file, path, methods, method)
    return file


def shipped_weights(method: str, variant: str = "") -> Path:
    """The weight file that comes with the library.

    Args:
        method: name of the method.
        variant: name of other weights of the method, see `variants`; "" for the usual ones.

    Raises:
        FileNotFoundError: there is none.
    """
    path = _folder() / f"{method}{'-' * bool(variant)}{variant}.safetensors"
    if path.is_file():
        return path
    if variant:
        known = ", ".join(map(repr, variants(method))) or "none"
        raise FileNotFoundError(
            f"There is no weight file {variant}, and no weights of {method} have this name; "
            f"beside 'shipped' there are: {known}."
        )
    raise FileNotFoundError(
        f"No weights of {method} come with the library: train it, or give a file "
        f"(load({method!r}, weights=path))."
    )


def variants(method: str) -> list[str]:
    """Names of the weights that come with the library beside the usual ones of a method.

    They belong to networks that hallucinate on purpose; each has a card beside it that says how.

    >>> variants("redcnn")
    []
    """
    files = _folder().glob(f"{method}-*.safetensors")
    return sorted(file.stem.removeprefix(f"{method}-") for file in files)


def _folder() -> Path:
    return Path(str(resources.files("ldctlib"))) / "weights"


def _read_safetensors(path: Path) -> WeightFile:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        scale = json.loads(metadata.get("normalization", "null"))
        facts = json.loads(metadata.get("facts", "{}"))
        normalization = Normalization(**scale) if scale else None
    except (SafetensorError, json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"{path} is damaged and cannot be read ({error}).") from error
    return WeightFile(_plain(state), normalization, facts, metadata.get("method", ""))


def _read_torch(path: Path) -> WeightFile:
    """A pickle, of which torch lets only tensors and argparse's namespaces come to life."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged, or holds more than weights, and was not read."
        ) from error
    facts: dict[str, Any] = {}
    if isinstance(content, dict) and "model_state_dict" in content:
        facts = {k: content[k] for k in ("iteration", "epoch") if k in content}
        content = content["model_state_dict"]
    if not isinstance(content, dict) or not all(torch.is_tensor(v) for v in content.values()):
        raise ValueError(f"{path} holds no weights: neither a state dict nor a checkpoint.")
    return WeightFile(_plain(content), None, facts)


def _plain(state: Mapping[str, Tensor]) -> State:
    """Without the prefix of a parallel wrapper, floating-point values as float32."""
    if state and all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def _check(file: WeightFile, path: Path, methods: Mapping[str, Method], method: str) -> None:
    state = file.state
    if not all(bool(torch.isfinite(value).all()) for value in state.values()):
        raise ValueError(f"{path} holds weights that are not finite.")
    expected = _shapes(methods[method], **file.network_options)
    given = {key: tuple(value.shape) for key, value in state.items()}
    if given == expected and file.method in ("", method):
        return
    if file.method not in ("", method):
        raise ValueError(f"{path} holds the weights of {file.method}, not of {method}.")
    for other in methods:
        if other != method and methods[other].learned and given == _shapes(methods[other]):
            raise ValueError(f"{path} holds the weights of {other}, not of {method}.")
    differences = [key for key in (*expected, *given) if expected.get(key) != given.get(key)]
    key = differences[0]
    raise ValueError(
        f"{path} does not fit {method}: {key} is {given.get(key, 'missing')} in the file and "
        f"{expected.get(key, 'unknown')} in the network ({len(set(differences))} such entries)."
    )


def _shapes(method: Method, **options: Any) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        state = method.trainable.network(**options).state_dict()
    return {key: tuple(value.shape) for key, value in state.items()}
