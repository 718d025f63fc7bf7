"""What `show` is given, checked: one grid, slices that exist, rectangles that lie inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch

from ldctlib import units
from ldctlib.scans.scan import Scan

Image: TypeAlias = "Scan | np.ndarray | torch.Tensor"
Rectangle: TypeAlias = "tuple[slice, slice]"
Slices: TypeAlias = "int | slice | Sequence[int]"


def volumes(images: Mapping[str, Image]) -> dict[str, np.ndarray]:
    """Every image as a volume (Z, H, W); all on one grid."""
    if not images:
        raise ValueError("There is nothing to show: give at least one image.")
    found = {}
    for name, image in images.items():
        hu = image.hu if isinstance(image, Scan) else image
        hu = hu.detach().cpu().numpy() if isinstance(hu, torch.Tensor) else np.asarray(hu)
        if hu.ndim not in (2, 3) or 0 in hu.shape:
            raise ValueError(f"{name!r} is {hu.shape}; show takes slices (H, W) or volumes.")
        found[name] = hu if hu.ndim == 3 else hu[None]
    shapes = {v.shape for v in found.values()}
    if len(shapes) > 1:
        told = ", ".join(f"{name!r} is {v.shape}" for name, v in found.items())
        raise ValueError(f"Panes share one grid, but {told}: resample or crop them first.")
    return found


def numbers(slices: Slices | None, depth: int) -> list[int]:
    """The slices asked for, as numbers in the volume."""
    if slices is None or isinstance(slices, slice):
        asked = list(range(depth))[slices or slice(None)]
    elif isinstance(slices, Sequence | np.ndarray):
        asked = [int(i) for i in slices]
    else:
        asked = [int(slices)]
    if not asked or min(asked) < 0 or max(asked) >= depth:
        raise ValueError(f"slices={slices!r} asks for slices that are not among 0 to {depth - 1}.")
    return asked


def rectangle(what: str, given: Rectangle | None, outer: Rectangle) -> Rectangle:
    """The rectangle with its ends filled in, checked to lie in another."""
    if given is None:
        return outer
    filled = []
    for part, around in zip(given, outer, strict=True):
        start = around.start if part.start is None else part.start
        stop = around.stop if part.stop is None else part.stop
        if part.step not in (None, 1) or not around.start <= start < stop <= around.stop:
            told = "rows {}:{}, columns {}:{}".format(
                *(v for s in outer for v in (s.start, s.stop))
            )
            raise ValueError(f"{what}={given} does not lie in the {told} on show.")
        filled.append(slice(int(start), int(stop)))
    return filled[0], filled[1]


def shifted(rectangle: Rectangle, rows: int, columns: int) -> Rectangle:
    """The rectangle moved."""
    y, x = rectangle
    return slice(y.start + rows, y.stop + rows), slice(x.start + columns, x.stop + columns)


def window_of(images: Mapping[str, Image]) -> str:
    """The window in which the first scan's anatomy is judged; the lung's if it is not known.

    >>> window_of({"slice": np.zeros((4, 4))})
    'lung'
    """
    anatomy = getattr(next(iter(images.values())), "anatomy", None)
    return units.WINDOW_OF_ANATOMY.get(anatomy or "chest", "lung")


def doses(images: Mapping[str, Image]) -> list[str]:
    """What the scans say of their dose, each statement once, with the first pane that says it.

    A denoised scan comes last in this: its noise is no longer that of its dose.

    >>> facts = {"dose": "10 % (as noisy as 9 %)"}
    >>> low = Scan(np.zeros((1, 4, 4)), (1, 1, 1), "patient", provenance=facts)
    >>> doses({"CNN": low.with_hu(low.hu, denoiser="cnn10"), "low dose": low, "again": low})
    ['low dose: 10 % (as noisy as 9 %)']
    """
    stated = {name: getattr(image, "provenance", {}) for name, image in images.items()}
    first: dict[str, str] = {}
    for name, facts in sorted(stated.items(), key=lambda item: "denoiser" in item[1]):
        if "dose" in facts:
            what = ", before it was denoised" if "denoiser" in facts else ""
            first.setdefault(facts["dose"], f"{name}{what}: {facts['dose']}")
    return list(first.values())


def pair_of(difference: tuple[str, str] | None, names: Sequence[str]) -> tuple[int, int] | None:
    """Positions of the two panes of a difference."""
    if difference is None:
        return None
    for name in difference:
        if name not in names:
            told = ", ".join(map(repr, names))
            raise ValueError(f"The difference names {name!r}, but the panes are {told}.")
    return names.index(difference[0]), names.index(difference[1])


def change(planes: Sequence[np.ndarray] | np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Difference of two of the int16 planes, kept inside int16."""
    exact = planes[pair[0]].astype(np.int32) - planes[pair[1]]
    return np.asarray(exact.clip(-32768, 32767), np.int16)


def limit(change: np.ndarray) -> float:
    """A round number of HU that 95 % of the differences stay below, at least 10.

    >>> limit(np.arange(-80, 80))
    100.0
    """
    high = max(10.0, float(np.percentile(np.abs(change.astype(np.int32)), 95)))
    power = 10 ** np.floor(np.log10(high))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= high))
