"""The test against the sinogram: its formula, its null distribution, its power, its blind spots."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from ldctlib.hallucinations import consistency
from ldctlib.hallucinations.rings import rings
from ldctlib.masks import Masks
from ldctlib.physics import FanBeam, Kernel, Sinogram, expose, fbp, project
from ldctlib.scans.scan import Scan
from ldctlib.units import MU_WATER_PER_MM

SMALL = FanBeam(32, 10.0, 48, 50, 595.0, 1085.6, 18.0)
COURSE = FanBeam.course(128, 2.8)
KERNEL = Kernel("hann", 0.178)  # ends where the pixels do
PHOTONS = 2e4


def truth(geometry, lesions, depth=1):
    """A water disc with discs of other contrasts (row, column, radius in pixels, HU), and masks."""
    n = geometry.pixels
    y, x = np.indices((n, n)) - (n - 1) / 2
    hu = np.where(np.hypot(y, x) < 0.4 * n, 0.0, -1000.0)
    found = [np.hypot(y - a, x - b) < radius for a, b, radius, _ in lesions]
    for inside, (*_, contrast_hu) in zip(found, lesions, strict=True):
        hu = hu + contrast_hu * inside
    volume = np.repeat(hu[None], depth, 0).astype(np.float32)
    masks = [(z, inside) for z in range(depth) for inside in found]
    return volume, Masks.from_slices(masks, volume.shape)


def measured(hu, geometry, photons, seed, electronic_noise=5.0):
    """A sinogram of a volume, with Poisson noise drawn here."""
    mu = torch.from_numpy((1 + hu / 1000) * np.float32(MU_WATER_PER_MM))
    rng = np.random.default_rng(seed)
    counts = rng.poisson(photons * np.exp(-project(mu, geometry).double().numpy()))
    counts = np.maximum(counts + rng.normal(0, electronic_noise, counts.shape), 1)
    blank = torch.full((geometry.channels,), float(photons))
    lines = torch.from_numpy(-np.log(counts / photons)).float()
    return Sinogram(lines, blank, electronic_noise, geometry)


def test_z_is_the_likelihood_ratio_in_matrices():
    """b'S^-1 r / sqrt(b'S^-1 b) with b = S F'q and F from impulses, view by view."""
    hu, masks = truth(SMALL, [(-4, 3, 3, 30.0), (5, -2, 2.5, -40.0)])
    sinogram = measured(hu, SMALL, 1e5, 0)
    image = gaussian_filter(hu, (0, 0.6, 0.6))
    kernel = Kernel("hann", 0.05)
    found = consistency(image, sinogram, masks, kernel=kernel, every=1)
    lines = project(torch.from_numpy((1 + image / 1000) * np.float32(MU_WATER_PER_MM)), SMALL)
    counts, expected = (1e5 * np.exp(-p.double().numpy()) for p in (sinogram.line_integrals, lines))
    variance = ((expected + 25) / expected**2).ravel()
    r = (counts / expected - 1).ravel()
    around = rings(masks)
    for i, z in enumerate(found.z):
        inside, ring = masks.boolean(i), around.boolean(i)
        q = (inside / inside.sum() - ring / ring.sum()).ravel()
        back = np.zeros(len(r))
        impulses = torch.eye(SMALL.channels)
        for view in range(SMALL.views):
            sino = torch.zeros(SMALL.channels, *SMALL.sinogram_shape)
            sino[:, view] = impulses
            images = fbp(sino, SMALL, kernel).double().numpy().reshape(len(impulses), -1)
            back[view * SMALL.channels : (view + 1) * SMALL.channels] = images @ q
        b = variance * back
        ratio = (b / variance) @ r / np.sqrt((b / variance) @ b)
        np.testing.assert_allclose(z, ratio, rtol=1e-3, atol=1e-3)
        error_hu = np.sqrt(b @ back) * 1000 / MU_WATER_PER_MM
        np.testing.assert_allclose(found.standard_error_hu[i], error_hu, rtol=1e-3)


NIGHTS = 12
LESIONS = [
    (y, x, 3.2, 25.0 * (-1) ** i)
    for i, (y, x) in enumerate(
        (r * np.sin(a), r * np.cos(a)) for r in (18, 38) for a in np.arange(6) * np.pi / 3
    )
]


@pytest.fixture(scope="module")
def nights():
    """One truth measured many times, as slices of one volume."""
    hu, masks = truth(COURSE, LESIONS, depth=NIGHTS)
    return hu, masks, measured(hu, COURSE, PHOTONS, 1)


def faithful(hu, sinogram, left=0.4):
    """A denoiser that keeps everything and ``left`` of the noise of the scan."""
    lines = project(torch.from_numpy((1 + hu / 1000) * np.float32(MU_WATER_PER_MM)), COURSE)
    noise = fbp(sinogram.line_integrals - lines, COURSE, KERNEL).numpy() * 1000 / MU_WATER_PER_MM
    return hu + left * noise


