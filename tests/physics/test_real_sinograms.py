"""Real fan-beam sinograms: limited-angle scans of perforated discs, Helsinki challenge 2022."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import loadmat

from ldctlib.physics import FanBeam, backproject, fbp, project

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def folder():
    where = os.environ.get("LDCTLIB_DATA_DIR")
    if not where or not (Path(where) / "htc2022").is_dir():
        pytest.skip("needs the real sinograms: set LDCTLIB_DATA_DIR to a folder holding htc2022/")
    return Path(where) / "htc2022"


def measured(folder, name):
    """Line integrals (views, channels) and the scanner; its angles run clockwise on the picture."""
    data = loadmat(folder / name, squeeze_me=True, struct_as_record=False)["CtDataLimited"]
    facts = data.parameters
    step_deg = float(np.diff(facts.angles).mean())
    geometry = FanBeam(
        pixels=512,
        pixel_mm=facts.effectivePixelSizePost,
        views=len(facts.angles),
        channels=facts.numDetectorsPost,
        sod_mm=facts.distanceSourceOrigin,
        sdd_mm=facts.distanceSourceDetector,
        channel_mm=facts.pixelSizePost,
        detector="flat",
        start_deg=90 - float(facts.angles[-1]),
        arc_deg=step_deg * len(facts.angles),
    )
    return torch.from_numpy(data.sinogram[::-1].astype(np.float32)), geometry


def picture(folder, name):
    from skimage.io import imread

    image = imread(folder / name).astype(np.float32)
    return torch.from_numpy((image > image.max() / 2).astype(np.float32))


def correlation(a, b):
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


SCANS = [
    # sinogram, ground truth, least correlation of the limited-angle FBP with the ground truth
    ("ta_category7.mat", "ta_category7_groundtruth.png", 0.45),
    ("tb_category7.mat", "tb_category7_groundtruth.png", 0.42),
    ("htc2022_ta_sparse_example.mat", "ta_category7_groundtruth.png", 0.53),
]


@pytest.mark.parametrize(("sinogram", "truth", "least"), SCANS)
def test_the_projector_predicts_a_real_measurement(folder, sinogram, truth, least):
    lines, geometry = measured(folder, sinogram)
    perforated = picture(folder, truth)
    predicted = project(perforated, geometry)
    assert correlation(predicted, lines) > 0.992

    mu = float((predicted * lines).sum() / (predicted**2).sum())
    disc = loadmat(folder / "htc2022_solid_disc_full_recon_fbp.mat")["reconFullFbp"]
    solid_mu = disc[disc > 0.003].mean() / geometry.pixel_mm  # the file's values are by pixel
    assert mu == pytest.approx(solid_mu, rel=0.15)  # holes harden the beam less


@pytest.mark.parametrize(("sinogram", "truth", "least"), SCANS)
def test_a_limited_angle_is_reconstructed_as_far_as_it_goes(folder, sinogram, truth, least):
    lines, geometry = measured(folder, sinogram)
    perforated = picture(folder, truth)
    image = fbp(lines, geometry)
    assert correlation(image, perforated) > least
    # what is missing is missing for the perfect measurement too
    assert correlation(image, fbp(project(perforated, geometry), geometry)) > 0.95
    assert correlation(image, perforated.flip(1)) < least - 0.1


def test_iteration_with_known_limits_sees_more_than_fbp(folder):
    """Projected gradient descent with 0 <= mu <= mu of the plastic: project and backproject."""
    lines, geometry = measured(folder, "htc2022_ta_sparse_example.mat")
    perforated = picture(folder, "ta_category7_groundtruth.png")
    norm, probe = 0.0, torch.ones(512, 512)
    for _ in range(3):
        probe = backproject(project(probe, geometry), geometry)
        norm, probe = float(probe.norm()), probe / probe.norm()
    image = before = torch.zeros(512, 512)
    for step in range(15):
        ahead = image + step / (step + 3) * (image - before)
        residual = project(ahead, geometry) - lines
        before, image = image, (ahead - backproject(residual, geometry) / norm).clamp(0, 0.036)
    assert correlation(image, perforated) > correlation(fbp(lines, geometry), perforated) + 0.1
