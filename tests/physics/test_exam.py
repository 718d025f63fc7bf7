"""What an exam knows: its parts share a grid, are cropped together and belong to the sinogram."""

import dataclasses

import numpy as np
import pytest
import torch
from cylinders import cylinder, exposed, phantom_cylinder
from fan_beams import fine

from ldctlib.masks import Masks
from ldctlib.physics import Exam, project
from ldctlib.physics.square import attenuation
from ldctlib.units import MU_WATER_PER_MM


def with_masks(scan):
    inside = scan.hu > -500
    return dataclasses.replace(
        scan, masks={"all": Masks.from_volumes({"water": inside})}, corner_mm=(10.0, 20.0)
    )


@pytest.fixture(scope="module")
def phantom():
    return exposed(phantom_cylinder(slices=2), 0.2, seed=1)


@pytest.fixture(scope="module")
def patient():
    return exposed(with_masks(cylinder(slices=3, shape=(56, 64))), 0.2, seed=1)


def clean_lines(exam):
    source = exam.truth or exam.full
    return project(attenuation(source.hu, exam.sinogram.geometry), exam.sinogram.geometry)


def test_parts_that_do_not_belong_together_are_refused(patient):
    scan = patient.full
    with pytest.raises(ValueError, match="between 0 and 1"):
        Exam(scan, scan, None, 1.0)
    with pytest.raises(ValueError, match="on one grid"):
        Exam(scan, scan.slab(0, 2), None, 0.5)
    with pytest.raises(ValueError, match="on one grid"):
        Exam(scan, dataclasses.replace(scan, spacing_mm=(2, 1.3, 1.3)), None, 0.5)
    with pytest.raises(ValueError, match="on one grid"):
        Exam(scan, scan, None, 0.5, truth=scan.crop(slice(0, 9)))
    fewer = dataclasses.replace(
        patient.sinogram, line_integrals=patient.sinogram.line_integrals[:2]
    )
    with pytest.raises(ValueError, match="3 slices and the sinogram 2"):
        Exam(scan, scan, fewer, 0.5)


def test_an_exam_says_how_it_was_made(phantom):
    text = repr(phantom)
    assert "dose 0.2" in text
    assert "equivalent" in text
    assert "kernel standard" in text
    assert "with sinogram" in text


def test_a_crop_keeps_all_parts_together(patient):
    rows, columns, z = slice(5, 40), slice(-50, -10), slice(1, 3)
    part = patient.crop(rows, columns, z)
    assert np.array_equal(part.full.hu, patient.full.hu[1:3, 5:40, 14:54])
    assert np.array_equal(part.low.hu, patient.low.hu[1:3, 5:40, 14:54])
    lines = patient.sinogram.line_integrals
    assert torch.equal(part.sinogram.line_integrals, lines[1:3])
    assert part.exposure.corner == (4 + 5, 14)  # 56 rows lie in the middle of 64
    assert part.full.corner_mm == (10.0 + 5 * 1.2, 20.0 + 14 * 1.2)
    assert part.full.z_mm.tolist() == [2.0, 4.0]
    water = part.low.masks["all"].boolean(0)
    assert np.array_equal(water, (patient.full.hu > -500)[1:3, 5:40, 14:54])
    twice = part.crop(slice(3, None))
    assert twice.exposure.corner == (12, 14)


def test_a_crop_keeps_the_modulated_blank_scan():
    exam = exposed(cylinder(slices=3), modulate=True)
    part = exam.crop(z=slice(1, 2))
    assert torch.equal(part.sinogram.blank, exam.sinogram.blank[1:2])


def test_the_noise_map_of_a_crop_is_the_crop_of_the_noise_map(patient, phantom):
    for exam in (patient, phantom):
        whole = exam.noise_map()
        part = exam.crop(slice(5, 40), slice(20, 50), slice(1, 2)).noise_map()
        assert part == pytest.approx(whole[1:2, 5:40, 20:50], rel=1e-6)


