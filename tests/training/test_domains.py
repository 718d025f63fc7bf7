"""Denoisers of all domains go everywhere: an algorithm and a network that work on sinograms."""

import csv
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from sinograms import (
    BOTH,
    KERNEL,
    ONE,
    SCANNER,
    SMOOTH,
    Both,
    OneConvolution,
    SmoothViews,
    exposed,
    patient,
)
from torch import nn

from ldctlib import cli
from ldctlib.denoisers import (
    METHODS,
    DualNetwork,
    Method,
    SinogramNetwork,
    available,
    denoiser_of,
    load,
    needs_sinogram,
    network,
)
from ldctlib.masks import Masks
from ldctlib.metrics import evaluate, psnr
from ldctlib.physics import fbp, project
from ldctlib.physics.square import HU_PER_MU, attenuation
from ldctlib.training import SinogramSampler, Validation, campaign, checkpoint, fit, search
from ldctlib.training.exam_files import fingerprint, read_exams, write_exams
from ldctlib.training.spaces import Range
from ldctlib.units import Normalization


@pytest.fixture(scope="module")
def exam():
    return exposed(patient())


@pytest.fixture(scope="module")
def other():
    return exposed(patient("another", seed=1), seed=1)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(METHODS, "smooth", SMOOTH)
    monkeypatch.setitem(METHODS, "one", ONE)


def without_sinogram(exam):
    return replace(exam, sinogram=None)


def test_an_algorithm_without_weights_is_loaded_ready_for_use():
    assert isinstance(load("smooth", weights=None), SmoothViews)
    assert load("smooth", middle=0.8).middle == 0.8
    assert "smooth" in available()
    assert (METHODS["smooth"].label, METHODS["smooth"].year) == ("Smoothed views", 1980)
    with pytest.raises(ValueError, match="smooth is an algorithm without weights, and mine"):
        load("smooth", weights="mine.pt")
    with pytest.raises(ValueError, match="smooth is an algorithm without weights: nothing is"):
        network("smooth")
    with pytest.raises(ValueError, match="cnn10 is a network, and has no option middle"):
        load("cnn10", middle=0.8)


def test_a_method_is_learned_or_built():
    with pytest.raises(ValueError, match="either learned or built"):
        Method("nothing")
    with pytest.raises(ValueError, match="either learned or built"):
        replace(ONE, build=SmoothViews)


def test_who_needs_a_sinogram(exam):
    assert needs_sinogram(load("cnn10", weights=None), SMOOTH)
    assert not needs_sinogram(METHODS["cnn10"], load("cnn10", weights=None), lambda exam: exam.low)
    dual = denoiser_of(BOTH, Both(), device="cpu")
    for denoiser in (load("smooth"), load("one", weights=None, device="cpu"), dual):
        with pytest.raises(ValueError, match="works on the sinogram, and the exam of a patient"):
            denoiser(without_sinogram(exam))


class Answer(nn.Module):
    """Knows the line integrals of the full dose."""

    def __init__(self, lines):
        super().__init__()
        self.lines = lines

    def forward(self, lines):
        return self.lines.expand_as(lines)


def test_the_true_line_integrals_give_the_full_dose(exam):
    """low = full + FBP(measured - true), so with the true ones nothing of the noise is left."""
    true = project(attenuation(exam.full.hu[:1], SCANNER), SCANNER)
    one_slice = exam.crop(z=slice(0, 1))
    clean = SinogramNetwork(ONE, Answer(true), source="a book", device="cpu")(one_slice)
    assert np.abs(exam.low.hu[0] - exam.full.hu[0]).max() > 20
    np.testing.assert_allclose(clean.hu, exam.full.hu[:1], atol=0.01)
    assert clean.name == f"{exam.low.name}, one"
    assert (clean.provenance["denoiser"], clean.provenance["weights"]) == ("one", "a book")


def test_a_network_that_changes_nothing_gives_the_low_dose(exam):
    clean = SinogramNetwork(ONE, nn.Identity(), device="cpu")(exam)
    np.testing.assert_array_equal(clean.hu, exam.low.hu)
    scaled = SinogramNetwork(ONE, nn.Identity(), device="cpu", normalization=Normalization(2, 3))
    np.testing.assert_allclose(scaled(exam).hu, exam.low.hu, atol=0.05)


