"""Campaigns: jobs that end, fail, are killed and go on, here and on a cluster."""

import builtins
import csv
import logging
import math
import os
import signal
import threading
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from work_small import FIDELITY, campaign_in, noisy_exams, one_side, wait_for

from ldctlib.denoisers import Recipe, load
from ldctlib.masks import Masks
from ldctlib.metrics import evaluate, psnr, ssim
from ldctlib.metrics._tables import COLUMNS
from ldctlib.physics.exam import Exam
from ldctlib.training import campaign, fit
from ldctlib.training.campaign import EVALUATION
from ldctlib.training.exam_files import fingerprint, read_exams, write_exams

JOBS = ["cnn10-0", "cnn10-1", "redcnn-0", "redcnn-1"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A campaign that nothing has disturbed."""
    return campaign_in(tmp_path_factory.mktemp("whole"))


def same_numbers(one, other, tolerance=0.0):
    assert [[row[c] for c in COLUMNS[:-1]] for row in one] == [
        [row[c] for c in COLUMNS[:-1]] for row in other
    ]
    values = ([row["value"] for row in rows] for rows in (one, other))
    np.testing.assert_allclose(*values, rtol=tolerance)


def test_the_results_are_one_tidy_table(whole):
    table = whole.table()
    assert whole.failed == {}
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * 2 * 3 * 2, "methods, seeds, slices and volume, metrics"
    assert set(table.anatomy) == {"chest"}
    assert set(table.patient) == {"b"}
    assert table.groupby(["method", "seed", "metric"]).value.mean().nunique() == 8
    with (whole.folder / "results.csv").open() as file:
        stored = list(csv.DictReader(file))
    assert [float(row["value"]) for row in stored] == table.value.tolist()


def test_each_value_is_that_of_the_trained_network(whole):
    (exam,) = noisy_exams()[1]
    trained = load("redcnn", weights=whole.folder / "redcnn-1" / "best.safetensors", device="cpu")
    test, full = trained.denoise_image(exam.low.hu), exam.full.hu
    table = whole.table().query("method == 'redcnn' and seed == 1").set_index(["metric", "slice"])
    for metric in (psnr, ssim):
        for z in range(2):
            expected = metric(test[z], full[z], window="lung")
            assert table.value[metric.__name__, z] == pytest.approx(expected, rel=1e-6)


def test_finished_jobs_are_not_repeated_and_new_ones_are_added(whole, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("it was trained again")

    with monkeypatch.context() as patch:
        patch.setattr("ldctlib.training.job.fit", forbidden)
        again = campaign_in(whole.folder)
    same_numbers(again.rows, whole.rows)
    assert again.failed == {}


def test_a_failed_job_is_reported_tried_again_and_stops_no_other(tmp_path):
    def evaluate(denoisers, exams):
        if "cnn10" in denoisers and not (tmp_path / "mended").exists():
            raise OSError("the disk is full")
        return FIDELITY(denoisers, exams)

    outcome = campaign_in(tmp_path, evaluate=evaluate)
    assert outcome.failed == {
        "cnn10-0": "OSError: the disk is full",
        "cnn10-1": "OSError: the disk is full",
    }
    assert set(outcome.table().method) == {"redcnn"}
    assert "in evaluate" in (tmp_path / "cnn10-0" / "failed.txt").read_text()
    (tmp_path / "mended").touch()
    mended = campaign_in(tmp_path, evaluate=evaluate)
    assert mended.failed == {}
    assert set(mended.table().method) == {"cnn10", "redcnn"}
    assert not (tmp_path / "cnn10-0" / "failed.txt").exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"steps": 31}, "steps was 80, now 31"),
        ({"exams": noisy_exams(28)[0]}, "exams data was"),
        ({"validate_every": 3}, "settings was"),
        ({"evaluate": lambda denoisers, exams: []}, "evaluation was"),
    ],
)
def test_the_folder_of_another_campaign_is_refused(whole, change, named):
    with pytest.raises(ValueError, match="holds the result of another campaign") as error:
        campaign_in(whole.folder, **change)
    assert named in str(error.value)


def test_an_evaluation_must_give_the_columns(tmp_path):
    outcome = campaign_in(tmp_path, steps=1, evaluate=lambda denoisers, exams: [{"value": 1.0}])
    assert list(outcome.failed) == JOBS
    assert "must give rows with method, seed" in outcome.failed["cnn10-0"]
    assert outcome.rows == []


def test_a_pandas_table_is_an_evaluation_too(tmp_path):
    import pandas as pd

    def evaluate(denoisers, exams):
        row = {"method": next(iter(denoisers)), "seed": None, "anatomy": "chest", "patient": "b"}
        return pd.DataFrame([{**row, "slice": float("nan"), "metric": "x", "value": 1.5}])

    table = campaign_in(tmp_path, steps=1, evaluate=evaluate).table()
    assert table.seed.tolist() == [0, 1, 0, 1]
    assert table.slice.isna().tolist() == [True] * 4


def test_if_nothing_is_said_the_evaluation_is_that_of_the_library(tmp_path):
    exams, others = noisy_exams(48)
    settings = {"steps": 1, "exams": exams, "validation": others, "evaluate": EVALUATION}
    outcome = campaign_in(tmp_path, **settings)
    table = outcome.table()
    assert set(table.metric) == {"psnr", "ssim", "vif", "rmse"}
    weights = tmp_path / "cnn10-1" / "best.safetensors"
    trained = {("cnn10", 1): load("cnn10", weights=weights, device="cpu")}
    expected = evaluate(trained, others, low_dose=False)
    found = table.query("method == 'cnn10' and seed == 1").reset_index(drop=True)
    assert found[["slice", "metric"]].equals(expected[["slice", "metric"]])
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-6)


def test_two_test_exams_of_one_name_are_refused_before_anything_is_trained(tmp_path):
    _, others = noisy_exams()
    with pytest.raises(ValueError, match="Two test exams are called b"):
        campaign_in(tmp_path, test=others * 2, evaluate=EVALUATION)
    with pytest.raises(ValueError, match="Two test exams are called b"):
        campaign_in(tmp_path, test=others * 2, evaluate=FIDELITY)
    assert list(tmp_path.iterdir()) == []


def test_a_method_of_your_own_and_chosen_seeds(tiny, tmp_path):
    exams, others = noisy_exams()
    recipes = {"tiny": replace(tiny.trainable.recipe, patch=16), "cnn10": Recipe(1e-3, 1, 16, 2)}
    settings = {"device": "cpu", "progress": False, "folder": tmp_path, "steps": 2}
    settings["evaluate"] = FIDELITY
    outcome = campaign([tiny, "cnn10"], [5, 7], exams, others, recipes=recipes, **settings)
    assert outcome.failed == {}
    assert {(row["method"], row["seed"]) for row in outcome.rows} == {
        ("tiny", 5), ("tiny", 7), ("cnn10", 5), ("cnn10", 7)
    }  # fmt: skip
    with pytest.raises(ValueError, match="recipe for unet, which is not in it"):
        campaign(["cnn10"], 1, exams, others, recipes={"unet": tiny.trainable.recipe}, **settings)


def kill(process):
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it was done before it could be killed"


def test_killed_and_resumed_it_has_the_same_numbers(processes, whole, tmp_path):
    process = processes.Process(target=campaign_in, args=(tmp_path,), daemon=True)
    process.start()
    wait_for(1, tmp_path, "cnn10-1/history.csv")
    kill(process)
    assert (tmp_path / "cnn10-0" / "result.json").exists()
    assert not (tmp_path / "cnn10-1" / "result.json").exists()
    finished = (tmp_path / "cnn10-0" / "result.json").stat().st_mtime_ns
    resumed = campaign_in(tmp_path)
    assert (tmp_path / "cnn10-0" / "result.json").stat().st_mtime_ns == finished
    same_numbers(resumed.rows, whole.rows, 1e-6)


def test_on_a_cluster_a_worker_is_killed_and_nothing_is_lost(processes, whole, tmp_path):
    distributed = pytest.importorskip("distributed")
    killed, unfinished = [], []

    def kill_the_worker_of_the_first_job():
        wait_for(1, tmp_path, "cnn10-0/history.csv")
        node_and_pid = (tmp_path / "cnn10-0" / "running").read_text()
        killed.append(int(node_and_pid.split()[1]))
        os.kill(killed[0], signal.SIGKILL)
        unfinished.append(not (tmp_path / "cnn10-0" / "result.json").exists())

    dask = pytest.importorskip("dask")
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        workers = set(client.run(os.getpid).values())
        killer = threading.Thread(target=kill_the_worker_of_the_first_job)
        killer.start()
        outcome = campaign_in(tmp_path, client=client)
        killer.join()
        assert killed[0] in workers
        assert unfinished == [True]
        assert outcome.failed == {}
        same_numbers(outcome.rows, whole.rows, 1e-5)
        # The address does as well as the client; everything is finished.
        again = campaign_in(tmp_path, scheduler=cluster.scheduler_address)
        same_numbers(again.rows, outcome.rows)


def test_without_distributed_a_scheduler_is_refused(tmp_path, monkeypatch):
    found = builtins.__import__

    def without(name, *rest):
        if name == "distributed":
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RuntimeError, match=r"install ldctlib\[cluster\]"):
        campaign_in(tmp_path, scheduler="tcp://127.0.0.1:1")


def test_exams_in_a_file_are_the_same_exams(tmp_path):
    (exam,), _ = noisy_exams()
    structures = Masks.from_label_map((exam.full.hu > 0).astype(int), {1: "tissue"})
    found = replace(structures, scores=np.array([4.5]))
    full = replace(
        exam.full, masks={"organs": structures, "found": found}, provenance={"source": "here"}
    )
    exam = Exam(full, exam.low, None, 0.1)
    write_exams([exam], tmp_path / "exams.safetensors")
    (read,) = read_exams(tmp_path / "exams.safetensors")
    np.testing.assert_array_equal(read.full.hu, exam.full.hu)
    np.testing.assert_array_equal(read.low.hu, exam.low.hu)
    np.testing.assert_array_equal(read.full.z_mm, exam.full.z_mm)
    for name in ("name", "anatomy", "spacing_mm"):
        assert getattr(read.full, name) == getattr(exam.full, name)
    assert read.dose == 0.1
    assert read.full.provenance["source"] == "here"
    assert read.full.masks["organs"].labels == ("tissue",)
    assert read.full.masks["organs"].areas.tolist() == structures.areas.tolist()
    assert read.full.masks["organs"].scores is None
    assert read.full.masks["found"].scores.tolist() == [4.5]
    assert fingerprint([read]) == fingerprint([exam])
    assert fingerprint([exam, exam]) != fingerprint([exam])


def test_functions_make_the_exams_where_the_job_runs(whole, tmp_path):
    train, judge = (partial(one_side, side) for side in (0, 1))
    made = campaign_in(tmp_path, exams=train, validation=judge)
    same_numbers(made.rows, whole.rows)
    again = campaign_in(tmp_path, exams=train, validation=judge)
    same_numbers(again.rows, whole.rows)
    with pytest.raises(ValueError, match=r"exams data was work_small.one_side\(0\), now"):
        campaign_in(tmp_path, exams=judge, validation=judge)


def test_two_processes_never_train_in_one_folder(tmp_path, monkeypatch):
    """A job waits for the process that holds its folder, and takes over what that has done."""
    from ldctlib.training import job, lease

    monkeypatch.setattr(lease, "WAIT_S", 0.01)
    monkeypatch.setattr(lease, "GRACE_S", 0.3)
    (tmp_path / "cnn10-0").mkdir()
    (tmp_path / "cnn10-0" / "running").write_text("another-machine 1")
    begun = []
    monkeypatch.setattr(job, "fit", lambda *a, **k: begun.append(time.monotonic()) or fit(*a, **k))
    before = time.monotonic()
    outcome = campaign_in(tmp_path, steps=1)
    assert outcome.failed == {}
    assert begun[0] - before > 0.2
    assert all(math.isfinite(row["value"]) for row in outcome.rows)
