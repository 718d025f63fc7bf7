"""What noise a scan has, and whether a dose of a adds (1 - a) / a of it."""

import dataclasses
import os

import numpy as np
import pytest

from ldctlib.physics import KERNELS, FanBeam, expose, imaged
from ldctlib.physics import noise as photon_noise
from ldctlib.physics.own_noise import (
    correlation_of_noise,
    local_noise,
    own_noise,
    sampled,
    usual_noise,
)
from ldctlib.physics.presets import PRESETS
from ldctlib.scans import open_scan


def bowtie_of(exam):
    preset = PRESETS[exam.exposure.preset][exam.full.anatomy]
    return photon_noise.bowtie(
        exam.exposure.geometry, preset.bowtie_radius_mm, preset.bowtie_strength
    )


def as_patient(scan):
    """The noisy image of a phantom, of which nobody knows that it is one."""
    return dataclasses.replace(scan, provenance={"source": "a hospital"}, masks={})


def ratio_of_variances(exam, scan):
    """Added noise over own noise, in soft tissue, as the estimator sees it."""
    chosen = sampled(len(scan.hu))
    usual, own = usual_noise(scan.hu[chosen], scan.pixel_mm)
    _, spread = local_noise((exam.low.hu - scan.hu)[chosen], scan.pixel_mm)
    return (spread[usual] ** 2).mean() / own**2


def noise_of_power(kernel, shape, pixel_mm, sigma_hu, seed=0):
    """Noise whose power is |f| W(f)², sampled from a grid of half the pixels."""
    f = np.hypot(*np.meshgrid(*[np.fft.fftfreq(2 * shape[1], pixel_mm / 2)] * 2))
    white = np.random.default_rng(seed).normal(size=(shape[0], 2 * shape[1], 2 * shape[1]))
    fine = np.fft.ifft2(np.fft.fft2(white) * np.sqrt(f) * kernel(f)).real
    noise = fine[:, ::2, ::2]
    return sigma_hu * noise / noise.std()


@pytest.mark.parametrize("kernel", ["soft", "standard", "sharp"])
@pytest.mark.parametrize("sigma_hu", [12.0, 30.0])
@pytest.mark.parametrize("anatomy", ["chest", "abdomen"])
def test_the_own_noise_is_found(anatomy, sigma_hu, kernel):
    """Noise of known strength and colour on a phantom, whose organs are not even."""
    pixels = 400  # of 0.9 mm
    scan = open_scan(f"phantom-{anatomy}", shape=(2, pixels, pixels), spacing_mm=(5, 0.9, 0.9))
    clean = imaged(scan, kernel).hu
    noise = noise_of_power(KERNELS[kernel], scan.shape, scan.pixel_mm, sigma_hu)
    usual, sigma = usual_noise(clean + noise, scan.pixel_mm)
    assert usual.sum() > 1000
    assert sigma == pytest.approx(sigma_hu, rel=0.12)


@pytest.mark.parametrize("kernel", ["soft", "standard", "sharp"])
@pytest.mark.parametrize("anatomy", ["chest", "abdomen"])
def test_the_colour_of_own_noise_is_found(anatomy, kernel):
    """Up to a fifth of f50: what organs leave in the windows makes noise look softer."""
    pixels = 400
    scan = open_scan(f"phantom-{anatomy}", shape=(1, pixels, pixels), spacing_mm=(5, 0.9, 0.9))
    noise = noise_of_power(KERNELS[kernel], scan.shape, scan.pixel_mm, 30.0)
    noisy = scan.with_hu(imaged(scan, kernel).hu + noise)
    geometry = FanBeam.siemens(pixels, 0.9)
    found = own_noise(noisy, geometry, np.ones(geometry.channels))
    assert found.kernel.f50 == pytest.approx(KERNELS[kernel].f50, rel=0.2)


@pytest.fixture(scope="module", params=[("chest", "benchmark"), ("abdomen", "clinical"),
                                        ("abdomen", "benchmark")], ids="-".join)  # fmt: skip
def known(request):
    anatomy, preset = request.param
    scan = open_scan(f"phantom-{anatomy}", shape=(2, 256, 256), spacing_mm=(5, 1.4, 1.4))
    return expose(scan, 0.5, seed=3, preset=preset, keep_sinogram=False)


def test_the_strength_of_an_exams_noise_is_found(known):
    """Against full dose less truth, in the same windows.

    On pixels of 1.4 mm a window has but 25, and in a chest noise differs from place to place: the
    strength is right within a fifth.
    """
    scan, exposure = as_patient(known.full), known.exposure
    found = own_noise(scan, exposure.geometry, bowtie_of(known), exposure.kernel)
    usual, sigma = usual_noise(scan.hu, scan.pixel_mm)
    _, spread = local_noise(known.full.hu - known.truth.hu, scan.pixel_mm)
    true = float(np.sqrt((spread[usual] ** 2).mean()))
    assert found.sigma_hu == sigma == pytest.approx(true, rel=0.2)
    photons = float(exposure.blank.max())
    assert found.photons == pytest.approx(photons, rel=0.5)


