"""Evaluation against scikit-image and torchmetrics, on exams and on the layout of the Mayo data."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.metrics import mean_squared_error, structural_similarity
from torchmetrics.functional.image import visual_information_fidelity

from ldctlib import cli, metrics
from ldctlib.denoisers import network, write_weights
from ldctlib.metrics import PUBLISHED, aggregate, evaluate, evaluate_mayo
from ldctlib.metrics._tables import tidy
from ldctlib.physics.exam import Exam
from ldctlib.scans import mayo, open_scan, write_dicom
from ldctlib.units import Normalization

# Level and width in stored values (HU + 1024) of the published benchmark.
WINDOWS = {"chest": (424, 1500), "abdomen": (1074, 400), "head": (1064, 80)}


def exam(anatomy="abdomen", slices=3, seed=0, name=None, side=64):
    full = open_scan(f"phantom-{anatomy}", shape=(slices, side, side), seed=seed)
    full = replace(full, name=name or full.name)
    noise = np.random.default_rng(seed).normal(0, 30, full.shape)
    return Exam(full, full.with_hu(np.rint(full.hu + noise).clip(-1024)), None, 0.25)


def halved(exam):
    """A denoiser that knows the truth and takes half of the noise away."""
    return exam.low.with_hu((exam.low.hu + exam.full.hu) / 2)


def smoothed(exam):
    hu = exam.low.hu
    return exam.low.with_hu((hu + np.roll(hu, 1, 1) + np.roll(hu, 1, 2)) / 3)


DENOISERS = {"halved": halved, "smoothed": smoothed}


def published(metric, test, truth, anatomy):
    """One slice (H, W) of stored values by the published protocol, with the libraries it uses."""
    level, width = WINDOWS[anatomy]

    def grey(image):  # the linear VOI function of DICOM PS3.3 C.11.2.1.2.1
        low, high = level - 0.5 - (width - 1) / 2, level - 0.5 + (width - 1) / 2
        inside = (image - (level - 0.5)) / (width - 1) + 0.5
        return np.where(image <= low, 0.0, np.where(image > high, 1.0, inside))

    if metric == "ssim":
        return structural_similarity(grey(truth), grey(test), data_range=1.0)
    if metric == "psnr":
        return 10 * np.log10(1 / mean_squared_error(grey(truth), grey(test)))
    test, truth = test.clip(0, 2924), truth.clip(0, 2924)
    if metric == "rmse":
        return np.sqrt(mean_squared_error(truth, test))
    t, r = (torch.from_numpy(image.astype(np.float64))[None, None] for image in (test, truth))
    return float(visual_information_fidelity(r, t))  # as called there: (truth, prediction)


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """Test patients of two anatomies in the layout of the archive, and what was written."""
    root = tmp_path_factory.mktemp("mayo")
    written = {}
    for patient, anatomy in (("N024", "head"), ("N047", "head"), ("L123", "abdomen")):
        written[patient] = exam(anatomy, 3, seed=len(written) + 1, name=patient)
    return root, written


@pytest.fixture
def small_mayo(download, monkeypatch):
    """The download, with patients of three slices and fewer patients in the test set."""
    root, written = download
    patients = [mayo.Patient(p, e.full.anatomy, "test", len(e.full.hu)) for p, e in written.items()]
    monkeypatch.setattr(mayo, "benchmark_patients", lambda: iter(patients))
    if not any(root.iterdir()):
        for patient, pair in written.items():
            study = root / "LDCT-and-Projection-data" / patient / "01-01-2020-NA-NA-00001"
            for dose, scan in (("Low", pair.low), ("Full", pair.full)):
                series = write_dicom(scan, study / f"1.000000-{dose} Dose Images-00002")
                for i, path in enumerate(sorted(series.iterdir())):
                    path.rename(series / mayo.file_names(len(scan.hu))[i])
    return root, written


def test_mayo_as_published(small_mayo):
    root, written = small_mayo
    table = evaluate_mayo(DENOISERS, root, progress=False)
    assert tuple(table.columns) == metrics.COLUMNS
    assert set(table.metric) == set(PUBLISHED)
    values = table.dropna(subset="slice").set_index(["method", "patient", "slice", "metric"]).value
    assert len(values) == 3 * 3 * 3 * 4
    expected = {}
    for patient, pair in written.items():
        pair = Exam(*(s.with_hu(s.hu.round()) for s in (pair.full, pair.low)), None, 0.25)
        scans = {"low dose": pair.low, **{n: denoise(pair) for n, denoise in DENOISERS.items()}}
        for method, scan in scans.items():
            for z, (test, truth) in enumerate(zip(scan.hu, pair.full.hu, strict=True)):
                stored = test.astype(float) + 1024, truth.astype(float) + 1024
                for metric in PUBLISHED:
                    expected[method, patient, z, metric] = published(
                        metric, *stored, pair.full.anatomy
                    )
    for key, value in expected.items():
        assert values[key] == pytest.approx(value, rel=1e-6), key
    # the published table pools all slices of an anatomy
    pooled = aggregate(table).set_index(["method", "anatomy", "metric"]).value
    for metric in PUBLISHED:
        of_head = [expected["smoothed", p, z, metric] for p in ("N024", "N047") for z in range(3)]
        assert pooled["smoothed", "head", metric] == pytest.approx(np.mean(of_head), rel=1e-6)


def test_mayo_says_what_is_missing(small_mayo, tmp_path, capsys):
    root, _ = small_mayo
    (root / "LDCT-and-Projection-data" / "L123").rename(tmp_path / "L123")
    try:
        with pytest.warns(UserWarning, match="2 of the 3 test patients"):
            table = evaluate_mayo({}, root, metrics=["psnr"], progress=False)
        assert set(table.anatomy) == {"head"}
        assert cli.main(["evaluate", "--mayo", str(root), "--methods", "--metrics", "psnr"]) == 0
        shown = capsys.readouterr()
        assert "low dose" in shown.out
        assert shown.err.strip().startswith("ldct: 2 of the 3 test patients are there")
        with pytest.raises(ValueError, match="holds no complete test patient"):
            evaluate_mayo({}, root, anatomy="abdomen", progress=False)
    finally:
        (tmp_path / "L123").rename(root / "LDCT-and-Projection-data" / "L123")


@pytest.fixture(scope="module")
def table():
    """Chest patients of 2 and 5 slices."""
    exams = [exam("chest", 2, seed=1, name="a"), exam("chest", 5, seed=2, name="b")]
    return evaluate(DENOISERS, iter(exams)), exams


def test_values_are_those_of_the_metrics(table):
    found, exams = table
    values = found.set_index(["method", "patient", "metric", "slice"]).value.sort_index()
    test, full = halved(exams[1]).hu, exams[1].full.hu
    span = metrics.FULL_RANGE
    for metric, slices in {
        "psnr": metrics.psnr(test, full, window="lung", reduce="none"),
        "ssim": metrics.ssim(test, full, window="lung", reduce="none"),
        "rmse": metrics.rmse(test, full, data_range=span, reduce="none"),
        "vif": metrics.vif(test, full, data_range=span, reduce="none"),
    }.items():
        np.testing.assert_allclose(values["halved", "b", metric].dropna()[:5], slices)
    assert list(found.method.unique()) == ["low dose", "halved", "smoothed"]
    assert set(found.seed.isna()) == {True}
    assert "exchanged" not in found.attrs["definitions"]["vif"]


def test_volumes_are_judged_as_one_image(table):
    found, exams = table
    volumes = found[found.slice.isna()].set_index(["method", "patient", "metric"]).value
    test, full = (scan.hu.astype(float) for scan in (halved(exams[1]), exams[1].full))
    clipped = [hu.clip(-1024, 1900) for hu in (test, full)]
    error = np.sqrt(np.mean((clipped[0] - clipped[1]) ** 2))
    assert volumes["halved", "b", "rmse"] == pytest.approx(error)
    windowed = [hu.clip(-1350, 149) for hu in (test, full)]
    mse = np.mean((windowed[0] - windowed[1]) ** 2)
    assert volumes["halved", "b", "psnr"] == pytest.approx(20 * np.log10(1499 / np.sqrt(mse)))
    slices = metrics.ssim(test, full, window="lung", reduce="none")
    assert volumes["halved", "b", "ssim"] == pytest.approx(slices.mean())


def test_a_slice_without_information_leaves_the_vif_of_the_volume():
    pair = exam(slices=2)
    scans = [
        scan.with_hu(scan.hu * np.array([1, 0])[:, None, None]) for scan in (pair.full, pair.low)
    ]
    values = evaluate({}, [Exam(*scans, None, 0.25)], metrics="vif").value.to_list()
    assert values[1] == 1  # equal constant slices
    assert values[2] == pytest.approx(values[0], rel=1e-12)


def test_aggregates_by_hand():
    rows = [("net", 0, "chest", "a", z, "psnr", v) for z, v in enumerate((20.0, 30.0, 40.0))]
    rows += [("net", 0, "chest", "b", 0, "psnr", 50.0), ("net", 0, "head", "c", 0, "psnr", 7.0)]
    rows += [("net", 0, "chest", p, None, "psnr", v) for p, v in (("a", 24.0), ("b", 50.0))]
    rows += [("net", 0, "head", "c", None, "psnr", 7.0)]
    rows += [("net", 0, "chest", p, None, "rfs", v) for p, v in (("a", 0.9), ("b", 0.7))]
    rows += [("net", 1, "chest", "a", 0, "psnr", 1.0), ("net", 1, "chest", "a", None, "psnr", 2.0)]
    table = tidy(rows)
    for by, psnr in (("slice", 35.0), ("patient", 40.0), ("volume", 37.0)):
        values = aggregate(table, by).set_index(["seed", "anatomy", "metric"]).value
        assert values[0, "chest", "psnr"] == psnr
        assert values[0, "chest", "rfs"] == pytest.approx(0.8)
        assert values[0, "head", "psnr"] == 7
        assert values[1, "chest", "psnr"] == (2 if by == "volume" else 1)
    with pytest.raises(ValueError, match="not by 'mean'"):
        aggregate(table, "mean")
    with pytest.raises(ValueError, match="no values of whole volumes for psnr"):
        aggregate(table[table.slice.notna()], "volume")


def test_a_table_survives_its_csv_file(tmp_path):
    denoisers = {("net", 0): halved, ("net", 7): smoothed}
    table = evaluate(denoisers, {"p": exam(), "q": exam("head")}, metrics=["psnr", "rmse"])
    assert list(table[table.method == "net"].seed.unique()) == [0, 7]
    assert list(table.patient.unique()) == ["p", "q"]
    table.to_csv(tmp_path / "t.csv", index=False)
    for by in ("slice", "patient", "volume"):
        read = aggregate(pd.read_csv(tmp_path / "t.csv"), by)
        pd.testing.assert_frame_equal(read, aggregate(table, by), check_dtype=False)


def test_identical_images_have_an_infinite_psnr():
    table = evaluate({"truth": lambda e: e.full}, [exam()], low_dose=False)
    values = table.groupby("metric").value.unique()
    assert values["psnr"].tolist() == [np.inf]
    assert values["rmse"].tolist() == [0]
    assert values["vif"].tolist() == pytest.approx([1] * len(values["vif"]))


def test_windows_may_be_others():
    whole = (438.5, 2925.0)  # -1024 … 1900 HU, as networks are selected in the benchmark
    pair = exam()
    (value,) = (
        evaluate({}, [pair], metrics="ssim", windows={"abdomen": whole}).query("slice.isna()").value
    )
    span = metrics.FULL_RANGE
    assert value == pytest.approx(metrics.ssim(pair.low.hu, pair.full.hu, data_range=span))


@pytest.mark.filterwarnings("ignore:Left out, as too small")
def test_radiomic_feature_similarity_of_all_methods_at_once():
    pytest.importorskip("radiomics")
    pair = exam("abdomen", 4, side=96)
    organs, small = metrics.organ_masks(pair.full), {"min_voxels": 100}
    table = evaluate(DENOISERS, [pair], metrics=["psnr", "rfs"], rfs_options=small)
    found = table[table.metric == "rfs"].set_index("method")
    assert found.slice.isna().all()
    scans = {"low dose": pair.low, "halved": halved(pair), "smoothed": smoothed(pair)}
    expected = metrics.rfs(scans, pair.full, organs, **small)
    assert found.value.to_dict() == pytest.approx(expected)
    liver, other = organs.select([0]), {**small, "normalization": "ratio"}
    one = evaluate(DENOISERS, [pair], metrics="rfs", masks=lambda e: liver, rfs_options=other)
    expected = metrics.rfs(scans, pair.full, liver, **other)
    assert one.set_index("method").value.to_dict() == pytest.approx(expected)
    assert found.value["low dose"] < found.value["halved"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate({}, [exam()], metrics=["lpips"]), "No metric is called 'lpips'"),
        (lambda: evaluate([halved], [exam()]), "Denoisers come as"),
        (lambda: evaluate({"low dose": halved}, [exam()]), "name of the low-dose scan"),
        (lambda: evaluate({}, []), "at least one exam"),
        (lambda: evaluate({}, [exam(), exam()], metrics="psnr"), "Two exams are called"),
        (lambda: evaluate({"cut": lambda e: e.low.slab(0, 1)}, [exam()]), "cut turned"),
        (lambda: evaluate({}, [exam()], windows={"head": "brain"}), "shows abdomen, for which"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"ldctlib\[notebooks\]"):
        evaluate({}, [exam()], metrics="psnr")


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "mine.safetensors"
    state = network("cnn10", seed=1).state_dict()
    write_weights(path, "cnn10", state, normalization=Normalization.benchmark())
    return path


def test_the_command(tmp_path, weights, monkeypatch, capsys):
    asked = []

    def small(name, **options):
        asked.append((name, options))
        return open_scan(name, shape=(2, 64, 64), spacing_mm=(5.0, 1.4, 1.4), **options)

    monkeypatch.setattr("ldctlib.scans.open_scan", small)
    out = tmp_path / "new" / "results.csv"
    command = ["evaluate", "phantom-chest:7", "phantom-head", "--methods", f"cnn10={weights}"]
    command += ["--device", "cpu", "--dose", "0.1", "--metrics", "psnr", "rmse"]
    assert cli.main([*command, "--out", str(out), "--by", "patient"]) == 0
    assert asked == [("phantom-chest", {"seed": 7}), ("phantom-head", {})]
    table = pd.read_csv(out)
    assert list(table.method.unique()) == ["low dose", f"cnn10={weights}"]
    assert set(table.patient) == {"phantom-chest:7", "phantom-head"}
    assert len(table) == 2 * 2 * 2 * 3
    assert [path.name for path in out.parent.iterdir()] == ["results.csv"]
    shown = capsys.readouterr().out
    low = aggregate(table, "patient").set_index(["method", "anatomy", "metric"]).value["low dose"]
    assert f"{low['chest', 'psnr']:.2f}" in shown
    assert f"{low['head', 'rmse']:.1f}" in shown
    assert "psnr: HU in the window of the anatomy" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "scans, or --mayo"),
        (["phantom-head", "--mayo", "x"], "not both"),
        (["phantom-head", "--methods", "unet"], "No denoiser is called 'unet'"),
        (["phantom-head", "--methods", "cnn10=none.pt"], "There is no weight file"),
        (["phantom-head", "--metrics", "lpips", "--methods"], "No metric is called 'lpips'"),
        (["phantom-head:x", "--methods"], "seed of a phantom"),
        (["nowhere", "--methods"], "There is no file or folder"),
        (["phantom-head", "--out", "results.txt"], "is no .csv file"),
        (["phantom-head", "--out", __file__[:-3] + ".csv", "--masks", "a", "b"], "2 label maps"),
        (["--mayo", "/", "--methods"], "does not hold the Mayo data"),
        (["phantom-head", "--by", "voxel"], "invalid choice"),
    ],
)
def test_mistakes_in_the_command(arguments, message, capsys):
    try:
        code = cli.main(["evaluate", *arguments])
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr().err
    assert code == 2
    assert message in said
    assert len(said.strip().splitlines()) == 1
