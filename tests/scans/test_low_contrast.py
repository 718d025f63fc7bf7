"""The MITA-LCD images: bytes decoded to HU, discs in the middle of their patches."""

import os

import numpy as np
import pytest
from scipy import ndimage

from ldctlib.scans import mita_lcd

needs_data = pytest.mark.skipif(
    not os.environ.get("LDCTLIB_DATA_DIR"),
    reason="needs the MITA-LCD images: set LDCTLIB_DATA_DIR to the folder of the data sets",
)
RADIUS_PX = np.hypot(*(np.indices((256, 256)) - 127.5))


@pytest.mark.data
@needs_data
@pytest.mark.parametrize("method", ["fbp", "network"])
def test_water_and_air(method):
    spread = {}
    for dose in (10, 55, 100):
        images = mita_lcd(method, dose)
        for stack in (images.present, images.absent):
            assert stack.shape == (10, 256, 256)
            assert stack.dtype == np.float32
            assert stack[:, RADIUS_PX < 60].mean() == pytest.approx(0, abs=1.5)
            # the network's noise is cut off at -1000 HU
            assert stack[:, RADIUS_PX > 122].mean() == pytest.approx(-1000, abs=20)
            assert (stack.min() == -1000) == (method == "network")
            assert stack.min() >= -1300
            assert stack.max() <= 400
        spread[dose] = images.absent[:, RADIUS_PX < 60].std()
        # no image is twice there, and the two kinds have independent noise
        middle = np.concatenate([images.present, images.absent])[:, RADIUS_PX < 60]
        assert np.abs(np.corrcoef(middle) - np.eye(20)).max() < 0.06
    # quantum noise falls with the root of the dose
    assert spread[10] / spread[100] == pytest.approx(np.sqrt(10), rel=0.15)
    assert spread[55] / spread[100] == pytest.approx(np.sqrt(100 / 55), rel=0.1)


@pytest.mark.data
@needs_data
def test_the_pixel_size_follows_from_the_discs():
    images = mita_lcd()
    for insert in images.inserts.values():
        near = np.hypot(*(np.indices((256, 256)) - np.reshape(insert.centre_px, (2, 1, 1)))) < 20
        amount = images.truth[near].sum() / insert.contrast_hu * images.pixel_mm**2
        assert amount == pytest.approx(np.pi * insert.diameter_mm**2 / 4, rel=0.03)
        y, x = ndimage.center_of_mass(np.where(near, images.truth, 0))
        assert (y, x) == pytest.approx(insert.centre_px, abs=0.1)
        from_axis_mm = np.hypot(y - 127.5, x - 127.5) * images.pixel_mm
        assert from_axis_mm == pytest.approx(30, abs=0.1)
    across = (images.truth[128] > -500).sum() * images.pixel_mm
    assert across == pytest.approx(150, abs=1)


@pytest.mark.data
@needs_data
def test_patches_have_the_disc_in_the_middle():
    images = mita_lcd("network", 100)
    truth = images.__class__(**{**images.__dict__, "present": images.truth[None]})
    for name, insert in images.inserts.items():
        patch = truth.patches(name, 32)[0][0]
        assert patch.max() == insert.contrast_hu
        assert ndimage.center_of_mass(patch) == pytest.approx((15.5, 15.5), abs=0.15)
        # the axis of the scan lies towards the lower right of every patch
        y, x = np.argwhere(truth.patches(name)[0][0] != 0).mean(axis=0)
        assert abs(y - 31.5) < 1
        assert abs(x - 31.5) < 1
        present, absent = images.patches(name)
        assert (present.shape, absent.shape) == ((10, 64, 64), (40, 64, 64))
        own = images.patches(name, places="own")[1]
        assert any(np.array_equal(own, absent[k : k + 10]) for k in range(0, 40, 10))
        # the discs show in the mean of ten images
        inside = np.hypot(*(np.indices((64, 64)) - 31.5)) < insert.diameter_mm / images.pixel_mm / 2
        found = present[:, inside].mean() - absent[:, inside].mean()
        assert found == pytest.approx(insert.contrast_hu, rel=0.5)


@pytest.mark.data
@needs_data
def test_patches_are_turned_so_that_the_axis_is_lower_right():
    images = mita_lcd()
    radius = np.repeat(RADIUS_PX[None], 10, axis=0)
    distances = images.__class__(**{**images.__dict__, "present": radius, "absent": radius})
    for name in images.inserts:
        present, absent = distances.patches(name)
        np.testing.assert_allclose(absent, np.repeat(present[:1], 40, axis=0))
        assert present[0].argmin() == 64 * 64 - 1


@pytest.mark.data
@needs_data
def test_the_network_did_not_see_the_fbp_images():
    """Noise of a scan and of the same scan denoised would be alike; here no pair of images is."""
    inside = RADIUS_PX < 60
    fbp, network = (mita_lcd(m, 100).absent[:, inside] for m in ("fbp", "network"))
    assert np.abs(np.corrcoef(fbp, network)[:10, 10:]).max() < 0.06
    mixed = fbp + 0.5 * network  # what a shared part of the noise would look like
    assert np.diag(np.corrcoef(mixed, network)[:10, 10:]).min() > 0.3


@pytest.mark.data
@needs_data
def test_it_may_be_shown():
    provenance = mita_lcd().provenance
    assert (provenance["licence"], provenance["may_show"]) == ("CC0-1.0", "yes")
    assert "LCD_CT" in provenance["citation"]


def test_what_there_is_not():
    for arguments in (("wavelets", 100), ("fbp", 50)):
        with pytest.raises(ValueError, match="fbp or network at 10, 55, 100 percent"):
            mita_lcd(*arguments)


@pytest.mark.data
@needs_data
def test_bad_patches_are_refused():
    images = mita_lcd()
    for arguments, message in [
        (("4 mm",), "no insert"),
        (("3 mm, 14 HU", 33), "even size"),
        (("3 mm, 14 HU", 66), "up to 64"),
        (("3 mm, 14 HU", 64, "some"), "'own' or 'all'"),
    ]:
        with pytest.raises(ValueError, match=message):
            images.patches(*arguments)
