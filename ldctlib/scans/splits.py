"""Which patients the shipped networks were trained on, and which they have never seen.

The split is by patient and is made once, in splits.json. Whatever it does not name is unseen.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ldctlib.scans.catalogue import table

PHANTOMS = ("phantom-chest", "phantom-abdomen", "phantom-head")


@cache
def _splits() -> dict[str, dict[str, list[Any]]]:
    splits: dict[str, dict[str, list[Any]]] = json.loads(
        files("ldctlib.scans").joinpath("splits.json").read_text("utf-8")
    )
    return splits


def patients(split: str) -> list[tuple[str, dict[str, int]]]:
    """Names and options of `open_scan` for the patients of a split.

    Args:
        split: "training", "validation" (to choose checkpoints by) or "unseen" (real scans only:
            every phantom of another seed is unseen as well).

    >>> patients("training")[0], len(patients("training"))
    (('lidc-0314', {}), 303)
    """
    if split == "unseen":
        return [(row["name"], {}) for row in table() if split_of(row["name"]) == "unseen"]
    if split not in _splits():
        raise ValueError(f"A split is {', '.join(_splits())} or unseen, not {split!r}.")
    first, stop = _splits()[split]["phantom_seeds"]
    phantoms = [(name, {"seed": seed}) for seed in range(first, stop) for name in PHANTOMS]
    return [(name, {}) for name in _splits()[split]["scans"]] + phantoms


def split_of(name: str, seed: int = 0) -> str:
    """The split of a scan: "training", "validation" or "unseen".

    >>> split_of("lidc-0314"), split_of("phantom-head", seed=1000), split_of("phantom-head")
    ('training', 'training', 'unseen')
    """
    for split, members in _splits().items():
        seeds = range(*members["phantom_seeds"])
        if name in members["scans"] or (name in PHANTOMS and seed in seeds):
            return split
    return "unseen"
