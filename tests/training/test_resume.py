"""A training that is killed, interrupted or continued gives what an undisturbed one gives."""

import multiprocessing
import random
import signal
import time
from dataclasses import replace
from functools import partial

import pytest
import torch
from safetensors.torch import load_file
from train_small import train

from ldctlib.denoisers import METHODS, Recipe, unet
from ldctlib.training import checkpoint, fit
from ldctlib.training.validation import Validation

STEPS = 80


@pytest.fixture(scope="module")
def start():
    """Starts the small training in a folder; the libraries are imported once for all processes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "ldctlib.training"])

    def started(folder):
        here, there = context.Pipe()
        process = context.Process(target=train, args=(folder, STEPS, there), daemon=True)
        process.start()
        there.close()
        return process, here

    return started


def kill_after(process, told, step, delay):
    while told.recv() < step:
        pass
    time.sleep(delay)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it was done before it could be killed"


def same(one, other):
    """Equal to the last bit, clocks aside."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        keys = one.keys() - {"seconds"}
        return keys == other.keys() - {"seconds"} and all(same(one[k], other[k]) for k in keys)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_killed_twice_it_ends_with_the_same_bits(start, tmp_path):
    undisturbed, _ = start(tmp_path / "undisturbed")
    kills = random.Random(5)
    for step in (0.25 * STEPS, 0.5 * STEPS):
        kill_after(*start(tmp_path / "killed"), step, kills.uniform(0, 0.02))
    finished, told = start(tmp_path / "killed")
    first_step = told.recv()
    assert 0.5 * STEPS < first_step < STEPS, "the last process must have continued, not begun anew"
    for process in (undisturbed, finished):
        process.join(300)
        assert process.exitcode == 0
    states = [checkpoint.load(tmp_path / f / "last.safetensors") for f in ("undisturbed", "killed")]
    assert same(*states)
    weights = [load_file(tmp_path / f / "best.safetensors") for f in ("undisturbed", "killed")]
    assert same(*weights)


# DU-GAN and the small TransCT need larger patches than the others.
PATCHES = {"dugan": 64, "transct": 128}
TRANSCT = METHODS["transct"].with_learned(
    network=partial(METHODS["transct"].trainable.network, size=128)
)


def recipe_of(method):
    small = {"learning_rate": 1e-4, "batch": 1, "patch": PATCHES.get(method, 29)}
    options = {"perceptual": "random-vgg19-shallow"} if method == "wganvgg" else {}
    published = METHODS[method].trainable.recipe
    return replace(published, **small, options={**published.options, **options})


class Pulled(Exception):
    """The plug."""


@pytest.mark.parametrize("name", [*METHODS, "tiny"])
def test_every_method_goes_on_exactly(name, tiny, noisy, tmp_path, monkeypatch):
    monkeypatch.setattr(unet, "CHANNELS", (1, *[8] * 7))  # instead of 57 million weights
    method = {"tiny": tiny, "transct": TRANSCT}.get(name, name)
    side = PATCHES.get(name, 32)
    exams = [noisy("a", "chest", (2, side + 8, side + 8), 0)]
    check = Validation([noisy("b", "chest", (1, side, side), 1)])
    recipe = tiny.trainable.recipe if name == "tiny" else recipe_of(name)
    settings = {"recipe": replace(recipe, steps=4), "device": "cpu", "precision": "bfloat16"}
    settings |= {"validate_every": 2, "progress": False, "seed": 11}

    def pull(history, _):
        if history[-1]["step"] == 2:
            raise Pulled

    whole = fit(method, exams, check, **settings)
    # Other random numbers in between must not matter.
    torch.manual_seed(12345)
    with pytest.raises(Pulled):
        fit(method, exams, check, folder=tmp_path, callbacks=[pull], **settings)
    state = checkpoint.load(tmp_path / "last.safetensors")
    assert state["step"] == 2
    resumed = fit(method, exams, check, folder=tmp_path, **settings)
    assert same(whole.network.state_dict(), resumed.network.state_dict())


@pytest.fixture
def small(noisy):
    exams = [noisy("a", "chest", (2, 40, 40), 0)]
    validation = Validation([noisy("b", "chest", (1, 32, 32), 1)])

    def train(folder=None, method="cnn10", **changes):
        recipe = Recipe(learning_rate=1e-3, batch=2, patch=16, steps=12)
        settings = {"recipe": recipe, "device": "cpu", "precision": "float32"}
        settings |= {"validate_every": 4, "progress": False}
        data = {"exams": exams, "validation": validation}
        return fit(method, **{**data, **settings, **changes}, folder=folder)

    return train


def test_ctrl_c_finishes_the_step_and_leaves_a_state_to_continue(small, tmp_path):
    whole = small()

    def press(history, _):
        if history[-1]["step"] == 4:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="Stopped after 4 steps; the same call continues"):
        small(tmp_path, callbacks=[press])
    assert signal.getsignal(signal.SIGINT) is before
    assert same(whole.network.state_dict(), small(tmp_path).network.state_dict())


def test_ctrl_c_between_two_validations_keeps_the_losses_so_far(small, tmp_path, monkeypatch):
    from ldctlib.training.sampler import PatchSampler

    small(tmp_path / "whole")
    draw, draws = PatchSampler.draw, []

    def draw_and_press(sampler):
        draws.append(1)
        if len(draws) == 6:
            signal.raise_signal(signal.SIGINT)
        return draw(sampler)

    monkeypatch.setattr(PatchSampler, "draw", draw_and_press)
    with pytest.raises(KeyboardInterrupt, match="Stopped after 6 steps"):
        small(tmp_path / "stopped")
    small(tmp_path / "stopped")
    states = [checkpoint.load(tmp_path / f / "last.safetensors") for f in ("whole", "stopped")]
    assert same(*states)


def test_a_finished_training_is_not_done_again_but_can_be_prolonged(small, tmp_path):
    small(tmp_path, steps=8)
    rows = []
    small(tmp_path, steps=8, callbacks=[lambda history, _: rows.append(history[-1]["step"])])
    assert rows == []
    prolonged = small(tmp_path, steps=12)
    assert same(prolonged.network.state_dict(), small(steps=12).network.state_dict())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"method": "wganvgg"}, "method was cnn10, now wganvgg"),
        ({"recipe": Recipe(1e-3, batch=3, patch=16, steps=12)}, "batch was 2, now 3"),
        ({"recipe": Recipe(1e-2, batch=2, patch=16, steps=12)}, "learning_rate was 0.001"),
        ({"seed": 5}, "seed was 0, now 5"),
        ({"precision": "bfloat16"}, "precision was float32, now bfloat16"),
        ({"decay": True}, "options was {}, now {'decay': True}"),
    ],
)
def test_another_training_in_the_folder_is_refused(small, tmp_path, change, named):
    small(tmp_path)
    held = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(ValueError, match="holds another training") as error:
        small(tmp_path, **change)
    assert named in str(error.value)
    assert (tmp_path / "last.safetensors").read_bytes() == held


def test_other_data_are_refused_and_resume_false_replaces(small, noisy, tmp_path):
    small(tmp_path)
    other = [noisy("a", "chest", (2, 40, 40), 99)]
    with pytest.raises(ValueError, match="training data was"):
        small(tmp_path, exams=other)
    with pytest.raises(ValueError, match="validation data was"):
        small(tmp_path, validation=Validation(other))
    replaced = small(tmp_path, exams=other, resume=False)
    assert same(replaced.network.state_dict(), small(exams=other).network.state_dict())
