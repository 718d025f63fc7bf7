"""Random groups of views and channels, to train networks that work on line integrals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from ldctlib.denoisers.denoiser import sinogram_of
from ldctlib.physics.exam import Exam
from ldctlib.physics.projector import project
from ldctlib.physics.square import attenuation, corner_of
from ldctlib.training.sampler import PatchSampler
from ldctlib.units import Normalization


class SinogramSampler(PatchSampler):
    """Pairs of low-dose and full-dose line integrals of the same views and channels.

    A patch is so many neighbouring views by as many neighbouring channels; patients, slices and
    places are drawn as in `PatchSampler`. The target is the projection of the full-dose scan,
    which for a patient is exactly what the low dose's noise was added to.

    The line integrals are kept as float32 on ``device``: 13.6 MB for a pair of slices of the
    Siemens geometry.

    Args:
        exams: with sinograms, not cropped; read once, so a generator saves memory.
        patch: views and channels of a patch.
        batch: patches a draw.
        seed: of the sampler's own generator.
        device: where the line integrals lie and the patches come out; the CPU if None.
        normalization: of the line integrals; as they are if None.

    Raises:
        ValueError: an exam has no sinogram, was cropped, or is smaller than a patch.
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
        as_they_are = Normalization(0.0, 1.0)
        super().__init__(exams, patch, batch, seed, device, normalization or as_they_are)

    def _pair(self, exam: Exam) -> tuple[np.ndarray, np.ndarray]:
        """Line integrals of the low dose, and of the projected full dose: (Z, views, channels)."""
        low = sinogram_of(exam, "A sinogram sampler").line_integrals
        assert exam.exposure is not None
        geometry, shape = exam.exposure.geometry, exam.full.shape
        # a crop about the centre along one axis looks like a scan that is not square, and passes
        whole = exam.exposure.corner == corner_of(shape, geometry)
        if not whole or max(shape[1:]) < geometry.pixels:
            raise ValueError(
                f"{exam.full.name} was cropped to {shape[1]} x {shape[2]} pixels, and lines cross "
                "the whole patient: train on exams that were not."
            )
        if self.patch > min(geometry.views, geometry.channels):
            raise ValueError(
                f"{exam.full.name}: {geometry.views} views of {geometry.channels} channels have no "
                f"patch of {self.patch}; take a smaller patch."
            )
        full = project(attenuation(exam.full.hu, geometry).to(self.device), geometry)
        return low.cpu().numpy(), full.cpu().numpy()
