"""One job of a campaign: train one method with one seed, judge it, write the result."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ldctlib.denoisers import Method, Recipe
from ldctlib.files import write_text
from ldctlib.metrics._tables import COLUMNS
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan
from ldctlib.training.fit import fit
from ldctlib.training.lease import turn

RESULT, FAILURE = "result.json", "failed.txt"

Rows: TypeAlias = "list[dict[str, Any]]"
Source: TypeAlias = "Callable[[], Iterable[Exam]]"
Denoisers: TypeAlias = "Mapping[str, Callable[[Exam], Scan]]"
Evaluate: TypeAlias = "Callable[[Denoisers, Iterable[Exam]], Any]"

# PyTorch's global generators, and its threads, belong to one training at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Job:
    """One training of a campaign.

    Args:
        method: what is trained.
        seed: of the training.
        recipe: its hyper-parameters; None of an algorithm without weights.
        folder: for checkpoints and the result.
        facts: what the result depends on, as JSON has it.
    """

    method: Method
    seed: int
    recipe: Recipe | None
    folder: Path
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Method and seed, as in "cnn10-3"."""
        return f"{self.method.name}-{self.seed}"


def run_job(
    job: Job,
    exams: Source,
    validation: Source,
    test: Source,
    evaluate: Evaluate,
    settings: Mapping[str, Any],
) -> Rows:
    """Do a job, or what is left of it; its rows, which are in its folder as well.

    Raises:
        Exception: whatever went wrong; its traceback is in the folder.
    """
    # A worker that is only out of reach may still be busy with the job.
    with _one_at_a_time, turn(job.folder / "running"):
        finished = result_of(job)
        if finished is not None:
            return finished
        try:
            denoiser = _denoiser(job, exams, validation, settings)
            rows = _as_rows(evaluate({job.method.name: denoiser}, test()), job)
        except Exception:
            write_text(job.folder / FAILURE, traceback.format_exc())
            raise
        write_text(job.folder / RESULT, json.dumps({**job.facts, "rows": rows}))
        (job.folder / FAILURE).unlink(missing_ok=True)
        return rows


def _denoiser(
    job: Job, exams: Source, validation: Source, settings: Mapping[str, Any]
) -> Callable[[Exam], Scan]:
    """The method's denoiser, trained where it learns."""
    if job.method.build is not None:
        return job.method.build()
    own: dict[str, Any] = {"recipe": job.recipe, "seed": job.seed, "folder": job.folder}
    return fit(job.method, exams(), validation(), **own, **settings)


def result_of(job: Job) -> Rows | None:
    """The rows of a finished job, None of another.

    Raises:
        ValueError: the folder holds the result of something else.
    """
    path = job.folder / RESULT
    if not path.exists():
        return None
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    rows: Rows = result.pop("rows")
    for fact, value in job.facts.items():
        if result.get(fact) != value:
            raise ValueError(
                f"{job.folder} holds the result of another campaign ({fact} was "
                f"{result.get(fact)}, now {value}): give another folder."
            )
    return rows


def _as_rows(table: Any, job: Job) -> Rows:
    """Rows of a pandas table or of dicts, in the columns of the project."""
    if hasattr(table, "to_dict"):
        table = table.astype(object).where(table.notna(), None).to_dict("records")
    done = [{**row, "seed": job.seed} for row in table]
    missing = {name for row in done for name in COLUMNS if name not in row}
    if missing or not done:
        raise ValueError(f"The evaluation must give rows with {', '.join(COLUMNS)}.")
    return [{name: _plain(name, row[name]) for name in COLUMNS} for row in done]


def _plain(column: str, value: Any) -> Any:
    """A number or text for JSON; the value of a whole volume has no slice."""
    value = value.item() if isinstance(value, np.generic) else value
    if column == "slice":
        # A table in which one is missing has slices 0.0, 1.0, ...
        return None if value in ("", None) else int(value)
    return value
