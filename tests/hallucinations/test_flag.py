"""Flags: cases whose kind is known exactly, and false alarms where there is noise alone."""

import numpy as np
import pytest
from coloured import discs as reconstructed_discs
from coloured import pairwise_freedom, reconstructed
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from ldctlib.hallucinations import Flags, conformal_threshold, flag
from ldctlib.masks import Masks
from ldctlib.metrics import noise_autocorrelation
from ldctlib.scans import open_scan
from ldctlib.scans.phantoms.lesions import Lesion

SHAPE = (3, 128, 128)
NODULE = Lesion("sphere", (-134.0, 50.0, 0.0), 16.0, 150.0)  # in muscle, amid nothing else


def grain(seed, shape=SHAPE, sigma_hu=1.0, grain_px=1.0):
    """Noise that lacks low frequencies, as that of filtered back-projection does."""
    white = np.random.default_rng(seed).normal(size=shape)
    fine, coarse = (gaussian_filter(white, (0, s, s)) for s in (0.6 * grain_px, 2 * grain_px))
    noise = fine - 0.7 * coarse
    return (sigma_hu / noise.std() * noise).astype(np.float32)


def discs(shape=SHAPE, radius=4, step=14):
    y, x = np.indices(shape[1:])
    centres = range(step, shape[1] - step, step)
    return Masks.from_slices(
        [
            (z, np.hypot(y - a, x - b) < radius + (a + b + z) % 4)
            for z in range(shape[0])
            for a in centres
            for b in centres
        ],
        shape,
    )


@pytest.fixture(scope="module")
def chest():
    """Truth with a nodule and without, and the segments of either."""
    ill = open_scan("phantom-chest", seed=3, shape=SHAPE, lesions=[NODULE])
    well = open_scan("phantom-chest", seed=3, shape=SHAPE, lesions=[NODULE], without=["nodule-1"])
    segments = []
    for scan in (ill, well):
        structures = scan.masks["structures"]
        segments.append(structures.select(structures.areas >= 16))
    assert "nodule-1" in segments[0].labels
    assert "nodule-1" not in segments[1].labels
    return (ill, segments[0]), (well, segments[1])


def with_noise(scan, seed, sigma_hu):
    return scan.with_hu(scan.hu + grain(seed, sigma_hu=sigma_hu))


def test_a_nodule_that_was_removed(chest):
    (ill, masks), (well, _) = chest
    flags = flag(with_noise(ill, 1, 60), with_noise(well, 2, 6), with_noise(ill, 3, 15), masks)
    (found,) = flags.flagged
    assert (found.label, found.kind, found.source) == ("nodule-1", "removed", "reference")
    assert found.contrast_reference_hu > 80
    assert abs(found.contrast_denoised_hu) < 40
    assert found.bias_hu < -80
    assert flags[0] == found
    np.testing.assert_array_equal(
        flags.masks.boolean(0), ill.masks["structures"].boolean("nodule-1")
    )


def test_a_nodule_that_was_introduced_is_in_no_segment_of_the_reference(chest):
    (ill, ill_masks), (well, well_masks) = chest
    scans = with_noise(well, 1, 60), with_noise(ill, 2, 6), with_noise(well, 3, 15)
    assert not any(f.label == "nodule-1" for f in flag(*scans, well_masks))
    flags = flag(*scans, well_masks, denoised_masks=ill_masks)
    assert len(flags) == len(well_masks) + len(ill_masks)
    worst = flags[0]
    assert (worst.label, worst.kind, worst.source) == ("nodule-1", "introduced", "denoised")
    assert worst.bias_hu > 80


def test_a_structure_that_lost_a_third_of_its_contrast_is_changed(chest):
    (ill, masks), (well, _) = chest
    paler = ill.with_hu(ill.hu + 0.3 * (well.hu - ill.hu))
    flags = flag(with_noise(ill, 1, 30), with_noise(paler, 2, 3), with_noise(ill, 3, 5), masks)
    (found,) = (f for f in flags if f.label == "nodule-1")
    assert found.flagged
    assert found.kind == "changed"


def test_what_was_removed_comes_before_what_was_changed(chest):
    (ill, masks), (well, _) = chest
    rib = ill.masks["structures"]
    bright = next(i for i, name in enumerate(rib.labels) if name.startswith("rib-"))
    edges = well.with_hu(well.hu + 300 * rib.boolean(bright))
    flags = flag(with_noise(ill, 1, 60), with_noise(edges, 2, 6), with_noise(ill, 3, 15), masks)
    assert [f.label for f in flags.flagged[:2]] == ["nodule-1", rib.labels[bright]]
    assert [f.kind for f in flags.flagged[:2]] == ["removed", "changed"]
    assert flags[1].srmse_denoised_hu > flags[0].srmse_denoised_hu


def test_both_errors_and_the_tolerance_are_those_of_the_definition():
    masks = discs()
    low, denoised, full = (grain(s, sigma_hu=20.0) for s in (1, 2, 3))
    denoised += 0.3 * low  # the two errors are correlated, by the reference as well
    flags = flag(low, denoised, full, masks, rule="tolerance", tolerance=1.0)
    table = noise_autocorrelation(low, full, masks)
    assert len({f.flagged for f in flags}) == 2
    assert [f.flagged for f in flags] == sorted((f.flagged for f in flags), reverse=True)
    for found, mask in zip(flags, range(len(masks)), strict=True):
        inside = flags.masks.boolean(mask)
        e, d = ((x - full)[inside].astype(float) for x in (low, denoised))
        u, v = (np.sqrt(np.mean(error**2)) for error in (e, d))
        np.testing.assert_allclose((found.srmse_low_hu, found.srmse_denoised_hu), (u, v), rtol=1e-5)
        assert found.area_px == inside.sum()
        assert found.flagged == (found.excess > 1.0)
        r = np.sum((d + e) * (d - e)) / np.sqrt(np.sum((d + e) ** 2) * np.sum((d - e) ** 2))
        expected = np.arctanh(r) * np.sqrt(pairwise_freedom(inside, table) - 1)
        np.testing.assert_allclose(found.excess, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found.bias_hu, (denoised - full)[inside].mean(), atol=1e-4)
        assert inside[found.slice].any()
    rise = [f.srmse_denoised_hu - f.srmse_low_hu for f in flags if not f.flagged]
    assert rise == sorted(rise, reverse=True)


