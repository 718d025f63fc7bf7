"""The course's own comparison: eight methods, each tuned alike and trained with ten seeds.

    python benchmarks/campaign.py pace       how many steps of each method a core does in a second
    python benchmarks/campaign.py tune       a search for each method's hyper-parameters
    python benchmarks/campaign.py run        the trainings, on two workers
    python benchmarks/campaign.py publish    into ldctlib/evaluation/published

Every part can be stopped, killed and called again. Every method gets the same time on one core of
the processor, not the same number of steps: what a larger network costs is part of what it is.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import pandas as pd
import torch
from _shipped import ANATOMIES, exams, trained_on, unseen, validated_on
from _table import machine
from train_shipped import numbers, precision_of, seconds_per_step, short_of

import ldctlib
from ldctlib.denoisers import METHODS, ImageNetwork, Method, Range, Recipe
from ldctlib.denoisers.short import FROM_IDENTITY
from ldctlib.files import write_text
from ldctlib.masks import Masks
from ldctlib.metrics import evaluate, organ_masks
from ldctlib.physics import Exam, expose
from ldctlib.physics.presets import BENCHMARK_DOSE
from ldctlib.scans import open_scan
from ldctlib.training import PatchSampler, Search, Validation, campaign, search
from ldctlib.training.recipes import read_recipe, recipe_facts, write_recipe

BUILD = Path("build/campaign")
PUBLISHED = Path(ldctlib.__file__).parent / "metrics" / "published" / "campaign"
SECONDS, SECONDS_OF_A_TRIAL = 30, 10  # of one core
TRIALS, STARTUP = 12, 6
BATCH, PATCH = 2, 64
LOOKS = 4  # how often a training looks at the validation slices
MIDDLE = slice(128, 384)  # rows and columns of a slice that are judged
LEAST_VOXELS = 1000
# What changes the cost of a step is not searched for.
COSTLY = {"steps", "batch", "patch", "critic_steps"}
# The published range is that of VGG-19; the features of the stand-in are of another size.
STAND_IN = {"perceptual_weight": Range(0, 20)}
METRICS = ("psnr", "ssim", "vif", "rmse")


def method_of(name: str) -> Method:
    """The method, with the network that is trained here."""
    learned = METHODS[name].trainable
    network = partial(learned.network, **short_of(name).network)
    return METHODS[name].with_learned(network=network)


def recipe_for(name: str, seconds: float) -> Recipe:
    """What is not searched for; as many steps as a core does in that time."""
    return replace(base(name), steps=max(1, round(pace()[name] * seconds)))


def base(name: str) -> Recipe:
    """Batch, patch and options: those of the shipped weights, and patches alike for all."""
    patch = short_of(name).network.get("size", PATCH)
    recipe = replace(short_of(name).recipe, batch=BATCH, patch=patch)
    if name == "dugan":  # without the help of RED-CNN
        recipe = replace(recipe, options={**recipe.options, **FROM_IDENTITY})
    return recipe


@cache
def pace() -> dict[str, float]:
    """Steps that each method does in a second of one core; measured once."""
    path = BUILD / "pace.json"
    if path.exists():
        return json.loads(path.read_text())
    torch.set_num_threads(1)
    steps = {}
    for name in METHODS:
        recipe = base(name)
        sampler = PatchSampler(trained(), recipe.patch, BATCH, seed=0)
        a_step = seconds_per_step(name, method_of(name).trainable.network(), sampler, recipe)
        steps[name] = round(1 / a_step, 3)
        print(name, steps[name], "steps a second", flush=True)
    write_text(path, json.dumps(steps))
    return steps


def as_published(patients: list, train: bool = False) -> list[Exam]:
    """Exams at the dose and with the noise of the published benchmark."""
    found = exams(patients, train)
    doses = BENCHMARK_DOSE
    return [e for preset, d, e in found if preset == "benchmark" and d == doses[e.full.anatomy]]


@cache
def trained() -> list[Exam]:
    """Real patients and phantoms to train on."""
    return as_published(trained_on(), train=True)


@cache
def validated() -> Validation:
    """Phantoms to choose hyper-parameters and checkpoints by."""
    return Validation(as_published(validated_on()), slices=1, patch=128)


@cache
def judged() -> list[Exam]:
    """The middle of two real patients and of a phantom of each anatomy, none seen before."""
    found = as_published([p for p in unseen() if p.name == "nsclc-lung1-001"])
    # With the photons of the benchmark nothing would be left of so large a patient.
    large = open_scan("totalsegmentator-dicom").slab(9, 11)
    large = replace(large, masks={})
    found.append(expose(large, 0.25, seed=900, photons=1e7, keep_sinogram=False))
    for anatomy in ANATOMIES:
        # As many slices as the texture of an organ takes.
        scan = open_scan(f"phantom-{anatomy}", seed=0, shape=(3, 512, 512))
        found.append(expose(scan, BENCHMARK_DOSE[anatomy], seed=900, keep_sinogram=False))
    return [middle(exam) for exam in found]


def middle(exam: Exam) -> Exam:
    """The middle of the slices, and of the organs if there are any."""
    full, low = (replace(s, hu=s.hu[:, MIDDLE, MIDDLE], masks={}) for s in (exam.full, exam.low))
    if "structures" in exam.full.masks:
        organs = organ_masks(exam.full)
        inside = {name: organs.boolean(name)[:, MIDDLE, MIDDLE] for name in organs.labels}
        large = {name: mask for name, mask in inside.items() if mask.sum() >= LEAST_VOXELS}
        full = replace(full, masks={"organs": Masks.from_volumes(large)})
    return Exam(full, low, None, exam.dose)


def judge(denoisers: dict, some: list[Exam], low_dose: bool = False) -> pd.DataFrame:
    """Every metric; the similarity of features where there are organs."""
    ready = {
        name: ImageNetwork(
            trained.method,
            trained.network,
            tiles=bool(short_of(name).network),
            precision=numbers(name),
        )
        for name, trained in denoisers.items()
    }
    with_organs = [exam for exam in some if exam.full.masks]
    return pd.concat(
        [
            evaluate(ready, some, metrics=METRICS, low_dose=low_dose),
            evaluate(ready, with_organs, metrics=["rfs"], low_dose=low_dose),
        ]
    )


def searched(name: str) -> Search:
    """As many short trainings for every method, over the published ranges."""
    space = {
        key: STAND_IN.get(key, ends)
        for key, ends in METHODS[name].trainable.space.items()
        if key not in COSTLY
    }
    return search(
        method_of(name),
        trained(),
        validated(),
        trials=TRIALS,
        startup=STARTUP,
        recipe=recipe_for(name, SECONDS_OF_A_TRIAL),
        space=space,
        storage=BUILD / f"{name}.log",
        precision=precision_of(name),
        device="cpu",
    )


def tune(options: argparse.Namespace) -> None:
    """A search for every method; its best recipe."""
    for name in options.methods:
        found = searched(name)
        write_recipe(name, found.recipe, BUILD / f"{name}.json")
        print(name, round(found.ssim, 4), recipe_facts(found.recipe), flush=True)


def tuned(name: str) -> Recipe:
    """What the search has found, with the steps of a whole training."""
    _, found = read_recipe(BUILD / f"{name}.json")
    return replace(found, steps=recipe_for(name, SECONDS).steps)


def run(options: argparse.Namespace) -> None:
    """Train and judge, one method after the other; the seeds of each side by side."""
    from distributed import Client, LocalCluster

    workers = {"n_workers": options.workers, "threads_per_worker": 1}
    with LocalCluster(**workers, dashboard_address=None) as cluster, Client(cluster) as client:
        for name in options.methods:
            recipe = tuned(name)
            outcome = campaign(
                [method_of(name)],
                options.seeds,
                trained,
                validated,
                test=judged,
                evaluate=judge,
                recipes={name: recipe},
                folder=BUILD / name,
                client=client,
                precision=precision_of(name),
                validate_every=-(-recipe.steps // LOOKS),
                device="cpu",
            )
            print(name, len(outcome.rows), "values; failed:", outcome.failed, flush=True)


def diverged(name: str) -> list[int]:
    """Seeds whose training failed."""
    return sorted(int(p.parent.name.split("-")[-1]) for p in (BUILD / name).glob("*/failed.txt"))


def publish(options: argparse.Namespace) -> None:
    """A line for every training and patient, and what to know of them."""
    tables = [pd.read_csv(BUILD / name / "results.csv") for name in METHODS]
    table = pd.concat([judge({}, judged(), low_dose=True), *tables])
    table = table[table["slice"].notna() | (table["metric"] == "rfs")]
    key = ["method", "seed", "anatomy", "patient"]
    means = table.groupby([*key, "metric"], sort=False, dropna=False)["value"].mean().unstack()
    order = ["low dose", *METHODS]
    means = means.reset_index().sort_values(["method"], key=lambda m: m.map(order.index))
    means = means[[*key, *METRICS, "rfs"]].round(dict.fromkeys(("ssim", "vif", "rfs"), 4))
    means = means.round({"psnr": 3, "rmse": 2})
    write_text(PUBLISHED.with_suffix(".csv"), means.to_csv(index=False))
    trials = {
        name: [
            {metric: round(row[metric], 4) for metric in ("ssim", "psnr")}
            for row in searched(name).rows
            if row["state"] == "done"
        ]
        for name in METHODS
    }
    facts = {
        "source": "benchmarks/campaign.py of this project",
        "note": f"Every training had about {SECONDS} s on one core of the processor, and its "
        f"hyper-parameters were the best of {TRIALS} trainings of {SECONDS_OF_A_TRIAL} s. RFS of "
        "the phantoms only. TransCT is the small one, for slices of 128 x 128 pixels, on tiles; "
        "the perceptual loss of WGAN-VGG uses a stand-in for VGG-19.",
        "seconds": SECONDS,
        "trials": TRIALS,
        "machine": machine(),
        "recipes": {name: recipe_facts(tuned(name)) for name in METHODS},
        "diverged": {name: diverged(name) for name in METHODS},
        "validation of the trials": trials,
    }
    write_text(PUBLISHED.with_suffix(".json"), json.dumps(facts, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("pace", "tune", "run", "publish"))
    parser.add_argument("methods", nargs="*", default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.part == "pace":
        pace()
        return
    {"tune": tune, "run": run, "publish": publish}[options.part](options)


if __name__ == "__main__":
    main()
