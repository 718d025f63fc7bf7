import numpy as np
import pytest
import torch

from ldctlib.training import PatchSampler
from ldctlib.units import Normalization

RAW = Normalization(0.0, 1.0)


def test_patches_are_those_of_the_scans(numbered):
    exams = [numbered("a", 0, (2, 9, 7)), numbered("b", 1000, (3, 8, 12))]
    sampler = PatchSampler(exams, patch=4, batch=50, seed=1, normalization=RAW)
    volumes = [exam.full.hu for exam in exams]
    low, full = sampler.draw()
    assert low.shape == full.shape == (50, 1, 4, 4)
    assert full.dtype == torch.float32
    np.testing.assert_array_equal(low, -full)
    for patch in full[:, 0].numpy():
        volume = volumes[int(patch[0, 0] >= 1000)]
        z, row, column = np.argwhere(volume == patch[0, 0])[0]
        np.testing.assert_array_equal(patch, volume[z, row : row + 4, column : column + 4])


def test_every_place_of_every_slice_is_drawn(numbered):
    exam = numbered("a", 0, (2, 6, 5))
    sampler = PatchSampler([exam], patch=4, batch=400, normalization=RAW)
    first = set(sampler.draw()[1][:, 0, 0, 0].tolist())
    assert first == set(exam.full.hu[:, :3, :2].ravel().tolist())


def test_whole_slices_are_patches_too(numbered):
    sampler = PatchSampler([numbered("a", 0, (1, 8, 8))], patch=8, batch=2, normalization=RAW)
    np.testing.assert_array_equal(sampler.draw()[1][0, 0].ravel(), np.arange(64))


def test_patients_are_equally_likely_whatever_their_slices_and_doses(numbered):
    long, short = numbered("long", 0, (30, 4, 4)), numbered("short", 10_000, (2, 4, 4))
    other_dose = numbered("short", 20_000, (2, 4, 4))
    sampler = PatchSampler([long, short, other_dose], 4, 20_000, normalization=RAW)
    first = sampler.draw()[1][:, 0, 0, 0].numpy()
    # Of 20 000 draws with probability p, the share has a standard deviation below 0.0036.
    assert sampler.patients == ("long", "short")
    assert abs(np.mean(first < 10_000) - 0.5) < 0.015
    assert abs(np.mean(first >= 20_000) - 0.25) < 0.013
    per_slice = np.bincount((first[first < 10_000] // 16).astype(int), minlength=30)
    assert per_slice.min() > 0.6 * per_slice.mean()


def test_the_fast_cut_and_the_device_neutral_cut_agree_exactly(noisy):
    exams = [noisy("a", "chest", (2, 40, 33), 0), noisy("b", "head", (3, 32, 50), 1)]
    sampler = PatchSampler(exams, patch=16, batch=64)
    places = sampler._places()
    for fast, plain in zip(sampler._cut_on_cpu(*places), sampler._cut(*places), strict=True):
        assert torch.equal(fast, plain)


def test_patches_are_normalised_as_the_benchmark_does(numbered):
    sampler = PatchSampler([numbered("a", -1024, (1, 4, 4))], patch=4, batch=1)
    first = sampler.draw()[1][0, 0, 0, 0].item()
    assert first == pytest.approx((0 - 481.45419786099086) / 502.18507379395044, abs=1e-6)


def test_the_same_seed_draws_the_same_and_a_saved_state_goes_on(noisy):
    exam = noisy("a", "chest", (2, 32, 32), 0)
    one, other = (PatchSampler([exam], 8, 5, seed=7) for _ in range(2))
    assert torch.equal(one.draw()[0], other.draw()[0])
    state = one.state_dict()
    expected = [one.draw()[0] for _ in range(3)]
    resumed = PatchSampler([exam], 8, 5, seed=99)
    resumed.load_state_dict(state)
    assert all(torch.equal(e, resumed.draw()[0]) for e in expected)
    assert torch.equal(one.from_seed(7).draw()[0], PatchSampler([exam], 8, 5, seed=7).draw()[0])


def test_global_random_numbers_are_left_alone(noisy):
    before = torch.get_rng_state()
    PatchSampler([noisy("a", "chest", (1, 16, 16), 0)], 8, 4).draw()
    assert torch.equal(before, torch.get_rng_state())


def test_the_fingerprint_sees_one_voxel(noisy):
    exam = noisy("a", "chest", (1, 16, 16), 0)
    changed = noisy("a", "chest", (1, 16, 16), 0)
    changed.full.hu[0, 3, 3] += 1
    prints = {PatchSampler([e], 8, 4).fingerprint for e in (exam, exam, changed)}
    assert len(prints) == 2


def test_bad_input_is_refused_with_a_reason(numbered):
    exam = numbered("a", 0, (1, 8, 6))
    with pytest.raises(ValueError, match=r"a: slices of 8 x 6 pixels have no patch of 7"):
        PatchSampler([exam], patch=7, batch=1)
    with pytest.raises(ValueError, match="give at least one exam"):
        PatchSampler([], patch=7, batch=1)
    with pytest.raises(ValueError, match="must be positive"):
        PatchSampler([exam], patch=0, batch=1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_draws_the_same_patches(noisy):
    exam = noisy("a", "chest", (2, 32, 32), 0)
    on_cpu, on_gpu = (PatchSampler([exam], 8, 5, device=d) for d in ("cpu", "cuda"))
    torch.testing.assert_close(on_cpu.draw(), tuple(t.cpu() for t in on_gpu.draw()))
