"""Resolution against closed forms: blurred edges and discs, reconstruction kernels, filters."""

import matplotlib
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr
from scipy.stats import ncx2

from ldctlib.metrics import contrast_dependence, mtf, ttf
from ldctlib.physics import KERNELS, FanBeam, fbp, imaged
from ldctlib.scans import open_scan
from ldctlib.scans.phantoms.inserts import disc_coverage, inserts
from ldctlib.units import MU_WATER_PER_MM, mu_to_hu

matplotlib.use("Agg")
PIXEL_MM = 0.7


def gaussian_mtf(frequencies, sigma_mm):
    return np.exp(-2 * (np.pi * sigma_mm * frequencies) ** 2)


def tilted_edge(degrees, sigma_px, size=64):
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    across = x * np.cos(np.deg2rad(degrees)) + y * np.sin(np.deg2rad(degrees)) - 0.3
    return 100 * ndtr(across / sigma_px)


def blurred_disc(radius_mm, sigma_mm, centre=(40.23, 38.61), size=80):
    """A disc of 1 HU under a Gaussian, exact at every pixel, and the pixels it fills."""
    y, x = np.ogrid[:size, :size]
    r = np.hypot(y - centre[0], x - centre[1]) * PIXEL_MM
    values = ncx2.cdf((radius_mm / sigma_mm) ** 2, 2, (r / sigma_mm) ** 2)
    return values, r < radius_mm


def repeats(image, sigma_hu, count=8, seed=0, smooth_px=0.0):
    noise = np.random.default_rng(seed).normal(0, sigma_hu, (count, *image.shape))
    return image + gaussian_filter(noise, (0, smooth_px, smooth_px))


def chords(geometry, radius_mm, x_mm=0.0, y_mm=0.0):
    """Length in mm of every ray inside a disc."""
    beta = geometry.beta[:, None]
    direction = beta + np.pi + geometry.gamma
    x, y = x_mm - geometry.sod_mm * np.cos(beta), y_mm - geometry.sod_mm * np.sin(beta)
    missed_by = x * np.sin(direction) - y * np.cos(direction)
    return 2 * np.sqrt(np.maximum(radius_mm**2 - missed_by**2, 0))


def insert_functions(scan, image, diameter="20mm"):
    masks = scan.masks["structures"]
    return [
        ttf(image, scan.pixel_mm, masks.boolean(label)[0], name=label)
        for label in masks.labels
        if diameter in label
    ]


@pytest.mark.parametrize("degrees", [2, 5, -7, 95, 175])
@pytest.mark.parametrize("sigma_px", [0.7, 1.5, 2.5])
def test_mtf_of_an_edge_under_a_gaussian(degrees, sigma_px):
    found = mtf(tilted_edge(degrees, sigma_px), pixel_mm=0.5)
    expected = gaussian_mtf(found.frequencies, sigma_px * 0.5)
    np.testing.assert_allclose(found.values, expected, atol=0.002)
    sigma_mm = 0.5 * sigma_px
    assert found.f50 == pytest.approx(np.sqrt(2 * np.log(2)) / (2 * np.pi * sigma_mm), rel=0.003)
    assert found.f10 == pytest.approx(np.sqrt(2 * np.log(10)) / (2 * np.pi * sigma_mm), rel=0.003)
    assert abs(found.contrast_hu) == pytest.approx(100, rel=0.01)


def test_mtf_shows_edge_enhancement():
    edge = tilted_edge(5, 1.0)
    sharpened = edge + 0.8 * (edge - gaussian_filter(edge, 2.0, mode="nearest"))
    found = mtf(sharpened[8:-8, 8:-8], pixel_mm=0.5)
    blur = gaussian_mtf(found.frequencies, 1.0)
    expected = gaussian_mtf(found.frequencies, 0.5) * (1.8 - 0.8 * blur)
    np.testing.assert_allclose(found.values, expected, atol=0.01)
    assert found.peak == pytest.approx(expected.max(), abs=0.005)
    assert found.peak > 1.1


@pytest.mark.parametrize(
    ("edge", "sentence"),
    [
        (tilted_edge(0, 1.0), "tilt a straight edge"),
        (tilted_edge(45, 1.0), "runs out of the image"),
        (repeats(tilted_edge(5, 1.0), 60, 2), "times the noise of the mean of 2 slices"),
        (np.full((64, 64), np.nan), "finite"),
    ],
)
def test_an_edge_that_cannot_be_measured_is_refused(edge, sentence):
    with pytest.raises(ValueError, match=sentence):
        mtf(edge, pixel_mm=0.5)


