"""One reference and many errors: what several measures share is worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ldctlib.masks import Masks
from ldctlib.metrics.fixed_reference import FixedVif, FixedWindow
from ldctlib.metrics.srmse import srmse
from ldctlib.metrics.standardised_bias import standardised_bias
from ldctlib.units import Window, window_bounds


@dataclass(frozen=True)
class FixedReference:
    """What images are judged against by the measures of `MEASURES`.

    Args:
        hu: volume (Z, H, W) in HU.
        segments: for the measures of segments.
        window: of "psnr" and "ssim".
        full_range_hu: (low, high), of "ssim-full".
        noise_blur_px: width of the Gaussian that made the noise coloured, for the standardised
            bias; its sigma is taken from each error itself.
    """

    hu: np.ndarray
    segments: Masks
    window: Window
    full_range_hu: tuple[float, float]
    noise_blur_px: float = 0.0

    @cached_property
    def windowed(self) -> FixedWindow:
        """For PSNR and SSIM in the window."""
        return FixedWindow(self.hu, window_bounds(self.window))

    @cached_property
    def full_range(self) -> FixedWindow:
        """For SSIM of the full range."""
        return FixedWindow(self.hu, self.full_range_hu)

    @cached_property
    def vif(self) -> FixedVif:
        """For VIF of HU that are not clipped."""
        return FixedVif(self.hu)

    @cached_property
    def precision(self) -> np.ndarray:
        """(S,) factors: means of segments times these are in standard errors of noise of 1 HU."""
        zero = np.zeros(self.hu.shape, np.float32)
        return standardised_bias(
            np.ones_like(zero),
            zero,
            self.segments,
            sigma_hu=1.0,
            correlation_px=max(1.0, 4 * np.pi * self.noise_blur_px**2),
        )


@dataclass(frozen=True)
class FixedError:
    """One image, as its error against a reference.

    Args:
        hu: image minus reference, (Z, H, W) in HU.
        reference: what it is judged against.
    """

    hu: np.ndarray
    reference: FixedReference

    @cached_property
    def rmse(self) -> float:
        """Root mean square of all voxels in HU."""
        return float(np.sqrt(np.square(self.hu, dtype=np.float64).mean()))

    @cached_property
    def srmse(self) -> np.ndarray:
        """(S,) root mean squares of the segments in HU."""
        return np.asarray(srmse(self.hu, np.zeros_like(self.hu), self.reference.segments))

    @property
    def mae(self) -> float:
        """Mean absolute value of all voxels in HU."""
        return float(np.abs(self.hu).mean(dtype=np.float64))

    @property
    def max_bias(self) -> float:
        """Largest mean of any segment, in standard errors of noise as large as the error."""
        segments = self.reference.segments
        means = segments.sum_over(self.hu) / segments.areas
        return float(np.abs(means * self.reference.precision).max() / max(self.rmse, 1e-9))
