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
from ldctlib.denoisers import (
    METHODS,
    ImageNetwork,
    Method,
    Precision,
    Recipe,
    Short,
    load,
    write_weights,
)
from ldctlib.devices import best_device
from ldctlib.files import write_text
from ldctlib.training import PatchSampler, Validation, fit

WEIGHTS = Path(ldctlib.__file__).parent / "weights"
SEED = 0
EXACT_HU = 0.05  # weights are stored as float16 where that changes an image by less (RMS)


def short_of(name: str) -> Short:
    """How this method is trained here."""
    short = METHODS[name].trainable.short
    assert short is not None, f"{name} comes without weights"
    return short


def precision_of(name: str) -> str:
    return "bfloat16" if short_of(name).bfloat16 else "float32"


def numbers(name: str) -> Precision:
    """The same, as networks want it said."""
    return Precision(torch.bfloat16 if short_of(name).bfloat16 else None, channels_last=True)


def chosen(name: str) -> Method:
    """The method, with the network that is trained here."""
    return METHODS[name].with_learned(network=partial(untrained, name))


def untrained(name: str) -> torch.nn.Module:
    """The network as its training begins."""
    short = short_of(name)
    if short.begin_with:
        return load(short.begin_with, device="cpu").network.requires_grad_(True)
    return METHODS[name].trainable.network(**short.network)


def prepare(options: argparse.Namespace) -> None:
    """Expose everybody, once."""
    everybody = (trained_on(), True), (validated_on(), False), (unseen(), False)
    for some, train in everybody:
        for _ in tqdm(exams(some, train), "exams", total=len(some) * len(PRESETS) * len(DOSES)):
            pass


def train(options: argparse.Namespace) -> None:
    """Train, or go on training, until the planned steps are done."""
    recipe, folder = short_of(options.method).recipe, BUILD / options.method
    pairs = (exam for *_, exam in exams(trained_on(), train=True))
    sampler = PatchSampler(pairs, recipe.patch, recipe.batch, SEED, best_device())
    judged = (exam for *_, exam in exams(validated_on()))
    side = short_of(options.method).network.get("size", 256)
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
    objective = METHODS[name].trainable.objective(
        network,
        recipe or short_of(name).recipe,
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
    short = short_of(options.method)
    recipe = short.recipe
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
    if short.begin_with:
        facts["began with the weights of"] = short.begin_with
    if short.network:
        facts |= {"network": dict(short.network), "tiles": True}
    stored = store(trained, target, facts)
    rows = judge(load(options.method, weights=target), exams(unseen()))
    write_card(
        target.with_suffix(".md"), METHODS[options.method], {**facts, "stored": stored}, rows
    )


def load_best(name: str, path: Path) -> ImageNetwork:
    """The trained network; the file does not say what network it is, where it is another one."""
    network = untrained(name)
    network.load_state_dict(load_file(path))
    return ImageNetwork(METHODS[name], network, tiles=bool(short_of(name).network))


def store(trained: ImageNetwork, target: Path, facts: dict) -> str:
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
    parser.add_argument("method", nargs="?", choices=METHODS)
    parser.add_argument("--minutes", type=float, default=30.0, help="of training")
    parser.add_argument("--steps", type=int, help="instead of minutes")
    options = parser.parse_args()
    if options.part != "prepare" and options.method is None:
        parser.error("name a method")
    {"prepare": prepare, "train": train, "card": card}[options.part](options)


if __name__ == "__main__":
    main()