@pytest.mark.parametrize(
    ("radius_mm", "sigma_mm"), [(10, 0.5), (10, 0.75), (10, 1.5), (5, 0.5), (5, 1.0), (2.5, 0.5)]
)
def test_ttf_of_a_disc_under_a_gaussian(radius_mm, sigma_mm):
    disc, insert = blurred_disc(radius_mm, sigma_mm)
    found = ttf(-80 * disc, PIXEL_MM, insert)
    below_nyquist = found.frequencies < 0.5 / PIXEL_MM
    expected = gaussian_mtf(found.frequencies, sigma_mm)
    np.testing.assert_allclose(found.values[below_nyquist], expected[below_nyquist], atol=0.015)
    half = np.sqrt(2 * np.log(2)) / (2 * np.pi * sigma_mm)
    assert found.f50 == pytest.approx(half, rel=0.015)
    assert found.contrast_hu == pytest.approx(-80, rel=0.03 if radius_mm == 10 else 0.1)


def test_ttf_finds_the_centre_itself():
    disc, _ = blurred_disc(10, 0.75)
    _, beside = blurred_disc(10, 0.75, centre=(41.4, 39.9))
    assert ttf(disc, PIXEL_MM, beside).f50 == pytest.approx(0.250, abs=0.003)


def test_errors_of_f50_are_those_of_repeated_measurements():
    disc, insert = blurred_disc(10, 0.75)
    found = [
        ttf(repeats(100 * disc, 14, seed=seed), PIXEL_MM, insert, minimum_cnr=5)
        for seed in range(30)
    ]
    f50 = np.array([each.f50 for each in found])
    errors = np.array([each.error_at(0.5) for each in found])
    assert f50.mean() == pytest.approx(0.2499, rel=0.01)
    assert np.sqrt((errors**2).mean()) == pytest.approx(f50.std(ddof=1), rel=0.4)
    assert np.mean([each.cnr for each in found]) == pytest.approx(100 / (14 / 8**0.5), rel=0.05)
    quarter = int(np.searchsorted(found[0].frequencies, 0.25))
    assert found[0].standard_error[quarter] > 5 * found[0].standard_error[1] > 0


def test_a_faint_insert_is_refused():
    disc, insert = blurred_disc(10, 0.75)
    noisy = repeats(20 * disc, 14)
    with pytest.raises(ValueError, match=r"20 HU is 4.* times .* 8 slices.* needs 10 times"):
        ttf(noisy, PIXEL_MM, insert)
    assert ttf(noisy, PIXEL_MM, insert, minimum_cnr=2).cnr == pytest.approx(4, rel=0.15)


def test_inserts_that_do_not_allow_it_are_refused():
    disc, insert = blurred_disc(2.5, 1.0)
    with pytest.raises(ValueError, match="blurred over most"):
        ttf(100 * disc, PIXEL_MM, insert, minimum_cnr=1)
    disc, insert = blurred_disc(10, 0.75, centre=(20.0, 38.0))
    with pytest.raises(ValueError, match="too near to the border"):
        ttf(100 * disc, PIXEL_MM, insert)
    with pytest.raises(ValueError, match="reach of at least 2 pixels"):
        ttf(100 * disc, PIXEL_MM, insert, reach_mm=11)
    with pytest.raises(ValueError, match="at least one pixel"):
        ttf(100 * disc, PIXEL_MM, insert & False)
    with pytest.raises(ValueError, match="finite"):
        ttf(np.zeros(4), PIXEL_MM, insert)


@pytest.mark.parametrize("kernel", ["standard", "sharp"])
def test_ttf_of_a_reconstruction_is_its_kernel(kernel):
    """Exact chords in, the modulation of the kernel out."""
    geometry = FanBeam(80, PIXEL_MM, 500, 368, 595.0, 1085.6, 1.2858, offset=0.25)
    lines = chords(geometry, 70.0) + 0.1 * chords(geometry, 10.0, 0.31, -0.22)
    image = mu_to_hu(fbp(torch.from_numpy(MU_WATER_PER_MM * lines), geometry, kernel).numpy())
    y, x = np.ogrid[:80, :80]
    insert = np.hypot((x - 39.5) * PIXEL_MM - 0.31, (y - 39.5) * PIXEL_MM + 0.22) < 10
    found = ttf(image, PIXEL_MM, insert)
    # a channel is sampled at its middle, not over its width, so edges of chords alias a little
    measured = found.frequencies < 0.6
    expected = KERNELS[kernel](found.frequencies)
    np.testing.assert_allclose(found.values[measured], expected[measured], atol=0.03)
    assert found.f50 == pytest.approx(KERNELS[kernel].f50, rel=0.03)
    assert found.contrast_hu == pytest.approx(100, abs=1.5)


@pytest.fixture(scope="module")
def scan():
    return inserts((-800, -60, 60, 900), (20,), shape=(8, 232, 232), disc_mm=150)


@pytest.fixture(scope="module")
def noisy(scan):
    image = imaged(scan, "soft").hu[0].astype(np.float64)
    return repeats(image, 12, 8, seed=1, smooth_px=0.5)


