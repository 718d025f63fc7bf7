"""Where the voxels of many masks are: runs along rows, and the questions they answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ldctlib.masks import loops

Piece = tuple[np.ndarray, np.ndarray]  # starts and lengths of the runs of one mask


@dataclass(frozen=True, eq=False)
class Runs:
    """S binary masks on a grid (Z, H, W), run-length coded along rows.

    Mask ``i`` has runs ``offsets[i]:offsets[i + 1]``; run ``r`` covers the flat voxels (C order)
    ``starts[r]`` to ``starts[r] + lengths[r] - 1`` and stays in its row. Runs of a mask ascend.
    """

    shape: tuple[int, int, int]
    offsets: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def __post_init__(self) -> None:
        for name in ("offsets", "starts", "lengths"):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), np.int64))
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        ends = self.offsets[:1].tolist() + self.offsets[-1:].tolist()
        fits = ends == [0, len(self.starts)] and len(self.starts) == len(self.lengths)
        if len(self.shape) != 3 or not fits or not loops.are_sound(*self._runs, *self._grid):
            raise ValueError(
                "Runs of masks ascend within each mask and stay in their row of (Z, H, W): make "
                "masks with from_slices, from_volumes or from_label_map."
            )

    @property
    def areas(self) -> np.ndarray:
        """(S,) number of voxels of every mask."""
        before = np.concatenate([[0], np.cumsum(self.lengths)])
        areas: np.ndarray = before[self.offsets[1:]] - before[self.offsets[:-1]]
        return areas

    @property
    def bounding_boxes(self) -> np.ndarray:
        """(S, 6) z0, z1, y0, y1, x0, x1 of every mask, half open; zeros if it has no voxel."""
        found: np.ndarray = loops.boxes(*self._runs, *self.shape[1:])
        return found

    @property
    def largest_slices(self) -> np.ndarray:
        """(S,) the slice in which each mask has most voxels, the first of several; 0 if empty."""
        slices = self.starts // (self.shape[1] * self.shape[2])
        largest = np.zeros(len(self.offsets) - 1, np.int64)
        for i, (first, past) in enumerate(zip(self.offsets[:-1], self.offsets[1:], strict=True)):
            if first < past:
                largest[i] = np.bincount(slices[first:past], self.lengths[first:past]).argmax()
        return largest

    @property
    def owners(self) -> np.ndarray:
        """(R,) which mask every run belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def in_slice(self, z: int) -> np.ndarray:
        """Positions of the masks that touch slice z.

        Raises:
            ValueError: there is no such slice.
        """
        if not 0 <= z < self.shape[0]:
            raise ValueError(f"Slices run from 0 to {self.shape[0] - 1}; there is no slice {z}.")
        pixels = self.shape[1] * self.shape[2]
        return np.flatnonzero(
            loops.touching(self.offsets, self.starts, z * pixels, (z + 1) * pixels)
        )

    def union(self) -> np.ndarray:
        """The voxels of any mask: boolean (Z, H, W)."""
        volume = np.zeros(self.shape, bool)
        loops.fill(volume.reshape(-1), self.starts, self.lengths)
        return volume

    def sum_over(self, values: np.ndarray) -> np.ndarray:
        """(S,) sum of a volume (Z, H, W) over every mask, in float64."""
        if values.shape != self.shape:
            raise ValueError(f"The volume is {values.shape}, the masks lie on {self.shape}.")
        sums = np.empty(len(self.offsets) - 1)
        loops.in_threads(
            partial(_sum_share, (loops.as_flat(values), *self._runs), sums), self.offsets
        )
        return sums

    def iou(self, other: Runs | None = None) -> Any:
        """Intersection over union of all pairs of masks.

        Args:
            other: T masks on the same grid; the same masks if None.

        Returns:
            Sparse (S, T) matrix (``scipy.sparse.csr_array``) of the pairs that share a voxel.

        Raises:
            ValueError: the other masks lie on another grid.
        """
        from scipy.sparse import coo_array

        other = self if other is None else other
        if other.shape != self.shape:
            raise ValueError(
                f"Masks on {self.shape} cannot be compared with some on {other.shape}."
            )
        order = np.argsort(other.starts, kind="stable")
        spans = np.stack([other.starts, other.starts + other.lengths])[:, order]
        count = len(other.offsets) - 1
        mask, partner, common = loops.overlaps(
            *self._runs, spans, other.owners[order], count, self.shape[2]
        )
        values = common / (self.areas[mask] + other.areas[partner] - common)
        pairs = coo_array((values, (mask, partner)), (len(self.offsets) - 1, count)).tocsr()
        pairs.sort_indices()
        return pairs

    @property
    def _runs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.offsets, self.starts, self.lengths

    @property
    def _grid(self) -> tuple[int, int]:
        return self.shape[2], self.shape[0] * self.shape[1] * self.shape[2]


def runs_of(volume: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, length and value of every run of equal voxels (Z, H, W); none leaves its row."""
    flat = volume.reshape(-1)
    change = np.empty(len(flat), bool)
    change[0] = True
    np.not_equal(flat[1:], flat[:-1], out=change[1:])
    change[:: volume.shape[-1]] = True
    starts = np.flatnonzero(change)
    return starts, np.diff(np.append(starts, len(flat))), flat[starts]


def _sum_share(volume: tuple[np.ndarray, ...], sums: np.ndarray, first: int, past: int) -> None:
    loops.add_up(*volume, first, past, sums)
