"""The folder of a training: which files it holds, and whether it is the same training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ldctlib.denoisers import Method, Recipe
from ldctlib.training import checkpoint
from ldctlib.training.sampler import Sampler
from ldctlib.training.validation import Validation

LAST, BEST, HISTORY = "last.safetensors", "best.safetensors", "history.csv"


def identify(
    method: Method,
    recipe: Recipe,
    sampler: Sampler,
    validation: Validation,
    settings: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """What must not change from one session of a training to the next; more steps may be asked."""
    facts = {
        "method": method.name,
        "learning_rate": recipe.learning_rate,
        "batch": recipe.batch,
        "patch": recipe.patch,
        "betas": recipe.betas,
        "options": {**recipe.options, **options},
        "training data": sampler.fingerprint,
        "validation data": validation.fingerprint,
        **settings,
    }
    as_it_is_read: dict[str, Any] = json.loads(json.dumps(facts))
    return as_it_is_read


def saved_state(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state to continue from, or None if the folder holds none.

    Raises:
        ValueError: the folder belongs to another training, or its state is damaged.
    """
    if not (folder / LAST).exists():
        return None
    state = checkpoint.load(folder / LAST)
    before = state["identity"]
    changed = [key for key in identity if before.get(key) != identity[key]]
    if changed:
        differences = ", ".join(f"{k} was {before.get(k)}, now {identity[k]}" for k in changed)
        raise ValueError(
            f"{folder} holds another training ({differences}): give another folder, or "
            "resume=False to replace it."
        )
    return state


def clear(folder: Path) -> None:
    """Remove what an earlier training left."""
    for name in (LAST, BEST, HISTORY):
        (folder / name).unlink(missing_ok=True)