def test_a_network_of_both_domains_gets_both(exam):
    clean = denoiser_of(BOTH, Both(), device="cpu")
    assert isinstance(clean, DualNetwork)
    mean = exam.sinogram.line_integrals.mean((1, 2)).numpy()[:, None, None]
    by_hand = exam.low.hu + 0.01 * mean * Normalization.benchmark().std_hu
    np.testing.assert_allclose(clean(exam).hu, by_hand, atol=1e-3)


@pytest.mark.parametrize("name", ["cnn10", "bilateral"])
def test_gradients_pass_through_a_network_in_hu(name):
    denoiser = load(name, device="cpu")
    random = np.random.default_rng(0)
    hu = torch.from_numpy(random.normal(0, 30, (2, 24, 24)).astype(np.float32))
    towards = torch.from_numpy(random.normal(0, 1, (2, 24, 24)).astype(np.float32))
    x = hu.clone().requires_grad_()
    clean = denoiser.differentiable(x)
    np.testing.assert_array_equal(clean.detach(), denoiser.denoise_image(hu.numpy()))
    clean.sum().backward()
    ends = (hu + 0.5 * towards, hu - 0.5 * towards)
    up, down = (denoiser.differentiable(end).detach().double().sum() for end in ends)
    assert (x.grad * towards).sum().item() == pytest.approx((up - down).item(), rel=0.02)


def test_gradients_pass_through_a_sinogram_network_and_the_reconstruction(exam):
    """The network is linear, so that the whole change is the derivative times the change."""
    net = OneConvolution()
    nn.init.normal_(net.layer.weight, generator=torch.Generator().manual_seed(0))
    denoiser = SinogramNetwork(ONE, net, device="cpu")
    measured = exam.sinogram.line_integrals
    clean = denoiser.denoise_lines(measured)
    torch.testing.assert_close(denoiser.differentiable(measured).detach(), clean, rtol=0, atol=0)
    x = measured.clone().requires_grad_()
    pixel = HU_PER_MU * fbp(denoiser.differentiable(x) - x, SCANNER, KERNEL)[1, 20, 30]
    pixel.backward()
    change = denoiser(exam).hu[1, 20, 30] - exam.low.hu[1, 20, 30]
    assert (x.grad * measured).sum().item() == pytest.approx(change, rel=1e-3)


def test_patches_of_sinograms_are_those_of_the_exam(exam):
    sampler = SinogramSampler([exam], patch=16, batch=30, seed=2)
    low, full = (batch[:, 0].numpy() for batch in sampler.draw())
    measured = exam.sinogram.line_integrals.numpy()
    true = project(attenuation(exam.full.hu, SCANNER), SCANNER).numpy()
    for noisy, clean in zip(low, full, strict=True):
        ((z, view, channel),) = np.argwhere(measured == noisy[0, 0])
        place = (z, slice(view, view + 16), slice(channel, channel + 16))
        np.testing.assert_array_equal(noisy, measured[place])
        np.testing.assert_array_equal(clean, true[place])
    assert len({patch.tobytes() for patch in low}) > 20


def test_what_no_sinogram_can_be_drawn_from_is_refused(exam):
    with pytest.raises(ValueError, match="has none: make it with expose"):
        SinogramSampler([without_sinogram(exam)], 16, 2)
    with pytest.raises(ValueError, match="was cropped to 24 x 48 pixels"):
        SinogramSampler([exam.crop(slice(10, 34))], 16, 2)
    with pytest.raises(ValueError, match="60 views of 80 channels have no patch of 61"):
        SinogramSampler([exam], 61, 2)


def test_a_phantoms_target_is_the_projection_of_its_noisy_full_dose():
    exam = exposed(patient(source="procedural phantom, discs"))
    assert exam.truth is not None
    _, full = SinogramSampler([exam], patch=60, batch=1).draw()
    lines = project(attenuation(exam.full.hu, SCANNER), SCANNER)
    assert any(torch.equal(z[:, i : i + 60], full[0, 0]) for z in lines for i in range(21))


SETTINGS = {"device": "cpu", "precision": "float32", "validate_every": 20, "progress": False}


def test_a_network_learns_to_denoise_sinograms(exam, other):
    check = Validation([other])
    trained = fit("one", [exam], check, **SETTINGS)
    assert isinstance(trained, SinogramNetwork)
    assert check(trained)["psnr"] > check.of_low_dose()["psnr"] + 0.5


