"""The published tables: whole, in range, repaired, and in agreement with each other."""

import numpy as np
import pytest

from ldctlib.denoisers import METHODS as PUBLISHED
from ldctlib.evaluation import reference
from ldctlib.metrics import aggregate, rank_agreement
from ldctlib.metrics._tables import COLUMNS, tidy

METHODS = ["low dose", *PUBLISHED]


@pytest.mark.parametrize(("name", "metrics"), [("talk", 4), ("documentation", 3)])
def test_tables_are_whole_and_cite_their_source(name, metrics):
    table = reference(name)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 9 * 3 * metrics
    assert list(table.method.unique()) == METHODS
    assert set(table.anatomy) == {"chest", "abdomen", "head"}
    assert table.seed.isna().all()
    assert table.slice.isna().all()
    assert "10.1002/mp.17379" in table.attrs["source"]
    assert "exchanged" in table.attrs["note"]
    assert aggregate(table).value.to_list() == table.value.to_list()


def test_values_as_published():
    values = reference("documentation").set_index(["method", "anatomy", "metric"]).value
    assert values["low dose", "chest", "psnr"] == 18.066
    assert values["redcnn", "head", "vif-ldctbench"] == 0.715
    assert values["transct", "head", "ssim"] == 0.893
    assert values["bilateral", "abdomen", "psnr"] == 27.357
    # columns added up by hand
    assert values[:, "chest", "ssim"].sum() == pytest.approx(4.709)
    assert values[:, "head", "psnr"].sum() == pytest.approx(280.686)
    talk = reference("talk").set_index(["method", "anatomy", "metric"]).value
    assert talk["dugan", "chest", "rfs"] == 0.96
    assert talk["low dose", "head", "psnr"] == 26.40


def test_the_columns_of_the_talk_are_where_they_belong():
    talk = reference("talk")
    psnr = talk.metric == "psnr"
    assert talk.value[psnr].between(15, 40).all()
    assert talk.value[~psnr].between(0, 1).all()
    agreement = rank_agreement(talk, reference("documentation"))
    assert len(agreement) == 9
    assert set(agreement.methods) == {8}
    assert (agreement.spearman > 0.85).all()
    # one column further, RFS would stand for SSIM, and the agreement would be gone
    wrong = talk[talk.metric == "rfs"].assign(metric="ssim")
    chest = rank_agreement(wrong, reference("documentation")).set_index("anatomy")
    assert chest.spearman["chest"] < 0


def test_years_of_all_eight_methods():
    years = [entry.year for entry in PUBLISHED.values()]
    assert years == sorted(years)
    assert (years[0], years[-1], len(years)) == (2017, 2022, 8)
    with pytest.raises(ValueError, match="talk, documentation, campaign"):
        reference("paper")


def test_rank_agreement_by_hand():
    def table(values):
        rows = zip(PUBLISHED, values, strict=False)
        return tidy((m, None, "chest", None, None, "psnr", v) for m, v in rows)

    ours = table([1.0, 2.0, 3.0, 4.0])
    (same,) = rank_agreement(ours, table([10.0, 20.0, 30.0, 40.0])).itertuples()
    assert (same.kendall, same.spearman) == (1, pytest.approx(1))
    assert same.kendall_p == pytest.approx(2 / 24)
    (swapped,) = rank_agreement(ours, table([1.0, 3.0, 2.0, 4.0])).itertuples()
    assert swapped.kendall == pytest.approx((5 - 1) / 6)
    assert swapped.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))
    (other,) = rank_agreement(ours, table([9.0, 1.0])).itertuples()
    assert (other.methods, other.kendall) == (2, -1)
    with pytest.raises(ValueError, match="share no anatomy"):
        rank_agreement(ours, ours.assign(anatomy="head"))
    assert np.isfinite(same.spearman_p)


def test_the_campaign_of_this_project_is_whole():
    table = reference("campaign")
    assert tuple(table.columns) == COLUMNS
    assert list(table.method.unique()) == METHODS
    assert set(table.metric) == {"psnr", "ssim", "vif", "rmse", "rfs"}
    trained = table[table.method != "low dose"]
    assert set(trained.seed) == set(range(10))
    assert table[table.method == "low dose"].seed.isna().all()
    patients = table[table.metric == "psnr"].groupby("anatomy").patient.nunique()
    assert patients.to_dict() == {"chest": 2, "abdomen": 2, "head": 1}
    assert set(table[table.metric == "rfs"].patient) == {
        "phantom-chest", "phantom-abdomen", "phantom-head"
    }  # fmt: skip
    assert np.isfinite(table.value).all()
    assert set(table.attrs["recipes"]) == set(PUBLISHED)
    seconds = table.attrs["seconds"]
    assert f"{seconds} s on one core" in table.attrs["note"]
    for method, seeds in table.attrs["diverged"].items():
        there = set(table[table.method == method].seed)
        assert there == set(range(10)) - set(seeds), "all that was begun is told"
