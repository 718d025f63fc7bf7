"""Two exams that differ by lesions alone, and the share of the lesions that a denoiser keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from ldctlib.masks import Masks
from ldctlib.physics import Exam
from ldctlib.scans import Scan

Denoises: TypeAlias = Callable[[Exam], Scan]


class ExposedPair(NamedTuple):
    """The same patient with and without lesions, in the same noise; from `LesionPair.expose`.

    Args:
        present: the exam with the lesions.
        absent: the exam without them.
        lesions: S masks on their grid.
    """

    present: Exam
    absent: Exam
    lesions: Masks

    @property
    def added(self) -> np.ndarray:
        """What the lesions add to the image in HU, (Z, H, W), free of noise."""
        with_them, without = (exam.truth or exam.full for exam in (self.present, self.absent))
        return np.asarray(with_them.hu - without.hu)

    def crop(self, margin_px: int = 32) -> ExposedPair:
        """Rows and columns in which lesions lie and so much around them; all slices."""
        place = around(self.lesions, margin_px)
        present, absent = (exam.crop(*place) for exam in (self.present, self.absent))
        return ExposedPair(present, absent, self.lesions.crop(slice(None), *place))


def kept(denoiser: Denoises, present: Exam, absent: Exam, lesions: Masks) -> np.ndarray:
    """Share of the contrast of every lesion that a denoiser hands on.

    The two exams have the same noise. So what the two denoised images differ by is the denoiser's
    answer to the lesions, and no noise is left in it: with D the denoiser, x the low dose, t the
    truth and the mean over the mask of a lesion,

        kept = mean(D(x with) - D(x without)) / mean(t with - t without).

    Both truths have the sharpness of the kernel: 1 means that nothing was lost but noise.

    Args:
        denoiser: makes a scan of an exam, of its image, its sinogram or both.
        present: with the lesions.
        absent: without, in the same noise; as from `LesionPair.expose`.
        lesions: S masks on their grid.

    Returns:
        (S,) shares, in the order of ``lesions``; below 0 where a contrast was turned round.

    Raises:
        ValueError: grids differ, a lesion adds nothing, or the denoiser made another shape.
    """
    answer = denoised(denoiser, present) - denoised(denoiser, absent)
    return share_kept(answer, ExposedPair(present, absent, lesions).added, lesions)


def share_kept(answer: np.ndarray, added: np.ndarray, lesions: Masks) -> np.ndarray:
    """Mean of a denoiser's answer over every lesion, as a share of what the lesion added.

    Args:
        answer: difference of two denoised images in HU, (Z, H, W).
        added: difference of the two truths in HU, (Z, H, W).
        lesions: S masks on their grid.

    Returns:
        (S,) shares.

    Raises:
        ValueError: a lesion adds nothing on average.

    >>> square = np.zeros((1, 5, 5), bool)
    >>> square[0, 1:4, 1:4] = True
    >>> added = -20.0 * square
    >>> share_kept(0.5 * added, added, Masks.from_volumes({"lesion": square})).tolist()
    [0.5]
    """
    whole = lesions.sum_over(added)
    nothing = np.flatnonzero(whole == 0)
    if nothing.size:
        raise ValueError(f"{lesions.labels[nothing[0]]} adds nothing to the image.")
    return np.asarray(lesions.sum_over(answer) / whole)


def denoised(denoiser: Denoises, exam: Exam, name: str = "The denoiser") -> np.ndarray:
    """The denoised image (Z, H, W) in HU.

    Raises:
        ValueError: it has another shape than the exam.
    """
    hu = denoiser(exam).hu
    if hu.shape != exam.low.shape:
        raise ValueError(f"{name} made an image of {hu.shape} from one of {exam.low.shape}.")
    return hu


def around(lesions: Masks, margin_px: int) -> tuple[slice, slice]:
    """Rows and columns of all lesions with a margin.

    Raises:
        ValueError: there is no lesion.
    """
    if len(lesions) == 0:
        raise ValueError("There is no lesion to cut to.")
    _, height, width = lesions.shape
    _, _, top, bottom, left, right = lesions.bounding_boxes.T
    return (
        slice(max(0, int(top.min()) - margin_px), min(height, int(bottom.max()) + margin_px)),
        slice(max(0, int(left.min()) - margin_px), min(width, int(right.max()) + margin_px)),
    )
