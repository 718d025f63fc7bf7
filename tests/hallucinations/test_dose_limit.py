"""The dose limit: denoisers whose losses are known, what is counted, and a run that continues."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from ldctlib.hallucinations import dose_limit, lesion_pair, none_of, wilson
from ldctlib.hallucinations.dose_limit_results import DoseLimit, Outcome
from ldctlib.physics import imaged

DOSES = (0.5, 0.1, 0.02)
KINDS = ("8 mm, -40 HU", "8 mm, +60 HU")


@pytest.fixture(scope="module")
def patients():
    """Two small patients with three lesions of each of two kinds."""
    return [lesion_pair(s, contrast_hu=(-40, 60), count=6, pixels=256) for s in (3, 4)]


def identity(exam):
    return exam.low


def erases_below(dose, patients):
    """Paints the truth without the lesions; from ``dose`` on upwards it hands the image on."""
    bare = {pair.present.name: pair.absent for pair in patients}

    def denoise(exam):
        if exam.dose >= dose:
            return exam.low
        absent = imaged(bare[exam.full.name], exam.exposure.kernel)
        return exam.low.with_hu(exam.low.hu - (exam.truth.hu - absent.hu))

    return denoise


def test_oracles_at_every_dose(patients):
    def half(exam):
        return exam.low.with_hu(0.5 * exam.low.hu)

    denoisers = {
        "identity": identity,
        "erases": erases_below(0.1, patients),
        "half": half,
        "always": erases_below(1.0, patients),
    }
    found = dose_limit(denoisers, patients, DOSES[::-1], margin_px=None, progress=False)
    assert found.doses == list(DOSES)
    assert found.groups == list(KINDS)
    assert found.denoisers == list(denoisers)
    kept = {(r.denoiser, r.dose): [] for r in found.records}
    for record in found.records:
        kept[record.denoiser, record.dose].append(record.kept)
    for dose in DOSES:
        np.testing.assert_allclose(kept["identity", dose], 1, atol=1e-4)
        np.testing.assert_allclose(kept["half", dose], 0.5, atol=1e-4)
        np.testing.assert_allclose(kept["erases", dose], float(dose >= 0.1), atol=1e-4)
    assert found.limit("identity").dose == 0.02
    assert found.limit("identity").at_most == pytest.approx(none_of(12))
    assert found.limit("identity", KINDS[0]).lesions == 6
    assert found.limit("erases").dose == 0.1
    assert found.lost("erases", 0.02)[:2] == (12, 12)
    assert found.lost("erases", 0.02)[2:] == wilson(12, 12)
    assert found.limit("always") == (None, 12, 1.0)
    for dose in DOSES:  # where all lesions are erased, the two images are one
        assert found.seen("always", dose).auc == 0.5
    assert found.seen("identity", 0.5).auc == 1.0
    assert found.lost("identity", 0.5, by="sight").lost == 0
    assert found.lost("always", 0.5, by="sight").lost >= 10
    assert found.lost("identity", 0.5, by="flag").lost == 0
    assert found.lost("always", 0.5, by="flag").lost >= 10


def test_cutting_changes_nothing_for_what_sees_no_further(patients):
    def blur(exam):
        hu = exam.low.hu
        return exam.low.with_hu(sum(np.roll(hu, k, -1) for k in range(-3, 4)) / 7)

    whole, cut = (
        dose_limit({"blur": blur}, patients[:1], [0.1], margin_px=m, progress=False)
        for m in (None, 12)
    )
    for a, b in zip(whole.records, cut.records, strict=True):
        assert a.lesion == b.lesion
        assert a.kept == pytest.approx(b.kept, abs=1e-5)
        assert a.present_hu == pytest.approx(b.present_hu, abs=1e-3)
        assert 0.3 < a.kept < 1


def test_the_sinogram_is_there_for_who_needs_it(patients):
    seen = []

    def of_lines(exam):
        seen.append(exam.sinogram is not None)
        return exam.with_lines(0.5 * exam.sinogram.line_integrals)

    of_lines.needs = "sinogram"
    found = dose_limit({"lines": of_lines}, patients[:1], [0.5], progress=False)
    assert seen == [True, True]
    # half of a lesion, less what the kernel's second blur spreads beyond its mask
    assert all(0.5 < record.kept < 0.7 for record in found.records)

    def of_image(exam):
        seen.append(exam.sinogram is not None)
        return exam.low

    dose_limit({"image": of_image}, patients[:1], [0.5], progress=False)
    assert seen[2:] == [False, False]


def outcome(dose, kept, number):
    return Outcome("d", dose, 0, f"kind-{number}", -20.0, kept, 0.0, -20.0, 0.0, False)


def test_the_limit_stops_at_the_first_loss_from_above():
    # Lost at 0.25, none at 0.1: what is kept at 0.1 by luck does not count.
    kept = {0.5: (0.9, 0.9), 0.25: (0.9, 0.4), 0.1: (0.9, 0.9)}
    found = DoseLimit(
        tuple(outcome(d, k, i) for d, pair in kept.items() for i, k in enumerate(pair)), 0.5
    )
    assert found.limit("d").dose == 0.5
    assert found.limit("d").at_most == pytest.approx(1 - 0.05**0.5)
    strict = replace(found, least_kept=0.95)
    assert strict.limit("d").dose is None
    assert strict.limit("d").at_most == 1.0
    assert [row["lost"] for row in found.rows()] == [0, 1, 0]


@pytest.mark.parametrize("n", [1, 10, 59, 1000])
def test_none_of_n_is_the_exact_binomial_bound(n):
    assert binom.cdf(0, n, none_of(n)) == pytest.approx(0.05)
    assert none_of(n) < 3 / n


def test_sight_asks_for_more_than_95_percent_of_the_places_without():
    absent = np.arange(100.0)
    records = [
        Outcome("d", 0.5, 0, f"kind-{i}", 20.0, 1.0, 7.0, float(a + 57), float(a + 7), False)
        for i, a in enumerate(absent)
    ]
    found = DoseLimit(tuple(records), 0.5)
    expected = (absent + 50 <= np.quantile(absent, 0.95)).sum()
    assert found.lost("d", 0.5, by="sight").lost == expected


def test_a_run_continues_and_refuses_another(patients, tmp_path):
    calls = []

    def counted(exam):
        calls.append(exam.dose)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return exam.low

    settings = {"doses": (0.5, 0.1), "folder": tmp_path, "progress": False}
    with pytest.raises(KeyboardInterrupt):
        dose_limit({"d": counted}, patients, **settings)
    assert len(list(tmp_path.iterdir())) == 2
    found = dose_limit({"d": counted}, patients, **settings)
    assert len(calls) == 5 + 4
    again = dose_limit({"d": None}, patients, **settings)  # nothing is left to denoise
    assert again == found
    with pytest.raises(ValueError, match="another run"):
        dose_limit({"d": counted}, patients, seed=1, **settings)
    with pytest.raises(ValueError, match="another run"):
        dose_limit({"d": counted}, patients[::-1], **settings)


def test_bad_input_gets_one_clear_sentence(patients):
    quiet = {"progress": False}
    pair = patients[0]
    for wrong, words in (
        (({}, patients, [0.5]), "at least"),
        (({"d": identity}, [], [0.5]), "at least"),
        (({"d": identity}, patients, [0.5, 1.0]), "between 0 and 1"),
        (({"d": identity}, patients, [0.5, 0.5]), "different"),
        (({"d": identity}, [replace(pair, absent=pair.present)], [0.5]), "1 HU or more"),
    ):
        with pytest.raises(ValueError, match=words):
            dose_limit(*wrong, **quiet)
    with pytest.raises(ValueError, match="to be kept"):
        dose_limit({"d": identity}, patients, [0.5], least_kept=1.0, **quiet)
    broken = {"d": lambda exam: exam.low.crop(slice(0, 9))}
    with pytest.raises(ValueError, match="d made an image"):
        dose_limit(broken, patients[:1], [0.5], **quiet)
    found = DoseLimit((outcome(0.5, 0.9, 1),), 0.5)
    with pytest.raises(ValueError, match="lost by one of"):
        found.lost("d", 0.5, by="luck")
    with pytest.raises(ValueError, match="There is no"):
        found.lost("e", 0.5)
    with pytest.raises(ValueError, match="prove nothing"):
        none_of(0)
