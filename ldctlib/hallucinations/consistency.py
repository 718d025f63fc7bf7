"""Does the denoised image contradict the measurement? A test per segment, without a full dose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor
from tqdm import tqdm

from ldctlib.hallucinations.rings import GAP_PX, WIDTH_PX, contrast, rings
from ldctlib.masks import Masks
from ldctlib.metrics import adjusted
from ldctlib.physics import FanBeam, Kernel, Sinogram, fbp, project
from ldctlib.scans.scan import Scan
from ldctlib.units import AIR_HU, MU_WATER_PER_MM

HU_PER_MU = 1000 / MU_WATER_PER_MM
SEGMENTS_AT_ONCE, SLICES_AT_ONCE = 64, 8
VIEWS = 96  # enough for a standard error


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
    kernel = kernel or Kernel("ram-lak", min(1.0, _channel_mm(geometry) / geometry.pixel_mm))
    seen, missing, variance = _reconstructed(_square(hu, geometry), sinogram, kernel, every)
    window = _inside(hu.shape, geometry)
    seen, missing = seen[window], missing[window]
    shown = contrast(seen, masks, around)
    excess = contrast(missing, masks, around)
    few = replace(geometry, views=geometry.views // every)
    squares = np.zeros(len(masks))
    batches = _templates(masks, around, geometry)
    bar = tqdm(total=len(masks), desc="consistency", disable=not progress)
    for owners, slices, templates in batches:
        spread = _adjoint(templates, few, kernel).numpy().astype(np.float64)
        parts = [(a**2 * variance[z]).sum() for a, z in zip(spread, slices, strict=True)]
        np.add.at(squares, owners, np.array(parts) / every)
        bar.update(len(set(owners)))
    bar.close()
    error = np.sqrt(squares) * HU_PER_MU
    return Consistency(excess / error, shown, shown - excess, error, kept, masks.labels)


def _reconstructed(
    hu: np.ndarray, sinogram: Sinogram, kernel: Kernel, every: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The image and its residual seen through the scanner in HU, and the thinned variance."""
    geometry, parts = sinogram.geometry, []
    for start in range(0, len(hu), SLICES_AT_ONCE):
        part = slice(start, start + SLICES_AT_ONCE)
        # no clipping at air: negative values of noise must cancel in the line integrals
        mu = torch.from_numpy((1 + hu[part] / 1000) * np.float32(MU_WATER_PER_MM))
        lines = project(mu, geometry)
        blank = (sinogram.blank if sinogram.blank.ndim == 1 else sinogram.blank[part]).double()
        expected = blank * torch.exp(-lines.double())
        counted = blank * torch.exp(-sinogram.line_integrals[part].double())
        residual = (counted / expected - 1).float()  # A x - p to first order
        thin = expected[:, ::every]
        variance = (thin + sinogram.electronic_noise**2) / thin**2
        images = (fbp(x, geometry, kernel) * HU_PER_MU for x in (lines, residual))
        parts.append([x.numpy() for x in (*images, variance.float())])
    seen, missing, thinned = (np.concatenate(part) for part in zip(*parts, strict=True))
    return seen, missing, thinned


def _templates(
    masks: Masks, around: Masks, geometry: FanBeam
) -> Iterator[tuple[list[int], list[int], Tensor]]:
    """Mean inside minus mean in the ring as images, one a segment and slice, in batches."""
    _, height, width = masks.shape
    pixels = height * width
    top, left = (geometry.pixels - height) // 2, (geometry.pixels - width) // 2
    owners: list[int] = []
    slices: list[int] = []
    images: list[np.ndarray] = []
    for i in range(len(masks)):
        planes: dict[int, np.ndarray] = {}
        for part, weight in ((masks, 1 / masks.areas[i]), (around, -1 / around.areas[i])):
            runs = slice(part.offsets[i], part.offsets[i + 1])
            for start, length in zip(part.starts[runs], part.lengths[runs], strict=True):
                z, place = divmod(int(start), pixels)
                y, x = divmod(place, width)
                plane = planes.setdefault(
                    z, np.zeros((geometry.pixels, geometry.pixels), np.float32)
                )
                plane[top + y, left + x : left + x + length] = weight
        for z, plane in planes.items():
            owners.append(i)
            slices.append(z)
            images.append(plane)
            if len(images) == SEGMENTS_AT_ONCE:
                yield owners, slices, torch.from_numpy(np.stack(images))
                owners, slices, images = [], [], []
    if images:
        yield owners, slices, torch.from_numpy(np.stack(images))


def _adjoint(images: Tensor, geometry: FanBeam, kernel: Kernel) -> Tensor:
    """The transpose of the reconstruction, applied to images (N, n, n)."""
    lines = torch.zeros(len(images), *geometry.sinogram_shape, requires_grad=True)
    (gradient,) = torch.autograd.grad(fbp(lines, geometry, kernel), lines, images)
    return gradient


def _channel_mm(geometry: FanBeam) -> float:
    """Channel spacing, scaled to the axis of rotation."""
    return geometry.channel_mm * geometry.sod_mm / geometry.sdd_mm


def _inside(shape: tuple[int, ...], geometry: FanBeam) -> tuple[slice, slice, slice]:
    """Where images of ``shape`` lie in the middle of the scanner's square grid."""
    top, left = ((geometry.pixels - size) // 2 for size in shape[1:])
    return slice(None), slice(top, top + shape[1]), slice(left, left + shape[2])


def _square(hu: np.ndarray, geometry: FanBeam) -> np.ndarray:
    square = np.full((len(hu), geometry.pixels, geometry.pixels), AIR_HU, np.float32)
    square[_inside(hu.shape, geometry)] = hu
    return square


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
