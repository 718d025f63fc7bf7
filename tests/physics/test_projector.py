from functools import partial

import numpy as np
import pytest
import torch
from fan_beams import SOFT, disc, disc_line_integrals, small

from ldctlib.physics import FanBeam, Kernel, backproject, device_loops, project
from ldctlib.physics import fbp as fbp_with

fbp = partial(fbp_with, kernel=SOFT)


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("slices", [1, 5, 33])
def test_backprojection_is_the_adjoint(scanner, slices, dtype, tolerance):
    x = randn(slices, 48, 48, dtype=dtype).abs()
    y = randn(slices, 90, 70, seed=1, dtype=dtype).abs()
    ax_y = (project(x, scanner).double() * y).sum()
    x_aty = (x.double() * backproject(y, scanner)).sum()
    assert float(ax_y / x_aty) == pytest.approx(1, abs=tolerance)


def test_line_integrals_of_a_disc_are_its_chords(scanner):
    for centre in ((0.0, 0.0), (60.0, -35.0)):
        found = project(disc(scanner, 90, centre), scanner).numpy()
        expected = disc_line_integrals(scanner, 90, centre)
        assert np.abs(found - expected).mean() < 0.01 * expected.max()
        inner = expected > 0.7 * expected.max()
        assert np.abs(found - expected)[inner].max() < 0.02 * expected.max()


def test_course_geometry_measures_the_thickness_of_water():
    geometry = FanBeam.course()
    found = project(disc(geometry, 160), geometry).numpy()
    assert np.abs(found[:, 367:369].mean() / (320 * 0.0192) - 1) < 1e-3
    assert np.abs(found - disc_line_integrals(geometry, 160)).mean() < 3e-3


def test_opposite_rays_agree():
    """A full scan sees the line (beta, gamma) again from (beta + pi + 2 gamma, -gamma)."""
    geometry = small(views=360)
    sinogram = project(disc(geometry, 70, (40.0, 20.0)), geometry).numpy()
    channel = 50
    shift = 180 + 2 * np.rad2deg(geometry.gamma[channel])
    partner = sinogram[:, geometry.channels - 1 - channel]
    views = (np.arange(360) + shift) % 360
    again = np.interp(views, np.arange(361), np.append(partner, partner[0]))
    assert np.abs(sinogram[:, channel] - again).max() < 0.05 * sinogram.max()
    wrong = np.interp((np.arange(360) + 360 - shift) % 360, np.arange(360), partner)
    assert np.abs(sinogram[:, channel] - wrong).max() > 0.3 * sinogram.max()


def test_compiled_loops_and_torch_agree(scanner):
    x, y = randn(3, 48, 48), randn(3, 90, 70)
    assert torch.allclose(project(x, scanner), device_loops.integrate(x, scanner), atol=1e-3)
    assert torch.allclose(backproject(y, scanner), device_loops.smear(y, scanner), atol=1e-3)
    x_aty = (device_loops.smear(y, scanner) * x).sum()
    assert float((device_loops.integrate(x, scanner) * y).sum() / x_aty) == pytest.approx(1)


def test_the_torch_loops_work_in_groups(scanner, monkeypatch):
    x, y = randn(3, 48, 48), randn(3, 90, 70)
    whole = device_loops.integrate(x, scanner), device_loops.smear(y, scanner)
    monkeypatch.setattr(device_loops, "POINTS_AT_ONCE", 20 * 70 * 48 * 3)
    assert torch.allclose(device_loops.integrate(x, scanner), whole[0])
    assert torch.allclose(device_loops.smear(y, scanner), whole[1])


@pytest.mark.parametrize("slices", [2, 7, 30])
def test_a_slice_does_not_depend_on_its_batch(scanner, slices):
    x, y = randn(slices, 48, 48, dtype=torch.float32), randn(slices, 90, 70, dtype=torch.float32)
    for operator, batch in ((project, x), (backproject, y), (fbp, y)):
        together, alone = operator(batch, scanner), operator(batch[1:2], scanner)
        assert torch.allclose(together[1:2], alone, rtol=0, atol=2e-6 * float(alone.abs().max()))


def test_gradients_are_right(scanner):
    weights = randn(90, 70, seed=2)
    mu = randn(48, 48).requires_grad_()
    (project(mu, scanner) * weights).sum().backward()
    assert torch.allclose(mu.grad, backproject(weights, scanner))
    tiny = FanBeam(6, 20.0, 8, 9, 595.0, 1085.6, 40.0)
    softest = Kernel("hann", 0.02)  # its channels are wide
    check = torch.autograd.gradcheck
    assert check(lambda m: project(m, tiny) ** 2, randn(6, 6).requires_grad_(), fast_mode=True)
    assert check(
        lambda p: fbp(p, tiny, kernel=softest) ** 2, randn(2, 8, 9).requires_grad_(), fast_mode=True
    )
    twice = torch.autograd.gradgradcheck
    assert twice(lambda m: project(m, tiny) ** 2, randn(6, 6).requires_grad_(), fast_mode=True)


def test_leading_axes_are_kept(scanner):
    assert project(randn(2, 3, 48, 48), scanner).shape == (2, 3, 90, 70)
    assert backproject(randn(90, 70), scanner).shape == (48, 48)


def test_threads_do_not_change_the_result(scanner):
    y, before = randn(2, 90, 70), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(
                (backproject(y, scanner), fbp(y, scanner), project(randn(48, 48), scanner))
            )
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_wrong_input_is_named(scanner):
    with pytest.raises(ValueError, match=r"48, 48.*FanBeam.matching"):
        project(torch.zeros(2, 50, 50), scanner)
    with pytest.raises(ValueError, match="float32"):
        project(torch.zeros(48, 48, dtype=torch.int16), scanner)
    with pytest.raises(ValueError, match="sinogram"):
        backproject(torch.zeros(70, 90), scanner)
