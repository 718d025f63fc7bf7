import dataclasses

import numpy as np
import pytest
import torch
from fan_beams import disc_line_integrals

from ldctlib.physics import KERNELS, FanBeam, noise, noise_map
from ldctlib.physics.presets import PRESETS, in_geometry
from ldctlib.scans import Scan
from ldctlib.units import MU_WATER_PER_MM

# mean counts at a tenth of 1e6 photons: sd of the line integral, electronic noise 12
LOW_DOSE_SD = {674: 0.0425, 91: 0.174, 20: 0.972}


def draws(photons_low, dose=0.1, repetitions=400_000, electronic=12.0):
    """A line integral measured often at low dose, directly and by inserting noise."""
    generator = np.random.default_rng(0)
    blank = 1e6
    line = np.full(repetitions, np.log(dose * blank / photons_low))
    direct = noise.to_line_integrals(
        noise.count(dose * blank * np.exp(-line), electronic, generator), dose * blank
    )
    full = noise.count(blank * np.exp(-line), electronic, generator)
    low = noise.lower_dose(full, dose, electronic, generator)
    inserted = noise.to_line_integrals(low, dose * blank)
    post_log = noise.lower_dose_post_log(
        noise.to_line_integrals(full, blank), dose, blank, electronic, generator
    )
    return line[0], direct, inserted, post_log


@pytest.mark.parametrize(("photons", "sd"), LOW_DOSE_SD.items())
def test_inserted_noise_has_the_moments_of_a_low_dose_exam(photons, sd):
    line, direct, inserted, _ = draws(photons)
    assert direct.std() == pytest.approx(sd, rel=0.02)
    assert inserted.std() == pytest.approx(direct.std(), rel=0.01)
    assert inserted.mean() - line == pytest.approx(direct.mean() - line, rel=0.05, abs=3e-4)


def test_the_post_log_formula_is_right_only_with_photons_left():
    _, direct, _, post_log = draws(674)
    assert post_log.std() == pytest.approx(direct.std(), rel=0.01)
    line, direct, _, post_log = draws(20)
    assert post_log.std() < 0.7 * direct.std()
    assert direct.mean() - line > 0.2 > abs(post_log.mean() - line) + 0.1


def test_variance_formula():
    generator = np.random.default_rng(1)
    counted = noise.count(np.full(200_000, 1e5 * np.exp(-4.0)), 10.0, generator)
    measured = noise.to_line_integrals(counted, 1e5).var()
    assert measured == pytest.approx(float(noise.variance(4.0, 1e5, 10.0)), rel=0.02)


@pytest.mark.parametrize("electronic", [0.0, 12.0])
@pytest.mark.parametrize("dose", [0.1, 0.5])
def test_the_bias_of_the_logarithm_is_known(dose, electronic):
    """Against counts drawn often; with many photons it is 1 / (2 N) of the noise that is added."""
    photons = np.array([25.0, 100.0, 400.0])
    generator = np.random.default_rng(2)
    often = np.repeat(photons[:, None], 400_000, 1)
    low = noise.lower_dose(often, dose, electronic, generator)
    lines = noise.to_line_integrals(low, dose * often)
    error = lines.std(1) / np.sqrt(often.shape[1])
    found = noise.log_bias(photons, dose, electronic)
    assert (np.abs(found - lines.mean(1)) < 4 * error + 0.01 * np.abs(found)).all()
    many = noise.log_bias(np.array([5e3]), dose, 0.0)
    assert many[0] == pytest.approx((1 - dose) / (2 * dose * 5e3), rel=0.05)


def noise_at_the_axis(variance, geometry, kernel):
    """In HU: the noise power s² a dbeta / 2 |f| W(f)^2 of white noise, over all frequencies."""
    f = (np.arange(20_000) + 0.5) / 20_000 * kernel.cutoff_per_mm
    channel_mm = geometry.channel_rad * geometry.sod_mm
    integral = np.pi * (f**2 * kernel(f) ** 2).sum() * f[0] * 2
    return 1000 / MU_WATER_PER_MM * np.sqrt(variance * channel_mm * geometry.view_rad * integral)


