"""The registry: every way to work out a measure gives one value, and its direction is true."""

import numpy as np
import pytest

from ldctlib.masks import Masks
from ldctlib.metrics import MEASURES, OF_ERROR, OF_SLICES, PUBLISHED, evaluate
from ldctlib.metrics.fixed_error import FixedError, FixedReference
from ldctlib.physics import Exam
from ldctlib.scans import Scan

SHAPE = (3, 48, 52)
WINDOW = (40.0, 400.0)


def images():
    """A wave of tissue and air, and an error of noise and lost contrast, all in range."""
    z, y, x = np.indices(SHAPE)
    reference = 60 * np.sin(x / 5.0) * np.cos(y / 7.0) + 10.0 * z
    reference[:, :10] = -900
    error = np.random.default_rng(0).normal(0, 15, SHAPE)
    error[1, 20:30, 20:30] -= 30
    return reference, error


def segments():
    mask = np.zeros((2, *SHAPE[1:]), bool)
    mask[0, 20:30, 20:30] = mask[1, 5:25, 30:50] = True
    return Masks.from_slices([(1, mask[0]), (2, mask[1])], SHAPE)


def by_error(name, error, reference):
    fixed = FixedReference(reference, segments(), WINDOW, (-1024.0, 1900.0))
    return MEASURES[name].of_error(FixedError(error, fixed))


@pytest.mark.parametrize("name", [name for name in OF_SLICES if name in OF_ERROR])
def test_the_fast_way_gives_the_value_of_the_volume(name):
    reference, error = images()
    slices, volume = MEASURES[name].of_slices(reference + error, reference, WINDOW)
    assert slices.shape == (3,)
    assert slices.min() <= volume <= slices.max()
    assert by_error(name, error, reference) == pytest.approx(volume, rel=1e-6)


@pytest.mark.parametrize("name", ["mean-srmse", "max-srmse"])
def test_the_fast_way_gives_the_value_of_the_segments(name):
    reference, error = images()
    value = MEASURES[name].of_segments(reference + error, reference, segments())
    each = [np.sqrt((error[segments().boolean(i)] ** 2).mean()) for i in range(2)]
    assert value == pytest.approx(np.mean(each) if name == "mean-srmse" else max(each))
    assert by_error(name, error, reference) == pytest.approx(value)


def test_noise_alone_explains_no_lost_structure():
    """100 pixels that lost 30 HU in noise of 15 HU, against 4 standard errors of noise alone."""
    reference, error = images()
    noise = error + 30 * segments().boolean(0)
    bias = MEASURES["max-bias"].of_segments
    assert bias(reference + noise, reference, segments()) < 4
    assert bias(reference + error, reference, segments()) > 8
    assert by_error("max-bias", noise, reference) < 4
    assert by_error("max-bias", error, reference) > 8


@pytest.mark.parametrize("name", OF_ERROR)
def test_direction(name):
    reference, error = images()
    better, worse = (by_error(name, error * scale, reference) for scale in (0.5, 1.0))
    if name == "max-bias":  # in units of the noise, which is that of the error itself
        worse = by_error(name, error - 100.0 * segments().boolean(0), reference)
    assert (better < worse) == MEASURES[name].lower_is_better
    assert better != worse


def test_mean_absolute_error_clips():
    test, reference = np.full(SHAPE, 3000.0), np.full(SHAPE, 1800.0)
    test[0] = 1810
    slices, volume = MEASURES["mae"].of_slices(test, reference, WINDOW)
    assert slices.tolist() == [10, 100, 100]
    assert volume == 70


def test_every_measure_says_how_it_is_worked_out():
    for name, measure in MEASURES.items():
        ways = [measure.of_slices, measure.of_segments, measure.of_error]
        assert any(ways) or name == "rfs"
        assert measure.label
        assert measure.definition
    assert set(PUBLISHED) <= set(OF_SLICES)
    assert MEASURES["rmse"].heading == "RMSE (HU)"
    assert MEASURES["ssim"].heading == "SSIM"


def test_a_table_of_any_measure_of_slices():
    reference, error = images()
    full, low = (Scan(hu, (1.0, 0.7, 0.7), "a", "abdomen") for hu in (reference, reference + error))
    exam = Exam(full, low, None, 0.1)
    table = evaluate({}, [exam], metrics=OF_SLICES)
    assert list(dict.fromkeys(table.metric)) == list(OF_SLICES)
    with pytest.raises(ValueError, match="max-srmse is a measure of segments"):
        evaluate({}, [exam], metrics=["max-srmse"])
    with pytest.raises(ValueError, match="No metric is called 'sharpness'; there are mae"):
        evaluate({}, [exam], metrics=["sharpness"])
