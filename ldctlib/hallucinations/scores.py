"""The metrics that are asked which of two images is worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ldctlib.masks import Masks
from ldctlib.metrics.fixed_reference import FixedVif, FixedWindow
from ldctlib.metrics.srmse import srmse
from ldctlib.metrics.standardised_bias import standardised_bias
from ldctlib.units import Window, window_bounds

Score = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Asked:
    """A metric in the experiment.

    Args:
        label: what a figure calls it.
        definition: range and convention, for a caption.
        lower_is_better: whether small is good.
    """

    label: str
    definition: str
    lower_is_better: bool = True


_WINDOW = "HU in the window of the anatomy"
ASKED: Mapping[str, Asked] = MappingProxyType(
    {
        "mae": Asked("MAE", "mean absolute error of all voxels"),
        "rmse": Asked("RMSE", "of all voxels"),
        "psnr": Asked("PSNR", f"{_WINDOW}, of all voxels", lower_is_better=False),
        "ssim": Asked("SSIM, windowed", f"{_WINDOW}, 7 x 7 pixels", lower_is_better=False),
        "ssim-full": Asked("SSIM, full range", "range 2924 HU, 7 x 7 pixels", False),
        "vif": Asked("VIF", "HU, noise variance 2 HU², all slices together", False),
        "mean-srmse": Asked("Mean SRMSE", "mean over the segments"),
        "max-srmse": Asked("Max SRMSE", "largest of any segment"),
        "max-bias": Asked("Max standardised bias", "largest of any segment, in standard errors"),
    }
)


class Scores:
    """The metrics of many images against one reference.

    Args:
        names: of metrics, from `ASKED`.
        reference: volume (Z, H, W) in HU.
        segments: for the metrics of segments.
        window: of "psnr" and "ssim".
        full_range_hu: (low, high), of "ssim-full".
        noise_blur_px: width of the Gaussian that made the noise coloured, for the standardised
            bias; its sigma is taken from each error itself.

    Raises:
        ValueError: an unknown metric, or slices too small for one.
    """

    def __init__(
        self,
        names: Sequence[str],
        reference: np.ndarray,
        segments: Masks,
        *,
        window: Window,
        full_range_hu: tuple[float, float],
        noise_blur_px: float = 0.0,
    ) -> None:
        unknown = [name for name in names if name not in ASKED]
        if unknown or not names:
            raise ValueError(
                f"There is no metric {', '.join(unknown) or '(none was named)'}; "
                f"there are {', '.join(ASKED)}."
            )
        self.names = tuple(names)
        self._segments, self._zero = segments, np.zeros(reference.shape, np.float32)
        # Means of segments times these are in units of the standard error of noise of 1 HU.
        self._precision = standardised_bias(
            np.ones_like(self._zero),
            self._zero,
            segments,
            sigma_hu=1.0,
            correlation_px=max(1.0, 4 * np.pi * noise_blur_px**2),
        )
        self._by_name: dict[str, Score] = {
            "mae": lambda error: float(np.abs(error).mean(dtype=np.float64)),
            "rmse": _root_mean_square,
            "max-bias": self._max_bias,
        }
        if {"psnr", "ssim"} & set(names):
            windowed = FixedWindow(reference, window_bounds(window))
            self._by_name |= {"psnr": windowed.psnr, "ssim": windowed.ssim}
        if "ssim-full" in names:
            self._by_name["ssim-full"] = FixedWindow(reference, full_range_hu).ssim
        if "vif" in names:
            self._by_name["vif"] = FixedVif(reference)

    def __call__(self, error: np.ndarray) -> np.ndarray:
        """(metrics,) values of the reference plus this error (Z, H, W), in the order of names."""
        values: dict[str, float] = {}
        if {"mean-srmse", "max-srmse"} & set(self.names):
            errors = srmse(error, self._zero, self._segments)
            values = {"mean-srmse": float(errors.mean()), "max-srmse": float(errors.max())}
        return np.array([values[n] if n in values else self._by_name[n](error) for n in self.names])

    def _max_bias(self, error: np.ndarray) -> float:
        means = self._segments.sum_over(error) / self._segments.areas
        sigma = max(_root_mean_square(error), 1e-9)
        return float(np.abs(means * self._precision).max() / sigma)


def _root_mean_square(error: np.ndarray) -> float:
    return float(np.sqrt(np.square(error, dtype=np.float64).mean()))