@pytest.mark.parametrize("kernel", list(KERNELS))
@pytest.mark.parametrize("radius_mm", [100, 160])
def test_photons_make_the_noise_of_a_water_cylinder(kernel, radius_mm):
    centre = dataclasses.replace(FanBeam.siemens(), pixels=8)
    line = disc_line_integrals(centre, radius_mm)
    variance = noise.variance(line, 1e6, 10.0)
    found = noise_map(torch.from_numpy(variance)[None], centre, kernel)[0].numpy()
    expected = noise_at_the_axis(variance[0, 367], centre, KERNELS[kernel])
    assert np.sqrt((found**2).mean()) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("radius_mm", "stated_hu"), [(100, 4.0), (160, 13)])
def test_the_clinical_preset_is_as_noisy_as_it_says(radius_mm, stated_hu):
    preset = PRESETS["clinical"]["abdomen"]
    middle = dataclasses.replace(FanBeam.siemens(), pixels=8)
    share = noise.bowtie(middle, preset.bowtie_radius_mm, preset.bowtie_strength)
    lines = disc_line_integrals(middle, radius_mm)
    variance = noise.variance(lines, preset.photons * share, preset.electronic_noise)
    found = noise_map(torch.from_numpy(variance)[None], middle, preset.kernel).numpy()
    assert np.sqrt((found**2).mean()) == pytest.approx(stated_hu, rel=0.04)


def water_noise(geometry, radius_mm=80, electronic=8.0):
    """SD in HU around the axis behind water, at the dose of 1e5 photons of the Siemens scanner."""
    photons, electronic = in_geometry(1e5, electronic, geometry)
    variance = noise.variance(disc_line_integrals(geometry, radius_mm), photons, electronic)
    middle = dataclasses.replace(geometry, pixels=16 + geometry.pixels % 2)
    found = noise_map(torch.from_numpy(variance)[None], middle, "standard").numpy()
    return float(np.sqrt((found**2).mean()))


def test_the_grid_does_not_change_the_noise():
    """256, 257 and 512 pixels of 0.7 mm, and 1.4 mm: the same dose makes the same noise."""
    grids = [(256, 0.7), (257, 0.7), (512, 0.7), (256, 1.4)]
    scans = [Scan(np.zeros((1, n, n)), (1, mm, mm), "grid") for n, mm in grids]
    found = np.array([water_noise(FanBeam.matching(scan)) for scan in scans])
    assert found == pytest.approx(found[0], rel=0.01)


def test_fewer_views_make_no_more_noise():
    """Where views are a third, each has three times the photons, electronic noise included."""
    thinned = FanBeam.course(512, 0.7)
    for radius_mm, electronic in ((80, 8.0), (160, 30.0)):
        every = water_noise(FanBeam.siemens(), radius_mm, electronic)
        assert water_noise(thinned, radius_mm, electronic) == pytest.approx(every, rel=0.01)
    assert water_noise(thinned, 160, 30.0) > 1.02 * water_noise(thinned, 160, 0.0)


def test_bowtie_evens_out_a_matching_cylinder():
    geometry = FanBeam.course()
    share = noise.bowtie(geometry, 150, 1.0)
    behind = share * np.exp(-disc_line_integrals(geometry, 150)[0])
    assert behind == pytest.approx(behind[0], rel=1e-6)
    assert (noise.bowtie(geometry, 150, 0.0) == 1).all()
    assert share.max() == pytest.approx(1, abs=1e-4)


def test_tube_current_follows_an_oval_patient():
    wide = np.ones((4, 3)) * np.array([[3.0], [6.0], [3.0], [6.0]])
    current = noise.modulation(wide)
    assert current.shape == (4, 1)
    assert current.mean() == pytest.approx(1)
    assert current[1, 0] / current[0, 0] == pytest.approx(1.6 / np.exp(-0.75))  # at its limit
    mild = noise.modulation(np.array([[5.0], [5.2]]))
    assert mild[1, 0] / mild[0, 0] == pytest.approx(np.exp(0.1))