def test_false_alarms_where_there_is_noise_alone():
    shape = (1, 128, 128)
    masks = discs(shape)
    alarms, rate = [], []
    for seed in range(40):
        full, added = (grain(2 * seed + k, shape, sigma) for k, sigma in enumerate((10.0, 25.0)))
        low = full + added
        denoised = gaussian_filter(low, (0, 0.7, 0.7))
        strict = flag(low, denoised, full, masks, alpha=0.1, multiplicity="bonferroni")
        alarms.append(bool(strict.flagged))
        same = flag(low, low, full, masks, rule="bias", multiplicity="none")
        rate.append(len(same.flagged) / len(same))
        assert all(f.srmse_denoised_hu == f.srmse_low_hu for f in same)
    assert np.mean(alarms) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 40)
    assert 0.03 < np.mean(rate) < 0.07  # the low dose itself: the level, as one test in twenty


def test_noise_of_a_scanner_is_flagged_and_given_a_kind_as_often_as_two_standard_deviations_say():
    noise, masks = reconstructed(80).reshape(10, 8, 128, 128), reconstructed_discs(4, 8)
    flagged, kinds = [], []
    for low, other in zip(noise, noise[::-1], strict=True):
        flags = flag(low, other, 0 * low, masks, rule="tolerance", tolerance=2.0)
        flagged += [f.flagged for f in flags]
        kinds += [f.kind != "changed" for f in flags]
    chance = np.sqrt(norm.sf(2) / len(kinds))
    assert np.mean(flagged) == pytest.approx(norm.sf(2), abs=0.1 * norm.sf(2) + 4 * chance)
    assert np.mean(kinds) == pytest.approx(2 * norm.sf(2), abs=0.2 * norm.sf(2) + 6 * chance)


def test_a_calibrated_threshold_takes_the_place_of_the_rules():
    masks = discs((1, 128, 128))

    def patient(seed):
        full, low = (grain(2 * seed + k, (1, 128, 128), 20.0) for k in (0, 1))
        return low, gaussian_filter(low, (0, 1, 1)), full

    scores = [flag(*patient(seed), masks).scores for seed in range(19)]
    limit = conformal_threshold(scores, 0.05, per="patient")
    assert limit == max(s.max() for s in scores)
    low, denoised, full = patient(100)
    denoised[masks.boolean(7)] += 60
    flags = flag(low, denoised, full, masks, threshold=limit)
    assert [f.label for f in flags.flagged] == ["7"]
    assert "standardised bias over" in repr(flags)


@pytest.fixture(scope="module")
def flags(chest) -> Flags:
    (ill, masks), (well, _) = chest
    return flag(with_noise(ill, 1, 60), with_noise(well, 2, 6), with_noise(ill, 3, 15), masks)


def test_the_table_has_a_row_a_segment(flags):
    table = flags.table()
    assert len(table) == len(flags)
    assert table.loc[0, "label"] == "nodule-1"
    assert table["flagged"].sum() == len(flags.flagged)
    assert table["srmse_low_hu"].dtype == float


def test_the_scatter_tells_what_it_shows(flags):
    picture = flags.plot("Every dot is a segment.")
    assert f"{len(flags)} segments" in picture.alt
    assert "1 removed" in picture.alt
    assert picture.png.startswith(b"\x89PNG")
    assert picture.caption == "Every dot is a segment."


def test_the_scatter_of_a_page_opens_the_most_suspicious_segments_first(flags):
    page = flags.browse(3, reveal="full dose")
    assert page.kinds == tuple(r.kind if r.flagged else "not flagged" for r in list(flags)[:3])
    assert page.viewer.numbers == tuple(r.slice for r in list(flags)[:3])
    np.testing.assert_allclose(page.points[1], [r.srmse_denoised_hu for r in flags])
    assert f"SRMSE {flags[0].srmse_low_hu:.0f} HU at low dose" in page.html
    assert "Reveal" in page.html


def test_a_look_at_one_segment(flags):
    viewer = flags.show(0)
    assert viewer.names == ("full dose", "denoised", "low dose")
    assert viewer.labels == ("nodule-1",)
    assert viewer.numbers == (flags[0].slice,)
    assert viewer.window == (50.0, 400.0)
    assert viewer.values.shape == (3, 1, 64, 64)
    assert viewer.runs.size
    assert "nodule-1: removed" in viewer.alt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rule": "any"}, "not by 'any'"),
        ({"masks": discs().select([])}, "There is no segment to compare"),
        ({"multiplicity": "sidak"}, "not 'sidak'"),
        ({"denoised": np.zeros((1, 128, 128), np.float32)}, r"denoised scan is \(1, 128, 128\)"),
    ],
)
def test_bad_input(change, message):
    given = {"low": grain(1), "denoised": grain(2), "reference": grain(3), "masks": discs()}
    with pytest.raises(ValueError, match=message):
        flag(**{**given, **change})
