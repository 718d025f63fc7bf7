"""The outline of the patient."""

import numpy as np
import pytest
from scipy import ndimage

from ldctlib.scans import open_scan
from ldctlib.segments import body_mask, segment
from ldctlib.segments.builtin import segment_slice

ROWS, COLUMNS = np.mgrid[:256, :256]


def disc(row, column, radius):
    return np.hypot(ROWS - row, COLUMNS - column) < radius


def ct_noise(sigma_hu, seed=0, shape=(256, 256)):
    """Noise with the falling and rising spectrum that filtered back-projection gives."""
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij"))
    white = np.random.default_rng(seed).standard_normal(shape)
    spectrum = np.fft.fft2(white) * frequency * np.exp(-((frequency / 0.25) ** 2))
    noise = np.fft.ifft2(spectrum).real
    return sigma_hu * noise / noise.std()


def white_noise(sigma_hu, seed=0):
    return np.random.default_rng(seed).normal(0, sigma_hu, ROWS.shape)


@pytest.mark.parametrize("noise", [ct_noise, white_noise])
@pytest.mark.parametrize(("sigma_hu", "wrong"), [(0, 0.001), (50, 0.002), (200, 0.01), (400, 0.02)])
@pytest.mark.parametrize("radius", [20, 60, 110])
def test_a_disc_keeps_its_area_under_noise(noise, sigma_hu, wrong, radius):
    """Area within 1 %; pixels on the wrong side, all at the outline, within a share of it."""
    truth = disc(128.3, 127.6, radius)
    body = body_mask(np.where(truth, 40.0, -1000.0) + noise(sigma_hu, seed=radius))
    assert body.sum() == pytest.approx(truth.sum(), rel=0.01)
    assert (body != truth).sum() < wrong * truth.sum() * 110 / radius
    depth = ndimage.distance_transform_edt(truth) + ndimage.distance_transform_edt(~truth)
    assert depth[body != truth].max(initial=0) <= 3


@pytest.mark.parametrize("blur_px", [0.7, 1.5])
def test_a_blurred_outline_is_not_moved(blur_px):
    """Half way from air to tissue a blurred edge has its place; at -350 HU it were 2 % smaller."""
    truth = disc(128, 128, 60)
    body = body_mask(ndimage.gaussian_filter(np.where(truth, 0.0, -1000.0), blur_px))
    assert body.sum() == pytest.approx(truth.sum(), rel=0.005)


def test_noise_hardly_moves_the_outline():
    clean = np.where(disc(128, 128, 90), 40.0, -1000.0)
    before = body_mask(clean)
    for seed in range(3):
        assert (body_mask(clean + ct_noise(30, seed)) ^ before).sum() < 0.05 * 2 * np.pi * 90


@pytest.mark.parametrize("noise", [ct_noise, white_noise])
@pytest.mark.parametrize("sigma_hu", [0, 20, 100])
def test_a_slice_without_a_patient_has_none(noise, sigma_hu):
    air = -1000 + noise(sigma_hu)
    assert not body_mask(air).any()
    air[225:229] = 100  # a couch alone
    assert not body_mask(air).any()
    assert segment_slice(air) == []
    assert len(segment(np.stack([air, air]), tier="extended", progress=False)) == 0


def test_a_slice_that_is_all_patient():
    assert body_mask(np.full((41, 40), 20.0)).all()


@pytest.mark.parametrize(
    ("row", "column"), [(128, 10), (-20, 128), (250, 250), (128, 128)], ids=str
)
def test_a_patient_who_touches_the_edge(row, column):
    truth = disc(row, column, 140)
    body = body_mask(np.where(truth, 40.0, -1000.0) + ct_noise(50))
    assert (body != truth).sum() < 0.002 * truth.sum()
    # The same as of a picture that shows more.
    more = np.hypot(*(np.mgrid[-64:320, -64:320] - np.array([row, column])[:, None, None])) < 140
    whole = body_mask(np.where(more, 40.0, -1000.0))[64:-64, 64:-64]
    assert (body != whole).sum() < 0.002 * truth.sum()


def test_a_couch_that_touches_the_back_is_left_out():
    truth = disc(110, 128, 80)
    hu = np.where(truth, 40.0, -1000.0)
    couch = (np.abs(ROWS - 191) < 2) & (np.abs(COLUMNS - 128) < 100)
    hu[couch & ~truth] = 100
    body = body_mask(hu)
    far = ~disc(110, 128, 88)
    assert (body & couch & far).sum() < 0.02 * couch.sum()
    assert body.sum() == pytest.approx(truth.sum(), rel=0.02)


def test_a_volume_is_its_slices_and_pixels_have_a_size():
    hu = np.where([disc(128, 128, 90), disc(100, 150, 40)], 40.0, -1000.0)
    assert np.array_equal(body_mask(hu), np.stack([body_mask(image) for image in hu]))
    gap = hu[0].copy()
    gap[120:136, :128] = -1000  # 16 pixels wide
    assert body_mask(gap, pixel_mm=0.7)[128, 100]
    assert not body_mask(gap, pixel_mm=3.0)[128, 100]


def test_body_of_a_lung_that_touches_the_skin():
    """The gap in the outline, which joins lung and room, is shut; couch and air are left out."""
    rows, columns = np.mgrid[:256, :256]
    disc = np.hypot(rows - 120, (columns - 128) / 1.2) < 90
    hu = np.where(disc, 30.0, -1000.0)
    hu[np.hypot(rows - 120, columns - 70) < 40] = -850  # its edge is 10 px below the skin
    hu[112:128, 10:40] = -850
    hu[225:229] = 100  # couch
    body = body_mask(hu)
    assert body[np.hypot(rows - 120, columns - 70) < 40].all()
    assert not body[222:].any()
    truth = disc.sum()
    assert abs(int(body.sum()) - truth) < 0.02 * truth


@pytest.mark.parametrize("anatomy", ["chest", "head"])
def test_body_of_a_phantom(anatomy):
    hu = open_scan(f"phantom-{anatomy}", shape=(1, 256, 256), seed=2).hu
    body = body_mask(hu)
    assert body.shape == hu.shape
    tissue = ndimage.binary_fill_holes(hu[0] > -350)
    assert (body[0] & tissue).sum() / (body[0] | tissue).sum() > 0.9
