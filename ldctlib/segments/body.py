"""The outline of the patient, without the air around, the couch and the clothes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

PIXEL_MM = 0.7
SMOOTH_PX = 1.5
SKIN_HU = -350.0  # denser than clothes, blankets and the foam of a couch
EDGE_HU = -500.0  # half way from air to soft tissue: there a blurred edge has its place
REACH_MM = 8.4  # gaps in the outline, as of a lung that touches the skin, are shut to twice this


def body_mask(hu: np.ndarray, pixel_mm: float = PIXEL_MM) -> np.ndarray:
    """Where the patient is, slice by slice; lungs and bowel belong to it.

    What is denser than -350 HU in the smoothed slice, without parts thinner than six pixels, as
    the shell of a couch is; of that the largest connected part, with gaps in its outline shut and
    holes filled. This is worked out on every second pixel; then the outline is moved, by two
    pixels at most, to where the smoothed slice crosses -500 HU.

    A patient who touches the edge of the image is taken to go on beyond it. A lung that the edge
    cuts open is not told from the air around and left out.

    Args:
        hu: slice (H, W) or volume (Z, H, W) in HU.
        pixel_mm: size of a pixel.

    Returns:
        Boolean array of the same shape; False everywhere in a slice without a patient, which is
        one that holds nothing denser than -350 HU and six pixels thick.

    >>> disc = np.hypot(*np.mgrid[-128:128, -128:128]) < 100
    >>> int(body_mask(np.where(disc, 40.0, -1000.0)).sum()), int(disc.sum())
    (31393, 31397)
    """
    hu = np.asarray(hu, np.float32)
    if hu.ndim == 3:
        return np.stack([body_mask(image, pixel_mm) for image in hu])
    smooth = ndimage.gaussian_filter(hu, SMOOTH_PX, truncate=3.0, mode="nearest")
    margin = max(1, round(REACH_MM / pixel_mm / 2))
    # Beyond the image the body goes on.
    dense = np.pad(smooth[::2, ::2] > SKIN_HU, margin, mode="edge")
    parts, count = ndimage.label(ndimage.binary_opening(dense))
    if count == 0:
        return np.zeros(hu.shape, bool)
    body = _closed(parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]), margin)
    inner = ndimage.binary_erosion(body, border_value=1)
    outer = ndimage.binary_dilation(body)
    inner, outer = (_fine(mask, margin, hu.shape) for mask in (inner, outer))
    return np.asarray(inner | (outer & (smooth > EDGE_HU)))


def _closed(body: np.ndarray, reach: int) -> np.ndarray:
    """Gaps up to twice as wide as ``reach`` are shut, then holes filled."""
    # Diamonds and squares in turn are nearly discs.
    balls = [ndimage.generate_binary_structure(2, 1 + i % 2) for i in range(reach)]
    for ball in balls:
        body = ndimage.binary_dilation(body, ball)
    for ball in balls:
        body = ndimage.binary_erosion(body, ball, border_value=1)
    return np.asarray(ndimage.binary_fill_holes(body))


def _fine(mask: np.ndarray, margin: int, shape: tuple[int, ...]) -> np.ndarray:
    """Every second pixel, with a margin, as the whole slice."""
    inside = mask[margin:-margin, margin:-margin]
    return inside.repeat(2, 0).repeat(2, 1)[: shape[0], : shape[1]]