def test_its_training_is_resumed_exactly_and_its_weights_are_a_file(exam, other, tmp_path):
    class Pulled(Exception):
        pass

    def pull(history, _):
        if history[-1]["step"] == 20:
            raise Pulled

    whole = fit("one", [exam], [other], **SETTINGS)
    with pytest.raises(Pulled):
        fit("one", [exam], [other], **SETTINGS, folder=tmp_path, callbacks=[pull])
    assert checkpoint.load(tmp_path / "last.safetensors")["step"] == 20
    resumed = fit("one", [exam], [other], **SETTINGS, folder=tmp_path)
    one, same = whole.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert one["layer.weight"].abs().max() > 0.01
    loaded = load("one", weights=tmp_path / "best.safetensors", device="cpu")
    np.testing.assert_allclose(loaded(other).hu, resumed(other).hu, atol=1e-3)
    changed = replace(exam.sinogram, line_integrals=exam.sinogram.line_integrals + 0.01)
    with pytest.raises(ValueError, match="training data was"):
        fit("one", [replace(exam, sinogram=changed)], [other], **SETTINGS, folder=tmp_path)


def test_a_diverged_sinogram_network_says_so(exam):
    recipe = replace(ONE.trainable.recipe, learning_rate=1e30)
    with pytest.raises(FloatingPointError, match="take a lower learning rate"):
        fit("one", [exam], [exam], **SETTINGS, recipe=recipe)


def test_validation_calls_the_denoiser_with_cropped_exams(exam):
    check = Validation([exam], slices=2, patch=32)
    figures = check(SmoothViews())
    middle = slice(8, 40)
    z = [round(i) for i in np.linspace(0, 2, 4)[1:-1]]
    clean = SmoothViews()(exam.crop(middle, middle)).hu[z]
    full = exam.full.hu[z, middle, middle]
    assert figures["psnr"] == pytest.approx(psnr(clean, full, window="abdomen"), rel=1e-6)
    assert Validation([without_sinogram(exam)]).of_low_dose() == Validation([exam]).of_low_dose()


def test_evaluation_takes_all_domains(exam):
    denoisers = {"smooth": SmoothViews(), "cnn10": load("cnn10", weights=None, device="cpu")}
    table = evaluate(denoisers, [exam], metrics=["rmse"], low_dose=True)
    values = table[table.slice.isna()].set_index("method").value
    by_hand = np.sqrt(np.mean((SmoothViews()(exam).hu - exam.full.hu) ** 2))
    assert values["smooth"] == pytest.approx(by_hand, rel=1e-5)
    assert values["smooth"] < values["low dose"]


def test_a_campaign_trains_what_learns_and_judges_what_does_not(exam, other, tmp_path):
    data = {"folder": tmp_path, "steps": 4, **SETTINGS}
    outcome = campaign(["smooth", "one"], 2, [exam], [other], **data)
    assert outcome.failed == {}
    table = outcome.table()
    judged = table[table.slice.isna() & (table.metric == "psnr")]
    assert list(zip(judged.method, judged.seed, strict=True)) == [
        ("smooth", 0), ("one", 0), ("one", 1)
    ]  # fmt: skip
    assert len(campaign(["smooth", "one"], 2, [exam], [other], **data).rows) == len(table)


def test_a_search_trains_on_sinograms_too(exam, other):
    space = {"learning_rate": Range(1e-3, 1e-2, log=True), "patch": Range(16, 20, whole=True)}
    settings = {"trials": 2, "startup": 2, "space": space, "device": "cpu", "progress": False}
    recipe = replace(ONE.trainable.recipe, steps=4)
    found = search("one", [exam], [other], recipe=recipe, **settings)
    assert [row["state"] for row in found.rows] == ["done", "done"]
    settings["space"] = {"patch": Range(16, 61, whole=True)}
    with pytest.raises(ValueError, match="has 60 pixels a side"):
        search("one", [exam], [other], recipe=recipe, **settings)


def same(one, other):
    """Equal to the last bit, and of the same type."""
    if isinstance(one, np.ndarray | torch.Tensor):
        return type(one) is type(other) and one.dtype == other.dtype and bool((one == other).all())
    if isinstance(one, Masks):
        return all(same(getattr(one, name), getattr(other, name)) for name in vars(one))
    if hasattr(one, "__dataclass_fields__"):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if hasattr(one, "items"):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


