"""A download of the Mayo data, in its layout, written from small synthetic patients."""

import numpy as np
import pytest

from ldctlib.physics import mayo_exam
from ldctlib.scans import mayo, write_dicom
from ldctlib.scans.scan import Scan

PATIENTS = {"N187": 35, "N209": 33, "L221": 99}  # two training heads and a test abdomen


def write_patient(root, patient, slices):
    rng = np.random.default_rng(slices)
    full = Scan(rng.integers(-1000, 1000, (slices, 6, 6)), (3.0, 0.7, 0.7), patient)
    low = full.with_hu(full.hu + rng.integers(-20, 20, full.shape))
    study = root / "LDCT-and-Projection-data" / patient / "12-23-2021-NA-NA-01234"
    for dose, scan in (("Low", low), ("Full", full)):
        series = write_dicom(scan, study / f"1.000000-{dose} Dose Images-54321")
        # the archive's numbering starts at the head
        written = sorted(series.iterdir(), reverse=True)
        for path, name in zip(written, mayo.file_names(slices), strict=True):
            path.rename(series / name)
    return low, full


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    root = tmp_path_factory.mktemp("mayo")
    return root, {p: write_patient(root, p, n) for p, n in PATIENTS.items()}


@pytest.fixture
def root(download):
    return download[0]


def test_splits_are_those_of_the_benchmark():
    patients = list(mayo.benchmark_patients())
    assert len({p.id for p in patients}) == 150
    counts = {
        (split, anatomy): (
            len(chosen := [p for p in patients if (p.split, p.anatomy) == (split, anatomy)]),
            sum(p.slices for p in chosen),
        )
        for split in mayo.SPLITS
        for anatomy in mayo.DOSE
    }
    assert counts == {
        ("training", "chest"): (35, 12136),
        ("training", "abdomen"): (35, 5680),
        ("training", "head"): (35, 1253),
        ("validation", "chest"): (10, 3352),
        ("validation", "abdomen"): (10, 1652),
        ("validation", "head"): (10, 345),
        ("test", "chest"): (5, 1825),
        ("test", "abdomen"): (5, 827),
        ("test", "head"): (5, 184),
    }
    letters = {"chest": "C", "abdomen": "L", "head": "N"}
    assert all(p.id[0] == letters[p.anatomy] for p in patients)


def test_index_finds_what_is_there_and_says_what_is_missing(root):
    index = mayo.index(root)
    assert {p.id for p in index.split("training")} == {"N209", "N187"}
    assert [p.id for p in index.split("test", "abdomen")] == ["L221"]
    assert index.split("test", "chest") == []
    assert len(index.missing) == 147
    assert "C095 (training): no folder" in index.missing
    report = index.report()
    assert "training: 2 of 105 patients complete" in report
    assert "test: 1 of 15 patients complete" in report
    assert "missing: C121 (test): no folder" in report
    assert mayo.index(root / "LDCT-and-Projection-data").split("test") == index.split("test")


def test_incomplete_patients_are_named(tmp_path):
    write_patient(tmp_path, "N187", 35)
    study = tmp_path / "LDCT-and-Projection-data" / "N187" / "12-23-2021-NA-NA-01234"
    (study / "1.000000-Low Dose Images-54321" / "1-07.dcm").unlink()
    (line,) = [m for m in mayo.index(tmp_path).missing if m.startswith("N187")]
    assert line == "N187 (training): Low Dose Images lacks 1 files, first 1-07.dcm"
    with pytest.raises(ValueError, match=r"N187 is not complete: Low Dose Images lacks 1"):
        mayo_exam(mayo.index(tmp_path), "N187")
    (study / "1.000000-Full Dose Images-54321").rename(study / "2.000000-Projections")
    (line,) = [m for m in mayo.index(tmp_path).missing if m.startswith("N187")]
    assert "no series of Full Dose Images" in line


def test_an_exam_is_opened_in_hu_with_its_dose(download):
    root, written = download
    index = mayo.index(root)
    for patient, (low, full) in written.items():
        exam = mayo_exam(index, patient)
        np.testing.assert_array_equal(exam.low.hu, low.hu)
        np.testing.assert_array_equal(exam.full.hu, full.hu)
        assert exam.dose == 0.25
        assert exam.low.anatomy == ("abdomen" if patient[0] == "L" else "head")
        assert (exam.full.name, exam.low.name) == (patient, f"{patient} low dose")
        assert exam.sinogram is None
    with pytest.raises(ValueError, match="C001"):
        mayo_exam(index, "C001")
    assert mayo.DOSE["chest"] == 0.10


def test_weights_make_patients_equally_likely(root):
    weights = mayo.index(root).weights("training")
    assert {p: w * PATIENTS[p] for p, w in weights.items()} == pytest.approx(
        {"N187": 0.5, "N209": 0.5}
    )


def test_where_the_data_are(root, tmp_path, monkeypatch):
    monkeypatch.delenv("LDCT_MAYO_DIR", raising=False)
    with pytest.raises(ValueError, match="set LDCT_MAYO_DIR"):
        mayo.index()
    monkeypatch.setenv("LDCT_MAYO_DIR", str(root))
    assert mayo.index().folder == root
    with pytest.raises(ValueError, match="does not hold the Mayo data"):
        mayo.index(tmp_path)
    with pytest.raises(ValueError, match="A split is"):
        mayo.index().split("val")


def test_series_that_do_not_match_are_refused(tmp_path):
    write_patient(tmp_path, "N187", 35)
    other = Scan(np.zeros((35, 6, 6)), (3.0, 0.7, 0.7), "moved", z_mm=np.arange(35) * 3 + 9.0)
    study = tmp_path / "LDCT-and-Projection-data" / "N187" / "12-23-2021-NA-NA-01234"
    series = study / "1.000000-Full Dose Images-54321"
    for path in series.iterdir():
        path.unlink()
    for path, name in zip(
        sorted(write_dicom(other, tmp_path / "o").iterdir()), mayo.file_names(35), strict=True
    ):
        path.rename(series / name)
    with pytest.raises(ValueError, match="N187 do not lie at the same place"):
        mayo_exam(mayo.index(tmp_path), "N187")
