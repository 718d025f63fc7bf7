"""Significance against closed forms, brute force, scipy, and hand calculation."""

from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from scipy import stats

from ldctlib.evaluation import compare, reference, styled
from ldctlib.metrics import bootstrap, mann_whitney, signed_rank
from ldctlib.metrics._tables import tidy


def test_complete_separation_has_the_closed_form():
    for n, m in ((10, 10), (3, 3), (10, 1), (2, 5)):
        found = mann_whitney(np.arange(n) + 100.0, np.arange(m))
        assert found.p == pytest.approx(2 / comb(n + m, n), rel=1e-12)
        assert found.p == found.least
        assert (found.superiority, found.effect) == (1, 1)
        assert mann_whitney(np.arange(m), np.arange(n) + 100.0).effect == -1
    assert mann_whitney(np.arange(10) + 100, np.arange(10)).p == pytest.approx(1.083e-5, rel=1e-3)


def test_mann_whitney_equals_scipy():
    rng = np.random.default_rng(0)
    for n, m, shift in ((10, 10, 0.5), (4, 9, -1.0), (7, 7, 0.0), (20, 15, 0.8)):
        x, y = rng.normal(shift, 1, n), rng.normal(0, 1, m)
        theirs = stats.mannwhitneyu(x, y, method="exact")
        ours = mann_whitney(x, y)
        assert ours.p == pytest.approx(theirs.pvalue, rel=1e-10)
        assert ours.superiority == pytest.approx(theirs.statistic / (n * m), rel=1e-12)


def test_ties_are_exact_too():
    x, y = [1.0, 2.0, 2.0, 4.0], [2.0, 3.0, 4.0, 4.0, 5.0]
    ranks = stats.rankdata(x + y)
    sums = [sum(chosen) for chosen in combinations(ranks, len(x))]
    observed = ranks[: len(x)].sum()
    below, above = (np.mean([s <= observed for s in sums]), np.mean([s >= observed for s in sums]))
    assert mann_whitney(x, y).p == pytest.approx(2 * min(below, above))
    assert mann_whitney([1.0, 1.0], [1.0, 1.0]) == (1, 0.5, 2 / 6)


def test_signed_rank_equals_scipy_and_all_patterns_of_signs():
    rng = np.random.default_rng(1)
    for n in (3, 8, 12):
        x = rng.normal(0.5, 1, n)
        theirs = stats.wilcoxon(x - 0.2, method="exact").pvalue
        assert signed_rank(x, 0.2).p == pytest.approx(theirs, rel=1e-10)
    assert signed_rank(np.arange(1, 11)).p == signed_rank(np.arange(1, 11)).least == 2 / 2**10
    tied = np.array([1.0, 1.0, -2.0, 3.0, 3.0])
    ranks = stats.rankdata(abs(tied))
    sums = [ranks @ signs for signs in product((0, 1), repeat=5)]
    observed = ranks[tied > 0].sum()
    p = 2 * min(np.mean(np.less_equal(sums, observed)), np.mean(np.greater_equal(sums, observed)))
    assert signed_rank(tied).p == pytest.approx(p)
    assert signed_rank([5.0, 5.0], 5.0) == (1, 0.5, 0.5)


def test_p_values_are_uniform_where_there_is_no_difference():
    rng = np.random.default_rng(2)
    p = np.array([mann_whitney(*rng.normal(0, 1, (2, 8))).p for _ in range(600)])
    for level in (0.05, 0.2, 0.5):  # 600 draws: at most 3 standard errors above the level
        assert np.mean(p <= level) < level + 3 * np.sqrt(level * (1 - level) / 600)
    assert np.mean(p <= 0.5) > 0.35


@pytest.mark.parametrize(("patients", "coverage"), [(5, 0.85), (20, 0.93)])
def test_bootstrap_intervals_cover_as_said(patients, coverage):
    rng = np.random.default_rng(3)
    inside = 0
    for i in range(400):
        test, other = rng.normal(1, 1, patients), rng.normal(0, 0.5, patients)
        found = bootstrap(test, other, resamples=400, seed=i)
        inside += found.low <= 1 <= found.high
    assert inside / 400 == pytest.approx(coverage, abs=0.045)


