"""What a network is trained on: random patches, cut a whole batch at once from stored scans."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numba
import numpy as np
import torch
from torch import Tensor

from ldctlib.physics.exam import Exam
from ldctlib.units import Normalization

# What `Objective.step` is called with: usually low and full dose, (N, 1, P, P).
Batch: TypeAlias = "tuple[Any, ...]"


@runtime_checkable
class Sampler(Protocol):
    """Draws the batches of a training, the same ones for the same seed.

    Attributes:
        patch, batch: side of what is drawn, and how many of it a batch holds.
        device: where the batches come out.
        normalization: the scale of the batches, which is that of the network.
        fingerprint: changes when any of the data does.
    """

    patch: int
    batch: int
    device: torch.device
    normalization: Normalization
    fingerprint: str

    def draw(self) -> Batch:
        """The next batch."""
        ...

    def from_seed(self, seed: int) -> Sampler:
        """The same data, with random numbers that begin anew."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Where the random numbers stand."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`: the same batches follow."""
        ...


class PatchSampler:
    """Pairs of a low- and a full-dose patch from the same place, every patient equally likely.

    Patients, slices and places are drawn with replacement. A slice weighs 1 / (slices of its
    patient), where a patient is everything that shares ``full.name``, at whatever dose. Every
    place is possible, the last row and column included.

    The scans are kept as int16 HU on ``device``: 1 MB for a pair of slices of 512 x 512.

    Args:
        exams: read once, so a generator saves memory.
        patch: side in pixels; no image may be smaller.
        batch: patches a draw.
        seed: of the sampler's own generator; the same on every device.
        device: where the scans lie and the patches come out; the CPU if None.
        normalization: the scale of the patches.

    Source: weights as in ldct-benchmark, Eulig et al. 2024, doi:10.1002/mp.17379.
    """

    def __init__(
        self,
        exams: Iterable[Exam],
        patch: int,
        batch: int,
        seed: int = 0,
        device: torch.device | str | None = None,
        normalization: Normalization | None = None,
    ) -> None:
        if patch < 1 or batch < 1:
            raise ValueError(f"Patch and batch must be positive, not {patch} and {batch}.")
        self.patch, self.batch, self.seed = patch, batch, seed
        self.device = torch.device(device or "cpu")
        self.normalization = normalization or Normalization.benchmark()
        self._random = torch.Generator().manual_seed(seed)
        by_patient: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for exam in exams:
            pair = self._pair(exam)
            by_patient.setdefault(exam.full.name, []).append(pair)
        if not by_patient:
            raise ValueError("There is nothing to train on: give at least one exam.")
        pairs = [pair for exams_of_patient in by_patient.values() for pair in exams_of_patient]
        self.patients = tuple(by_patient)
        self.fingerprint = _fingerprint(by_patient, self.normalization)
        self._low = self._on_device(low for low, _ in pairs)
        self._full = self._on_device(full for _, full in pairs)
        # One row a slice, patient after patient: where it begins, its height and width.
        self._slices = torch.from_numpy(_slice_table([low.shape for low, _ in pairs]))
        counts = [sum(len(low) for low, _ in group) for group in by_patient.values()]
        self._patient_slices = torch.tensor(counts)
        self._patient_first = torch.cumsum(self._patient_slices, 0) - self._patient_slices

    def draw(self) -> Batch:
        """The next batch: low and full dose, float32 (N, 1, P, P), normalised."""
        start, width = self._places()
        if self.device.type == "cpu":
            low, full = self._cut_on_cpu(start, width)
        else:
            low, full = self._cut(start, width)
        return low[:, None], full[:, None]

    def from_seed(self, seed: int) -> PatchSampler:
        """The same scans, with random numbers that begin anew."""
        other = copy.copy(self)
        other.seed, other._random = seed, torch.Generator().manual_seed(seed)
        return other

    def state_dict(self) -> dict[str, Any]:
        """Where the random numbers stand."""
        return {"random": self._random.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`: the same batches follow."""
        self._random.set_state(state["random"].cpu())

    def _pair(self, exam: Exam) -> tuple[np.ndarray, np.ndarray]:
        """Low and full dose of an exam, as they are stored: int16 HU (Z, H, W)."""
        height, width = exam.full.shape[1:]
        if self.patch > min(height, width):
            raise ValueError(
                f"{exam.full.name}: slices of {height} x {width} pixels have no patch of "
                f"{self.patch}; take a smaller patch."
            )
        return _int16(exam.low.hu), _int16(exam.full.hu)

    def _places(self) -> tuple[Tensor, Tensor]:
        """(N,) first voxel of every patch in the store, and the width of the image it lies in."""
        patient, of_slices, of_rows, of_columns = torch.rand(
            (4, self.batch), generator=self._random, dtype=torch.float64
        )
        patient = (patient * len(self._patient_slices)).long()
        within = (of_slices * self._patient_slices[patient]).long()
        begin, height, width = self._slices[self._patient_first[patient] + within].unbind(1)
        row = (of_rows * (height - self.patch + 1)).long()
        column = (of_columns * (width - self.patch + 1)).long()
        return begin + row * width + column, width

    def _cut(self, start: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
        """The patches on any device: row by row out of all possible rows."""
        row_starts = (start[:, None] + torch.arange(self.patch) * width[:, None]).to(self.device)
        low, full = (v.unfold(0, self.patch, 1)[row_starts] for v in (self._low, self._full))
        return self.normalization(low.float()), self.normalization(full.float())

    def _cut_on_cpu(self, start: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
        """The same in one pass over the memory."""
        low, full = (torch.empty(self.batch, self.patch, self.patch) for _ in range(2))
        mean, std = np.float32(self.normalization.mean_hu), np.float32(self.normalization.std_hu)
        _cut_normalised(
            self._low.numpy(),
            self._full.numpy(),
            start.numpy(),
            width.numpy(),
            low.numpy(),
            full.numpy(),
            mean,
            std,
        )
        return low, full

    def _on_device(self, volumes: Iterable[np.ndarray]) -> Tensor:
        # Joined by NumPy, which asks for huge pages: rows from anywhere are then found faster.
        return torch.from_numpy(np.concatenate([v.reshape(-1) for v in volumes])).to(self.device)


# On one thread: a second pool of threads beside PyTorch's costs more than it gains.
@numba.njit(cache=True)
def _cut_normalised(
    low: np.ndarray,
    full: np.ndarray,
    start: np.ndarray,
    width: np.ndarray,
    low_patches: np.ndarray,
    full_patches: np.ndarray,
    mean: np.float32,
    std: np.float32,
) -> None:
    # Whole rows as slices: only so does the compiler make vector instructions of the loops.
    patch = low_patches.shape[1]
    for n in range(len(start)):
        for row in range(patch):
            begin = start[n] + row * width[n]
            hu, out = low[begin : begin + patch], low_patches[n, row]
            for i in range(patch):
                out[i] = (np.float32(hu[i]) - mean) / std
            hu, out = full[begin : begin + patch], full_patches[n, row]
            for i in range(patch):
                out[i] = (np.float32(hu[i]) - mean) / std


def _int16(hu: np.ndarray) -> np.ndarray:
    limits = np.iinfo(np.int16)
    stored: np.ndarray = np.rint(hu).clip(limits.min, limits.max).astype(np.int16)
    return stored


def _slice_table(shapes: list[tuple[int, ...]]) -> np.ndarray:
    """(S, 3) first voxel, height and width of every slice of the stored volumes."""
    heights = np.concatenate([np.full(z, h) for z, h, _ in shapes]).astype(np.int64)
    widths = np.concatenate([np.full(z, w) for z, _, w in shapes]).astype(np.int64)
    begins = np.cumsum(heights * widths) - heights * widths
    return np.stack([begins, heights, widths], axis=1)


def _fingerprint(
    by_patient: dict[str, list[tuple[np.ndarray, np.ndarray]]], normalization: Normalization
) -> str:
    """Changes when any patient, voxel or the scale changes."""
    digest = hashlib.sha256(repr(normalization).encode())
    for name, pairs in by_patient.items():
        for low, full in pairs:
            digest.update(f"{name} {low.shape}".encode())
            digest.update(low.data)
            digest.update(full.data)
    return digest.hexdigest()[:16]
