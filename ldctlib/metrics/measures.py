"""The metrics by name, as a table of results holds them: of every slice and of the volume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ldctlib.metrics.fidelity import psnr, rmse
from ldctlib.metrics.ssim import ssim
from ldctlib.metrics.vif import information
from ldctlib.units import Window

# The published benchmark clips to this range, in HU, where it does not window.
FULL_RANGE = (-1024.0, 1900.0)
# The metrics of the published benchmark, its VIF by the name that says how it is called there.
PUBLISHED = ("ssim", "psnr", "vif-ldctbench", "rmse")

Values: TypeAlias = "tuple[np.ndarray, float]"


@dataclass(frozen=True)
class Measure:
    """A metric as a table needs it.

    Args:
        label: what a reader calls it, with its unit.
        definition: range and convention, for a caption.
        values: of (test, reference, window): one value a slice, and that of the volume.
        lower_is_better: whether small is good.
        digits: how many decimals are worth printing.
    """

    label: str
    definition: str
    values: Callable[[np.ndarray, np.ndarray, Window], Values] | None
    lower_is_better: bool = False
    digits: int = 3


def _psnr(test: np.ndarray, reference: np.ndarray, window: Window) -> Values:
    slices = psnr(test, reference, window=window, reduce="none")
    with np.errstate(divide="ignore"):  # identical volumes: infinite, as in `psnr`
        return slices, float(-10 * np.log10(np.mean(10 ** (-slices / 10))))


def _ssim(test: np.ndarray, reference: np.ndarray, window: Window) -> Values:
    slices = ssim(test, reference, window=window, reduce="none")
    return slices, float(slices.mean())


def _rmse(test: np.ndarray, reference: np.ndarray, window: Window) -> Values:
    slices = rmse(test, reference, data_range=FULL_RANGE, reduce="none")
    return slices, float(np.sqrt(np.mean(slices**2)))


def _vif(convention: Any) -> Callable[[np.ndarray, np.ndarray, Window], Values]:
    def values(test: np.ndarray, reference: np.ndarray, window: Window) -> Values:
        terms = information(test, reference, data_range=FULL_RANGE, convention=convention)
        return terms.fidelity(), float(terms.of_volume().fidelity()[0])

    return values


_CLIPPED = "HU clipped to -1024 … 1900"
_WINDOWED = "HU in the window of the anatomy"
MEASURES: dict[str, Measure] = {
    "psnr": Measure("PSNR (dB)", _WINDOWED, _psnr, digits=2),
    "ssim": Measure("SSIM", f"{_WINDOWED}, 7 x 7 pixels", _ssim),
    "vif": Measure("VIF", f"{_CLIPPED}, noise variance 2 HU², reference below", _vif("sheikh")),
    "vif-ldctbench": Measure(
        "VIF, roles exchanged",
        f"{_CLIPPED}, noise variance 2 HU², test and reference exchanged",
        _vif("ldctbench"),
    ),
    "rmse": Measure("RMSE (HU)", _CLIPPED, _rmse, lower_is_better=True, digits=1),
    "rfs": Measure("RFS", "cosine of normalised radiomic features, mean over organs", None),
}
