"""Search for hyper-parameters: train, look at the validation SSIM, choose where to look next.

The protocol of the published benchmark: a Gaussian process with expected improvement, 50 trials,
the validation SSIM of the best checkpoint. Unlike there, every trial is judged on the same slices.
Eulig et al. 2024, https://doi.org/10.1002/mp.17379.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from tqdm.auto import tqdm

from ldctlib.denoisers import Method, Precision, Recipe
from ldctlib.denoisers.denoiser import sinogram_of
from ldctlib.denoisers.registry import method as registered
from ldctlib.devices import best_device
from ldctlib.physics.exam import Exam
from ldctlib.training import study as trials_of
from ldctlib.training.fit import fit
from ldctlib.training.precision import as_facts, choose_precision, from_facts
from ldctlib.training.recipes import recipe_facts
from ldctlib.training.sampler import Sampler
from ldctlib.training.spaces import Space, scaled, with_values
from ldctlib.training.study import Study
from ldctlib.training.validation import Validation

Data: TypeAlias = "Iterable[Exam] | Callable[[Recipe], Iterable[Exam] | Sampler]"

# How often a trial looks at the validation slices.
LOOKS = 10
# What a trial of a smaller budget looks at: slices of each exam, and their central pixels.
SMALL_LOOK = {"slices": 2, "patch": 128}


class Search:
    """What a search has found so far.

    Args:
        method: whose hyper-parameters they are.
        base: the recipe into which the values of a trial are put.
        study: its trials.
    """

    def __init__(self, method: Method, base: Recipe, study: Study) -> None:
        self.method, self.base, self.study = method, base, study

    @property
    def recipe(self) -> Recipe:
        """The recipe of the best trial.

        Raises:
            ValueError: no trial has succeeded yet.
        """
        return with_values(self.base, self._best.params)

    @property
    def ssim(self) -> float:
        """Validation SSIM of the best checkpoint of the best trial."""
        return float(self._best.value)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dict for every trial: number, state, ssim, psnr, best step, seconds, values."""
        return trials_of.table(self.study)

    def table(self) -> Any:
        """The same as a pandas table."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def plot_history(self, **others: Search) -> Any:
        """SSIM of every trial and the best so far; other searches by name, to compare."""
        from ldctlib.training.search_plots import plot_history

        return plot_history({self.study.name: self, **others})

    def plot_importance(self) -> Any:
        """How much each hyper-parameter decides whether a trial is among the best."""
        from ldctlib.training.search_plots import plot_importance

        return plot_importance(self)

    @property
    def _best(self) -> Any:
        done = [trial for trial in self.study.counted if "problem" not in trial.user_attrs]
        if not done:
            raise ValueError(f"No trial of {self.study.name} has succeeded.")
        return max(done, key=lambda trial: trial.value)


def search(
    method: str | Method,
    exams: Data,
    validation: Iterable[Exam] | Validation,
    *,
    trials: int = 50,
    budget: float = 1.0,
    storage: str | Path | None = None,
    sampler: str = "gp",
    startup: int = 10,
    seed: int = 0,
    recipe: Recipe | None = None,
    space: Space | None = None,
    device: torch.device | str | None = None,
    precision: str | Precision = "auto",
    progress: bool = True,
    **options: Any,
) -> Search:
    """Search for the hyper-parameters whose best checkpoint has the highest validation SSIM.

    With a ``storage``, the same call continues a search that was stopped or killed, and any number
    of processes that make this call share its trials. A trial whose training diverges, or does
    not fit into memory, is recorded as failed and counts; one that was killed is done again.

    Args:
        method: name of a method, or a `Method` of your own.
        exams: to train on; or a function that makes exams, or a `Sampler`, for a recipe.
        validation: exams of other patients; or a `Validation`. Of exams four slices each are
            judged whole, with a budget below 1 the central 128 x 128 pixels of two.
        trials: how many, of all processes together.
        budget: fraction of the published steps; shrinks batch and patch, too, see `scaled`.
        storage: file of the trials, on a disk that all processes see; in memory if None.
        sampler: "gp" or "random".
        startup: random trials before the Gaussian process begins.
        seed: of the choices, and of every training.
        recipe: what is not searched for; the published one if None.
        space: other ranges than those of the method, before the budget shrinks them.
        device: the best available if None.
        precision: as in `fit`; "auto" is measured once and then the same for all trials.
        progress: show a progress bar.
        options: of the method's objective, over those of the recipe.

    Raises:
        ValueError: the storage holds another search, or the input does not fit.
    """
    kind = method if isinstance(method, Method) else registered(method)
    base = recipe or kind.trainable.recipe
    base = replace(base, options={**base.options, **options})
    ranges = scaled(kind.trainable.space if space is None else space, budget)
    if not callable(exams):
        exams = list(exams)
        largest = base.patch if "patch" not in ranges else int(ranges["patch"].high)
        _check_patch(exams, kind, largest)
    if not isinstance(validation, Validation):
        validation = Validation(validation, **(SMALL_LOOK if budget < 1 else {}))
    device = best_device(device)
    facts = {
        "seed": seed,
        "space": {name: asdict(ends) for name, ends in ranges.items()},
        "recipe": _fixed(base, ranges),
        "validation data": validation.fingerprint,
        "startup": startup,
    }
    path = None if storage is None else Path(storage)
    name = f"{kind.name} {sampler}"
    study = Study(path, name, facts, ranges, sampler=sampler, startup=startup, seed=seed)
    numbers = study.agree("precision", lambda: _precision(precision, kind, base, device))
    settings = {"seed": seed, "device": device, "precision": from_facts(numbers)}
    with study, tqdm(desc=name, total=trials, disable=not progress) as bar:
        while (trial := study.next(trials)) is not None:
            with study.under_way(trial):
                _try(
                    study, trial, kind, with_values(base, trial.params), exams, validation, settings
                )
            bar.n = len(study.counted)
            bar.refresh()
    return Search(kind, base, study)


def _try(
    study: Study,
    trial: Any,
    method: Method,
    recipe: Recipe,
    exams: Any,
    validation: Validation,
    settings: dict[str, Any],
) -> None:
    """One training, and its record."""
    looks: list[dict[str, float]] = []
    try:
        fit(
            method,
            exams(recipe) if callable(exams) else exams,
            validation,
            recipe=recipe,
            validate_every=math.ceil(recipe.steps / LOOKS),
            callbacks=[lambda history, _: looks.append(history[-1])],
            progress=False,
            **settings,
        )
    except (FloatingPointError, MemoryError, torch.OutOfMemoryError) as problem:
        study.failed(trial, " ".join(str(problem).split()))
        return
    best = max(looks, key=lambda look: look["ssim"])
    study.done(trial, best["ssim"], psnr=best["psnr"], step=best["step"])


def _precision(
    asked: str | Precision, method: Method, recipe: Recipe, device: torch.device
) -> dict[str, Any]:
    if isinstance(asked, str):
        with torch.random.fork_rng():
            asked = choose_precision(asked, method, recipe, device)
    return as_facts(asked)


def _fixed(recipe: Recipe, searched: Iterable[str]) -> dict[str, Any]:
    """What stays as it is in all trials."""
    facts = recipe_facts(recipe)
    facts |= facts.pop("options")
    if "beta1" in searched:
        facts["betas"] = facts["betas"][1:]
    return {name: value for name, value in facts.items() if name not in searched}


def _check_patch(exams: list[Exam], method: Method, largest: int) -> None:
    """Raise before any trial is trained in vain."""
    for exam in exams:
        by_image = method.needs != "sinogram"
        slices = exam.full if by_image else sinogram_of(exam, method.name).line_integrals
        side = min(slices.shape[1:])
        if side < largest:
            raise ValueError(
                f"{exam.full.name} has {side} pixels a side, and the search tries patches "
                f"of up to {largest}: give larger slices, a smaller budget or another space."
            )
