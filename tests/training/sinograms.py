"""Small exams with sinograms, an algorithm that smooths views, and a network of one convolution."""

import numpy as np
import torch
from torch import nn

from ldctlib.denoisers import Learned, Method, Recipe
from ldctlib.denoisers.denoiser import sinogram_of
from ldctlib.denoisers.objective import Supervised
from ldctlib.physics import FanBeam, Kernel, expose
from ldctlib.scans import Scan

PIXEL_MM = 4.0
# Channels as wide as the pixels, and few views, for speed.
SCANNER = FanBeam(48, PIXEL_MM, 60, 80, 595.0, 1085.6, 7.3)
KERNEL = Kernel("hann", 0.12)


def patient(name="a patient", seed=0, slices=3, source="a hospital"):
    """An ellipse of water in foam, with discs of other tissue in it."""
    random = np.random.default_rng(seed)
    x = (np.arange(48) - 23.5) * PIXEL_MM
    x, y = np.meshgrid(x, x)
    hu = np.full((slices, 48, 48), -900.0)
    hu[:, (x / 80) ** 2 + (y / 65) ** 2 < 1] = 0.0
    for z in range(slices):
        for _ in range(5):
            (left, top), radius = random.uniform(-40, 40, 2), random.uniform(8, 16)
            hu[z][np.hypot(x - left, y - top) < radius] = random.uniform(-80, 80)
    about = {"anatomy": "abdomen", "provenance": {"source": source}}
    return Scan(hu, (2.0, PIXEL_MM, PIXEL_MM), name, **about)


def exposed(scan, seed=0, **options):
    """An exam that is noisy enough for a few neighbours to help."""
    settings = {"geometry": SCANNER, "kernel": KERNEL, "photons": 3e3, "preset": "clinical"}
    return expose(scan, 0.1, seed, **settings | options)


class SmoothViews:
    """Each view becomes a mean of itself and its two neighbours."""

    name, needs = "smooth", "sinogram"

    def __init__(self, middle=0.5):
        self.middle = middle

    def __call__(self, exam):
        lines = sinogram_of(exam, self.name).line_integrals
        beside = (lines.roll(1, 1) + lines.roll(-1, 1)) / 2
        return exam.with_lines(self.middle * lines + (1 - self.middle) * beside)


SMOOTH = Method("smooth", "Smoothed views", 1980, needs="sinogram", build=SmoothViews)


class OneConvolution(nn.Module):
    """Subtracts what a convolution makes of the differences to the mean of the neighbours."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 5, padding=2, padding_mode="replicate")
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, lines):
        mean = nn.functional.avg_pool2d(lines, 5, 1, padding=2, count_include_pad=False)
        return lines - self.layer(lines - mean)


RECIPE = Recipe(learning_rate=1e-2, batch=8, patch=40, steps=60)
ONE = Method(
    "one",
    needs="sinogram",
    learned=Learned(OneConvolution, Supervised, RECIPE, channels=2, sampler="sinograms"),
)


class Both(nn.Module):
    """The normalised image, brighter by a hundredth of the mean line integral of its slice."""

    def __init__(self):
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.01))

    def forward(self, lines, image):
        return image + self.share * lines.mean((1, 2, 3), keepdim=True)


BOTH = Method("both", needs="both", learned=Learned(Both, Supervised, RECIPE))