@pytest.mark.parametrize("source", ["a hospital", "procedural phantom, discs"])
def test_exams_in_a_file_keep_all_that_they_know(tmp_path, source):
    scan = replace(patient(source=source), corner_mm=(-96.0, 12.5))
    water = Masks.from_label_map((scan.hu > -500).astype(int), {1: "body"})
    exam = exposed(replace(scan, masks={"organs": water}), modulate=True, common_noise=True)
    exam = exam.crop(slice(3, 40), slice(2, 45), slice(1, 3))
    write_exams([exam, without_sinogram(exam)], tmp_path / "exams.safetensors")
    read, images = read_exams(tmp_path / "exams.safetensors")
    assert same(read, exam)
    assert (read.truth is None) == (source == "a hospital")
    assert images.sinogram is None
    assert images.exposure.describe() == exam.exposure.describe()
    np.testing.assert_array_equal(SmoothViews()(read).hu, SmoothViews()(exam).hu)
    assert fingerprint([read]) == fingerprint([exam]) != fingerprint([images])


@pytest.fixture
def small_scans(monkeypatch):
    """Whatever is opened by name is a small patient, and is exposed by the small scanner."""
    from ldctlib import physics

    made = []

    def expose_small(scan, dose, seed=0, *, keep_sinogram=True, **_):
        made.append(keep_sinogram)
        return exposed(scan, seed, keep_sinogram=keep_sinogram)

    monkeypatch.setattr("ldctlib.scans.open_scan", lambda name, **_: patient(str(name)))
    monkeypatch.setattr(physics, "expose", expose_small)
    return made


def run(*arguments):
    return cli.main([str(each) for each in arguments])


def test_the_command_line_evaluates_and_denoises(small_scans, tmp_path, capsys):
    table = tmp_path / "t.csv"
    command = ["evaluate", "a", "--metrics", "rmse", "--out", table, "--methods"]
    assert run(*command, "smooth") == 0
    with table.open() as file:
        values = {row["method"]: float(row["value"]) for row in csv.DictReader(file)}
    assert values["smooth"] < values["low dose"]
    assert small_scans == [True]
    table.unlink()
    assert run(*command, "cnn10") == 0
    assert small_scans == [True, False], "images are enough for a network of images"
    command = ["denoise", "a", tmp_path / "clean.npy", "--method", "smooth"]
    assert run(*command) == 2
    assert "--dose 0.25 exposes the scan first" in capsys.readouterr().err
    assert run(*command, "--dose", 0.1) == 0
    expected = SmoothViews()(exposed(patient("a"))).hu
    np.testing.assert_allclose(np.load(tmp_path / "clean.npy"), expected, atol=1e-3)


def test_the_command_line_trains_and_lists(small_scans, tmp_path, capsys):
    data = ["--scans", "a", "--validation", "b", "--dose", "0.1", "--device", "cpu"]
    assert run("train", "one", *data, "--out", tmp_path / "one", "--steps", 2) == 0
    weights = tmp_path / "one" / "best.safetensors"
    assert isinstance(load("one", weights=weights, device="cpu"), SinogramNetwork)
    folder = ["--out", tmp_path / "both", "--seeds", 1, "--steps", 2, "--metrics", "rmse"]
    assert run("campaign", "smooth", "one", *data, *folder) == 0
    budget = ["--out", tmp_path / "tuned", "--trials", 1, "--budget", 0.0001]
    assert run("search", "one", *data, *budget) == 0
    assert set(small_scans) == {True}
    assert run("train", "smooth", *data, "--out", tmp_path / "x") == 2
    assert "an algorithm without weights: nothing is trained" in capsys.readouterr().err
    assert run("weights") == 0
    assert "smooth        none needed" in capsys.readouterr().out


def test_the_dose_limit_takes_all_domains():
    """With a middle of 1 nothing is smoothed, and nothing of a lesion is lost."""
    from ldctlib.hallucinations import dose_limit, lesion_pair

    pair = lesion_pair(3, contrast_hu=-40.0, count=4, pixels=256)
    denoisers = {"nothing": load("smooth", middle=1.0), "smooth": load("smooth", middle=0.0)}
    found = dose_limit(denoisers, [pair], [0.25], progress=False)
    kept = {name: [r.kept for r in found.records if r.denoiser == name] for name in denoisers}
    np.testing.assert_allclose(kept["nothing"], 1.0, atol=1e-3)
    assert 0.2 < np.mean(kept["smooth"]) < 1.0