def test_linear_processing_has_one_transfer_function(scan, noisy):
    """A blur and its inverse move f50 of all contrasts together."""
    f = np.hypot(*np.meshgrid(*[np.fft.fftfreq(232, PIXEL_MM)] * 2))
    blur = gaussian_mtf(f, 0.6)
    wiener = blur / (blur**2 + 0.05) * 1.05
    sharpened = np.fft.ifft2(np.fft.fft2(noisy) * wiener).real
    results = {}
    for name, image in {
        "b": gaussian_filter(noisy, (0, 1.2, 1.2)),
        "n": noisy,
        "s": sharpened,
    }.items():
        found = contrast_dependence(insert_functions(scan, image))
        assert found.p_value > 0.05
        assert found.spread < 0.12
        assert found.contrasts_hu == pytest.approx([-800, -60, 60, 900], rel=0.1)
        results[name] = found.frequencies.mean()
    assert results["b"] < 0.65 * results["n"] < results["n"] < 0.75 * results["s"]


@pytest.mark.parametrize("method", ["total variation", "bilateral"])
def test_processing_that_picks_by_contrast_is_found_out(scan, noisy, method):
    from skimage.restoration import denoise_bilateral, denoise_tv_chambolle

    if method == "bilateral":
        grey = (noisy + 1100) / 2200
        each = [denoise_bilateral(g, sigma_color=0.02, sigma_spatial=2.0, bins=1000) for g in grey]
        clean = np.stack(each) * 2200 - 1100
    else:
        clean = np.stack([denoise_tv_chambolle(slice_, weight=12) for slice_ in noisy])
    found = contrast_dependence(insert_functions(scan, clean))
    assert found.p_value < 1e-4
    assert found.spread > 0.2
    assert found.frequencies[[0, 3]].min() > found.frequencies[[1, 2]].max()


def test_false_alarms_of_contrast_dependence_are_few():
    disc, insert = blurred_disc(7, 0.75, centre=(31.2, 30.6), size=62)
    rng = np.random.default_rng(5)
    p = []
    for _ in range(60):
        contrasts = 100, 200, 400
        images = [repeats(c * disc, 15, 6, seed=int(rng.integers(1 << 30))) for c in contrasts]
        functions = [ttf(image, PIXEL_MM, insert) for image in images]
        p.append(contrast_dependence(functions, systematic=0.0).p_value)
    assert (np.array(p) < 0.05).mean() < 0.16
    assert np.mean(p) == pytest.approx(0.5, abs=0.15)


def test_contrast_dependence_needs_errors():
    disc, insert = blurred_disc(10, 0.75)
    single = [ttf(c * disc, PIXEL_MM, insert) for c in (50, 100)]
    assert np.isnan(single[0].error_at(0.5))
    with pytest.raises(ValueError, match="of several slices"):
        contrast_dependence(single)


def test_plots(scan, noisy):
    functions = insert_functions(scan, noisy)
    ax = functions[0].plot(color="k")
    functions[1].plot(ax, label="low")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), functions[0].values)
    assert ax.get_xlabel() == "spatial frequency [1/mm]"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [functions[0].name, "low"]
    found = contrast_dependence(functions)
    points = found.plot().lines[0]
    assert sorted(points.get_xdata()) == sorted(np.abs(found.contrasts_hu))
    assert points.get_ydata()[-1] in found.frequencies[[0, 3]]
    assert set(points.get_ydata()) == set(found.frequencies)
    matplotlib.pyplot.close("all")


def test_coverage_is_the_area_of_the_disc():
    covered = disc_coverage((64, 50), 0.7, (1.23, -3.4), 9.1)
    assert covered.sum() * 0.7**2 == pytest.approx(np.pi * 9.1**2, rel=1e-12)
    fine = np.arange(64 * 50) / 50 + 0.01, np.arange(50 * 50) / 50 + 0.01
    y, x = (0.7 * (p - n / 2) - c for p, n, c in zip(fine, (64, 50), (1.23, -3.4), strict=True))
    inside = np.hypot(y[:, None], x) < 9.1
    np.testing.assert_allclose(covered, inside.reshape(64, 50, 50, 50).mean((1, 3)), atol=0.01)


def test_the_disc_of_inserts():
    scan = open_scan("phantom-inserts", shape=(2, 384, 384))
    masks = scan.masks["structures"]
    assert len(masks) == 18
    clear = np.abs(scan.hu[0]) < 1e-3
    for label in masks.labels:
        diameter, contrast = label.removeprefix("insert-").removesuffix("hu").split("mm")
        mask = masks.boolean(label)
        assert mask.sum() * 0.49 / 2 == pytest.approx(np.pi * float(diameter) ** 2 / 4, rel=0.08)
        middle = tuple(round(float(np.mean(axis))) for axis in np.nonzero(mask[0]))
        assert scan.hu[(1, *middle)] == pytest.approx(float(contrast))
        y, x = np.ogrid[:384, :384]
        r = np.hypot(y - middle[0], x - middle[1]) * 0.7 / float(diameter) * 2
        assert clear[(r > 1.35) & (r < 1.8)].all()
    with pytest.raises(ValueError, match="do not fit a ring"):
        inserts(range(1, 12), (30,))
    with pytest.raises(ValueError, match="does not fit 64 x 64 pixels"):
        inserts(shape=(1, 64, 64))
