"""Many binary masks on one volume, overlapping allowed, kept as runs of voxels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Masks:
    """S binary masks on a grid (Z, H, W), run-length coded along rows.

    Mask ``i`` has runs ``offsets[i]:offsets[i + 1]``; run ``r`` covers the flat voxels (C order)
    ``starts[r]`` to ``starts[r] + lengths[r] - 1``. Memory grows with the runs, not the voxels.
    Masks that a program found have (S,) ``scores``: how sure it is.

    >>> disc = np.zeros((4, 4), bool); disc[1:3, 1:3] = True
    >>> masks = Masks.from_slices([(2, disc)], shape=(3, 4, 4), labels=["disc"])
    >>> len(masks), masks.areas.tolist(), masks.labels
    (1, [4], ('disc',))
    """

    shape: tuple[int, int, int]
    offsets: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    labels: tuple[str, ...]
    scores: np.ndarray | None = None

    @classmethod
    def from_label_map(cls, label_map: np.ndarray, names: Mapping[int, str]) -> Masks:
        """One mask for every id in ``names`` that occurs in an integer label map (Z, H, W).

        >>> Masks.from_label_map(np.array([[[0, 1, 1, 2]]]), {1: "liver", 2: "cyst"}).areas.tolist()
        [2, 1]
        """
        label_map = np.asarray(label_map)
        if label_map.ndim != 3 or label_map.dtype.kind not in "iub":
            raise ValueError("A label map is an integer array (Z, H, W).")
        starts, lengths, values = _runs(label_map)
        order = np.argsort(values, kind="stable")
        starts, lengths, values = starts[order], lengths[order], values[order]
        wanted = np.isin(values, list(names))
        starts, lengths, values = starts[wanted], lengths[wanted], values[wanted]
        ids, first = np.unique(values, return_index=True)
        offsets = np.append(first, len(values)).astype(np.int64)
        return cls(label_map.shape, offsets, starts, lengths, tuple(names[int(i)] for i in ids))

    @classmethod
    def from_slices(
        cls,
        masks: Iterable[tuple[int, np.ndarray]],
        shape: tuple[int, int, int],
        labels: Sequence[str] | None = None,
        scores: Sequence[float] | None = None,
    ) -> Masks:
        """Masks that each lie in one slice.

        Args:
            masks: pairs of a slice index and a boolean array (H, W).
            shape: (Z, H, W) of the volume.
            labels: one name a mask; numbers if None.
            scores: one a mask, or none at all.
        """
        starts, lengths, offsets = [], [], [0]
        for z, mask in masks:
            if mask.shape != shape[1:] or not 0 <= z < shape[0]:
                raise ValueError(f"A mask {mask.shape} in slice {z} does not lie in {shape}.")
            start, length, value = _runs(np.asarray(mask, bool)[None])
            starts.append(start[value] + z * shape[1] * shape[2])
            lengths.append(length[value])
            offsets.append(offsets[-1] + int(value.sum()))
        names = tuple(labels) if labels is not None else tuple(map(str, range(len(starts))))
        if len(names) != len(starts):
            raise ValueError(f"{len(names)} labels were given for {len(starts)} masks.")
        if scores is not None and len(scores) != len(starts):
            raise ValueError(f"{len(scores)} scores were given for {len(starts)} masks.")
        empty = np.zeros(0, np.int64)
        return cls(
            shape,
            np.array(offsets),
            np.concatenate([empty, *starts]),
            np.concatenate([empty, *lengths]),
            names,
            None if scores is None else np.asarray(scores, np.float64),
        )

    @classmethod
    def from_volumes(cls, volumes: Mapping[str, np.ndarray]) -> Masks:
        """One mask for every boolean volume (Z, H, W), all on one grid; they may overlap.

        >>> liver = np.ones((2, 3, 4), bool)
        >>> Masks.from_volumes({"liver": liver, "half": liver & (np.arange(4) < 2)}).areas.tolist()
        [24, 12]
        """
        shapes = {np.shape(volume) for volume in volumes.values()}
        if len(shapes) != 1 or len(shape := shapes.pop()) != 3:
            raise ValueError("Masks are boolean volumes (Z, H, W), at least one, all on one grid.")
        starts, lengths, offsets = [], [], [0]
        for name, volume in volumes.items():
            if np.asarray(volume).dtype != bool:
                raise ValueError(f"The mask {name!r} is not boolean: compare it with something.")
            start, length, value = _runs(np.asarray(volume))
            starts.append(start[value])
            lengths.append(length[value])
            offsets.append(offsets[-1] + int(value.sum()))
        runs = np.concatenate(starts), np.concatenate(lengths)
        return cls(shape, np.array(offsets), *runs, tuple(volumes))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def areas(self) -> np.ndarray:
        """(S,) number of voxels of every mask."""
        before = np.concatenate([[0], np.cumsum(self.lengths)])
        areas: np.ndarray = before[self.offsets[1:]] - before[self.offsets[:-1]]
        return areas

    def index(self, label: str) -> int:
        """Position of the mask with this label."""
        if label not in self.labels:
            raise ValueError(f"No mask is called {label!r}.")
        return self.labels.index(label)

    def boolean(self, mask: int | str) -> np.ndarray:
        """One mask, by position or label, as a boolean volume (Z, H, W)."""
        i = self.index(mask) if isinstance(mask, str) else mask
        volume = np.zeros(int(np.prod(self.shape)), bool)
        volume[self._voxels(i)] = True
        return volume.reshape(self.shape)

    def select(self, keep: Iterable[int]) -> Masks:
        """The masks at these positions, in this order."""
        keep = list(keep)
        runs = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in keep]
        index = np.concatenate([np.zeros(0, np.int64), *runs])
        offsets = np.concatenate([[0], np.cumsum([len(r) for r in runs])]).astype(np.int64)
        labels = tuple(self.labels[i] for i in keep)
        scores = None if self.scores is None else self.scores[keep]
        return Masks(self.shape, offsets, self.starts[index], self.lengths[index], labels, scores)

    def merged(self, groups: Mapping[str, Iterable[int]]) -> Masks:
        """One mask for every group: all voxels of the masks at these positions.

        >>> bones = Masks.from_label_map(np.array([[[1, 1, 2, 0]]]), {1: "L1", 2: "L2"})
        >>> bones.merged({"spine": [0, 1]}).areas.tolist()
        [3]
        """
        volumes = {name: np.zeros(self.shape, bool) for name in groups}
        for name, members in groups.items():
            for i in members:
                volumes[name].reshape(-1)[self._voxels(i)] = True
        return Masks.from_volumes(volumes)

    def sum_over(self, values: np.ndarray) -> np.ndarray:
        """(S,) sum of a volume (Z, H, W) over every mask, in float64."""
        if values.shape != self.shape:
            raise ValueError(f"The volume is {values.shape}, the masks lie on {self.shape}.")
        flat = values.reshape(-1)
        sums = [flat[self._voxels(i)].sum(dtype=np.float64) for i in range(len(self))]
        return np.array(sums, np.float64)

    def _voxels(self, i: int) -> np.ndarray:
        runs = slice(self.offsets[i], self.offsets[i + 1])
        starts, lengths = self.starts[runs], self.lengths[runs]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        voxels: np.ndarray = np.repeat(starts, lengths) + within
        return voxels


def _runs(volume: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, length and value of every run of equal voxels; a run never leaves its row."""
    flat = volume.reshape(-1)
    change = np.empty(len(flat), bool)
    change[0] = True
    np.not_equal(flat[1:], flat[:-1], out=change[1:])
    change[:: volume.shape[-1]] = True
    starts = np.flatnonzero(change)
    return starts, np.diff(np.append(starts, len(flat))), flat[starts]
