"""The fixed slices on which a network is judged while it trains."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from ldctlib.metrics import MEASURES
from ldctlib.physics.exam import Exam
from ldctlib.units import WINDOW_OF_ANATOMY

FIGURES = ("psnr", "ssim")  # of MEASURES


class DenoisesImages(Protocol):
    """Anything that denoises slices (Z, H, W) in HU."""

    def denoise_image(self, hu: np.ndarray) -> np.ndarray:
        """The same slices with less noise."""
        ...


class Slices(NamedTuple):
    """A few slices (Z, H, W) in HU of one patient."""

    anatomy: str
    low: np.ndarray
    full: np.ndarray


class Validation:
    """PSNR and SSIM on the same slices every time, in the window in which each anatomy is read.

    Args:
        exams: of patients that are not trained on.
        slices: how many of each exam, evenly spaced; all if it has fewer.
        patch: judge only the central patch of this side in pixels, which is quicker; whole slices
            if None.

    Raises:
        ValueError: there is no exam, or one of unknown anatomy.
    """

    def __init__(self, exams: Iterable[Exam], slices: int = 4, patch: int | None = None) -> None:
        self.sets = [_choose(exam, slices, patch) for exam in exams]
        if not self.sets:
            raise ValueError("There is nothing to validate on: give at least one exam.")
        digest = hashlib.sha256()
        for part in self.sets:
            digest.update(f"{part.anatomy} {part.low.shape}".encode())
            digest.update(part.low.data)
            digest.update(part.full.data)
        self.fingerprint = digest.hexdigest()[:16]

    @property
    def figures(self) -> list[str]:
        """Names of the figures: "psnr", "ssim", and both for every anatomy."""
        anatomies = dict.fromkeys(part.anatomy for part in self.sets)
        every = [f"{metric} {a}" for a in anatomies for metric in FIGURES]
        return [*every, *FIGURES]

    def __call__(self, denoiser: DenoisesImages) -> dict[str, float]:
        """How well a denoiser does.

        Returns:
            "psnr chest" (dB), "ssim chest", … for every anatomy: means over its exams; and "psnr",
            "ssim": means over the anatomies.

        Raises:
            FloatingPointError: it gives values that are not finite.
        """
        tests = [denoiser.denoise_image(part.low) for part in self.sets]
        if not all(np.isfinite(test).all() for test in tests):
            raise FloatingPointError("The network gives values that are not finite.")
        return self._scores(tests)

    def of_low_dose(self) -> dict[str, float]:
        """The same figures of the low-dose slices: what a network has to beat."""
        return self._scores([part.low for part in self.sets])

    def _scores(self, tests: list[np.ndarray]) -> dict[str, float]:
        figures: Mapping[str, list[float]] = defaultdict(list)
        for part, test in zip(self.sets, tests, strict=True):
            window = WINDOW_OF_ANATOMY[part.anatomy]
            for metric in FIGURES:
                of_slices = MEASURES[metric].of_slices
                assert of_slices is not None
                slices, _ = of_slices(test, part.full, window)
                figures[f"{metric} {part.anatomy}"].append(float(slices.mean()))
        scores = {name: float(np.mean(values)) for name, values in figures.items()}
        overall = {
            metric: float(np.mean([v for name, v in scores.items() if name.startswith(metric)]))
            for metric in FIGURES
        }
        return {**scores, **overall}


def _choose(exam: Exam, slices: int, patch: int | None) -> Slices:
    low, full = exam.low, exam.full
    if full.anatomy is None:
        raise ValueError(
            f"{full.name}: say which anatomy it shows, dataclasses.replace(scan, anatomy='chest'); "
            "that decides the window of its PSNR and SSIM."
        )
    z = np.unique(np.linspace(0, len(full.hu) - 1, slices + 2)[1:-1].round().astype(int))
    height, width = full.shape[1:]
    side = patch or max(height, width)
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    here = (z, slice(top, top + side), slice(left, left + side))
    chosen = [np.ascontiguousarray(scan.hu[here]) for scan in (low, full)]
    return Slices(full.anatomy, *chosen)
