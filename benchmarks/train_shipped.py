"""Train the weights that come with the library, judge them on unseen patients, write their cards.

    python benchmarks/train_shipped.py prepare                  exposures, kept in build/shipped
    python benchmarks/train_shipped.py train redcnn --minutes 30
    python benchmarks/train_shipped.py card redcnn              into ldctlib/weights

Every part can be stopped and called again. The minutes are those of the processor: on a busy
machine the training takes longer and does not become worse. On a GPU they are those of the clock.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from _card import judge, write_card
from _shipped import BUILD, DOSES, PRESETS, exams, trained_on, unseen, validated_on
from _table import machine
from safetensors.torch import load_file
from tqdm import tqdm

import ldctlib
from ldctlib.denoisers import METHODS, Denoiser, Method, Precision, Recipe, load, write_weights
from ldctlib.devices import best_device
from ldctlib.files import write_text
from ldctlib.training import PatchSampler, Validation, fit

WEIGHTS = Path(ldctlib.__file__).parent / "weights"
SEED = 0
EXACT_HU = 0.05  # weights are stored as float16 where that changes an image by less (RMS)

# Short trainings: fewer and smaller patches than published, a higher learning rate that falls,
# and losses in units of the noise, so that heads count as much as chests.
SHORT = {"balance": 2.0, "clip": 0.3, "decay": True}
FROM_IDENTITY = {**SHORT, "start": "identity"}
STAND_IN = {"perceptual": "random-vgg19-shallow", "perceptual_weight": 10.0}
# Weights of the losses after division by the noise, which makes the pixel loss about 1.
LOSSES = {"adversarial": 0.02, "edge": 0.5, "cutmix_warm_up": 200, "critic_steps": 1}
TILE = 128  # the side of the small TransCT


def short(method: str, learning_rate: float, batch: int, patch: int = 64, **options) -> Recipe:
    """A recipe with the published betas and options where nothing else is said."""
    published = METHODS[method].recipe
    options = {**published.options, **options}
    return Recipe(learning_rate, batch, patch, steps=1, betas=published.betas, options=options)


RECIPES = {
    "cnn10": short("cnn10", 3e-4, batch=8, **FROM_IDENTITY),
    "redcnn": short("redcnn", 2e-4, batch=4, **FROM_IDENTITY),
    "wganvgg": short("wganvgg", 3e-4, batch=4, **FROM_IDENTITY, **STAND_IN),
    "resnet": short("resnet", 3e-4, batch=4, **FROM_IDENTITY),
    # Quadratic neurons overflow: 1e-4 after 2500 steps, this rate within 4848 of a longer plan.
    # Trained with --steps 4000.
    "qae": short("qae", 5e-5, batch=16, patch=36, **FROM_IDENTITY),
    "dugan": short("dugan", 5e-5, batch=4, **SHORT, **LOSSES),
    "transct": short("transct", 3e-4, batch=4, patch=TILE, **SHORT),
    "bilateral": short("bilateral", 1e-2, batch=4, **SHORT, range_rate=1e-2, sigma_r=0.1),
}
# Options of the network, where it is not the published one.
NETWORKS = {"transct": {"size": TILE}}
# Two judges of 57 million weights each leave time for a few hundred steps: not enough to begin
# with nothing. The generator is the network of RED-CNN, and begins with its weights.
BEGIN_WITH = {"dugan": "redcnn"}
# Without a skip connection bfloat16 would round the whole image to steps of up to 4 HU.
BFLOAT16 = {"redcnn", "resnet", "dugan"}


def precision_of(name: str) -> str:
    return "bfloat16" if name in BFLOAT16 else "float32"


def numbers(name: str) -> Precision:
    """The same, as networks want it said."""
    return Precision(torch.bfloat16 if name in BFLOAT16 else None, channels_last=True)


def chosen(name: str) -> Method:
    """The method, with the network that is trained here."""
    method = METHODS[name]
    return replace(method, network=partial(untrained, name))


def untrained(name: str) -> torch.nn.Module:
    """The network as its training begins."""
    if name in BEGIN_WITH:
        return load(BEGIN_WITH[name], device="cpu").network.requires_grad_(True)
    return METHODS[name].network(**NETWORKS.get(name, {}))


def prepare(options: argparse.Namespace) -> None:
    """Expose everybody, once."""
    everybody = (trained_on(), True), (validated_on(), False), (unseen(), False)
    for some, train in everybody:
        for _ in tqdm(exams(some, train), "exams", total=len(some) * len(PRESETS) * len(DOSES)):
            pass


def train(options: argparse.Namespace) -> None:
    """Train, or go on training, until the planned steps are done."""
    recipe, folder = RECIPES[options.method], BUILD / options.method
    pairs = (exam for *_, exam in exams(trained_on(), train=True))
    sampler = PatchSampler(pairs, recipe.patch, recipe.batch, SEED, best_device())
    judged = (exam for *_, exam in exams(validated_on()))
    side = NETWORKS.get(options.method, {}).get("size", 256)
    validation = Validation(judged, slices=1, patch=side)
    recipe = replace(recipe, steps=planned_steps(options, sampler, folder / "plan.json"))
    show({"steps": recipe.steps, **validation.of_low_dose()})
    fit(
        chosen(options.method),
        sampler,
        validation,
        recipe=recipe,
        seed=SEED,
        precision=precision_of(options.method),
        folder=folder,
        validate_every=max(1, recipe.steps // 12),
        criterion="psnr",
        callbacks=[lambda history, _: show(history[-1])],
        progress=False,
    )


def planned_steps(options: argparse.Namespace, sampler: PatchSampler, plan: Path) -> int:
    """How many steps fit into the minutes; kept from the first call on."""
    if plan.exists():
        return json.loads(plan.read_text())["steps"]
    if options.steps:
        write_text(plan, json.dumps({"steps": options.steps}))
        return options.steps
    a_step = seconds_per_step(options.method, untrained(options.method), sampler)
    steps = max(100, int(60 * options.minutes / a_step) // 100 * 100)
    unit = "minutes" if sampler.device.type == "cuda" else "processor minutes"
    write_text(plan, json.dumps({"steps": steps, unit: options.minutes}))
    return steps


def seconds_per_step(
    name: str, network: torch.nn.Module, sampler: PatchSampler, recipe: Recipe | None = None
) -> float:
    """Of the processor, or on a GPU of the clock; the median of steps that take three seconds."""
    clock = time.perf_counter if sampler.device.type == "cuda" else time.process_time
    objective = METHODS[name].objective(
        network,
        recipe or RECIPES[name],
        device=sampler.device,
        precision=numbers(name),
        seed=SEED,
    )
    times: list[float] = []
    while len(times) < 6 or sum(times) < 3:
        begin = clock()
        float(objective.step(*sampler.draw())["loss"])
        times.append(clock() - begin)
    return float(np.median(times[2:]))


def card(options: argparse.Namespace) -> None:
    """Weights and card into the package, from the best weights of the training."""
    folder = BUILD / options.method
    trained = load_best(options.method, folder / "best.safetensors")
    target = WEIGHTS / f"{options.method}.safetensors"
    recipe = RECIPES[options.method]
    facts = {
        **json.loads((folder / "plan.json").read_text()),
        "batch": recipe.batch,
        "patch": recipe.patch,
        "learning rate": recipe.learning_rate,
        "options": dict(recipe.options),
        "precision": precision_of(options.method),
        "seed": SEED,
        "device": machine(str(trained.device)),
        "patients": [patient.describe() for patient in trained_on()],
        "presets": PRESETS,
        "doses": DOSES,
    }
    if options.method in BEGIN_WITH:
        facts["began with the weights of"] = BEGIN_WITH[options.method]
    if options.method in NETWORKS:
        facts |= {"network": NETWORKS[options.method], "tiles": True}
    stored = store(trained, target, facts)
    rows = judge(load(options.method, weights=target), exams(unseen()))
    write_card(
        target.with_suffix(".md"), METHODS[options.method], {**facts, "stored": stored}, rows
    )


def load_best(name: str, path: Path) -> Denoiser:
    """The trained network; the file does not say what network it is, where it is another one."""
    network = untrained(name)
    network.load_state_dict(load_file(path))
    return Denoiser(METHODS[name], network, tiles=name in NETWORKS)


def store(trained: Denoiser, target: Path, facts: dict) -> str:
    """Write the weights as float16 if that is exact enough; says which it was."""
    _, _, exam = next(exams(unseen()))
    hu = exam.low.hu[0, 128:384, 128:384]
    exact = trained.denoise_image(hu)
    for dtype in (torch.float16, torch.float32):
        write_weights(
            target,
            trained.name,
            trained.network.state_dict(),
            normalization=trained.normalization,
            facts=facts,
            dtype=dtype,
        )
        stored = load(trained.name, weights=target).denoise_image(hu)
        rms_hu, most_hu = np.sqrt(np.mean((stored - exact) ** 2)), np.abs(stored - exact).max()
        if rms_hu < EXACT_HU:
            break
    kilobytes = target.stat().st_size / 1e3
    name = str(dtype).removeprefix("torch.")
    change = f"; this changes an image by {rms_hu:.3f} HU (RMS; at most {most_hu:.2f} HU)"
    return f"{name}, {kilobytes:,.0f} kB{change if rms_hu else ''}"


def show(row: dict) -> None:
    print({key: round(value, 4) for key, value in row.items()}, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("prepare", "train", "card"))
    parser.add_argument("method", nargs="?", choices=RECIPES)
    parser.add_argument("--minutes", type=float, default=30.0, help="of training")
    parser.add_argument("--steps", type=int, help="instead of minutes")
    options = parser.parse_args()
    if options.part != "prepare" and options.method is None:
        parser.error("name a method")
    {"prepare": prepare, "train": train, "card": card}[options.part](options)


if __name__ == "__main__":
    main()
