"""What a test against the measurement gives: z, contrasts and p-values, one a segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from ldctlib.metrics import adjusted


@dataclass(frozen=True)
class Consistency:
    """How the measurement contradicts an image, segment by segment.

    Args:
        z: (S,) contrast of the image minus contrast of the measurement, in standard errors:
            standard normal where the image is the truth, below 0 where it shows too little.
        image_hu: (S,) contrast of every segment in the image, seen through the scanner.
        measured_hu: (S,) the same contrast as it was measured.
        standard_error_hu: (S,) of ``measured_hu``.
        kept: share of a structure's contrast that a denoiser may keep, at least, without blame.
        labels: (S,) of the segments.
    """

    z: np.ndarray
    image_hu: np.ndarray
    measured_hu: np.ndarray
    standard_error_hu: np.ndarray
    kept: float
    labels: tuple[str, ...]

    @property
    def p(self) -> np.ndarray:
        """(S,) two-sided p-values of "the image is the truth here": any change counts."""
        return np.asarray(2 * norm.sf(np.abs(self.z)))

    @property
    def p_removed(self) -> np.ndarray:
        """(S,) p-values of "the image keeps at least ``kept`` of this structure's contrast"."""
        sign, size = np.sign(self.measured_hu), np.abs(self.measured_hu)
        excess = size - np.maximum(sign * self.image_hu, 0) / self.kept
        return np.asarray(np.minimum(2 * norm.sf(excess / self.standard_error_hu), 1))

    @property
    def p_introduced(self) -> np.ndarray:
        """(S,) p-values of "at least ``kept`` of the contrast in the image was measured"."""
        sign, size = np.sign(self.image_hu), np.abs(self.image_hu)
        excess = self.kept * size - sign * self.measured_hu
        return np.asarray(norm.sf(excess / self.standard_error_hu))

    def flagged(self, alpha: float = 0.05, method: str = "benjamini-hochberg") -> np.ndarray:
        """(S,) whether a structure was removed or introduced, allowing for the number of segments.

        Args:
            alpha: false-alarm rate.
            method: as for `metrics.adjusted`.
        """
        either = np.minimum(2 * np.minimum(self.p_removed, self.p_introduced), 1)
        return np.asarray(adjusted(either, method) <= alpha)

    @property
    def kinds(self) -> list[str]:
        """(S,) "removed" where the measurement shows more contrast than the image."""
        more = np.abs(self.measured_hu) > np.abs(self.image_hu)
        return ["removed" if removed else "introduced" for removed in more]
