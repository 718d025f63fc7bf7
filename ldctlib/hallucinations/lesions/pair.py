"""One patient with lesions and without them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ldctlib.hallucinations.inpaint import remove_structures
from ldctlib.hallucinations.lesions.exposed import ExposedPair, around
from ldctlib.masks import Masks
from ldctlib.physics import Exam, Sinogram, expose, imaged, project
from ldctlib.physics.expose import is_phantom
from ldctlib.physics.square import attenuation
from ldctlib.scans import Scan


@dataclass(frozen=True)
class LesionPair:
    """The same patient with and without lesions, or whatever else may vanish.

    Args:
        present: with all of them; a phantom as it was rendered, before a scanner blurs it.
        absent: without any.
        lesions: S masks on their grid.
        exact: whether ``absent`` was rendered without the lesions; False where their place was
            filled from what surrounds it, see `inpainted`.

    Raises:
        ValueError: the scans and the masks do not share a grid, or there is no lesion.
    """

    present: Scan
    absent: Scan
    lesions: Masks
    exact: bool = True

    def __post_init__(self) -> None:
        shapes = self.present.shape, self.absent.shape, self.lesions.shape
        if len(set(shapes)) > 1:
            raise ValueError(
                f"{self.present.name} is {shapes[0]}, without lesions {shapes[1]}, and their masks "
                f"lie on {shapes[2]}; all three need one grid."
            )
        if len(self.lesions) == 0:
            raise ValueError(f"{self.present.name} has no lesion.")

    @classmethod
    def inpainted(cls, scan: Scan, lesions: Masks, seed: int = 0) -> LesionPair:
        """A real scan, and the same with its lesions filled in by `remove_structures`.

        Args:
            scan: with the lesions.
            lesions: S masks on its grid.
            seed: of the texture that is put there.
        """
        absent = remove_structures(scan, lesions, least_change_hu=0.0, seed=seed)
        return cls(scan, absent, lesions, exact=False)

    @property
    def added(self) -> np.ndarray:
        """What the lesions add to the object in HU, (Z, H, W); without a scanner's blur."""
        return np.asarray(self.present.hu - self.absent.hu)

    def crop(self, margin_px: int = 32) -> LesionPair:
        """Rows and columns in which lesions lie and so much around them, to be looked at.

        Expose the whole patient, and crop the exams: what lies outside attenuates too.
        """
        place = around(self.lesions, margin_px)
        return replace(
            self,
            present=self.present.crop(*place),
            absent=self.absent.crop(*place),
            lesions=self.lesions.crop(slice(None), *place),
        )

    def expose(self, dose: float = 0.25, seed: int = 0, **options: Any) -> ExposedPair:
        """Exams with and without the lesions, in the same noise.

        The patient with lesions is exposed. Images without them are these images minus the
        difference of the two patients, both as sharp as the kernel; line integrals without them
        are these line integrals minus the projected difference, without a blur. So the two noises
        are equal to the last bit, where nature would change them: a lesion of c HU and d mm
        changes the photons behind it by about c d / 50000 of their number, and their noise by half
        as much, 0.15 % for 20 HU and 8 mm. That change is left out; it is the approximation made.

        Args:
            dose: fraction of the full dose, in (0, 1).
            seed: of the noise.
            options: of `expose`, but for ``clip``: clipped images would differ by more than the
                lesions.

        Raises:
            ValueError: the images are to be clipped, or `expose` refuses.
        """
        if options.get("clip"):
            raise ValueError("Two images in the same noise cannot be clipped: leave out clip.")
        present = expose(self.present, dose, seed, **options)
        return ExposedPair(present, self._without(present), self.lesions)

    def _without(self, exam: Exam) -> Exam:
        """The exam of the patient without lesions, from that of the patient with them."""
        assert exam.exposure is not None
        absent = self.absent
        if is_phantom(self.present):
            absent = imaged(absent, exam.exposure.kernel)
        sharp = exam.truth or exam.full
        added, lines = sharp.hu - absent.hu, exam.sinogram

        def less(scan: Scan) -> Scan:
            return replace(scan, hu=scan.hu - added, masks=self.absent.masks)

        return replace(
            exam,
            full=less(exam.full),
            low=less(exam.low),
            truth=exam.truth and less(exam.truth),
            sinogram=lines and _less_lines(lines, self.present.hu, self.absent.hu),
        )


def _less_lines(sinogram: Sinogram, present_hu: np.ndarray, absent_hu: np.ndarray) -> Sinogram:
    """A sinogram minus the projected difference of two objects (Z, H, W) in HU."""
    geometry = sinogram.geometry
    added = attenuation(present_hu, geometry) - attenuation(absent_hu, geometry)
    lines = sinogram.line_integrals - project(added, geometry).to(sinogram.line_integrals)
    return replace(sinogram, line_integrals=lines)
