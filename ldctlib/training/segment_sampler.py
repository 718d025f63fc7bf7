"""Random patches that bring the segments under them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ldctlib.masks import Masks
from ldctlib.physics.exam import Exam
from ldctlib.training.sampler import Batch, PatchSampler


class SegmentSampler(PatchSampler):
    """The patches of a `PatchSampler`, each with the part of every segment that lies in it.

    Args:
        exams: to train on.
        masks: the segments of every exam, on its grid.
        patch: side in pixels.
        batch: patches a draw.
        smallest: fewest pixels of a segment in a patch; what is left of it at the edge may be less
            and then does not count.
        options: of `PatchSampler`: seed, device, normalization.
    """

    def __init__(
        self,
        exams: Sequence[Exam],
        masks: Sequence[Masks],
        patch: int,
        batch: int,
        *,
        smallest: int = 16,
        **options: Any,
    ) -> None:
        if len(exams) != len(masks):
            raise ValueError(f"{len(exams)} exams came with the masks of {len(masks)}.")
        for exam, segments in zip(exams, masks, strict=True):
            if segments.shape != exam.full.shape:
                raise ValueError(
                    f"{exam.full.name} is {exam.full.shape}, its masks lie on {segments.shape}."
                )
        super().__init__(exams, patch, batch, **options)
        self.smallest = smallest
        # The store holds patient after patient, in the order in which they first come.
        patients = [exam.full.name for exam in exams]
        order = sorted(range(len(exams)), key=lambda i: self.patients.index(patients[i]))
        self._masks = [masks[i] for i in order]
        self._first_slices = np.cumsum([0] + [segments.shape[0] for segments in self._masks])
        self._start = torch.zeros(0, dtype=torch.long)
        digest = hashlib.sha256(f"{self.fingerprint} {smallest}".encode())
        for segments in self._masks:
            for runs in (segments.offsets, segments.starts, segments.lengths):
                digest.update(runs.data)
        self.fingerprint = digest.hexdigest()[:16]

    def draw(self) -> Batch:
        """The next batch: low and full dose (N, 1, P, P), normalised, and masks on (N, P, P)."""
        low, full = super().draw()
        found = Masks.stack(self._segments(int(first)) for first in self._start)
        return low, full, found.select(found.areas >= self.smallest)

    def _places(self) -> tuple[Tensor, Tensor]:
        self._start, width = super()._places()
        return self._start, width

    def _segments(self, first: int) -> Masks:
        """What lies in the patch that begins at this voxel of the store."""
        begins = self._slices[:, 0].numpy()
        stored = int(np.searchsorted(begins, first, side="right")) - 1
        row, column = divmod(first - int(begins[stored]), int(self._slices[stored, 2]))
        exam = int(np.searchsorted(self._first_slices, stored, side="right")) - 1
        z = stored - int(self._first_slices[exam])
        rows, columns = slice(row, row + self.patch), slice(column, column + self.patch)
        return self._masks[exam].crop(z, rows, columns)
