import dataclasses
import os

import numpy as np
import pytest
from cylinders import PIXEL_MM, cylinder, exposed, phantom_cylinder
from fan_beams import fine

from ldctlib.metrics import psnr
from ldctlib.physics import PRESETS, FanBeam, Kernel, expose, fbp, imaged
from ldctlib.physics.presets import BENCHMARK_DOSE, in_geometry
from ldctlib.scans import open_scan
from ldctlib.units import MU_WATER_PER_MM, WINDOW_OF_ANATOMY


def test_a_patients_scan_is_the_full_dose():
    scan = cylinder()
    exam = exposed(scan)
    assert np.array_equal(exam.full.hu, scan.hu)
    assert exam.truth is None
    assert exam.low.shape == scan.shape
    assert exam.low.spacing_mm == scan.spacing_mm
    assert 0 < np.std(exam.low.hu - scan.hu) < 200
    assert "0.25 of" in exam.low.provenance["exposure"]
    assert "25 %" in exam.low.provenance["dose"]
    assert exam.dose == 0.25


def test_seed_decides_and_slices_stand_alone():
    scan = cylinder(slices=5)
    first, again, other = (exposed(scan, seed=s).low.hu for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 1
    slab = exposed(scan.slab(2, 4), seed=1).low.hu
    assert np.allclose(slab, first[2:4], atol=1e-2)
    assert np.std((first[1] - scan.hu[1]) - (first[2] - scan.hu[2])) > 1  # not the same noise


def test_a_phantom_gets_noise_at_full_dose_and_shares_it():
    scan = phantom_cylinder(slices=8)
    exam = exposed(scan, 0.25, electronic_noise=0.0)
    truth = imaged(scan, PRESETS["clinical"]["abdomen"].kernel)
    assert np.array_equal(exam.truth.hu, truth.hu)
    inside = scan.hu[0] > -500
    full, low = ((s.hu - truth.hu)[:, inside] for s in (exam.full, exam.low))
    assert low.std() / full.std() == pytest.approx(2, rel=0.03)  # a quarter of the photons
    assert np.corrcoef(full.ravel(), low.ravel())[0, 1] == pytest.approx(0.5, abs=0.05)
    assert "exposure" in exam.full.provenance
    patient = exposed(cylinder(), truth=False)
    assert np.array_equal(patient.full.hu, cylinder().hu)


def noise_of(scan, **options):
    exam = exposed(scan, **options)
    return exam.low.hu - exam.full.hu


def test_doses_have_independent_noise_unless_it_is_asked_for():
    scan = cylinder(slices=2)
    inside = scan.hu > -500

    def correlation(**options):
        half, tenth = (noise_of(scan, dose=d, **options)[inside] for d in (0.5, 0.1))
        return np.corrcoef(half, tenth)[0, 1]

    pixels = inside.sum() / 4  # neighbours are correlated
    assert abs(correlation()) < 4 / np.sqrt(pixels)
    assert correlation(common_noise=True) > 0.98


def test_less_dose_and_sharper_kernels_are_noisier():
    scan = cylinder(slices=1)
    inside = scan.hu > -500

    def spread(**options):
        return np.std(noise_of(scan, **{"common_noise": True, "photons": 1e5} | options)[inside])

    assert spread(dose=0.1) / spread(dose=0.25) == pytest.approx(np.sqrt(9 / 3), rel=0.05)
    kernels = ["soft", "standard", "sharp", "lung", Kernel("hann", 0.7, boost=9.0)]
    by_kernel = [spread(kernel=k) for k in kernels]
    assert by_kernel == sorted(by_kernel)
    assert spread(photons=1e4) / spread() == pytest.approx(np.sqrt(10), rel=0.1)


def test_the_sinogram_is_that_of_the_low_dose():
    scan = phantom_cylinder(slices=2)
    exam = exposed(scan, 0.1, kernel="soft")
    sinogram = exam.sinogram
    assert sinogram.line_integrals.shape == (2, *sinogram.geometry.sinogram_shape)
    photons, electronic = in_geometry(1e4, 8.0, sinogram.geometry)
    assert float(sinogram.blank.max()) == pytest.approx(0.1 * photons, rel=1e-3)
    assert sinogram.electronic_noise == pytest.approx(electronic)
    mu = fbp(sinogram.line_integrals, sinogram.geometry, "soft").numpy()
    hu = 1000 * (mu / MU_WATER_PER_MM - 1)
    middle = (slice(None), slice(20, 44), slice(20, 44))
    assert np.corrcoef(hu[middle].ravel(), exam.low.hu[middle].ravel())[0, 1] > 0.95
    assert exposed(scan, keep_sinogram=False).sinogram is None


def test_tube_current_modulation_is_kept_in_the_blank_scan():
    scan = cylinder(slices=2)
    wide = scan.with_hu(np.where(np.indices(scan.shape)[1] < 26, -1000, scan.hu))
    exam = exposed(wide, modulate=True)
    blank = exam.sinogram.blank
    assert blank.shape == exam.sinogram.line_integrals.shape
    current = blank[0, :, 80]
    assert current.max() / current.min() > 1.15
    photons, _ = in_geometry(1e4, 0.0, fine())
    assert float(current.mean()) == pytest.approx(0.25 * photons, rel=1e-2)


def test_any_shape_keeps_its_grid():
    scan, square = cylinder(slices=1, shape=(49, 64)), cylinder(slices=1)
    exam = exposed(scan)
    assert exam.low.shape == (1, 49, 64)
    assert exam.exposure.corner == (7, 0)
    whole = noise_of(square)[:, 7:56]
    assert np.std(noise_of(scan)) == pytest.approx(np.std(whole), rel=0.2)


def test_what_was_never_measured_stays():
    scan = cylinder(slices=1)
    padded = scan.hu.copy()
    padded[:, :8] = -1024
    exam = exposed(scan.with_hu(padded), photons=300)
    assert (exam.low.hu[:, :8] == -1024).all()
    assert exam.low.hu[:, 8:].min() < -1024  # but noise in air is left as it is
    narrow = dataclasses.replace(fine(), channels=80)
    corner = exposed(scan, geometry=narrow).low.hu[0, 0, 0]
    assert corner == scan.hu[0, 0, 0]


def test_overshoot_beside_an_edge_is_no_padding():
    """A sharp kernel's overshoot in air lies below the value of padding, but it was measured."""
    exam = exposed(phantom_cylinder(), kernel="sharp")
    overshoot = exam.truth.hu < -1024
    assert overshoot.sum() > 20
    assert ((exam.low.hu - exam.truth.hu)[overshoot] != 0).all()


@pytest.mark.parametrize("make", [cylinder, phantom_cylinder])
def test_clipped_images_are_those_that_a_scanner_stores(make):
    exam, raw = (exposed(make(), 0.1, photons=1e3, clip=c) for c in (True, False))
    assert exam.low.hu.min() == -1024
    assert np.array_equal(exam.low.hu, raw.low.hu.round().clip(-1024, 3071))
    assert np.array_equal(exam.full.hu, exam.full.hu.round())
    assert raw.low.hu.min() < -1100
    assert "clipped" in exam.low.provenance["exposure"]


def test_starved_channels_stay_finite():
    thick = cylinder(slices=1)
    exam = exposed(thick.with_hu(thick.hu + 8000), 0.1, photons=1e2)
    assert np.isfinite(exam.low.hu).all()


@pytest.mark.parametrize("dose", [0, 1, 1.5, -0.1, float("nan")])
def test_a_dose_is_a_fraction(dose):
    with pytest.raises(ValueError, match="between 0 and 1"):
        expose(cylinder(), dose)


def test_nothing_is_resampled_silently():
    with pytest.raises(ValueError, match=r"FanBeam\.matching"):
        expose(cylinder(), geometry=FanBeam.course())
    with pytest.raises(ValueError, match="matched, benchmark, clinical"):
        expose(cylinder(), preset="cheap")
    with pytest.raises(ValueError, match="no noise of its own"):
        expose(phantom_cylinder(), preset="matched")
    assert max(cylinder().shape[1:]) * PIXEL_MM < 2 * fine().field_radius_mm


def test_presets_give_another_scanner_the_same_dose():
    for presets in PRESETS.values():
        assert set(presets) == {"chest", "abdomen", "head"}
    course, siemens = FanBeam.course(), FanBeam.siemens()
    assert in_geometry(1e6, 8.0, siemens) == (1e6, 8.0)
    by_turn = [in_geometry(1e6, 8.0, g)[0] * g.views for g in (course, siemens)]
    assert by_turn[0] == pytest.approx(by_turn[1])
    limited = dataclasses.replace(siemens, views=576, arc_deg=180.0)
    assert in_geometry(1e6, 8.0, limited) == pytest.approx((1e6, 8.0))
    wide = dataclasses.replace(siemens, channel_mm=4 * siemens.channel_mm, channels=184)
    assert in_geometry(1e6, 8.0, wide) == pytest.approx((4e6, 16.0))  # four readings added up


@pytest.mark.data
@pytest.mark.skipif(
    not os.environ.get("LDCTLIB_DATA_DIR"), reason="needs the real scans: set LDCTLIB_DATA_DIR"
)
@pytest.mark.parametrize(
    ("name", "published"), [("lidc-0314", 18.066), ("crlm-1004", 29.117), ("head-ge", 30.923)]
)
def test_benchmark_preset_is_as_hard_as_published(name, published):
    """More slices of the scan come nearer: benchmarks/calibrate_dose.py."""
    scan = open_scan(name)
    found = []
    for z in np.linspace(0, len(scan.hu) - 1, 4).round().astype(int)[1:-1]:
        exam = expose(
            scan.slab(z, z + 1),
            BENCHMARK_DOSE[scan.anatomy],
            preset="benchmark",
            clip=True,
            keep_sinogram=False,
        )
        window = WINDOW_OF_ANATOMY[scan.anatomy]
        found.append(psnr(exam.low.hu, exam.full.hu, window=window))
    assert np.mean(found) == pytest.approx(published, abs=1)
