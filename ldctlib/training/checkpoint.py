"""The state of a training in one file: tensors as safetensors, all the rest as JSON beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ldctlib.files import write_tensors

KEY = "ldctlib"


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write a nested state of dicts, lists, numbers, texts and tensors; the old file until then.

    Args:
        state: e.g. what ``state_dict()`` of an optimiser gives.
        path: of the file, ``….safetensors``.

    Raises:
        TypeError: something in the state is neither JSON nor a tensor.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_take_apart(dict(state), tensors, ""))
    write_tensors(path, tensors, {KEY: skeleton})


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote; tensors come back on the CPU in the memory format they had.

    Raises:
        ValueError: the file is not a checkpoint of this library, or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            skeleton = (file.metadata() or {}).get(KEY)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged and cannot be read ({error}); delete it.") from error
    if skeleton is None:
        raise ValueError(f"{path} is no checkpoint of a training: it holds tensors alone.")
    state: dict[str, Any] = _put_together(json.loads(skeleton), tensors)
    return state


def _take_apart(value: Any, tensors: dict[str, Tensor], name: str) -> Any:
    """JSON for a nested value; its tensors go into ``tensors`` and leave their name behind."""
    if isinstance(value, Tensor):
        tensors[name] = value
        # Optimisers walk through weights and moments side by side: both need the same layout.
        last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
        return {"tensor": name, "channels_last": last and not value.is_contiguous()}
    if isinstance(value, Mapping):
        items = [[k, _take_apart(v, tensors, f"{name}/{k}")] for k, v in value.items()]
        return {"items": items}
    if isinstance(value, list | tuple):
        return [_take_apart(v, tensors, f"{name}/{i}") for i, v in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"A checkpoint holds tensors, numbers, texts, lists and dicts; {name[1:]} is a "
        f"{type(value).__name__}."
    )


def _put_together(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_put_together(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    if "items" in value:
        return {k: _put_together(v, tensors) for k, v in value["items"]}
    tensor = tensors[value["tensor"]]
    if value["channels_last"]:
        return tensor.contiguous(memory_format=torch.channels_last)
    return tensor
