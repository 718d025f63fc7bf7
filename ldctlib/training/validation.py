"""The fixed slices on which a network is judged while it trains."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ldctlib.denoisers import ImageNetwork
from ldctlib.metrics import MEASURES
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan
from ldctlib.units import WINDOW_OF_ANATOMY

FIGURES = ("psnr", "ssim")  # of MEASURES


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
        # of every exam, each of its slices as an exam of its own: they are not neighbours
        self.sets = [_choose(exam, slices, patch) for exam in exams]
        if not self.sets:
            raise ValueError("There is nothing to validate on: give at least one exam.")
        digest = hashlib.sha256()
        for part in self.sets:
            low, full = _low(part), _full(part)
            digest.update(f"{part[0].full.anatomy} {low.shape}".encode())
            digest.update(low.data)
            digest.update(full.data)
            for exam in part:
                if exam.sinogram is not None:
                    digest.update(exam.sinogram.line_integrals.cpu().numpy().data)
        self.fingerprint = digest.hexdigest()[:16]

    @property
    def figures(self) -> list[str]:
        """Names of the figures: "psnr", "ssim", and both for every anatomy."""
        anatomies = dict.fromkeys(part[0].full.anatomy for part in self.sets)
        every = [f"{metric} {a}" for a in anatomies for metric in FIGURES]
        return [*every, *FIGURES]

    def __call__(self, denoiser: Callable[[Exam], Scan]) -> dict[str, float]:
        """How well a denoiser does.

        Returns:
            "psnr chest" (dB), "ssim chest", … for every anatomy: means over its exams; and "psnr",
            "ssim": means over the anatomies.

        Raises:
            FloatingPointError: it gives values that are not finite.
        """
        tests = [_denoised(denoiser, part) for part in self.sets]
        if not all(np.isfinite(test).all() for test in tests):
            raise FloatingPointError("The network gives values that are not finite.")
        return self._scores(tests)

    def of_low_dose(self) -> dict[str, float]:
        """The same figures of the low-dose slices: what a network has to beat."""
        return self._scores([_low(part) for part in self.sets])

    def _scores(self, tests: list[np.ndarray]) -> dict[str, float]:
        figures: Mapping[str, list[float]] = defaultdict(list)
        for part, test in zip(self.sets, tests, strict=True):
            anatomy = part[0].full.anatomy
            assert anatomy is not None
            window = WINDOW_OF_ANATOMY[anatomy]
            for metric in FIGURES:
                of_slices = MEASURES[metric].of_slices
                assert of_slices is not None
                slices, _ = of_slices(test, _full(part), window)
                figures[f"{metric} {anatomy}"].append(float(slices.mean()))
        scores = {name: float(np.mean(values)) for name, values in figures.items()}
        overall = {
            metric: float(np.mean([v for name, v in scores.items() if name.startswith(metric)]))
            for metric in FIGURES
        }
        return {**scores, **overall}


def _choose(exam: Exam, slices: int, patch: int | None) -> list[Exam]:
    full = exam.full
    if full.anatomy is None:
        raise ValueError(
            f"{full.name}: say which anatomy it shows, dataclasses.replace(scan, anatomy='chest'); "
            "that decides the window of its PSNR and SSIM."
        )
    z = np.unique(np.linspace(0, len(full.hu) - 1, slices + 2)[1:-1].round().astype(int))
    height, width = full.shape[1:]
    side = patch or max(height, width)
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    rows, columns = slice(top, top + side), slice(left, left + side)
    return [_alone(exam.crop(rows, columns, slice(i, i + 1))) for i in z.tolist()]


def _alone(exam: Exam) -> Exam:
    """The same without holding on to the sinograms of all slices."""
    if exam.sinogram is None:
        return exam
    lines = exam.sinogram.line_integrals.clone()
    return replace(exam, sinogram=replace(exam.sinogram, line_integrals=lines))


def _denoised(denoiser: Callable[[Exam], Scan], exams: Sequence[Exam]) -> np.ndarray:
    """Slices (Z, H, W) in HU; a network that sees images gets all at once."""
    if isinstance(denoiser, ImageNetwork):
        return denoiser.denoise_image(_low(exams))
    return np.concatenate([denoiser(exam).hu for exam in exams])


def _low(exams: Sequence[Exam]) -> np.ndarray:
    return np.concatenate([exam.low.hu for exam in exams])


def _full(exams: Sequence[Exam]) -> np.ndarray:
    return np.concatenate([exam.full.hu for exam in exams])
