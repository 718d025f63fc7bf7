import os

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from ldctlib.hallucinations import (
    LesionPair,
    oracle_segments,
    recall,
    removal_case,
    removal_experiment,
    rmse_recall,
    wilson,
)
from ldctlib.hallucinations.cases import exact_case
from ldctlib.hallucinations.exact import ExactRemoval
from ldctlib.hallucinations.proportions import area
from ldctlib.hallucinations.scores import Scores
from ldctlib.masks import Masks
from ldctlib.metrics import OF_ERROR, psnr, ssim
from ldctlib.metrics.fixed_error import FixedReference
from ldctlib.metrics.fixed_reference import FixedVif, FixedWindow
from ldctlib.metrics.standardised_bias import standardised_bias
from ldctlib.metrics.vif import information
from ldctlib.scans import Scan
from ldctlib.scans.phantoms import Lesion, phantom

SHAPE = (8, 64, 64)
CONTRAST_HU = 60.0
CHEAP = ("rmse", "mean-srmse", "max-srmse", "max-bias")


@pytest.fixture(scope="module")
def patient():
    """Smooth tissue with and without twenty short vessels of 60 HU."""
    z, y, x = np.indices(SHAPE)
    tissue = 40 + 30 * np.sin(x / 9.0) * np.cos(y / 13.0) + 2.0 * z
    numbered = np.zeros(SHAPE, int)
    for i in range(20):
        row, column = 6 + 12 * (i // 4), 6 + 14 * (i % 4)
        numbered[1:7, row : row + 3, column : column + 3] = i + 1
    structures = Masks.from_label_map(numbered, {i + 1: f"vessel-{i + 1}" for i in range(20)})
    spacing = (1.5, 1.0, 1.0)
    present = Scan(tissue + CONTRAST_HU * (numbered > 0), spacing, "tubes", "abdomen")
    return LesionPair(present, Scan(tissue, spacing, "no tubes", "abdomen"), structures)


def run(patient, **options):
    return removal_experiment(patient, **{"fractions": (0.1,), "progress": False, **options})


def test_wilson_interval_solves_the_score_equation():
    z = norm.ppf(0.975)
    for successes, trials in ((7, 20), (0, 10), (50, 50), (12.5, 40)):
        low, high = wilson(successes, trials)
        share = successes / trials
        for end in (low, high):
            if 0 < end < 1:
                assert (end - share) ** 2 == pytest.approx(z**2 * end * (1 - end) / trials)
    theirs = binomtest(7, 20).proportion_ci(0.9, method="wilson")
    assert wilson(7, 20, 0.9) == pytest.approx((theirs.low, theirs.high))
    with pytest.raises(ValueError, match="no proportion"):
        wilson(5, 4)


def test_ties_count_half_in_the_recall_and_in_the_area():
    rng = np.random.default_rng(0)
    worse, better = rng.integers(0, 4, 30).astype(float), rng.integers(0, 4, 30).astype(float)
    pairs = [1.0 * (w > b) + 0.5 * (w == b) for w, b in zip(worse, better, strict=True)]
    assert recall(worse, better).recall == pytest.approx(np.mean(pairs))
    every = [1.0 * (w > b) + 0.5 * (w == b) for w in worse for b in better]
    assert area(worse, better) == pytest.approx(np.mean(every))
    assert recall(better, better).recall == 0.5
    assert recall(np.array([np.inf]), np.array([np.inf])).recall == 0.5


@pytest.mark.parametrize("bounds", [(-150.0, 249.0), (-1024.0, 1900.0)])
def test_fixed_reference_gives_ssim_and_psnr(bounds):
    rng = np.random.default_rng(1)
    reference, error = rng.normal(0, 200, (2, 3, 40, 48))
    fixed = FixedWindow(reference, bounds)
    same = ssim(reference + error, reference, data_range=bounds)
    assert fixed.ssim(error) == pytest.approx(same, abs=1e-12)
    slices = psnr(reference + error, reference, data_range=bounds, reduce="none")
    assert fixed.psnr(error) == pytest.approx(-10 * np.log10(np.mean(10 ** (-slices / 10))))
    assert fixed.psnr(0 * error) == np.inf


@pytest.mark.parametrize("scale", [1.0, -0.4])
def test_fixed_reference_gives_vif(scale):
    rng = np.random.default_rng(2)
    reference = rng.normal(-700, 60, (3, 44, 50))
    reference[:, :20] = 30.0
    error = scale * np.roll(reference, 3, 1) + rng.normal(0, 20, reference.shape)
    theirs = information(reference + error, reference).of_volume().fidelity()[0]
    assert FixedVif(reference)(error) == pytest.approx(theirs, rel=1e-7)
    flat = FixedVif(np.full((1, 44, 44), 7.0))
    assert (flat(np.zeros((1, 44, 44))), flat(np.ones((1, 44, 44)))) == (1.0, 0.0)


def test_scores_of_simple_errors(patient):
    reference, structures = patient.present, patient.lesions
    error = np.full(SHAPE, -3.0, np.float32)
    fixed = FixedReference(reference.hu, oracle_segments(structures), "abdomen", (-1024, 1900))
    scores = Scores(("max-srmse", "rmse", "mean-srmse", "mae"), fixed)
    assert scores(error) == pytest.approx([3, 3, 3, 3])
    lost = np.where(structures.boolean(4), -CONTRAST_HU, 0).astype(np.float32)
    share = structures.areas[4] / lost.size
    largest, root, _, absolute = scores(lost)
    assert largest == pytest.approx(CONTRAST_HU)
    assert root == pytest.approx(CONTRAST_HU * np.sqrt(share))
    assert absolute == pytest.approx(CONTRAST_HU * share)
    with pytest.raises(ValueError, match="no metric sharpness"):
        Scores(("sharpness",), fixed)


@pytest.mark.parametrize("blur_px", [0.0, 1.0])
def test_max_bias_is_that_of_the_metric_with_the_sigma_of_the_error(patient, blur_px):
    reference, structures = patient.present, patient.lesions
    fixed = FixedReference(reference.hu, structures, "abdomen", (-1024, 1900), blur_px)
    error = np.random.default_rng(0).normal(2, 30, SHAPE).astype(np.float32)
    z = standardised_bias(
        reference.hu + error,
        reference.hu,
        structures,
        sigma_hu=np.sqrt(np.mean(error.astype(float) ** 2)),
        correlation_px=4 * np.pi * blur_px**2 or 1,
    )
    found = Scores(("max-bias",), fixed)(error)[0]
    assert found == pytest.approx(np.abs(z).max(), rel=1e-4)


def test_rmse_follows_theory(patient):
    result = run(patient, metrics=("rmse",), noise_hu=(15, 30, 60), pairs=250, seed=3)
    for noise in result.noise_hu:
        expected = np.mean(
            [rmse_recall(np.sqrt([p]), noise, np.prod(SHAPE)) for p in result.power_hu2[0]]
        )
        found = round(result.recall("rmse", 0.1, noise).recall * 250)
        low, high = wilson(found, 250, 0.999)
        assert low < expected < high


def test_rmse_is_at_chance_where_the_largest_segment_error_still_works(patient):
    removed = 2 * 54 * CONTRAST_HU**2 / np.prod(SHAPE)  # f times contrast squared
    noise = 60.0
    assert removed < 0.6 * 2 * noise**2 / np.sqrt(np.prod(SHAPE))
    options = {"metrics": CHEAP, "noise_hu": (noise,), "pairs": 150, "seed": 4}
    result = run(patient, **options)
    assert result.area("rmse", 0.1, noise) < 0.72
    assert result.area("max-bias", 0.1, noise) > 0.97
    assert result.area("max-srmse", 0.1, noise) > result.area("rmse", 0.1, noise) + 0.1
    # Where most segments are background, their mean knows little more than the error of all
    # voxels; and the largest error of many small segments is that of noise.
    small = run(patient, segments=oracle_segments(patient.lesions, tile_px=4), **options)
    assert abs(small.area("mean-srmse", 0.1, noise) - small.area("rmse", 0.1, noise)) < 0.15
    assert small.area("max-srmse", 0.1, noise) < result.area("max-srmse", 0.1, noise)


def test_more_noise_hides_and_more_removal_shows(patient):
    options = {"fractions": (0.05, 0.5), "noise_hu": (20, 60, 180), "pairs": 80}
    result = run(patient, metrics=CHEAP, **options)
    for metric in CHEAP:
        few = [result.area(metric, 0.05, noise) for noise in result.noise_hu]
        many = [result.area(metric, 0.5, noise) for noise in result.noise_hu]
        assert few[0] >= few[2]
        assert many[0] >= many[2]
        assert all(m >= f - 0.03 for f, m in zip(few, many, strict=True))


def test_without_noise_every_metric_sees_any_removal_and_ties_without_it(patient):
    result = run(patient, fractions=(0, 0.05), noise_hu=(0,), pairs=3)
    for metric in OF_ERROR:
        assert result.recall(metric, 0.05, 0).recall == 1, metric
        assert result.recall(metric, 0, 0).recall == 0.5, metric


def test_noise_of_the_two_images_is_independent(patient):
    result = run(patient, fractions=(0,), noise_hu=(40,), pairs=120, metrics=("rmse", "max-bias"))
    for m, metric in enumerate(result.metrics):
        found = result.recall(metric, 0, 40).recall * 120
        low, high = wilson(round(found), 120, 0.999)
        assert low < 0.5 < high
        one, other = result.whole[m, 0], result.removed[m, 0, 0]
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.3
    assert (result.whole != result.removed[:, 0]).all()


def test_in_the_noise_trade_rmse_prefers_the_image_that_lost_structures(patient):
    result = run(patient, metrics=CHEAP, noise_hu=(60,), pairs=60, trade=0.05)
    assert result.trade_recall("rmse", 0.1, 60).recall < 0.05
    assert result.trade_recall("max-bias", 0.1, 60).recall > 0.9


def test_seed_decides_everything_and_workers_nothing(patient):
    options = {"noise_hu": (20, 40), "pairs": 3}
    one, again = run(patient, seed=5, **options), run(patient, seed=5, workers=1, **options)
    other = run(patient, seed=6, **options)
    for field in ("whole", "removed", "noisier", "changed"):
        np.testing.assert_array_equal(getattr(one, field), getattr(again, field))
    assert (one.whole != other.whole).any()
    # More pairs and more levels leave those that were drawn before as they were.
    more = run(patient, seed=5, noise_hu=(20, 40, 80), pairs=4)
    np.testing.assert_array_equal(more.removed[:, :, :2, :3], one.removed)


def test_rows_say_what_was_removed(patient):
    result = run(patient, fractions=(0.1, 0.11), noise_hu=(20,), pairs=2, metrics=("rmse",))
    first, second = result.rows()
    assert (first["structures"], second["structures"]) == (2, 3)
    assert first["voxels_percent"] == pytest.approx(100 * 2 * 54 / np.prod(SHAPE))
    assert result.table().shape == (2, len(first))
    with pytest.raises(ValueError, match="no noise 21"):
        result.recall("rmse", 0.1, 21)


def test_coloured_noise_keeps_its_strength(patient):
    result = run(patient, metrics=("rmse",), noise_hu=(30,), pairs=10, noise_blur_px=1.2)
    assert result.whole.mean() == pytest.approx(30, rel=0.02)


def test_without_anatomy_the_window_spans_the_scan(patient):
    present, absent = (
        Scan(scan.hu * 5, scan.spacing_mm, "MRI") for scan in (patient.present, patient.absent)
    )
    result = run(
        LesionPair(present, absent, patient.lesions), noise_hu=(1,), pairs=2, metrics=("ssim",)
    )
    assert 0 < result.whole.min() <= result.whole.max() < 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"fractions": (1.5,)}, "between 0 and 1"),
        ({"noise_hu": (-1,)}, "standard deviations"),
        ({"pairs": 0}, "must be positive"),
        ({"workers": 999}, "threads"),
        ({"segments": Masks.from_volumes({"a": np.ones((1, 2, 2), bool)})}, "Masks lie on"),
        ({"least_change_hu": 90.0}, "changes tubes by 60.0 HU"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(patient, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        run(patient, **options)


def test_structures_that_touch_cannot_be_removed_exactly():
    pair = np.zeros((1, 20, 20), int)
    pair[0, 5:9, 5:9], pair[0, 5:9, 9:13] = 1, 2
    masks = Masks.from_label_map(pair, {1: "left", 2: "right"})
    whole, bare = (Scan(50.0 * image, (1, 1, 1), "pair") for image in (pair > 0, pair < 0))
    with pytest.raises(ValueError, match="left, right … share voxels"):
        ExactRemoval(LesionPair(whole, bare, masks))


def test_phantom_removal_is_that_of_a_rendering_without_the_structures():
    options = {
        "seed": 1,
        "shape": (6, 128, 128),
        "centre_mm": 21,
        "lesions": [Lesion("sphere", None, d, 60.0) for d in (9.0, 8.0, 7.0)],
    }
    reference = phantom("head", **options)
    every = reference.masks["structures"]
    lesions = every.select([i for i, n in enumerate(every.labels) if n.startswith("lesion")])
    case = exact_case(
        reference,
        lesions,
        lambda labels: phantom("head", without=labels, **options),
        voxels=(8, 600),
    )
    assert len(case.lesions) == 2
    removal = ExactRemoval(case, 20.0)
    for i, label in enumerate(case.lesions.labels):
        rendered = phantom("head", without=[label], **options).hu
        assert np.abs(rendered - reference.hu).max() > 40
        np.testing.assert_allclose(reference.hu + removal([i]), rendered, rtol=0, atol=2e-3)
    assert not removal([]).any()


def test_unknown_case_is_refused():
    with pytest.raises(ValueError, match="no case 'knee'"):
        removal_case("knee")


@pytest.mark.data
@pytest.mark.skipif(
    not os.environ.get("LDCTLIB_DATA_DIR"),
    reason="needs the real scans: set LDCTLIB_DATA_DIR to their folder",
)
def test_a_real_labelled_scan_loses_vessels_and_ribs():
    case = removal_case("totalsegmentator-abdomen")
    assert not case.exact
    assert len(case.lesions) >= 80
    assert (np.abs(case.lesions.sum_over(case.added)) > 16 * case.lesions.areas).all()
    result = removal_experiment(
        case,
        fractions=(0.1,),
        noise_hu=(20,),
        pairs=4,
        metrics=CHEAP,
        progress=False,
    )
    assert result.recall("max-bias", 0.1, 20).recall == 1
    assert 0.0005 < result.changed.mean() < 0.01
