"""Does the denoised image contradict the measurement? A test per segment, without a full dose."""

from __future__ import annotations

import numpy as np

from ldctlib.hallucinations.consistency_results import Consistency
from ldctlib.hallucinations.rings import GAP_PX, WIDTH_PX, contrast, rings
from ldctlib.hallucinations.through_scanner import errors_of_contrast, through_scanner
from ldctlib.masks import Masks
from ldctlib.physics import Kernel, Sinogram
from ldctlib.scans.scan import Scan

VIEWS = 96  # enough for a standard error


def consistency(
    image: Scan | np.ndarray,
    sinogram: Sinogram,
    masks: Masks,
    *,
    kept: float = 0.5,
    kernel: Kernel | None = None,
    every: int | None = None,
    gap_px: float = GAP_PX,
    width_px: float = WIDTH_PX,
    progress: bool = False,
) -> Consistency:
    """Test every segment of an image against the sinogram that it was made from.

    The residual r = A x - p is reconstructed by an unapodised FBP, F. The contrast q of a segment
    against its ring in that image is q'F r. It does not know errors outside the ring, is blind to
    smooth shading, and under "x is the truth" has the variance a'Sa with a = F'q, the
    segment's filtered projections, and S the variance of the line integrals. So

        z = q'F r / sqrt(q'F S F'q).

    This is the likelihood-ratio statistic b'S^-1 r / sqrt(b'S^-1 b) of the residual b = S a. The
    plain choice b = A m is more powerful against the segment alone, but it hears every error in
    the rest of the slice as well: clipped noise in air moves it by tens of standard errors.

    The residual is that of the counts, r = y / y(x) - 1, and S follows from the image as well, so
    that the logarithm's bias and the noise of weights stay out.

    Args:
        image: the denoised scan or volume (Z, H, W) in HU, in the scanner's grid.
        sinogram: of the low-dose scan.
        masks: S segments; of the image, of the low dose, or of anything.
        kept: see `Consistency`: a structure whose contrast was halved counts as removed.
        kernel: of F; the ramp up to the Nyquist frequency of the pixels if None.
        every: standard errors use every so many views; as many as leave 96 if None, which is
            exact to a few per cent.
        gap_px: between segment and ring.
        width_px: of the ring.
        progress: show a bar.

    Raises:
        ValueError: grids differ, a mask is empty or has no ring, or views do not divide.

    Source: likelihood ratio of a known signal in Gaussian noise, Barrett and Myers 2004,
    Foundations of Image Science, doi:10.1002/0471457558; a test against a smallest effect that
    matters, Murphy and Myors 1999, J Appl Psychol 84:234, doi:10.1037/0021-9010.84.2.234.
    """
    geometry = sinogram.geometry
    if every is None:
        most = max(1, geometry.views // VIEWS)
        every = max(n for n in range(1, most + 1) if geometry.views % n == 0)
    hu = np.asarray(image.hu if isinstance(image, Scan) else image, np.float32)
    _check(hu, sinogram, masks, kept, every)
    around = rings(masks, gap_px, width_px)
    if (masks.areas == 0).any() or (around.areas == 0).any():
        raise ValueError("A segment is empty, or fills the image so that it has no surroundings.")
    kernel = kernel or Kernel("ram-lak", min(geometry.nyquist_per_mm, 0.5 / geometry.pixel_mm))
    seen, missing, variance = through_scanner(hu, sinogram, kernel, every)
    shown, excess = (contrast(x, masks, around) for x in (seen, missing))
    error = errors_of_contrast(masks, around, variance, geometry, kernel, progress)
    return Consistency(excess / error, shown, shown - excess, error, kept, masks.labels)


def _check(hu: np.ndarray, sinogram: Sinogram, masks: Masks, kept: float, every: int) -> None:
    geometry, lines = sinogram.geometry, sinogram.line_integrals
    if hu.ndim != 3 or len(hu) != len(lines) or max(hu.shape[1:]) != geometry.pixels:
        raise ValueError(
            f"The image is {hu.shape}, but the sinogram has {len(lines)} slices for "
            f"{geometry.pixels} pixels: give the scan that was made from it."
        )
    if masks.shape != hu.shape:
        raise ValueError(f"The masks lie on {masks.shape}, the image on {hu.shape}.")
    if not np.isfinite(hu).all():
        raise ValueError("The image holds values that are not finite.")
    if not 0 < kept <= 1:
        raise ValueError(f"kept is a share of the contrast in (0, 1], not {kept}.")
    if every < 1 or geometry.views % every:
        raise ValueError(f"{geometry.views} views cannot be thinned to every {every}th.")
