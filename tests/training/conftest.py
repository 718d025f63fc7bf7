"""Small exams whose every voxel can be told apart, or whose noise can be learned away."""

import multiprocessing

import numpy as np
import pytest
from torch import nn

from ldctlib.denoisers import Learned, Method, Recipe
from ldctlib.denoisers.objective import Supervised
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan


def _numbered(name, first, shape):
    """Full dose counts the voxels from ``first``; low dose is the same, negative."""
    hu = first + np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    scan = Scan(hu, (1.0, 1.0, 1.0), name, anatomy="chest")
    return Exam(full=scan, low=scan.with_hu(-hu), sinogram=None, dose=0.25)


def _noisy(name, anatomy, shape, seed):
    """Discs of tissue in air, and the same with 40 HU of white noise."""
    random = np.random.default_rng(seed)
    z, h, w = shape
    rows, columns = np.mgrid[:h, :w]
    hu = np.full(shape, -800.0)
    for z_index in range(z):
        for _ in range(12):
            row, column, radius = random.uniform(0, (h, w, 8))
            hu[z_index][(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = 40.0
    full = Scan(hu, (1.0, 1.0, 1.0), name, anatomy=anatomy)
    low = full.with_hu(hu + random.normal(0, 40, shape))
    return Exam(full=full, low=low, sinogram=None, dose=0.25)


class Tiny(nn.Module):
    """A residual network with everything that is hard to resume: running means and dropout."""

    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout2d(0.02)]
        self.net = nn.Sequential(*layers, nn.Conv2d(8, 1, 5, padding=2))

    def forward(self, x):
        return x + self.net(x)


@pytest.fixture(scope="session")
def tiny():
    recipe = Recipe(learning_rate=1e-2, batch=8, patch=32, steps=200)
    return Method("tiny", learned=Learned(Tiny, Supervised, recipe, margin=4, channels=16))


@pytest.fixture(scope="session")
def numbered():
    return _numbered


@pytest.fixture(scope="session")
def noisy():
    return _noisy


@pytest.fixture(scope="session")
def processes():
    """Makes processes that a test may kill; the libraries are imported once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "work_small", "optuna"])
    return context
