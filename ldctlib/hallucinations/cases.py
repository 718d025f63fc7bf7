"""Patients for the recall experiment: phantoms that lose structures exactly, and labelled scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation

from ldctlib.hallucinations.exact import owners
from ldctlib.hallucinations.inpaint import visible_structures
from ldctlib.hallucinations.lesions.pair import LesionPair
from ldctlib.hallucinations.structures import split_structures
from ldctlib.masks import Masks
from ldctlib.scans import Scan, open_scan
from ldctlib.scans.phantoms import Lesion, phantom

_GAP_PX = 3


@dataclass(frozen=True)
class _Phantom:
    anatomy: str
    prefixes: tuple[str, ...]
    centre_mm: float
    lesions: tuple[Lesion, ...] | None = None


def _lesions(kinds: Sequence[str], count: int, sizes_mm: tuple[float, float]) -> tuple[Lesion, ...]:
    sizes = np.geomspace(*sizes_mm, count)
    return tuple(
        Lesion(kinds[i % len(kinds)], None, float(sizes[i]), None) for i in range(count)[::-1]
    )


_PHANTOMS = {
    "phantom-chest-vessels": _Phantom("chest", ("lung-vessel-",), -24.0),
    "phantom-chest-nodules": _Phantom(
        "chest", ("nodule-",), -24.0, _lesions(("solid", "spiculated"), 60, (4, 12))
    ),
    "phantom-abdomen-vessels": _Phantom("abdomen", ("portal-branch-", "hepatic-vein-"), 0.0),
    "phantom-head-lesions": _Phantom("head", ("lesion-",), 21.0, _lesions(("bleed",), 30, (5, 12))),
}
# Labels of the real scans whose pieces may vanish, by what their names begin with.
_VESSELS_AND_RIBS = (
    "aorta",
    "inferior_vena",
    "portal_vein",
    "iliac_",
    "rib_",
    "costal_",
    "adrenal",
)
_LABELLED = {
    "totalsegmentator-dicom": ("organs", _VESSELS_AND_RIBS),
    "totalsegmentator-abdomen": ("organs", _VESSELS_AND_RIBS),
}


def removal_cases() -> list[str]:
    """Names that `removal_case` knows; the phantoms need no data.

    >>> removal_cases()[0], removal_cases()[-1]
    ('phantom-chest-vessels', 'totalsegmentator-abdomen')
    """
    return [*_PHANTOMS, *_LABELLED]


def removal_case(
    name: str, *, seed: int = 0, shape: tuple[int, int, int] = (40, 256, 256)
) -> LesionPair:
    """A patient with and without what may vanish from it, ready for `removal_experiment`.

    Args:
        name: one of `removal_cases`. Phantoms take seconds to a minute to render twice.
        seed: of the phantom.
        shape: (Z, H, W) of the phantom.

    Raises:
        ValueError: there is no such case, or the phantom holds too few structures at this shape.
    """
    if name in _PHANTOMS:
        return _phantom_case(_PHANTOMS[name], seed, shape)
    if name in _LABELLED:
        return _labelled_case(name)
    raise ValueError(f"There is no case {name!r}; there are {', '.join(removal_cases())}.")


def _phantom_case(recipe: _Phantom, seed: int, shape: tuple[int, int, int]) -> LesionPair:
    def render(without: Sequence[str] = ()) -> Scan:
        return phantom(
            recipe.anatomy,
            seed=seed,
            shape=shape,
            centre_mm=recipe.centre_mm,
            lesions=recipe.lesions,
            without=without,
        )

    reference = render()
    every = reference.masks["structures"]
    # "lesion-3", not "lesion-3-oedema"
    kinds, numbers = zip(*(label.rpartition("-")[::2] for label in every.labels), strict=True)
    named = [
        i
        for i, (kind, number) in enumerate(zip(kinds, numbers, strict=True))
        if f"{kind}-" in recipe.prefixes and number.isdigit()
    ]
    return exact_case(reference, every.select(named), render)


def exact_case(
    reference: Scan,
    structures: Masks,
    render: Callable[[Sequence[str]], Scan],
    *,
    voxels: tuple[int, int] = (16, 600),
    least_change_hu: float = 20.0,
) -> LesionPair:
    """Of a phantom's structures those that can be removed one by one, exactly.

    Args:
        reference: the patient.
        structures: those that may vanish.
        render: the same patient without the structures of these labels.
        voxels: fewest and most voxels of a structure.
        least_change_hu: structures that stand out less are left in.

    Raises:
        ValueError: fewer than two structures are left.
    """
    chosen = separate_structures(structures, voxels)
    bare = render(chosen.labels).hu
    # What is connected after all, by tails too faint for a mask, stays in: nothing of it changes.
    change = bare - reference.hu
    owner, shared = owners(change, chosen)
    visible = chosen.sum_over(np.abs(change)) >= least_change_hu * chosen.areas
    stays = shared | set(np.flatnonzero(~visible).tolist())
    restored = np.isin(owner, [i + 1 for i in stays])
    without = reference.with_hu(np.where(restored, reference.hu, bare), f"{reference.name}, bare")
    kept = chosen.select([i for i in range(len(chosen)) if i not in stays])
    if len(kept) < 2:
        raise ValueError(
            f"{reference.name} has {len(kept)} structures of {voxels[0]} to {voxels[1]} voxels "
            "that stand alone: take more or larger slices."
        )
    return LesionPair(reference, without, kept)


def separate_structures(structures: Masks, voxels: tuple[int, int] = (16, 600)) -> Masks:
    """Structures of a size, no two of which come near each other; small ones are taken first.

    >>> row = np.array([[[1, 0, 2, 0, 0, 0, 0, 0, 3]]])
    >>> near = Masks.from_label_map(row, {1: "a", 2: "b", 3: "c"})
    >>> separate_structures(near, (1, 9)).labels
    ('a', 'c')
    """
    areas, taken = structures.areas, np.zeros(structures.shape, bool)
    fits = np.flatnonzero((areas >= voxels[0]) & (areas <= voxels[1]))
    keep: list[int] = []
    for i in fits[np.argsort(areas[fits], kind="stable")].tolist():
        mask = structures.boolean(i)
        if not taken[mask].any():
            keep.append(i)
            _mark_near(taken, mask)
    return structures.select(sorted(keep))


def _mark_near(taken: np.ndarray, mask: np.ndarray) -> None:
    """Mark all voxels within a cube about those of a mask, inside its box only."""
    where = np.argwhere(mask)
    low = np.maximum(where.min(0) - _GAP_PX, 0)
    high = where.max(0) + _GAP_PX + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    taken[box] |= binary_dilation(mask[box], np.ones((3, 3, 3)), iterations=_GAP_PX)


def _labelled_case(name: str) -> LesionPair:
    scan = open_scan(name)
    key, prefixes = _LABELLED[name]
    masks: Any = scan.masks[key]
    named = [i for i, label in enumerate(masks.labels) if label.startswith(prefixes)]
    parts = split_structures(masks.select(named), spacing_mm=scan.spacing_mm)
    return LesionPair.inpainted(scan, visible_structures(scan, parts))
