"""Train a network: draw a batch, take a step, look at fixed slices from time to time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from tqdm.auto import tqdm

from ldctlib.denoisers import METHODS, Learned, Method, Precision, Recipe
from ldctlib.denoisers.network_denoiser import NetworkDenoiser
from ldctlib.devices import best_device
from ldctlib.physics.exam import Exam
from ldctlib.training.folder import clear, identify, saved_state
from ldctlib.training.memory import freed_memory_kept
from ldctlib.training.precision import choose_precision, from_facts
from ldctlib.training.run import Run
from ldctlib.training.sampler import Sampler
from ldctlib.training.samplers import SAMPLERS
from ldctlib.training.validation import Validation

History = list[dict[str, float]]
Callback = Callable[[History, NetworkDenoiser], object]


def fit(
    method: str | Method,
    exams: Iterable[Exam] | Sampler,
    validation: Iterable[Exam] | Validation,
    *,
    steps: int | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    precision: str | Precision = "auto",
    folder: str | Path | None = None,
    resume: bool = True,
    validate_every: int = 500,
    criterion: str = "ssim",
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **options: Any,
) -> NetworkDenoiser:
    """Train a network and return it with the weights that did best on the validation slices.

    With a ``folder``, the state is written at every validation, and the same call continues an
    interrupted training as if nothing had happened: on a CPU (with as many threads) to the last
    bit, on a GPU up to its own run-to-run differences. Ctrl-C finishes the step, saves, and stops.

    Args:
        method: name of a method, or a `Method` of your own.
        exams: to train on; or a `Sampler`, whose batches then begin anew with ``seed``.
        validation: exams of other patients; or a `Validation`.
        steps: number of updates; those of the recipe if None.
        recipe: hyper-parameters; the published ones of the method if None.
        seed: of everything that is random: weights, batches, the objective.
        device: the best available if None; that of the sampler if one is given.
        precision: "auto" measures what is fastest here, "float32" or "bfloat16" choose the
            type; or a `Precision`. Weights and validation are float32 in any case.
        folder: for best.safetensors (which `denoisers.load` reads), last.safetensors (the state)
            and history.csv.
        resume: continue what the folder holds; False replaces it.
        validate_every: steps between two validations.
        criterion: the validation figure that decides which weights are best: "ssim", "psnr", …
        callbacks: called with (history, denoiser) after every validation; True ends the training.
        progress: show a progress bar.
        options: of the method's objective, over those of the recipe.

    Raises:
        ValueError: the folder holds another training, or the input does not fit.
        FloatingPointError: the training diverged; the folder keeps the last good state.
    """
    method = _method(method)
    sampler, recipe = _sampler(exams, method.trainable, recipe, steps, seed, device)
    if not isinstance(validation, Validation):
        validation = Validation(validation)
    if criterion not in validation.figures:
        raise ValueError(f"criterion is one of {', '.join(validation.figures)}, not {criterion!r}.")
    if validate_every < 1:
        raise ValueError(f"There is at least 1 step between validations, not {validate_every}.")
    settings = {"seed": seed, "precision": str(precision), "criterion": criterion}
    identity = identify(method, recipe, sampler, validation, settings, options)
    folder = Path(folder) if folder is not None else None
    state = saved_state(folder, identity) if folder and resume else None
    with _undisturbed(sampler.device), _AfterStep() as interrupt:
        if state:
            precision = from_facts(state["precision"])
        elif isinstance(precision, str):
            precision = choose_precision(precision, method, recipe, sampler.device, options)
        run = Run(method, recipe, sampler, validation, precision, identity, options)
        if folder:
            _begin(run, folder, state)
        bar = tqdm(total=recipe.steps, initial=run.step, desc=method.name, disable=not progress)
        while run.step < recipe.steps and not interrupt.wanted:
            run.count(run.objective.step(*sampler.draw()))
            bar.update()
            if run.step % validate_every == 0 or run.step == recipe.steps:
                row = run.validate()
                bar.set_postfix({name: f"{row[name]:.3f}" for name in ("psnr", "ssim")})
                if folder:
                    run.save(folder)
                if True in [callback(run.history, run.denoiser) for callback in callbacks]:
                    break
        bar.close()
        if interrupt.wanted:
            raise KeyboardInterrupt(_stopped(run, folder))
        return run.best_denoiser()


def _begin(run: Run, folder: Path, state: Mapping[str, Any] | None) -> None:
    """Continue from the folder's state, or make the folder that of a new run."""
    if state:
        run.resume(state, folder)
    else:
        clear(folder)
        run.save(folder)


def _stopped(run: Run, folder: Path | None) -> str:
    """Save what an interrupted run has reached, and say how to go on."""
    if folder is None:
        return f"Stopped after {run.step} steps; give a folder to be able to continue."
    run.save(folder)
    return f"Stopped after {run.step} steps; the same call continues from {folder}."


def _method(method: str | Method) -> Method:
    if isinstance(method, Method):
        return method
    if method not in METHODS:
        raise ValueError(f"No method is called {method!r}; there are {', '.join(METHODS)}.")
    return METHODS[method]


def _sampler(
    exams: Iterable[Exam] | Sampler,
    learned: Learned,
    recipe: Recipe | None,
    steps: int | None,
    seed: int,
    device: torch.device | str | None,
) -> tuple[Sampler, Recipe]:
    """A sampler at its beginning, and the recipe with its batch and patch."""
    recipe = recipe or learned.recipe
    recipe = replace(recipe, steps=recipe.steps if steps is None else steps)
    if not isinstance(exams, Sampler):
        kind = learned.sampler
        make = SAMPLERS[kind] if isinstance(kind, str) else kind
        return make(exams, recipe.patch, recipe.batch, seed, best_device(device)), recipe
    if device is not None and torch.device(device).type != exams.device.type:
        raise ValueError(f"The sampler's scans lie on {exams.device}, not on {device}.")
    return exams.from_seed(seed), replace(recipe, patch=exams.patch, batch=exams.batch)


@contextmanager
def _undisturbed(device: torch.device) -> Iterator[None]:
    """PyTorch's global generators are left as they were, memory is kept from step to step."""
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus), freed_memory_kept(device):
        yield


class _AfterStep:
    """Lets Ctrl-C wait until a step is done; a second one does not wait."""

    wanted = False

    def __enter__(self) -> _AfterStep:
        self.main = threading.current_thread() is threading.main_thread()
        if self.main:
            self.before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self.main:
            signal.signal(signal.SIGINT, self.before)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