def test_a_matched_dose_adds_its_share(known):
    """Against the noise that the phantom's full dose truly has."""
    scan, dose = as_patient(known.full), 0.25
    usual, _ = usual_noise(scan.hu, scan.pixel_mm)
    exam = expose(scan, dose, seed=9, keep_sinogram=False)
    assert exam.exposure.preset == "matched"
    added, own = (
        (local_noise(change, scan.pixel_mm)[1][usual] ** 2).mean()
        for change in (exam.low.hu - scan.hu, scan.hu - known.truth.hu)
    )
    assert added / own == pytest.approx((1 - dose) / dose, rel=0.45)  # sigma within a fifth
    assert exam.equivalent_dose == pytest.approx(dose, rel=0.15)
    assert f"as noisy as {100 * exam.equivalent_dose:.2g} %" in exam.low.provenance["dose"]


def test_a_matched_dose_moves_no_mean(known):
    """Where the logarithm of few counts alone would lift it; in lung, air and soft tissue."""
    scan, truth = as_patient(known.full), known.truth.hu
    change = expose(scan, 0.1, seed=4, keep_sinogram=False).low.hu - scan.hu
    lung, air, soft = (truth > -950) & (truth < -700), truth < -995, np.abs(truth - 40) < 60
    for inside in (lung, air, soft):
        if inside.sum() > 2000:
            # neighbours share noise: about 4 pixels of 1.4 mm make an independent one
            error = 2 * change[inside].std() / np.sqrt(inside.sum())
            assert abs(change[inside].mean()) < 2 + 3 * error


def test_a_phantom_states_its_equivalent_dose(known):
    """Less than asked for where the noise of the electronics counts."""
    assert 0.42 < known.equivalent_dose < 0.51


def test_noise_adds_up_to_the_equivalent_dose():
    """White noise whose variances are known: s² / (s² + t²)."""
    from ldctlib.physics.equivalent import equivalent_dose

    random = np.random.default_rng(0)
    scan = open_scan("phantom-abdomen", shape=(1, 128, 128), spacing_mm=(1, 1.4, 1.4), lesions=[])
    flat = scan.with_hu(random.normal(40, 5, (1, 128, 128)))
    low = flat.hu + random.normal(0, 10, flat.shape).astype(np.float32)
    exposure = dataclasses.replace(expose_little().exposure, truth=False)
    found, own = equivalent_dose(flat, flat.hu, low, exposure)
    assert own == pytest.approx(5, rel=0.05)
    assert found == pytest.approx(0.2, rel=0.1)
    bone = flat.with_hu(flat.hu + 900)
    assert equivalent_dose(bone, bone.hu, low + 900, exposure) == (None, None)


def expose_little():
    scan = open_scan("phantom-inserts", shape=(1, 64, 64), pixel_mm=1.4, disc_mm=80.0,
                     contrasts_hu=(100,), diameters_mm=(10,))  # fmt: skip
    return expose(scan, 0.5, keep_sinogram=False)


def test_the_correlation_of_noise_is_the_transform_of_its_power():
    """In two dimensions, by brute force over the plane of frequencies."""
    kernel = expose_little().exposure.kernel
    f = (np.arange(400) - 199.5) / 200 * kernel.cutoff_per_mm
    u, v = np.meshgrid(f, f)
    power = np.hypot(u, v) * kernel(np.hypot(u, v)) ** 2
    for distance in (0.7, 1.4, 2.8):
        expected = (np.cos(2 * np.pi * u * distance) * power).sum() / power.sum()
        found = correlation_of_noise(kernel, np.array([distance]))[0]
        assert found == pytest.approx(expected, abs=2e-3)


def test_what_cannot_be_measured_is_refused():
    scan = open_scan("phantom-abdomen", shape=(1, 128, 128), spacing_mm=(5, 2.8, 2.8))
    noisy = scan.with_hu(scan.hu + np.random.default_rng(0).normal(0, 9, scan.shape))
    with pytest.raises(ValueError, match=r"cannot be told from anatomy.*preset='clinical'"):
        expose(as_patient(noisy))
    fine = dataclasses.replace(as_patient(noisy), spacing_mm=(5, 1.4, 1.4))
    with pytest.raises(ValueError, match=r"cut out of a larger slice.*give photons"):
        expose(fine.crop(slice(40, 90), slice(40, 90)))
    air = fine.with_hu(np.full(fine.shape, -1000.0))
    with pytest.raises(ValueError, match="too little soft tissue"):
        expose(air)
    given = expose(air, photons=1e5, geometry=FanBeam.course(128, 1.4), keep_sinogram=False)
    assert given.equivalent_dose is None
    assert "equivalent unknown" in given.low.provenance["dose"]


@pytest.mark.data
@pytest.mark.skipif(
    not os.environ.get("LDCTLIB_DATA_DIR"), reason="needs the real scans: set LDCTLIB_DATA_DIR"
)
@pytest.mark.parametrize("name", ["lidc-0314", "crlm-1004"])
def test_a_patients_dose_is_what_it_says(name):
    scan = open_scan(name)
    middle = len(scan.hu) // 2
    slab = scan.slab(middle, middle + 2)
    exam = expose(slab, 0.1, seed=2, keep_sinogram=False)
    assert ratio_of_variances(exam, slab) == pytest.approx(9, rel=0.15)
    assert exam.equivalent_dose == pytest.approx(0.1, rel=0.15)
    change = exam.low.hu - slab.hu
    soft = np.abs(slab.hu - 40) < 60
    assert abs(change[soft].mean()) < 2
    lung = (slab.hu < -700) & (slab.hu > -950)
    if name == "lidc-0314":
        assert abs(change[lung].mean()) < 2
