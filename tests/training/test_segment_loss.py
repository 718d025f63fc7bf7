"""SRMSE as a loss: its limits, its gradient, and a training that it changes."""

import numpy as np
import pytest
import torch

from ldctlib.masks import Masks
from ldctlib.metrics import srmse
from ldctlib.training import SegmentSampler, fit, segment_loss
from ldctlib.training.segment_loss import SegmentSupervised


@pytest.fixture(scope="module")
def crops():
    """Three crops, seven segments: reference, test and masks."""
    random = np.random.default_rng(0)
    reference = torch.from_numpy(random.normal(size=(3, 1, 12, 10)))
    test = reference + torch.from_numpy(random.normal(size=(3, 1, 12, 10)))
    images = [(i % 3, random.uniform(size=(12, 10)) < 0.1 + 0.1 * i) for i in range(7)]
    return test, reference, Masks.from_slices(images, (3, 12, 10))


def test_mean_and_both_limits_of_the_soft_maximum(crops):
    test, reference, masks = crops
    errors = srmse(test[:, 0].numpy(), reference[:, 0].numpy(), masks)
    assert segment_loss(*crops).item() == pytest.approx(errors.mean(), rel=1e-5)
    soft = [segment_loss(*crops, softness=s).item() for s in (1e3, 1.0, 0.1, 1e-3)]
    assert soft == sorted(soft)
    assert soft[0] == pytest.approx(errors.mean(), rel=1e-3)
    assert soft[-1] == pytest.approx(errors.max(), rel=1e-2)
    expected = np.log(np.mean(np.exp(errors)))
    assert soft[1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("softness", [None, 0.2])
def test_gradient_is_that_of_finite_differences(crops, softness):
    test, reference, masks = crops
    test = test.clone().requires_grad_()
    segment_loss(test, reference, masks, softness).backward()
    random = np.random.default_rng(1)
    direction = torch.from_numpy(random.normal(size=test.shape))
    step, values = 1e-2, []
    for sign in (1, -1):
        moved = test.detach() + sign * step * direction
        values.append(segment_loss(moved, reference, masks, softness).item())
    slope = (values[0] - values[1]) / (2 * step)
    assert (test.grad * direction).sum().item() == pytest.approx(slope, rel=1e-2)


def test_a_batch_without_segments_has_no_loss_and_no_gradient(crops):
    test = crops[0].clone().requires_grad_()
    loss = segment_loss(test, crops[1], crops[2].select([]))
    loss.backward()
    assert loss.item() == 0
    assert (test.grad == 0).all()


def test_bad_input_gets_one_clear_sentence(crops, numbered):
    test, reference, masks = crops
    with pytest.raises(ValueError, match="softness"):
        segment_loss(test, reference, masks, softness=0.0)
    with pytest.raises(ValueError, match="the masks lie on"):
        segment_loss(test[:2], reference[:2], masks)
    exam = numbered("a", 0, (2, 20, 30))
    with pytest.raises(ValueError, match="1 exams came with the masks of 0"):
        SegmentSampler([exam], [], 8, 4)
    with pytest.raises(ValueError, match="its masks lie on"):
        SegmentSampler([exam], [masks], 8, 4)


def test_a_patch_brings_its_own_segments(numbered):
    # Voxels count themselves, so a patch says where it comes from; two exams are of one patient.
    shapes = {"a": (2, 20, 30), "b": (3, 24, 16), "a again": (1, 22, 18)}
    exams, masks, first, random = [], [], 0, np.random.default_rng(2)
    everything = {}
    for name, shape in shapes.items():
        exams.append(numbered(name.split()[0], first, shape))
        volumes = {f"{name} {i}": random.uniform(size=shape) < 0.3 for i in range(5)}
        masks.append(Masks.from_volumes(volumes))
        for label, volume in volumes.items():
            everything[label] = set((first + np.flatnonzero(volume)).tolist())
        first += int(np.prod(shape))
    sampler = SegmentSampler(exams, masks, patch=9, batch=40, smallest=20, seed=3)
    scale = sampler.normalization
    _, full, found = sampler.draw()
    numbers = torch.round(full[:, 0] * scale.std_hu + scale.mean_hu).long().numpy()
    assert found.shape == numbers.shape == (40, 9, 9)
    assert len(found) > 40
    assert found.areas.min() >= 20
    for i, label in enumerate(found.labels):
        z = found.bounding_boxes[i, 0]
        inside = set(numbers[found.boolean(i)].tolist())
        assert inside == everything[label] & set(numbers[z].ravel().tolist())


def test_with_and_without_segments_the_patches_are_the_same(numbered):
    exam = numbered("a", 0, (2, 20, 30))
    masks = Masks.from_volumes({"half": np.indices(exam.full.shape)[2] < 15})
    sampler = SegmentSampler([exam], [masks], patch=8, batch=4, seed=5)
    other = sampler.from_seed(5)
    for _ in range(3):
        (low, full, _), (low_again, full_again, _) = sampler.draw(), other.draw()
        assert torch.equal(low, low_again)
        assert torch.equal(full, full_again)
    smaller = SegmentSampler([exam], [masks.crop(slice(2), slice(20), slice(30))], 8, 4, seed=5)
    assert smaller.fingerprint == sampler.fingerprint
    elsewhere = Masks.from_volumes({"half": np.indices(exam.full.shape)[2] > 15})
    assert SegmentSampler([exam], [elsewhere], 8, 4).fingerprint != sampler.fingerprint


def test_a_training_with_segments_brings_their_error_down(tiny, noisy):
    exam, judge = noisy("a", "chest", (4, 64, 64), 0), noisy("b", "chest", (2, 64, 64), 1)
    masks = Masks.from_volumes({"discs": exam.full.hu > 0, "air": exam.full.hu < 0})
    method = tiny.with_learned(objective=SegmentSupervised)
    sampler = SegmentSampler([exam], [masks], 32, 8)
    history = []
    fit(
        method,
        sampler,
        [judge],
        steps=60,
        validate_every=20,
        precision="float32",
        device="cpu",
        progress=False,
        callbacks=[lambda rows, _: history.extend(rows[-1:])],
        segment_weight=0.5,
        softness=0.05,
    )
    assert history[-1]["segments"] < 0.7 * history[0]["segments"]
    assert history[-1]["loss"] == pytest.approx(
        history[-1]["pixels"] + 0.5 * history[-1]["segments"], rel=1e-4
    )
