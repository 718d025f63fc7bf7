"""Exact removal: phantoms are rendered without their structures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects, label

from ldctlib.hallucinations.lesions.pair import LesionPair
from ldctlib.hallucinations.structures import require_visible
from ldctlib.masks import Masks

_ROUNDING_HU = 1e-3


class ExactRemoval:
    """Any choice among structures that do not touch, from one rendering without all of them.

    What a structure changes are the connected voxels, soft edge and blur included, that differ
    between the two renderings; since no two structures share such voxels, removing some of them
    is to take the second rendering there.

    Args:
        patient: with all structures and without any.
        least_change_hu: the mean absolute change that each structure must show in its mask.

    Raises:
        ValueError: structures share voxels, or one changes less.
    """

    def __init__(self, patient: LesionPair, least_change_hu: float = 0.0) -> None:
        structures = patient.lesions
        self.change = -patient.added
        self.change[np.abs(self.change) <= _ROUNDING_HU] = 0
        self._owner, shared = owners(self.change, structures)
        if shared:
            names = ", ".join(structures.labels[i] for i in sorted(shared)[:4])
            raise ValueError(
                f"{names} … share voxels that change, so that one cannot be removed without "
                "the other: choose structures that do not touch, see separate_structures."
            )
        self._count = len(structures)
        seen = structures.sum_over(np.abs(self.change)) / structures.areas
        require_visible(seen, structures.labels, least_change_hu, patient.present.name)

    def __call__(self, chosen: Sequence[int], rng: np.random.Generator | None = None) -> np.ndarray:
        """What removing these structures adds to the scan, in HU (Z, H, W) float32."""
        keep = np.zeros(self._count + 1, np.float32)
        keep[np.asarray(chosen, int) + 1] = 1
        return np.asarray(keep[self._owner] * self.change)


def owners(change: np.ndarray, structures: Masks) -> tuple[np.ndarray, set[int]]:
    """To which structure every changed voxel belongs.

    Args:
        change: (Z, H, W), 0 where nothing changes.
        structures: what was removed.

    Returns:
        (Z, H, W) positions in ``structures`` plus 1, 0 where nothing changes; and the structures
        that share a connected change with another.
    """
    numbered, _ = label(change != 0, np.ones((3, 3, 3)))
    of_voxel = np.zeros(change.shape, np.int32)
    for i in range(len(structures)):
        of_voxel[structures.boolean(i)] = i + 1
    owner = np.zeros_like(of_voxel)
    shared: set[int] = set()
    nearest: np.ndarray | None = None
    for number, box in enumerate(find_objects(numbered)):
        inside = numbered[box] == number + 1
        found = np.unique(of_voxel[box][inside])
        found = found[found > 0]
        if len(found) > 1:
            shared.update(int(i) - 1 for i in found)
        elif len(found) == 0:  # a tail too faint for the mask
            if nearest is None:
                nearest = distance_transform_edt(
                    of_voxel == 0, return_distances=False, return_indices=True
                )
            places = np.argwhere(inside) + [part.start for part in box]
            there = tuple(nearest[:, places[:, 0], places[:, 1], places[:, 2]])
            found = np.array([np.bincount(of_voxel[there]).argmax()])
        owner[box][inside] = found[0]
    return owner, shared
