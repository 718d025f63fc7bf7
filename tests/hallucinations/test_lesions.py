"""A patient with and without lesions in the same noise, and denoisers that keep a known share."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.special import ive

from ldctlib.hallucinations import LesionPair, kept, lesion_pair, share_kept
from ldctlib.masks import Masks
from ldctlib.physics import FanBeam, expose, imaged
from ldctlib.scans import Scan
from ldctlib.scans.phantoms import phantom

PIXEL_MM, SIDE = 1.0, 160
RADII_PX = (12.0, 6.0)
SCANNER = FanBeam(SIDE, PIXEL_MM, 240, 300, 595.0, 1085.6, 1.25)


def disc(centre, radius):
    """Share of every pixel that lies in a disc, from 8 x 8 points in each."""
    points = (np.arange(8 * SIDE) + 0.5) / 8 - 0.5
    inside = np.hypot(points[:, None] - centre[0], points - centre[1]) < radius
    return inside.reshape(SIDE, 8, SIDE, 8).mean((1, 3))


@pytest.fixture(scope="module")
def pair():
    """Water with two discs of -30 HU and +50 HU; a phantom, which a scanner blurs."""
    shares = [disc((80, 60), RADII_PX[0]), disc((70, 110), RADII_PX[1])]
    water = np.where(disc((79.5, 79.5), 70) > 0.5, 0.0, -1000.0)
    made = {"provenance": {"source": "procedural phantom, discs"}, "anatomy": "abdomen"}
    absent = Scan(water[None], (3.0, PIXEL_MM, PIXEL_MM), "water", **made)
    added = -30 * shares[0] + 50 * shares[1]
    lesions = Masks.from_slices([(0, share > 0.5) for share in shares], absent.shape, ["a", "b"])
    return LesionPair(absent.with_hu(absent.hu + added), absent, lesions)


@pytest.fixture(scope="module")
def exams(pair):
    return pair.expose(0.1, seed=3, geometry=SCANNER, kernel="soft")


def identity(exam):
    return exam.low


def constant(exam):
    return exam.low.with_hu(np.full(exam.low.shape, 40.0))


def half(exam):
    return exam.low.with_hu(0.5 * exam.low.hu + 7)


def test_denoisers_of_known_answer(exams):
    assert kept(identity, *exams) == pytest.approx(1, abs=1e-4)
    assert kept(constant, *exams) == pytest.approx(0, abs=1e-6)
    assert kept(half, *exams) == pytest.approx(0.5, abs=1e-4)

    def inverts(exam):
        return exam.low.with_hu(-exam.low.hu)

    assert kept(inverts, *exams) == pytest.approx(-1, abs=1e-4)


def test_a_blur_keeps_what_theory_says(pair):
    """Of a disc of radius R, 1 - exp(-x) (I0(x) + I1(x)) stays inside, with x = (R / sigma)^2."""
    sigma = 2.5
    bare = replace(pair.absent, provenance={})  # no phantom, so that it stays sharp
    ill = bare.with_hu(bare.hu - 30 * pair.lesions.union())
    options = {"geometry": SCANNER, "kernel": "soft", "preset": "clinical", "truth": True}
    exams = LesionPair(ill, bare, pair.lesions).expose(0.1, keep_sinogram=False, **options)

    def blur(exam):
        return exam.low.with_hu(gaussian_filter(exam.low.hu, (0, sigma, sigma)))

    x = pair.lesions.areas / np.pi / sigma**2
    expected = 1 - ive(0, x) - ive(1, x)
    assert kept(blur, *exams) == pytest.approx(expected, abs=0.005)
    assert expected[0] - expected[1] > 0.1


def test_a_denoiser_of_the_sinogram(pair, exams):
    """Half of all lines leaves half of what is larger than the kernel's blur."""

    def halves(exam):
        return exam.with_lines(0.5 * exam.sinogram.line_integrals)

    added = exams.added
    # what is taken away went through the kernel once more than the image did
    blurred = imaged(Scan(added, pair.present.spacing_mm, "discs"), "soft").hu
    expected = 1 - 0.5 * pair.lesions.sum_over(blurred) / pair.lesions.sum_over(added)
    assert kept(halves, *exams) == pytest.approx(expected, abs=0.01)
    assert expected == pytest.approx(0.5, abs=0.04)


def test_both_exams_have_the_same_noise_and_the_sharpness_of_the_kernel(pair, exams):
    present, absent, lesions = exams
    assert lesions is pair.lesions
    for scan, bare in ((present.low, absent.low), (present.full, absent.full)):
        noise, same = scan.hu - present.truth.hu, bare.hu - absent.truth.hu
        assert noise[present.truth.hu > -500].std() > 1
        np.testing.assert_allclose(noise, same, atol=1e-3)
    np.testing.assert_allclose(present.truth.hu, imaged(pair.present, "soft").hu)
    np.testing.assert_allclose(absent.truth.hu, imaged(pair.absent, "soft").hu, atol=1e-3)
    np.testing.assert_allclose(exams.added, present.truth.hu - absent.truth.hu)
    assert absent.exposure == present.exposure


def test_with_many_photons_it_is_the_exam_of_the_patient_without(pair):
    """No approximation is left where there is no noise: images and lines are those of `expose`."""
    options = {"geometry": SCANNER, "kernel": "soft", "photons": 1e16, "electronic_noise": 0.0}
    found = pair.expose(0.5, **options).absent
    alone = expose(pair.absent, 0.5, **options)
    np.testing.assert_allclose(found.low.hu, alone.low.hu, atol=0.01)
    lines, expected = (exam.sinogram.line_integrals.numpy() for exam in (found, alone))
    np.testing.assert_allclose(lines, expected, atol=2e-5)
    assert np.abs(expected).max() > 2


