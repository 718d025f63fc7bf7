import csv
import math

import numpy as np
import pytest
import torch

from ldctlib.denoisers import METHODS, Recipe, load
from ldctlib.metrics import psnr, ssim
from ldctlib.training import PatchSampler, Validation, choose_precision, fit
from ldctlib.training.precision import (
    BFLOAT16,
    BFLOAT16_CHANNELS_LAST,
    CHANNELS_LAST,
    FLOAT32,
    candidates,
    fastest,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(noisy, tiny, tmp_path_factory):
    """A network that has seen two patients, its folder, and the rows its callback was given."""
    folder = tmp_path_factory.mktemp("run")
    exams = [noisy("a", "chest", (4, 64, 64), 0), noisy("b", "chest", (4, 64, 64), 1)]
    check = Validation([noisy("c", "chest", (2, 64, 64), 2), noisy("d", "chest", (2, 64, 64), 3)])
    seen = []
    before = torch.get_rng_state()
    denoiser = fit(
        tiny,
        exams,
        check,
        device="cpu",
        precision="bfloat16",
        folder=folder,
        validate_every=50,
        callbacks=[lambda history, _: seen.append(dict(history[-1]))],
        progress=False,
    )
    assert torch.equal(before, torch.get_rng_state()), "global random numbers were disturbed"
    return denoiser, check, folder, seen


def test_it_learns_to_remove_noise_of_patients_it_has_not_seen(trained):
    denoiser, check, _, _ = trained
    low, denoised = check.of_low_dose(), check(denoiser)
    assert denoised["psnr"] > low["psnr"] + 1.5
    assert denoised["ssim chest"] > low["ssim chest"] + 0.1


def test_the_history_is_told_to_callbacks_and_written_as_a_table(trained):
    _, _, folder, seen = trained
    assert [row["step"] for row in seen] == [50, 100, 150, 200]
    assert seen[-1]["loss"] < seen[0]["loss"]
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in seen]
    assert sorted(p.name for p in folder.iterdir()) == [
        "best.safetensors",
        "history.csv",
        "last.safetensors",
    ]


def test_the_best_weights_are_returned(trained):
    denoiser, check, _, seen = trained
    best = max(row["ssim"] for row in seen)
    assert check(denoiser)["ssim"] == pytest.approx(best, rel=1e-6)


def test_validation_figures_are_those_of_the_metrics(noisy):
    exam = noisy("c", "head", (5, 48, 40), 2)
    figures = Validation([exam], slices=2, patch=32).of_low_dose()
    low, full = (scan.hu[[1, 3], 8:40, 4:36] for scan in (exam.low, exam.full))
    assert figures["psnr head"] == psnr(low, full, window="brain")
    assert figures["ssim"] == ssim(low, full, window="brain")


def test_validation_averages_over_exams_then_anatomies(noisy):
    exams = [noisy(str(i), a, (1, 32, 32), i) for i, a in enumerate(("chest", "chest", "abdomen"))]
    alone = [Validation([exam]).of_low_dose()["psnr"] for exam in exams]
    together = Validation(exams).of_low_dose()
    assert together["psnr chest"] == pytest.approx(np.mean(alone[:2]))
    assert together["psnr"] == pytest.approx((np.mean(alone[:2]) + alone[2]) / 2)


def test_validation_needs_to_know_the_anatomy(noisy):
    with pytest.raises(ValueError, match="say which anatomy"):
        Validation([noisy("x", None, (1, 32, 32), 0)])
    with pytest.raises(ValueError, match="at least one exam"):
        Validation([])


@pytest.fixture
def start(noisy):
    exams = [noisy("a", "chest", (1, 32, 32), 0)]

    def train(data=exams, method="cnn10", rate=1e-3, **settings):
        recipe = Recipe(learning_rate=rate, batch=2, patch=16, steps=6)
        defaults = {"device": "cpu", "precision": "float32", "validate_every": 2}
        settings = {**defaults, "progress": False, "recipe": recipe, **settings}
        return fit(method, data, Validation(exams), **settings)

    return train


