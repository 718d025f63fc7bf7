"""What a scanner makes of an object's sharpness: the modulation of its kernel, and nothing else."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import fft

from ldctlib.physics.kernels import Kernel, KernelLike, kernel_name, kernel_of
from ldctlib.scans.scan import Scan

MARGIN_MM = 15.0  # beyond the image, which a kernel's ringing does not cross
TOLERANCE = 0.05  # of f50, beyond which a grid is too coarse for a kernel


def imaged(scan: Scan, kernel: KernelLike = "standard") -> Scan:
    """A phantom as a scanner without noise would show it, with the sharpness of a kernel.

    Args:
        scan: an object, each of whose pixels holds what lies within it.
        kernel: a name from `KERNELS`, or a `Kernel`.

    Raises:
        ValueError: the scan is an image already, or its pixels are too coarse for the kernel.

    >>> columns = 100.0 * (np.arange(64) >= 32)
    >>> edge = Scan(np.tile(columns, (1, 64, 1)), (1, 1, 1), "edge")
    >>> imaged(edge, "soft").hu[0, 0, 29:35].round().tolist()
    [1.0, -2.0, 18.0, 82.0, 102.0, 99.0]
    """
    kernel = kernel_of(kernel)
    blur = scan.provenance.get("sharpness")
    if blur is not None and blur != kernel_name(kernel):
        raise ValueError(
            f"{scan.name} has the sharpness of the kernel {blur} already: begin with the phantom."
        )
    if blur is not None:
        return scan
    return scan.with_hu(blurred(scan.hu, scan.pixel_mm, kernel), sharpness=kernel_name(kernel))


def blurred(hu: np.ndarray, pixel_mm: float, kernel: Kernel) -> np.ndarray:
    """Slices with the modulation of a kernel in place of that of their pixels.

    A phantom's pixel is the mean over its area, in one direction a modulation of sinc(f p); a
    scanner samples the blurred object at points. So the frequencies of the grid are multiplied by
    W(f) / sinc(f p).

    Args:
        hu: (Z, H, W) of an object with partial volume.
        pixel_mm: p.
        kernel: W.

    Returns:
        HU, float32 (Z, H, W).

    Raises:
        ValueError: the pixels are too coarse to show the sharpness of the kernel.
    """
    found = shown_f50(kernel, pixel_mm)
    if abs(found - kernel.f50) > TOLERANCE * kernel.f50:
        raise ValueError(
            f"Half of the modulation of this kernel is left at {kernel.f50:.2f} /mm, but pixels of "
            f"{pixel_mm:.2f} mm would show half of it at {found:.2f} /mm: take smaller pixels or a "
            "softer kernel."
        )
    margin = int(MARGIN_MM / pixel_mm + 0.5)
    shape = [fft.next_fast_len(n + 2 * margin, real=True) for n in hu.shape[1:]]
    rows, columns = fft.fftfreq(shape[0], pixel_mm), fft.rfftfreq(shape[1], pixel_mm)
    f = np.hypot(rows[:, None], columns)
    transfer = (kernel(f) / np.sinc(f * pixel_mm).clip(0.1)).astype(np.float32)
    result = np.empty(hu.shape, np.float32)
    inside = tuple(slice(margin, margin + n) for n in hu.shape[1:])
    after = [n - margin - m for n, m in zip(shape, hu.shape[1:], strict=True)]
    for z, plane in enumerate(hu):
        padded = np.pad(plane, [(margin, a) for a in after], mode="edge")
        sharp = fft.irfft2(fft.rfft2(padded, workers=-1) * transfer, s=shape, workers=-1)
        result[z] = sharp[inside]
    return result


@lru_cache
def shown_f50(kernel: Kernel, pixel_mm: float) -> float:
    """Where the image of an edge that crosses the pixels in all directions has half its modulation.

    Beyond the grid's Nyquist frequency the pixels' own modulation is left, times the filter's,
    which repeats itself there; kernels that let much pass at Nyquist are changed by it.
    """
    f = np.linspace(0, 1.5 * kernel.cutoff_per_mm, 1501)
    angle = np.linspace(0, np.pi / 4, 46)
    along = [np.multiply.outer(f, part(angle)) for part in (np.cos, np.sin)]
    folded = np.hypot(
        *(np.abs((x + 0.5 / pixel_mm) % (1 / pixel_mm) - 0.5 / pixel_mm) for x in along)
    )
    passed = kernel(folded) / np.sinc(folded * pixel_mm).clip(0.1)
    transfer = np.sinc(f * pixel_mm) * passed.mean(1)
    return float(f[np.flatnonzero(transfer >= 0.5)[-1]])
