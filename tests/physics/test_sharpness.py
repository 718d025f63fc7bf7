"""Phantoms get the sharpness of a kernel, on every grid that can show it."""

import numpy as np
import pytest

from ldctlib.metrics import ttf
from ldctlib.physics import KERNELS, Kernel, imaged
from ldctlib.physics.sharpness import shown_f50
from ldctlib.scans import Scan
from ldctlib.scans.phantoms import inserts


def insert(pixels, pixel_mm):
    """One insert of 500 HU, off every symmetry of the grid, in a part of the slice."""
    scan = inserts((500,), (40,), shape=(1, pixels, pixels), pixel_mm=pixel_mm, disc_mm=170.0)
    rows, columns = (np.flatnonzero(scan.masks["structures"].boolean(0)[0].any(a)) for a in (1, 0))
    margin = int(36 / pixel_mm)
    return scan.crop(
        slice(rows[0] - margin, rows[-1] + margin),
        slice(columns[0] - margin, columns[-1] + margin),
    )


@pytest.mark.parametrize("kernel", list(KERNELS))
@pytest.mark.parametrize(("pixels", "pixel_mm"), [(512, 0.7), (256, 1.4)])
def test_an_insert_is_as_sharp_as_its_kernel(pixels, pixel_mm, kernel):
    scan = insert(pixels, pixel_mm)
    found = ttf(imaged(scan, kernel).hu, pixel_mm, scan.masks["structures"].boolean(0)[0])
    assert found.f50 == pytest.approx(KERNELS[kernel].f50, rel=0.05)
    assert found.contrast_hu == pytest.approx(500, rel=0.02)


def test_an_object_is_blurred_once():
    once = imaged(insert(256, 1.4), "soft")
    assert once.provenance["sharpness"] == "soft"
    assert imaged(once, "soft") is once
    with pytest.raises(ValueError, match="soft already"):
        imaged(once, "standard")


def test_pixels_too_coarse_for_a_kernel_are_refused():
    scan = Scan(np.zeros((1, 32, 32)), (1, 3, 3), "coarse")
    with pytest.raises(ValueError, match="smaller pixels"):
        imaged(scan, "lung")
    with pytest.raises(ValueError, match="smaller pixels"):
        imaged(scan, "soft")


def test_a_wave_is_passed_as_the_kernel_says():
    """The mean over pixels takes sinc(f p) of a wave; what the grid then shows is W(f) of it."""
    pixel_mm, kernel, f = 0.7, KERNELS["standard"], 0.3
    x = pixel_mm * np.arange(200)
    wave = np.cos(2 * np.pi * f * x)
    area = np.sinc(f * pixel_mm) * wave  # the mean of the wave over each pixel
    scan = Scan(np.tile(100 * area, (1, 200, 1)), (1, pixel_mm, pixel_mm), "wave")
    found = imaged(scan, kernel).hu[0, 100, 60:140]
    expected = 100 * kernel(np.array(f)) * wave[60:140]
    assert found == pytest.approx(expected, abs=1.0)


def test_the_mean_is_kept():
    scan = Scan(np.full((2, 40, 50), 37.0), (1, 1.0, 1.0), "flat")
    assert imaged(scan, "sharp").hu == pytest.approx(37, abs=1e-3)


def test_on_fine_pixels_nothing_is_lost():
    kernel = Kernel("hann", 0.4)
    assert shown_f50(kernel, 0.2) == pytest.approx(kernel.f50, rel=2e-3)
