"""Which numeric type and memory format trains fastest here: measured, not guessed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ldctlib.denoisers import Method, Objective, Precision, Recipe

FLOAT32, CHANNELS_LAST = Precision(), Precision(channels_last=True)
BFLOAT16 = Precision(torch.bfloat16)
BFLOAT16_CHANNELS_LAST = Precision(torch.bfloat16, channels_last=True)
NAMES = ("auto", "float32", "bfloat16")

# A less plain way of computing must gain this much to be chosen.
WORTHWHILE = 0.9
# Pixels of a batch that are enough to compare speeds with, where a whole batch takes long.
ENOUGH_PIXELS = {"cpu": 4 * 64**2}

_chosen: dict[tuple[Any, ...], Precision] = {}


def candidates(name: str, device: torch.device) -> list[Precision]:
    """What "auto", "float32" or "bfloat16" stands for on a device, plainest first.

    On CUDA, float32 convolutions run as TF32 where the GPU can (PyTorch's default). float16 is
    not among them: it needs its losses scaled, and bfloat16 does not.

    >>> len(candidates("float32", torch.device("cpu")))
    2
    """
    if name not in NAMES:
        raise ValueError(f"precision is one of {', '.join(NAMES)} or a Precision, not {name!r}.")
    plain, mixed = [FLOAT32, CHANNELS_LAST], [BFLOAT16, BFLOAT16_CHANNELS_LAST]
    if name == "bfloat16":
        return mixed
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return plain
    return plain if name == "float32" else plain + mixed


def choose_precision(
    name: str,
    method: Method,
    recipe: Recipe,
    device: torch.device,
    options: Mapping[str, Any] | None = None,
) -> Precision:
    """The fastest precision for one method on this device, by timing a few of its steps.

    Weights, optimiser and losses stay float32 in all of them, and validation runs in float32.
    The answer is kept for the life of the process. What works on sinograms is not timed: it gets
    the plainest of the candidates.

    Args:
        name: "auto", "float32" or "bfloat16"; the last two leave only the memory format open.
        method: whose network and objective are timed, with fresh weights and random patches.
        recipe: batch and patch to time; on a CPU fewer patches of at most 64 pixels.
        device: where.
        options: of the objective.
    """
    key = (name, method.name, recipe.batch, recipe.patch, str(device), torch.get_num_threads())
    if method.needs != "image":
        return candidates(name, device)[0]
    if key not in _chosen:
        learned = method.trainable
        low = torch.randn(_trial_shape(recipe, method, device), device=device)
        full = low + 0.1 * torch.randn_like(low)
        seconds = {}
        for precision in candidates(name, device):
            objective = learned.objective(
                learned.network(),
                recipe,
                device=device,
                precision=precision,
                seed=0,
                **(options or {}),
            )
            seconds[precision] = _seconds_a_step(objective, low, full)
        _chosen[key] = fastest(seconds)
    return _chosen[key]


def fastest(seconds: Mapping[Precision, float]) -> Precision:
    """The quickest; but an earlier, plainer one unless the later gains a tenth.

    >>> fastest({FLOAT32: 1.0, BFLOAT16: 0.95})
    Precision(autocast=None, channels_last=False)
    """
    best, *others = seconds
    for precision in others:
        if seconds[precision] < WORTHWHILE * seconds[best]:
            best = precision
    return best


def as_facts(precision: Precision) -> dict[str, Any]:
    """A precision for a file, as texts and truth values."""
    name = str(precision.autocast).removeprefix("torch.") if precision.autocast else None
    return {"autocast": name, "channels_last": precision.channels_last}


def from_facts(facts: Mapping[str, Any]) -> Precision:
    """The precision that `as_facts` describes.

    >>> from_facts(as_facts(BFLOAT16)) == BFLOAT16
    True
    """
    name = facts["autocast"]
    return Precision(getattr(torch, name) if name else None, facts["channels_last"])


def _trial_shape(recipe: Recipe, method: Method, device: torch.device) -> tuple[int, ...]:
    batch, patch = recipe.batch, recipe.patch
    pixels = ENOUGH_PIXELS.get(device.type)
    if pixels is not None:
        patch = min(patch, max(64, method.trainable.smallest))
        batch = min(batch, max(1, pixels // patch**2))
    return batch, 1, patch, patch


def _seconds_a_step(objective: Objective, low: Tensor, full: Tensor, steps: int = 3) -> float:
    """The quickest of a few steps, after one to warm up."""
    finish: Callable[[], object] = torch.cuda.synchronize if low.is_cuda else lambda: None
    times = []
    for _ in range(steps + 1):
        finish()
        begin = time.perf_counter()
        objective.step(low, full)
        finish()
        times.append(time.perf_counter() - begin)
    return min(times[1:])
