import dataclasses

import numpy as np
import pytest
import torch
from fan_beams import SOFT, disc, disc_line_integrals, fine, grid, small, to_hu

from ldctlib.physics import (
    KERNELS,
    FanBeam,
    Kernel,
    device_loops,
    fbp,
    fbp_transposed,
    noise_map,
    project,
)
from ldctlib.physics.filtering import FINER, fine_channels
from ldctlib.units import MU_WATER_PER_MM


@pytest.mark.parametrize(
    "geometry",
    [FanBeam.course(), dataclasses.replace(FanBeam.course(), detector="flat"), FanBeam.siemens()],
    ids=["course", "flat", "siemens"],
)
def test_water_is_zero(geometry):
    """From exact line integrals, so the projector cannot hide an error of FBP."""
    lines = disc_line_integrals(geometry, 150, (25.0, -10.0))
    hu = to_hu(fbp(torch.from_numpy(lines).float(), geometry))
    radius = np.hypot(grid(geometry)[0] - 25, grid(geometry)[1] + 10)
    assert abs(hu[radius < 130].mean()) < 0.5
    rings = [hu[(radius >= r) & (radius < r + 20)].mean() for r in range(0, 130, 20)]
    assert np.abs(rings).max() < 1  # no cupping
    outside = hu[(radius > 165) & (radius < 190)]
    assert abs(outside.mean() + 1000) < 6


@pytest.mark.parametrize("kernel", list(KERNELS))
def test_every_kernel_keeps_the_mean(kernel):
    geometry = FanBeam.course()
    hu = to_hu(fbp(project(disc(geometry, 60, (70.0, -40.0)), geometry), geometry, kernel))
    inside = np.hypot(grid(geometry)[0] - 70, grid(geometry)[1] + 40) < 45
    assert abs(hu[inside].mean()) < 1


def test_kernels_order_noise_as_their_names_say():
    geometry = fine()
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 1e-2, (120, 160))).float()
    names = ["soft", "standard", "sharp", "lung", Kernel("ram-lak", 0.7)]
    spread = [float(fbp(noise, geometry, k).std()) for k in names]
    assert spread == sorted(spread)
    assert spread[2] > 1.3 * spread[0]


def test_fbp_matches_its_torch_twin(scanner):
    samples = fine_channels(scanner)
    sino = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 90, samples)))
    from ldctlib.physics.reconstruction import _gather, _scatter

    image = _gather(scanner)(sino)
    assert torch.allclose(image, device_loops.gather(sino, scanner, FINER), rtol=1e-4, atol=1e-4)
    back = _scatter(scanner)(image)
    assert torch.allclose(back, device_loops.scatter(image, scanner, FINER), rtol=1e-4, atol=1e-4)
    assert float((image * image).sum() / (sino * back).sum()) == pytest.approx(1, abs=1e-9)


def test_unknown_kernels_and_angles_are_refused():
    lines = torch.zeros(90, 70)
    with pytest.raises(ValueError, match="soft, standard"):
        fbp(lines, small(), "hanning")
    with pytest.raises(ValueError, match="measured twice"):
        fbp(lines, dataclasses.replace(small(), arc_deg=200.0), SOFT)
    with pytest.raises(ValueError, match="90, 70"):
        fbp(lines.T, small(), SOFT)


def test_half_a_turn_of_a_narrow_fan_is_enough():
    """Parallel-like: the source far away, 180 degrees less the fan, each line met once."""
    fan = FanBeam(64, 1.0, 177, 96, 3000.0, 3000.0, 1.0, "flat", arc_deg=177.0)
    hu = to_hu(fbp(project(disc(fan, 25), fan), fan, Kernel("hann", 0.5)))
    assert abs(hu[np.hypot(*grid(fan)) < 18].mean()) < 25


@pytest.mark.parametrize("kernel", [SOFT, Kernel("ram-lak", 0.07)], ids=["hann", "ram-lak"])
def test_noise_map_matches_monte_carlo(scanner, kernel):
    rng = np.random.default_rng(3)
    variance = rng.uniform(0.5, 2.0, (90, 70)) * 1e-4 * np.linspace(1, 9, 70)
    noise = rng.standard_normal((320, 90, 70)) * np.sqrt(variance)
    measured = fbp(torch.from_numpy(noise).float(), scanner, kernel).numpy().std(0)
    predicted = noise_map(torch.from_numpy(variance)[None], scanner, kernel)[0].numpy()
    field = np.hypot(*grid(scanner)) < scanner.field_radius_mm - 2 * scanner.pixel_mm
    ratio = measured[field] * 1000 / MU_WATER_PER_MM / predicted[field]
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    assert np.quantile(np.abs(ratio - 1), 0.99) < 0.15  # 320 repetitions: sd of the ratio 4 %


@pytest.mark.parametrize("detector", ["arc", "flat"])
def test_the_transpose_of_runs_is_that_of_their_image(detector):
    """The gradient of <image, fbp(lines)>, for runs that overlap and reach the edge."""
    geometry = dataclasses.replace(FanBeam.course(64, 4.0), detector=detector)
    random = np.random.default_rng(0)
    rows, columns = random.integers(0, 64, (2, 40))
    lengths = np.minimum(random.integers(1, 20, 40), 64 - columns)
    values = random.normal(size=40)
    image = torch.zeros(64, 64, dtype=torch.float64)
    for row, column, length, value in zip(rows, columns, lengths, values, strict=True):
        image[row, column : column + length] += value
    lines = torch.zeros(geometry.sinogram_shape, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(fbp(lines, geometry, "sharp"), lines, image)
    found = fbp_transposed(rows, columns, lengths, values, geometry, "sharp")
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
