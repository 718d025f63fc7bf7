"""What a denoiser is: anything that turns an exam into a scan, and says what it needs of it."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from ldctlib.physics.exam import Exam, Sinogram
from ldctlib.scans.scan import Scan

Needs: TypeAlias = 'Literal["image", "sinogram", "both"]'


class Denoiser(Protocol):
    """Turns an exam into the scan that it makes of its low dose."""

    @property
    def name(self) -> str:
        """What tables and figures call it."""
        ...

    @property
    def needs(self) -> Needs:
        """What it reads: the low-dose image, the sinogram, or both."""
        ...

    def __call__(self, exam: Exam) -> Scan:
        """The scan on the grid of the exam; ``exam.full`` and ``exam.truth`` are not looked at."""
        ...


def needs_sinogram(*denoisers: object) -> bool:
    """Whether any of these denoisers or methods reads more than images.

    What does not say so is taken to read images, such as a plain function.

    >>> needs_sinogram(lambda exam: exam.low)
    False
    """
    return any(getattr(each, "needs", "image") != "image" for each in denoisers)


def sinogram_of(exam: Exam, name: str) -> Sinogram:
    """The sinogram of an exam, for the denoiser of this name.

    Raises:
        ValueError: there is none, or nobody knows how it was measured.
    """
    if exam.sinogram is None or exam.exposure is None:
        raise ValueError(
            f"{name} works on the sinogram, and the exam of {exam.full.name} has none: make it "
            "with expose(..., keep_sinogram=True)."
        )
    return exam.sinogram