def test_the_noise_that_is_left_out_is_as_small_as_stated(pair):
    """A lesion of c HU and d mm changes the photons by c d / 50000, their noise by half of it."""
    options = {"geometry": SCANNER, "kernel": "soft", "photons": 1e14, "electronic_noise": 0.0}
    present, absent = (
        expose(scan, 0.1, **options).noise_map()[0, 80, 60] for scan in (pair.present, pair.absent)
    )
    assert present / absent - 1 == pytest.approx(-30 * 24 / 50_000 / 2, rel=0.1)


def test_cutting_keeps_lesions_noise_and_place(pair, exams):
    part = exams.crop(5)
    _, y, x = np.nonzero(pair.lesions.union())
    rows, columns = (slice(places.min() - 5, places.max() + 6) for places in (y, x))
    np.testing.assert_array_equal(part.present.low.hu, exams.present.low.hu[:, rows, columns])
    np.testing.assert_array_equal(part.absent.low.hu, exams.absent.low.hu[:, rows, columns])
    assert part.lesions.areas.tolist() == pair.lesions.areas.tolist()
    assert kept(half, *part) == pytest.approx(0.5, abs=1e-4)

    def smooth(exam):
        lines = gaussian_filter(exam.sinogram.line_integrals.numpy(), (0, 0, 1))
        return exam.with_lines(torch.from_numpy(lines))

    assert kept(smooth, *part) == pytest.approx(kept(smooth, *exams), abs=1e-4)
    seen = pair.crop(5)
    np.testing.assert_array_equal(seen.added, pair.added[:, rows, columns])
    assert exams.crop(1000).present.low.shape == exams.present.low.shape


def test_a_real_scan_whose_lesions_are_filled_in():
    rng = np.random.default_rng(0)
    numbered = np.zeros((1, SIDE, SIDE), int)
    numbered[0, 60:66, 60:66], numbered[0, 60:66, 100:106] = 1, 2
    inside = disc((79.5, 79.5), 70) > 0.5
    noise = gaussian_filter(rng.normal(0, 40, (1, SIDE, SIDE)), (0, 1, 1))
    hu = np.where(inside, 50 + noise, -1000)
    scan = Scan(hu + 60 * (numbered > 0), (3, PIXEL_MM, PIXEL_MM), "patient", "abdomen")
    pair = LesionPair.inpainted(scan, Masks.from_label_map(numbered, {1: "a", 2: "b"}))
    assert not pair.exact
    np.testing.assert_allclose(pair.lesions.sum_over(pair.added) / 36, 60, atol=12)
    exams = pair.expose(0.1, geometry=SCANNER, preset="clinical", kernel="soft")
    np.testing.assert_array_equal(exams.present.full.hu, scan.hu)
    np.testing.assert_allclose(exams.absent.full.hu, pair.absent.hu, atol=1e-3)
    assert exams.absent.truth is None
    np.testing.assert_allclose(exams.added, pair.added, atol=1e-3)
    assert kept(half, *exams) == pytest.approx(0.5, abs=1e-4)


def test_bad_input_gets_one_clear_sentence(pair, exams):
    with pytest.raises(ValueError, match="one grid"):
        LesionPair(pair.present, pair.absent.crop(slice(0, 40)), pair.lesions)
    with pytest.raises(ValueError, match="no lesion"):
        replace(pair, lesions=pair.lesions.select([]))
    with pytest.raises(ValueError, match="cannot be clipped"):
        pair.expose(0.1, clip=True)
    with pytest.raises(ValueError, match="a adds nothing"):
        kept(identity, exams.present, exams.present, exams.lesions)
    with pytest.raises(ValueError, match="made an image of"):
        kept(lambda exam: exam.low.crop(slice(0, 40)), *exams)
    with pytest.raises(ValueError, match="no lesion to cut"):
        exams._replace(lesions=exams.lesions.select([])).crop()


def test_share_kept_is_the_quotient_of_the_means(pair):
    answer = np.random.default_rng(1).normal(size=pair.added.shape)
    expected = [
        answer[inside].mean() / pair.added[inside].mean()
        for inside in (pair.lesions.boolean(0), pair.lesions.boolean(1))
    ]
    assert share_kept(answer, pair.added, pair.lesions) == pytest.approx(expected)


def test_spheres_add_what_was_asked_and_stand_apart():
    pair = lesion_pair(5, diameter_mm=(6, 9), contrast_hu=(-20, 35), count=8, pixels=192)
    assert len(set(pair.lesions.labels)) == 8
    for i, label in enumerate(pair.lesions.labels):
        inside = pair.lesions.boolean(i)
        asked = float(label.split()[2])
        there = pair.added[inside]
        assert there[np.abs(there).argmax()] == pytest.approx(asked, rel=0.06)
        _, y, x = np.argwhere(inside).mean(0)
        distance = np.hypot(*(np.indices(pair.added.shape[1:]).T - [y, x]).T)
        others = pair.lesions.select([k for k in range(8) if k != i])
        assert not (distance[others.boolean(0)[0]] < 9 / pair.present.pixel_mm).any()
    assert pair.absent.name == "abdomen-5"
    with pytest.raises(ValueError, match="room for"):
        lesion_pair(5, diameter_mm=40, count=30, pixels=64)
    with pytest.raises(ValueError, match="no pancreatic duct"):
        lesion_pair(5, host="pancreatic duct", pixels=128)


def test_by_default_the_pixels_are_those_of_the_training():
    pair = lesion_pair(1, count=2)
    assert pair.present.shape == (1, 512, 512)
    assert pair.present.pixel_mm == pytest.approx(0.78, rel=0.01)
    same = phantom("abdomen", seed=1, shape=(1, 512, 512), lesions=[])
    np.testing.assert_array_equal(pair.absent.hu, same.hu)
