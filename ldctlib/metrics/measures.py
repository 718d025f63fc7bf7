"""The registry of measures: by name, what each is called and means, and how it is worked out.

A measure is worked out on every slice and on the volume, as a table of results holds it; on the
segments of a volume; and, where many images are judged against one reference, from their errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ldctlib.masks import Masks
from ldctlib.metrics.fidelity import psnr, rmse
from ldctlib.metrics.fixed_error import FixedError
from ldctlib.metrics.srmse import max_srmse, mean_srmse
from ldctlib.metrics.ssim import ssim
from ldctlib.metrics.standardised_bias import standardised_bias
from ldctlib.metrics.vif import information
from ldctlib.units import Window

# The published benchmark clips to this range, in HU, where it does not window.
FULL_RANGE = (-1024.0, 1900.0)
# The metrics of the published benchmark, its VIF by the name that says how it is called there.
PUBLISHED = ("ssim", "psnr", "vif-ldctbench", "rmse")

Values: TypeAlias = "tuple[np.ndarray, float]"


@dataclass(frozen=True)
class Measure:
    """A measure of image quality.

    Args:
        label: what a reader calls it.
        definition: range and convention, for a caption.
        unit: "" where it has none.
        lower_is_better: whether small is good.
        digits: how many decimals are worth printing.
        of_slices: of (test, reference, window): one value a slice, and that of the volume.
        of_segments: of (test, reference, segments): the value of a volume.
        of_error: from the error against a fixed reference, the value of a volume, several times
            as fast. Here only the measures of a window or of the full range clip.
    """

    label: str
    definition: str
    unit: str = ""
    lower_is_better: bool = False
    digits: int = 3
    of_slices: Callable[[np.ndarray, np.ndarray, Window], Values] | None = None
    of_segments: Callable[[np.ndarray, np.ndarray, Masks], float] | None = None
    of_error: Callable[[FixedError], float] | None = None

    @property
    def heading(self) -> str:
        """The label with the unit, for the head of a column or an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


def _mae(test: np.ndarray, reference: np.ndarray, window: Window) -> Values:
    test, reference = (np.clip(image, *FULL_RANGE) for image in (test, reference))
    slices = np.abs(test - reference).mean((-2, -1), dtype=np.float64)
    return slices, float(slices.mean())


def _rmse(test: np.ndarray, reference: np.ndarray, window: Window) -> Values:
    slices = rmse(test, reference, data_range=FULL_RANGE, reduce="none")
    return slices, float(np.sqrt(np.mean(slices**2)))


def _psnr(test: np.ndarray, reference: np.ndarray, window: Window) -> Values:
    slices = psnr(test, reference, window=window, reduce="none")
    with np.errstate(divide="ignore"):  # identical volumes: infinite, as in `psnr`
        return slices, float(-10 * np.log10(np.mean(10 ** (-slices / 10))))


def _ssim(test: np.ndarray, reference: np.ndarray, window: Window) -> Values:
    slices = ssim(test, reference, window=window, reduce="none")
    return slices, float(slices.mean())


def _ssim_full(test: np.ndarray, reference: np.ndarray, window: Window) -> Values:
    slices = ssim(test, reference, data_range=FULL_RANGE, reduce="none")
    return slices, float(slices.mean())


def _vif(convention: Any) -> Callable[[np.ndarray, np.ndarray, Window], Values]:
    def values(test: np.ndarray, reference: np.ndarray, window: Window) -> Values:
        terms = information(test, reference, data_range=FULL_RANGE, convention=convention)
        return terms.fidelity(), float(terms.of_volume().fidelity()[0])

    return values


def _max_bias(test: np.ndarray, reference: np.ndarray, segments: Masks) -> float:
    return float(np.abs(standardised_bias(test, reference, segments)).max())


_CLIPPED = "HU clipped to -1024 … 1900"
_WINDOWED = "HU in the window of the anatomy"
MEASURES: dict[str, Measure] = {
    "mae": Measure(
        "MAE",
        f"mean absolute error, {_CLIPPED}",
        unit="HU",
        lower_is_better=True,
        digits=1,
        of_slices=_mae,
        of_error=lambda error: error.mae,
    ),
    "rmse": Measure(
        "RMSE",
        _CLIPPED,
        unit="HU",
        lower_is_better=True,
        digits=1,
        of_slices=_rmse,
        of_error=lambda error: error.rmse,
    ),
    "psnr": Measure(
        "PSNR",
        _WINDOWED,
        unit="dB",
        digits=2,
        of_slices=_psnr,
        of_error=lambda error: error.reference.windowed.psnr(error.hu),
    ),
    "ssim": Measure(
        "SSIM",
        f"{_WINDOWED}, 7 x 7 pixels",
        of_slices=_ssim,
        of_error=lambda error: error.reference.windowed.ssim(error.hu),
    ),
    "ssim-full": Measure(
        "SSIM, full range",
        f"{_CLIPPED}, 7 x 7 pixels",
        of_slices=_ssim_full,
        of_error=lambda error: error.reference.full_range.ssim(error.hu),
    ),
    "vif": Measure(
        "VIF",
        f"{_CLIPPED}, noise variance 2 HU², reference below",
        of_slices=_vif("sheikh"),
        of_error=lambda error: error.reference.vif(error.hu),
    ),
    "vif-ldctbench": Measure(
        "VIF, roles exchanged",
        f"{_CLIPPED}, noise variance 2 HU², test and reference exchanged",
        of_slices=_vif("ldctbench"),
    ),
    "rfs": Measure("RFS", "cosine of normalised radiomic features, mean over organs"),
    "mean-srmse": Measure(
        "Mean SRMSE",
        "root mean square error of a segment, mean over the segments",
        unit="HU",
        lower_is_better=True,
        digits=1,
        of_segments=mean_srmse,
        of_error=lambda error: float(error.srmse.mean()),
    ),
    "max-srmse": Measure(
        "Max SRMSE",
        "root mean square error of a segment, largest of any",
        unit="HU",
        lower_is_better=True,
        digits=1,
        of_segments=max_srmse,
        of_error=lambda error: float(error.srmse.max()),
    ),
    "max-bias": Measure(
        "Max standardised bias",
        "mean error of a segment in standard errors of noise, largest of any",
        lower_is_better=True,
        digits=1,
        of_segments=_max_bias,
        of_error=lambda error: error.max_bias,
    ),
}
# What can be told from an error against a fixed reference, and on every slice.
OF_ERROR = tuple(name for name, measure in MEASURES.items() if measure.of_error)
OF_SLICES = tuple(name for name, measure in MEASURES.items() if measure.of_slices)