def test_one_seed_decides_everything(start):
    one, same, other = (start(seed=s).network.state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not any(torch.equal(one[k], other[k]) for k in one)


def test_the_number_of_threads_is_the_same_afterwards(start):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        start()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_a_sampler_begins_anew_and_is_left_alone(start, noisy):
    sampler = PatchSampler([noisy("a", "chest", (1, 32, 32), 0)], 16, 2, seed=5)
    sampler.draw()
    before = sampler.state_dict()["random"]
    one = start(sampler).network.state_dict()
    assert torch.equal(before, sampler.state_dict()["random"])
    other = start().network.state_dict()
    assert all(torch.equal(one[k], other[k]) for k in one)


def test_the_best_weights_are_a_file_that_load_reads(start, tmp_path):
    denoiser = start(folder=tmp_path)
    loaded = load("cnn10", weights=tmp_path / "best.safetensors", device="cpu")
    hu = np.random.default_rng(0).normal(0, 100, (2, 24, 24)).astype(np.float32)
    np.testing.assert_allclose(loaded.denoise_image(hu), denoiser.denoise_image(hu), atol=1e-2)


def test_a_callback_can_end_the_training(start):
    steps = []
    start(callbacks=[lambda history, _: steps.append(history[-1]["step"]) or True])
    assert steps == [2]


def test_a_diverged_training_says_so_and_keeps_the_last_good_state(start, tmp_path):
    with pytest.raises(FloatingPointError, match="take a lower learning rate"):
        start(rate=1e20, folder=tmp_path)
    assert (tmp_path / "last.safetensors").exists()


def test_an_image_that_is_not_finite_is_a_diverged_training_too(start, monkeypatch):
    """The loss is a mean over steps before the last update: that may have broken the network."""
    monkeypatch.setattr(
        "ldctlib.denoisers.ImageNetwork.denoise_image", lambda _, hu: np.full_like(hu, np.inf)
    )
    with pytest.raises(FloatingPointError, match=r"cnn10 has diverged after 2 steps.*not finite"):
        start()


def test_bad_input_is_refused_before_any_work(start, noisy):
    with pytest.raises(ValueError, match="No method is called 'unet'; there are cnn10"):
        start(method="unet")
    with pytest.raises(ValueError, match="precision is one of auto"):
        start(precision="double")
    with pytest.raises(ValueError, match="criterion is one of psnr chest, ssim chest, psnr, ssim"):
        start(criterion="vif")
    with pytest.raises(ValueError, match="at least 1 step between"):
        start(validate_every=0)
    with pytest.raises(ValueError, match="must be positive"):
        start(steps=0)
    with pytest.raises(ValueError, match="no patch of 16"):
        start([noisy("tiny", "chest", (1, 12, 12), 0)])


def test_precision_is_measured_once_among_what_was_asked_for():
    method = METHODS["cnn10"]
    recipe = Recipe(1e-3, batch=2, patch=16, steps=1)
    chosen = choose_precision("bfloat16", method, recipe, CPU)
    assert chosen in (BFLOAT16, BFLOAT16_CHANNELS_LAST)
    assert choose_precision("bfloat16", method, recipe, CPU) is chosen
    assert set(candidates("auto", CPU)) >= {FLOAT32, CHANNELS_LAST, chosen}
    assert fastest({FLOAT32: 1.0, CHANNELS_LAST: 0.8, BFLOAT16: 0.75}) == CHANNELS_LAST
    assert fastest({FLOAT32: 1.0, CHANNELS_LAST: 0.95, BFLOAT16: 0.5}) == BFLOAT16


@pytest.mark.parametrize("precision", [FLOAT32, CHANNELS_LAST, BFLOAT16, BFLOAT16_CHANNELS_LAST])
def test_every_precision_keeps_weights_and_moments_in_float32(start, precision):
    inside = {}
    start(precision=precision, callbacks=[lambda _, d: inside.update(d.network.state_dict())])
    assert {t.dtype for t in inside.values()} == {torch.float32}


def test_bfloat16_trains_to_the_same_loss_within_its_rounding(start):
    losses = []
    for precision in (FLOAT32, BFLOAT16_CHANNELS_LAST):
        start(precision=precision, callbacks=[lambda h, _: losses.append(h[-1]["loss"])])
    assert all(map(math.isfinite, losses))
    np.testing.assert_allclose(losses[:3], losses[3:], rtol=0.02)
