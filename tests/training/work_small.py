"""Small searches and campaigns for processes of their own, which a test may kill."""

import time
from dataclasses import replace
from functools import partial

import numpy as np

from ldctlib.denoisers import Precision, Recipe
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan
from ldctlib.training import Validation, campaign, search
from ldctlib.training.campaign import EVALUATION
from ldctlib.training.spaces import Range


def noisy_exams(side=24):
    """One exam to train on and one of another patient: blocks of tissue with 40 HU of noise."""
    exams = []
    for seed, name in enumerate(("a", "b")):
        random = np.random.default_rng(seed)
        hu = np.kron(random.choice([-800.0, 40.0], (2, 4, 4)), np.ones((1, side // 4, side // 4)))
        full = Scan(hu, (1.0, 1.0, 1.0), name, anatomy="chest")
        low = full.with_hu(hu + random.normal(0, 40, hu.shape))
        exams.append(Exam(full=full, low=low, sinogram=None, dose=0.25))
    return exams[:1], exams[1:]


# VIF takes larger slices.
FIDELITY = partial(EVALUATION, metrics=("psnr", "ssim"))


def one_side(side):
    """The exams to train on (0) or to judge on (1)."""
    return noisy_exams()[side]


def wait_for(number, folder, pattern):
    """The files of a folder, as soon as there are so many."""
    for _ in range(24_000):
        files = list(folder.glob(pattern))
        if len(files) >= number:
            return files
        time.sleep(0.005)
    raise TimeoutError(f"{number} files {pattern} never came")


def search_slowly(path, folder):
    """The search of test_search, whose trials tell their learning rate and wait for the gate.

    By files: a process that is killed would take the lock of a queue with it.
    """
    exams, others = noisy_exams()

    def slowly(recipe):
        (folder / f"{recipe.learning_rate!r}.rate").touch()
        wait_for(1, folder, "gate")
        return exams

    space = {
        "learning_rate": Range(1e-4, 1e-2, log=True),
        "steps": Range(2, 6, whole=True),
        "batch": Range(1, 3, whole=True),
        "patch": Range(16, 20, whole=True),
    }
    search(
        "cnn10",
        slowly,
        Validation(others, 1),
        trials=4,
        storage=path,
        space=space,
        startup=2,
        device="cpu",
        precision=Precision(),
        progress=False,
        seed=1,
    )


def campaign_in(folder, **changes):
    """Two methods with two seeds each, in a folder."""
    exams, others = noisy_exams()
    recipe = Recipe(learning_rate=1e-3, batch=1, patch=16, steps=80)
    settings = {"recipes": {"cnn10": recipe, "redcnn": replace(recipe, patch=22, steps=8)}}
    settings |= {
        "evaluate": FIDELITY,
        "device": "cpu",
        "precision": Precision(),
        "progress": False,
        "validate_every": 2,
    }
    data = {"exams": exams, "validation": others}
    return campaign(["cnn10", "redcnn"], 2, folder=folder, **{**data, **settings, **changes})
