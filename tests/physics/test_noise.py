import dataclasses

import numpy as np
import pytest
import torch
from fan_beams import disc_line_integrals, grid

from ldctlib.physics import FanBeam, noise, noise_map

# mean counts at a tenth of 1e6 photons: sd of the line integral, electronic noise 12
LOW_DOSE_SD = {674: 0.0425, 91: 0.174, 20: 0.972}


def draws(photons_low, dose=0.1, repetitions=400_000, electronic=12.0):
    """A line integral measured often at low dose, directly and by inserting noise."""
    generator = np.random.default_rng(0)
    blank = 1e6
    line = np.full(repetitions, np.log(dose * blank / photons_low))
    direct = noise.to_line_integrals(
        noise.count(line, dose * blank, electronic, generator), dose * blank
    )
    full = noise.count(line, blank, electronic, generator)
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
    line = np.full(200_000, 4.0)
    counted = noise.count(line, 1e5, 10.0, generator)
    measured = noise.to_line_integrals(counted, 1e5).var()
    assert measured == pytest.approx(float(noise.variance(4.0, 1e5, 10.0)), rel=0.02)


# water cylinder: sd in HU within 55 pixels of the axis, 1e6 photons by channel, electronic noise 10
WATER_SD = [
    (FanBeam.siemens, 100, {"ram-lak": 9.0, "hann": 3.4}),
    (FanBeam.siemens, 160, {"ram-lak": 29.2, "hann": 11.0}),
    (FanBeam.course, 100, {"ram-lak": 7.1, "hann": 2.7}),
    (FanBeam.course, 160, {"ram-lak": 24.1, "hann": 8.9}),
]


@pytest.mark.parametrize(("preset", "radius_mm", "by_kernel"), WATER_SD)
def test_photons_make_the_noise_of_a_water_cylinder(preset, radius_mm, by_kernel):
    centre = dataclasses.replace(preset(), pixels=112)
    line = disc_line_integrals(centre, radius_mm)
    variance = torch.from_numpy(noise.variance(line, 1e6, 10.0))[None]
    region = np.hypot(*grid(centre)) < 55 * centre.pixel_mm
    for kernel, sd in by_kernel.items():
        sigma_hu = noise_map(variance, centre, kernel)[0].numpy()[region]
        assert np.sqrt((sigma_hu**2).mean()) == pytest.approx(sd, rel=0.04)


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