def test_z_is_standard_normal_where_the_image_is_the_truth(nights):
    hu, masks, sinogram = nights
    found = consistency(hu, sinogram, masks)
    count = len(found.z)
    assert abs(found.z.mean()) < 4 / np.sqrt(count)
    assert abs(found.z.std() - 1) < 4 / np.sqrt(2 * count)
    assert abs((found.p < 0.05).mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / count)
    assert not found.flagged(method="bonferroni").any()
    np.testing.assert_allclose(
        found.image_hu - found.measured_hu, found.z * found.standard_error_hu
    )


@pytest.mark.parametrize("left", [0.2, 0.6, 1.0])
def test_noise_that_is_left_in_the_image_raises_no_alarm(nights, left):
    hu, masks, sinogram = nights
    found = consistency(faithful(hu, sinogram, left), sinogram, masks)
    assert found.z.std() < 1.1
    assert (found.p < 0.05).mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(found.z))
    assert not found.flagged(method="bonferroni").any()


def test_removed_lesions_are_found_and_z_measures_them(nights):
    hu, masks, sinogram = nights
    well, _ = truth(COURSE, [(y, x, r, 0.0) for y, x, r, _ in LESIONS], depth=NIGHTS)
    found = consistency(faithful(well, measured(well, COURSE, PHOTONS, 1), 0.0), sinogram, masks)
    kept = consistency(hu, sinogram, masks)
    signal = (found.image_hu - kept.image_hu) / found.standard_error_hu
    assert 2 < np.abs(signal).mean() < 12
    # z keeps unit variance about a mean that is the lost contrast in standard errors
    np.testing.assert_allclose(np.mean(found.z / signal), 1, atol=0.05)
    assert abs((found.z - signal).std() - 1) < 0.2
    power = found.flagged().mean()
    assert power > 0.9
    assert (
        np.mean([k == "removed" for k, f in zip(found.kinds, found.flagged(), strict=True) if f])
        == 1
    )


def test_introduced_lesions_are_found_as_often_as_theory_says(nights):
    hu, masks, _ = nights
    well, _ = truth(COURSE, [(y, x, r, 0.0) for y, x, r, _ in LESIONS], depth=NIGHTS)
    found = consistency(hu, measured(well, COURSE, PHOTONS, 2), masks)
    # what must be exceeded is not 0 but half of the contrast in the image
    size = 0.5 * np.abs(found.image_hu) / found.standard_error_hu
    power = norm.sf(norm.isf(0.05) - size).mean()
    assert 0.5 < power < 0.98
    assert abs((found.p_introduced < 0.05).mean() - power) < 4 * np.sqrt(0.25 / len(size))
    assert {k for k, f in zip(found.kinds, found.flagged(), strict=True) if f} == {"introduced"}


def test_blur_and_shading_change_contrast_but_remove_nothing(nights):
    hu, masks, sinogram = nights
    y, x = np.indices(hu.shape[1:])
    image = gaussian_filter(hu, (0, 0.8, 0.8)) + 0.5 * x - 0.3 * y
    found = consistency(image, sinogram, masks)
    assert not found.flagged(method="bonferroni").any()
    assert (found.p_removed < 0.05).mean() < 0.05


def test_an_error_elsewhere_does_not_leak():
    hu, masks = truth(COURSE, LESIONS)
    sinogram = measured(hu, COURSE, PHOTONS, 3)
    image = np.maximum(hu, -900)  # the air shines, as it does where negative noise is clipped
    before, after = (consistency(x, sinogram, masks).z for x in (hu, image))
    assert np.abs(after - before).max() < 1


def test_an_exam_of_a_scan_that_is_not_square():
    hu, masks = truth(COURSE, LESIONS)
    masks = masks.crop(0, slice(10, 118), slice(0, 128))
    scan = Scan(hu[:, 10:118], (1, 2.8, 2.8), "disc")
    exam = expose(scan, 0.25, seed=3, geometry=COURSE, kernel=KERNEL, truth=True, preset="clinical")
    found = consistency(exam.full, exam.sinogram, masks)
    assert found.labels == masks.labels
    assert np.abs(found.z).max() < 4.5
    np.testing.assert_allclose(found.image_hu, [c for *_, c in LESIONS], atol=8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((1, 48, 48), np.float32)}, "12 slices"),
        ({"kept": 0.0}, "kept is a share"),
        ({"every": 7}, "384 views"),
        ({"masks": Masks.from_slices([], (1, 128, 128))}, "masks lie on"),
    ],
)
def test_bad_input(nights, change, message):
    hu, masks, sinogram = nights
    given = {"image": hu, "sinogram": sinogram, "masks": masks}
    with pytest.raises(ValueError, match=message):
        consistency(**{**given, **change})