def test_bootstrap_is_paired_seeded_and_shrinks():
    rng = np.random.default_rng(4)
    patients = rng.normal(30, 5, 12)
    found = bootstrap(patients + 0.5, patients, seed=3)
    assert found == pytest.approx((0.5, 0.5, 0.5))  # how patients differ does not matter
    noisy = patients + rng.normal(0.5, 0.3, 12)
    assert bootstrap(noisy, patients, seed=3) == bootstrap(noisy, patients, seed=3)
    assert bootstrap(noisy, patients, seed=3) != bootstrap(noisy, patients, seed=4)
    wide, narrow = (bootstrap(noisy, patients, level=level) for level in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high
    expected = 1.96 * np.std(noisy - patients) / np.sqrt(12)
    assert (wide.high - wide.low) / 2 == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mann_whitney([], [1.0]), "not empty"),
        (lambda: signed_rank([np.inf]), "finite"),
        (lambda: bootstrap([1.0], [2.0]), "two patients"),
        (lambda: bootstrap([1.0, 2.0], [2.0]), "two patients"),
        (lambda: bootstrap([1.0, 2.0], [2.0, 1.0], level=95), "level"),
    ],
)
def test_bad_samples(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def trainings(**methods):
    """A table of PSNR and RMSE of the head: ten trainings of each method around its value."""
    rows = [("low dose", None, "head", "a", None, m, v) for m, v in (("psnr", 25.0), ("rmse", 40))]
    for name, (level, seeds) in methods.items():
        for seed in range(seeds):
            rows.append((name, seed, "head", "a", None, "psnr", level + 0.01 * seed))
            rows.append((name, seed, "head", "a", None, "rmse", 60 - level - 0.01 * seed))
    return tidy(rows)


def test_each_method_meets_the_best_before_it():
    table = trainings(
        transct=(24.0, 10), cnn10=(28.0, 10), redcnn=(30.0, 10), wganvgg=(27.0, 10), qae=(30.0, 10)
    )
    found = compare(table, by="volume")
    psnr = found[found.metric == "psnr"].set_index("method")
    assert list(psnr.index) == ["cnn10", "redcnn", "wganvgg", "qae", "transct"]
    assert list(psnr.baseline) == ["low dose", "cnn10", "redcnn", "redcnn", "redcnn"]
    assert list(psnr.verdict) == ["better", "better", "worse", "no difference", "worse"]
    assert list(psnr.effect) == [1, 1, -1, 0, -1]
    full = 2 / comb(20, 10)
    assert psnr.p.to_numpy() == pytest.approx([2 / 2**10, full, full, 1, full])
    # two families: 2 comparisons with the low dose, 8 with a method
    assert psnr.p_holm.to_numpy() == pytest.approx([4 / 2**10, 8 * full, 8 * full, 1, 8 * full])
    rmse = found[found.metric == "rmse"].set_index("method")  # lower is better
    assert list(rmse.verdict) == list(psnr.verdict)
    assert rmse.difference["redcnn"] == pytest.approx(-2)
    assert "8 comparisons with the best" in found.attrs["family"]
    assert "Mann-Whitney" in found.attrs["family"]
    each = compare(table, by="volume", family=["metric"])
    assert each[each.metric == "psnr"].p_holm.to_numpy()[1] == pytest.approx(4 * full)


def test_a_method_without_seeds_is_a_constant():
    table = trainings(cnn10=(28.0, 10), redcnn=(20.0, 1), mine=(33.0, 10))
    found = compare(table, by="volume", years={"mine": 2026}).query("metric == 'psnr'")
    assert list(found.baseline) == ["low dose", "cnn10", "cnn10"]
    assert found.p.iloc[1] == 2 / 2**10
    assert list(found.verdict) == ["better", "worse", "better"]
    with pytest.raises(ValueError, match="When was mine published"):
        compare(table, by="volume")


def test_too_few_trainings_say_so():
    found = compare(trainings(cnn10=(28.0, 2), redcnn=(30.0, 2)), by="volume")
    assert set(found.verdict) == {"no difference"}
    assert "no p could fall below 0.33 with so few seeds" in found.attrs["family"]


def patients(count):
    """One network each: RED-CNN about 1 dB above CNN-10, on three slices of every patient."""
    rng = np.random.default_rng(5)
    rows = []
    for p in range(count):
        base, gain = rng.normal(30, 4), rng.normal(1, 0.3)
        for method, value in (("cnn10", base), ("redcnn", base + gain)):
            rows += [(method, None, "chest", f"p{p}", z, "psnr", value + z) for z in range(3)]
    return tidy(rows)


def test_patients_are_compared_in_pairs():
    table = patients(12)
    (row,) = compare(table, seed=1).itertuples()
    means = table.groupby(["method", "patient"]).value.mean()
    test, before = means["redcnn"], means["cnn10"]
    assert (row.low, row.high) == pytest.approx(bootstrap(test, before, seed=1)[1:])
    assert row.p == signed_rank(test - before).p
    assert row.difference == pytest.approx((test - before).mean())
    assert (row.n, row.baseline, row.verdict) == (12, "cnn10", "better")
    few = compare(patients(5))
    assert few.low.item() > 0  # the interval is sure, five patients are not enough to say so
    assert few.verdict.item() == "no difference"
    assert "0.062 with so few patients" in few.attrs["family"]


def test_tables_that_cannot_be_compared():
    table = patients(3)
    with pytest.raises(ValueError, match="same patients"):
        compare(table[~((table.patient == "p1") & (table.method == "cnn10"))])
    with pytest.raises(ValueError, match="neither several seeds nor patients"):
        compare(reference("talk"))
    with pytest.raises(ValueError, match="nothing to compare"):
        compare(table[table.method == "cnn10"])
    with pytest.raises(ValueError, match="not finite"):
        compare(table.assign(value=np.inf))
    with pytest.raises(ValueError, match="over seeds or patients"):
        compare(table, over="slices")
    with pytest.raises(ValueError, match="no column seed"):
        compare(table.drop(columns="seed"))
    with pytest.raises(ValueError, match="not list"):
        compare([1, 2])
    with pytest.raises(ValueError, match="no rows"):
        compare(table[:0])


def test_the_table_says_better_and_worse_without_colour():
    from bs4 import BeautifulSoup

    table = trainings(cnn10=(28.0, 10), redcnn=(30.0, 10), wganvgg=(27.0, 10), qae=(30.0, 10))
    comparison = compare(table, by="volume")
    html = styled(table, comparison, by="volume", caption="PSNR < 40 dB.")
    assert html._repr_html_() == html
    page = BeautifulSoup(html, "html.parser")
    cells = {row.th.text: [cell.get_text(" ") for cell in row("td")] for row in page.tbody("tr")}
    assert cells["Low dose"] == ["25.00", "40.0"]
    assert cells["RED-CNN"][0].split() == ["30.04", "▲", "±", "0.03"]
    assert cells["WGAN-VGG"][1].split() == ["33.0", "▼", "±", "0.0"]
    assert cells["QAE"][0].split() == ["30.04", "±", "0.03"]
    marks = page.find_all(attrs={"role": "img"})
    assert len(marks) == sum(comparison.verdict != "no difference")
    assert marks[0]["aria-label"].startswith("better than Low dose, p = ")
    for cell in page.find_all("td", class_=["better", "worse"]):
        assert (
            cell.find(attrs={"role": "img"}).text == {"better": "▲", "worse": "▼"}[cell["class"][0]]
        )
    assert all(header["scope"] for header in page("th"))
    said = page.figcaption.text
    assert said.startswith("PSNR < 40 dB. ▲ green: significantly better")
    assert "Holm" in said
    assert "figcaption" not in styled(table, by="volume")
