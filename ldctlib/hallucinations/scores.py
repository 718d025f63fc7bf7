"""The measures that are asked which of two images is worse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ldctlib.metrics import MEASURES, OF_ERROR
from ldctlib.metrics.fixed_error import FixedError, FixedReference


class Scores:
    """Some measures of many images against one reference.

    Args:
        names: of measures, from `OF_ERROR`.
        reference: what the images are judged against.

    Raises:
        ValueError: an unknown measure.
    """

    def __init__(self, names: Sequence[str], reference: FixedReference) -> None:
        unknown = [name for name in names if name not in OF_ERROR]
        if unknown or not names:
            raise ValueError(
                f"There is no metric {', '.join(unknown) or '(none was named)'}; "
                f"there are {', '.join(OF_ERROR)}."
            )
        self.names, self.reference = tuple(names), reference
        self._measures = [m for n in names if (m := MEASURES[n].of_error)]

    def __call__(self, error_hu: np.ndarray) -> np.ndarray:
        """(metrics,) values of the reference plus this error (Z, H, W), in the order of names.

        Raises:
            ValueError: the slices are too small for a measure, or a segment is empty.
        """
        error = FixedError(error_hu, self.reference)
        return np.array([measure(error) for measure in self._measures])
