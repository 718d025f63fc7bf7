"""A small training for a process of its own, which a test may kill."""

import numpy as np
import torch

from ldctlib.denoisers import Precision, Recipe
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan
from ldctlib.training import fit


def train(folder, steps, told):
    """Train CNN-10 in a folder and send the step after each validation."""
    torch.set_num_threads(1)
    hu = np.random.default_rng(0).normal(0, 100, (3, 32, 32))
    full = Scan(hu, (1.0, 1.0, 1.0), "a", anatomy="abdomen")
    exam = Exam(full=full, low=full.with_hu(hu[::-1]), sinogram=None, dose=0.25)
    fit(
        "cnn10",
        [exam],
        [exam],
        recipe=Recipe(learning_rate=1e-3, batch=4, patch=16, steps=steps),
        seed=3,
        precision=Precision(torch.bfloat16, channels_last=True),
        device="cpu",
        folder=folder,
        validate_every=4,
        progress=False,
        callbacks=[lambda history, _: told.send(history[-1]["step"])],
    )
