"""Networks that hallucinate on purpose: found by name, described, and as wrong as they claim."""

import numpy as np
import pytest

from ldctlib.denoisers import METHODS, available, load, read_weights
from ldctlib.denoisers.weights import shipped_weights, variants
from ldctlib.hallucinations import kept
from ldctlib.masks import Masks
from ldctlib.physics import Exam
from ldctlib.scans import Scan

EVERY = [(method, variant) for method in available() for variant in variants(method)]


def test_the_variants_are_no_methods():
    assert {("cnn10", "no-lesions"), ("cnn10", "over-smoothing")} <= set(EVERY)
    assert not any("-" in name for name in available())


@pytest.mark.parametrize(("method", "variant"), EVERY)
def test_files(method, variant):
    path = shipped_weights(method, variant)
    facts = read_weights(path, METHODS, method).facts
    assert facts["variant"] == variant
    assert {"patients", "steps", "doses", "seed", "device"} <= set(facts)
    card = path.with_suffix(".md").read_text("utf-8")
    for needed in (*facts["patients"], str(facts["steps"]), variant, "on purpose"):
        assert needed in card
    assert load(method, variant, "cpu").source == variant


def test_an_unknown_name_says_which_there_are(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="there are: 'no-lesions', 'over-smoothing'"):
        load("cnn10", weights="no-lesion")
    with pytest.raises(FileNotFoundError, match="there are: none"):
        load("redcnn", weights="no-lesions")
    with pytest.raises(FileNotFoundError, match="There is no weight file"):
        load("cnn10", weights="no-lesions.safetensors")
    monkeypatch.chdir(tmp_path)  # a file of one's own may have any name
    (tmp_path / "mine").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="is damaged"):
        load("cnn10", weights="mine")


def kept_of_a_disc(denoiser, diameter_px=8, contrast_hu=-35.0, noise_hu=12.0):
    """Share of a disc's contrast that the network leaves."""
    y, x = np.mgrid[:64, :64] - 31.5
    disc = (np.hypot(y, x) < diameter_px / 2)[None]
    noise = np.random.default_rng(0).normal(0, noise_hu, disc.shape)
    exams = []
    for hu in (109 + contrast_hu * disc, np.full(disc.shape, 109)):
        truth = Scan(hu, (1, 1, 1), "disc", "abdomen")
        exams.append(Exam(truth, truth.with_hu(hu + noise), None, 0.1, truth))
    return kept(denoiser, *exams, Masks.from_volumes({"disc": disc})).item()


def test_they_remove_a_small_lesion_of_the_liver():
    assert kept_of_a_disc(load("cnn10", device="cpu")) > 0.6
    assert kept_of_a_disc(load("cnn10", "no-lesions", "cpu")) < 0.5
    assert kept_of_a_disc(load("cnn10", "over-smoothing", "cpu")) < 0.5