def test_without_a_sinogram_the_noise_map_comes_from_the_image(phantom):
    bare = dataclasses.replace(phantom, sinogram=None)
    middle = (slice(None), slice(16, 48), slice(16, 48))
    assert bare.noise_map()[middle] == pytest.approx(phantom.noise_map()[middle], rel=0.05)
    with pytest.raises(ValueError, match="cropped exam needs its sinogram"):
        bare.crop(slice(5, 40)).noise_map()
    with pytest.raises(ValueError, match="only images are known"):
        dataclasses.replace(phantom, exposure=None).noise_map()


def test_the_noise_map_is_the_noise_of_repeated_exposures():
    """Of a phantom: all noise of the low dose. Of a patient: what is added, and its own."""
    flat = np.repeat(phantom_cylinder(slices=1).hu, 100, axis=0)
    inside = np.hypot(*np.indices((64, 64)) - 31.5) < 22  # pixels: water, clear of its edge
    for truth, own in ((True, 0.0), (False, 7.0)):
        scan = cylinder(slices=100).with_hu(flat)
        exam = exposed(scan, 0.25, truth=truth, electronic_noise=20.0)
        exposure = dataclasses.replace(exam.exposure, own_noise_hu=own)
        stated = dataclasses.replace(exam.crop(z=slice(0, 2)), exposure=exposure).noise_map()
        found = (exam.low.hu - flat).var(0, ddof=1)
        variance = (stated**2).mean(0) - own**2
        assert found[inside].mean() == pytest.approx(variance[inside].mean(), rel=0.03)
        assert np.corrcoef(found[inside], variance[inside])[0, 1] > 0.3


def test_the_measured_lines_give_the_low_dose(patient, phantom):
    for exam in (patient, phantom):
        again = exam.with_lines(exam.sinogram.line_integrals)
        assert np.array_equal(again.hu, exam.low.hu)
        assert again.name == exam.low.name


def test_clean_lines_give_the_truth_or_the_patients_full_dose(patient, phantom):
    """Where every view sees the pixel; elsewhere nothing was added."""
    for exam, clean in ((phantom, phantom.truth), (patient, patient.full)):
        assert np.abs(exam.low.hu - clean.hu).max() > 10
        assert exam.with_lines(clean_lines(exam)).hu == pytest.approx(clean.hu, abs=0.02)


def test_the_image_is_linear_in_the_lines(patient):
    clean, measured = clean_lines(patient), patient.sinogram.line_integrals
    expected = (patient.full.hu + patient.low.hu) / 2
    assert patient.with_lines((clean + measured) / 2).hu == pytest.approx(expected, abs=0.02)
    part = patient.crop(slice(5, 40), slice(20, 50), slice(1, 2))
    found = part.with_lines((clean + measured)[1:2] / 2).hu
    assert found == pytest.approx(expected[1:2, 5:40, 20:50], abs=0.02)


def test_lines_that_do_not_fit_are_refused(patient):
    lines = patient.sinogram.line_integrals
    with pytest.raises(ValueError, match="Line integrals are"):
        patient.with_lines(lines[:1])
    with pytest.raises(ValueError, match="keep_sinogram=True"):
        dataclasses.replace(patient, sinogram=None).with_lines(lines)
    clipped = dataclasses.replace(patient.exposure, clip=True)
    with pytest.raises(ValueError, match="expose without clip"):
        dataclasses.replace(patient, exposure=clipped).with_lines(lines)
    with pytest.raises(ValueError, match="only images are known"):
        dataclasses.replace(patient, exposure=None).with_lines(lines)


def test_noise_below_air_is_projected_as_it_is():
    """Padding is empty; noise keeps its sign, so that its mean stays zero."""
    hu = np.full((1, 64, 64), -1000.0)
    hu[0, 10, 10:14] = -1010, -1024, -990, -1200
    found = attenuation(hu, fine()).numpy()[0, 10, 10:14] * 1000 / MU_WATER_PER_MM
    assert found == pytest.approx([-10, 0, 10, -200], abs=0.1)
