"""Many trainings, each a job of its own: every method with every seed, here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from tqdm.auto import tqdm

from ldctlib.denoisers import Method, Recipe
from ldctlib.denoisers.registry import method as registered
from ldctlib.files import write_table
from ldctlib.metrics import evaluate as judge
from ldctlib.metrics._tables import pandas, tidy
from ldctlib.physics.exam import Exam
from ldctlib.training.exam_files import fingerprint, read_exams, write_exams
from ldctlib.training.job import Evaluate, Job, Rows, Source, result_of, run_job
from ldctlib.training.recipes import recipe_facts
from ldctlib.training.workers import connected, here, on_cluster

RESULTS = "results.csv"
# Settings of `fit` that change no result.
INCIDENTAL = ("device", "progress")
# The low dose is the same in all jobs.
EVALUATION = partial(judge, low_dose=False)

Exams: TypeAlias = "Sequence[Exam] | Callable[[], Iterable[Exam]]"


@dataclass(frozen=True)
class Campaign:
    """What a campaign has brought.

    Args:
        folder: of the jobs, and of results.csv.
        rows: of the finished jobs.
        failed: what went wrong in each job that is not finished, by its name.
    """

    folder: Path
    rows: Rows = field(repr=False)
    failed: Mapping[str, str]

    def table(self) -> Any:
        """The rows as a pandas table, as from `metrics.evaluate`."""
        return tidy(tuple(row.values()) for row in self.rows)


def campaign(
    methods: Iterable[str | Method],
    seeds: int | Iterable[int],
    exams: Exams,
    validation: Exams,
    *,
    folder: str | Path,
    test: Exams | None = None,
    recipes: Mapping[str, Recipe] | None = None,
    steps: int | None = None,
    evaluate: Evaluate = EVALUATION,
    client: Any = None,
    scheduler: str | None = None,
    progress: bool = True,
    **settings: Any,
) -> Campaign:
    """Train every method with every seed and judge them all; a job that fails stops no other.

    Each job trains in ``folder/<method>-<seed>`` and writes its result there at once. The same
    call continues a campaign that was stopped or killed: finished jobs are not repeated,
    unfinished ones continue from their checkpoint, failed ones are tried again.

    Without client and scheduler the jobs run here, one after the other, and ``distributed`` need
    not be installed. On a cluster all machines must see ``folder`` under the same path, a worker
    has one thread, and one GPU if any. If some workers have the resource "GPU", jobs go only to
    those. A job whose worker dies continues on another.

    Args:
        methods: names, or methods of your own. An algorithm without weights is judged once, under
            the first seed.
        seeds: their number (10 are 0 to 9), or the seeds.
        exams: to train on; or a function without arguments that makes them, which is called for
            each job where that runs. Exams in a list are written to the folder for a cluster.
        validation: to choose checkpoints by, likewise.
        folder: for everything that is written.
        test: to judge on, likewise; the validation exams if None.
        recipes: hyper-parameters by method, where they are not the published ones.
        steps: number of updates; those of the recipe if None.
        evaluate: called with ({method: denoiser}, test exams), gives a pandas table or dicts with
            the columns of the results; `metrics.evaluate` without the low dose if not given.
        client: of ``dask.distributed``.
        scheduler: or the address of its scheduler.
        progress: show progress bars.
        settings: of `fit` for every job, such as ``device`` and ``validate_every``, and options
            of the objectives.

    Returns:
        The results, which are in ``folder/results.csv`` as well.

    Raises:
        ValueError: the folder holds another campaign, or the input does not fit.
    """
    folder = Path(folder).resolve()
    test = validation if test is None else test
    data = {"exams": exams, "validation": validation, "test": test}
    data = {name: given if callable(given) else list(given) for name, given in data.items()}
    if getattr(evaluate, "func", evaluate) is judge:
        _check_names(data["test"])
    facts = {f"{name} data": fingerprint(given) for name, given in data.items()}
    facts["evaluation"] = fingerprint(evaluate)
    facts["settings"] = str({k: v for k, v in sorted(settings.items()) if k not in INCIDENTAL})
    jobs = _jobs(methods, seeds, recipes or {}, steps, folder, facts)
    finished = {job.name: rows for job in jobs if (rows := result_of(job)) is not None}
    open_jobs = [job for job in jobs if job.name not in finished]
    failed: dict[str, str] = {}
    with connected(client, scheduler) as cluster, _bar(jobs, finished, progress) as bar:
        local = cluster is None
        sources: dict[str, Any] = {
            name: _source(given, folder / name, local) for name, given in data.items()
        }
        settings = {"progress": progress and local, **settings}
        work = partial(run_job, **sources, evaluate=evaluate, settings=settings)
        outcomes = here(work, open_jobs) if local else on_cluster(work, open_jobs, cluster)
        for job, outcome in outcomes:
            if isinstance(outcome, Exception):
                failed[job.name] = f"{type(outcome).__name__}: {outcome}"
                bar.write(f"{job.name} failed. {failed[job.name]}")
            else:
                finished[job.name] = outcome
                _write(jobs, finished, folder)
            bar.update()
    return Campaign(folder, _write(jobs, finished, folder), failed)


def _check_names(test: Exams) -> None:
    """Raise what the evaluation would raise, before anything is trained."""
    pandas()
    names = [] if callable(test) else [exam.full.name for exam in test]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"Two test exams are called {twice.pop()}: give their scans other names.")


def _jobs(
    methods: Iterable[str | Method],
    seeds: int | Iterable[int],
    recipes: Mapping[str, Recipe],
    steps: int | None,
    folder: Path,
    facts: Mapping[str, Any],
) -> list[Job]:
    """Every method with every seed."""
    kinds = [m if isinstance(m, Method) else registered(m) for m in methods]
    seeds = list(range(seeds) if isinstance(seeds, int) else seeds)
    strangers = recipes.keys() - {kind.name for kind in kinds}
    if strangers:
        raise ValueError(f"There is a recipe for {', '.join(strangers)}, which is not in it.")
    jobs = []
    for kind in kinds:
        recipe = recipes.get(kind.name) or (kind.learned.recipe if kind.learned else None)
        if recipe and steps is not None:
            recipe = replace(recipe, steps=steps)
        own = {"method": kind.name, **(recipe_facts(recipe) if recipe else {}), **facts}
        for seed in seeds if kind.learned else seeds[:1]:
            place = folder / f"{kind.name}-{seed}"
            jobs.append(Job(kind, seed, recipe, place, {"seed": seed, **own}))
    return jobs


def _bar(jobs: Sized, finished: Sized, progress: bool) -> Any:
    return tqdm(total=len(jobs), initial=len(finished), desc="jobs", disable=not progress)


def _source(given: Exams, stem: Path, local: bool) -> Source:
    """A function that gives the exams wherever it is called."""
    if callable(given):
        return given
    if local:
        return partial(list, given)
    path = stem.with_suffix(".safetensors")
    write_exams(given, path)
    return partial(read_exams, path)


def _write(jobs: Iterable[Job], finished: Mapping[str, Rows], folder: Path) -> Rows:
    """results.csv: a line for every value of the finished jobs, in the order of the jobs."""
    rows = [row for job in jobs for row in finished.get(job.name, [])]
    if rows:
        write_table(folder / RESULTS, rows)
    return rows
