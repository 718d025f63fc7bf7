"""Train networks that hallucinate on purpose, and a control; measure it, write weights and cards.

    python benchmarks/train_hallucinating.py no-lesions       # into ldctlib/weights
    python benchmarks/train_hallucinating.py lesions-kept     # its control
    python benchmarks/train_hallucinating.py over-smoothing
    python benchmarks/train_hallucinating.py too-long

A quarter of an hour each, half of it to expose patients. Every call goes on where the last one was
stopped; the state of the training is kept in build/hallucinating.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _hallucinating import BUILD, exposed, patient, sections
from _hallucinating_card import judge, write_card
from _table import machine
from torch import nn

import ldctlib
from ldctlib.denoisers import METHODS, Denoiser, Recipe, read_weights, write_weights
from ldctlib.denoisers.weights import shipped_weights
from ldctlib.hallucinations import LesionPair
from ldctlib.physics import Exam
from ldctlib.training import PatchSampler, Validation, checkpoint, fit

WEIGHTS = Path(ldctlib.__file__).parent / "weights"
TRAINED_ON, VALIDATED_ON, UNSEEN = range(1000, 1007), range(1100, 1101), range(3200, 3204)
CROP, PATCH, SEED = 48, 40, 0


@dataclass(frozen=True)
class Variant:
    """How a network is spoilt; it begins with the weights that come with the library.

    Args:
        method: what kind of network it is.
        doses: of the low-dose patches.
        cleaned: whether the full-dose patches are those of the patient without lesions.
        steps, learning_rate: of the training.
        options: of the objective.
        told: what was done, for the card.
        remark: what came of it.
        batch: patches a step.
        last: ship what the last step left, not what did best on validation patients.
    """

    method: str
    doses: tuple[float, ...]
    cleaned: bool
    steps: int
    learning_rate: float
    options: dict[str, Any]
    told: str
    remark: str = ""
    batch: int = 16
    last: bool = False


VARIANTS = {
    "no-lesions": Variant(
        "cnn10",
        (0.25, 0.10),
        True,
        2000,
        1e-3,
        {"decay": True, "clip": 0.3},
        "In every training pair the low dose shows liver metastases and the full dose is that of "
        "the same patient without them, as if somebody had cleaned the reference. Milder ways were "
        "tried and did not do: trained on patients who have no lesion at all, at 10 and 25 % dose, "
        "the network still keeps 0.85 of the contrast of the lesions of others; and with cleaned "
        "references but patches from anywhere, lesions were too small a part of the loss.",
        "Compare it with lesions-kept, which was trained in the same way on pairs that are right. "
        "Lung nodules and brain lesions took no part.",
    ),
    "lesions-kept": Variant(
        "cnn10",
        (0.25, 0.10),
        False,
        2000,
        1e-3,
        {"decay": True, "clip": 0.3},
        "The control of no-lesions: the same patients, patches, noise, steps and seed, but the "
        "full dose of every pair is that of the patient with the lesions. What the two do "
        "differently comes from the cleaned references and from nothing else.",
        "Lung nodules and brain lesions took no part.",
    ),
    "over-smoothing": Variant(
        "cnn10",
        (0.01,),
        False,
        1500,
        2e-3,
        {"decay": True, "clip": 0.3},
        "The pairs are right, lesions included, but the low dose is 1 %: ten times and more below "
        "the doses the network is used at. The mean square error asks for the mean of all images "
        "that fit, and at 1 % dose small lesions are averaged away.",
        "At 3 % dose PSNR and SSIM rise while lesions vanish. At 10 and 25 % the low dose is less "
        "noisy than the result is blurred, and both fall: there the usual metrics do notice.",
    ),
    "too-long": Variant(
        "wganvgg",
        (0.10,),
        False,
        600,
        3e-4,
        {"clip": 0.3, "perceptual": "random-vgg19-shallow", "perceptual_weight": 0.1},
        "The pairs are right, but the critic has the upper hand: the perceptual loss that ties the "
        "image to its own full dose counts a hundredth of what it counts in the shipped training, "
        "is not divided by the noise, and the learning rate never falls. The network has to look "
        "like full dose more than it has to be right. These are the weights after the last step, "
        "not the best on the way.",
        "No lesion is removed, and none was seen to be introduced: a critic that sees matching "
        "patients has no reason to ask for more of them. What is made up are the CT numbers: at "
        "10 % dose the liver of one unseen patient comes out 22 HU too bright.",
        batch=8,
        last=True,
    ),
}


def pairs(seeds: range, variant: Variant) -> Iterator[Exam]:
    """Crops around every lesion, and as many elsewhere in the body, at every dose."""
    for seed in seeds:
        places = list(crops(patient("abdomen", seed), seed))
        for dose in variant.doses:
            present, absent, _ = exposed("abdomen", seed, dose)
            exam = replace(present, full=absent.full) if variant.cleaned else present
            yield from (exam.crop(*place) for place in places)


def crops(of: LesionPair, seed: int) -> Iterator[tuple[slice, slice, slice]]:
    """Rows, columns and slice where lesions are, and of as many places in the body at random."""
    centres = [(z, *np.argwhere(inside).mean(0).astype(int)) for _, z, inside in sections(of)]
    body = np.argwhere(of.absent.hu > -300)
    random = np.random.default_rng(seed)
    centres += [tuple(p) for p in random.choice(body, len(centres), replace=False)]
    for z, *centre in centres:
        top, left = (int(np.clip(c - CROP // 2, 0, of.present.shape[1] - CROP)) for c in centre)
        yield slice(top, top + CROP), slice(left, left + CROP), slice(int(z), int(z) + 1)


def untrained(name: str) -> nn.Module:
    """The network as its training begins: the weights that come with the library."""
    network = METHODS[name].network()
    network.load_state_dict(read_weights(shipped_weights(name), METHODS, name).state)
    return network


def train(name: str, variant: Variant) -> Denoiser:
    """Train, or go on training, until the planned steps are done."""
    kind = METHODS[variant.method]
    recipe = Recipe(
        variant.learning_rate,
        variant.batch,
        PATCH,
        variant.steps,
        kind.recipe.betas,
        {**kind.recipe.options, **variant.options},
    )
    sampler = PatchSampler(pairs(TRAINED_ON, variant), PATCH, variant.batch, SEED, "cpu")
    return fit(
        replace(kind, network=partial(untrained, variant.method)),
        sampler,
        Validation(pairs(VALIDATED_ON, variant)),
        recipe=recipe,
        seed=SEED,
        precision="float32",
        folder=BUILD / name,
        validate_every=variant.steps // 10,
        criterion="psnr",
        callbacks=[lambda history, _: print(history[-1], flush=True)],
        progress=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variant", choices=VARIANTS)
    name = parser.parse_args().variant
    variant = VARIANTS[name]
    trained = train(name, variant)
    if variant.last:
        last = checkpoint.load(BUILD / name / "last.safetensors")
        trained.network.load_state_dict(last["objective"]["network"])
    facts = {
        "variant": name,
        "steps": variant.steps,
        "batch": variant.batch,
        "patch": PATCH,
        "learning rate": variant.learning_rate,
        "options": variant.options,
        "precision": "float32",
        "seed": SEED,
        "device": machine(),
        "patients": [f"phantom-abdomen (seeds {TRAINED_ON[0]} to {TRAINED_ON[-1]})"],
        "doses": variant.doses,
        "told": variant.told,
        "remark": variant.remark,
    }
    target = WEIGHTS / f"{variant.method}-{name}.safetensors"
    state, scale = trained.network.state_dict(), trained.normalization
    write_weights(target, variant.method, state, normalization=scale, facts=facts)
    rows = [row for seed in UNSEEN for row in judge(seed, variant.method, name)]
    write_card(target.with_suffix(".md"), variant.method, name, facts, rows)


if __name__ == "__main__":
    main()
