"""The stored trials of a hyper-parameter search, which several processes may share."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ldctlib.training.lease import Lease, held
from ldctlib.training.spaces import Space

SAMPLERS = ("gp", "random")


class Study:
    """Hands out trials and takes their results; an Optuna study with a memory for accidents.

    A trial counts once it is done or has failed. One whose process died counts for nothing: its
    values are tried again by whoever asks next. Enter it to ask for trials.

    Args:
        path: of the journal; None keeps the study in memory.
        name: of the study in its journal.
        facts: what must not change while the study grows.
        space: what the values are chosen from.
        sampler: "gp": Gaussian process with expected improvement; "random".
        startup: random trials before the Gaussian process begins.
        seed: of the choices; trial number n of a study depends on it and on the results so far.

    Raises:
        ValueError: the journal holds another search under this name, or no sampler is called so.
    """

    def __init__(
        self,
        path: Path | None,
        name: str,
        facts: Mapping[str, Any],
        space: Space,
        *,
        sampler: str,
        startup: int,
        seed: int,
    ) -> None:
        if sampler not in SAMPLERS:
            raise ValueError(f"sampler is one of {', '.join(SAMPLERS)}, not {sampler!r}.")
        self.path, self.name, self.space = path, name, space
        self.sampler, self.startup, self.seed = sampler, startup, seed
        self._worker = f"{name} {uuid.uuid4().hex}"
        self._leases = Path(f"{path}.running")
        self._lease = Lease(self._leases / self._worker) if path else None
        with self._alone():
            self.optuna = _open(path, name)
        for fact, value in json.loads(json.dumps(facts)).items():
            before = self.agree(fact, partial(_same, value))
            if before != value:
                raise ValueError(
                    f"{path} holds another search ({fact} was {before}, now {value}): give "
                    "another storage."
                )

    def __enter__(self) -> Study:
        if self._lease:
            self._lease.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._lease:
            self._lease.__exit__(*error)

    def agree(self, fact: str, find_out: Callable[[], Any]) -> Any:
        """A fact that all processes share: the first of them finds it out."""
        with self._alone():
            known = self.optuna.user_attrs
            if fact not in known:
                self.optuna.set_user_attr(fact, find_out())
            return self.optuna.user_attrs[fact]

    @property
    def counted(self) -> list[Any]:
        """The trials that are done or have failed, in the order in which they began."""
        return [t for t in self.optuna.get_trials(deepcopy=False) if _counts(t)]

    def next(self, trials: int) -> Any:
        """The next trial, or None if as many are done or under way."""
        with self._alone():
            for trial in self._running():
                if self.path and not held(self._leases / trial.user_attrs.get("worker", "nobody")):
                    self._give_back(trial.number)
            before = len(self.counted) + len(self._running())
            if before >= trials:
                return None
            self.optuna.sampler = self._sampler(before)
            trial = self.optuna.ask(_distributions(self.space))
            trial.set_user_attr("worker", self._worker)
            return trial

    @contextmanager
    def under_way(self, trial: Any) -> Iterator[None]:
        """Around the work on a trial: whatever ends it early gives its values back."""
        try:
            yield
        except BaseException:
            with self._alone():
                self._give_back(trial.number)
            raise

    def done(self, trial: Any, score: float, **facts: Any) -> None:
        """Record the score of a trial."""
        for name, value in facts.items():
            trial.set_user_attr(name, value)
        self.optuna.tell(trial, score)

    def failed(self, trial: Any, problem: str) -> None:
        """Record that a trial has no score.

        The sampler is told the worst score so far: it would return to a place it knows nothing of.
        """
        from optuna.trial import TrialState

        trial.set_user_attr("problem", problem)
        scores = [t.value for t in self.counted if t.value is not None]
        if scores:
            self.optuna.tell(trial, min(scores))
        else:
            self.optuna.tell(trial, state=TrialState.FAIL)

    def _sampler(self, index: int) -> Any:
        """A fresh one for each trial, so that it does not matter which process asks."""
        from optuna.samplers import GPSampler, RandomSampler

        seed = int(np.random.SeedSequence([self.seed, index]).generate_state(1)[0])
        if self.sampler == "random" or index < self.startup:
            return RandomSampler(seed=seed)
        return GPSampler(seed=seed, n_startup_trials=1, warn_independent_sampling=False)

    def _give_back(self, number: int) -> None:
        from optuna.trial import TrialState

        self.optuna.tell(number, state=TrialState.FAIL)
        self.optuna.enqueue_trial(self.optuna.get_trials(deepcopy=False)[number].params)

    def _running(self) -> list[Any]:
        from optuna.trial import TrialState

        return self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,))  # type: ignore[no-any-return]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time chooses; on a network disk, too."""
        if self.path is None:
            yield
            return
        from optuna.storages.journal import JournalFileOpenLock

        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = JournalFileOpenLock(f"{self.path}.choosing")
        lock.acquire()
        try:
            yield
        finally:
            lock.release()


def _counts(trial: Any) -> bool:
    failed = trial.state.name == "FAIL" and "problem" in trial.user_attrs
    return failed or trial.state.name == "COMPLETE"


def _open(path: Path | None, name: str) -> Any:
    """The Optuna study, new or as it stands."""
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage

    if path is None:
        return new_study(None, name)
    backend = JournalFileBackend(str(path), JournalFileOpenLock(str(path)))
    return new_study(JournalStorage(backend), name)


def new_study(storage: Any, name: str) -> Any:
    """An Optuna study, made without a word."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            storage=storage, study_name=name, direction="maximize", load_if_exists=True
        )
    finally:
        optuna.logging.set_verbosity(level)


def _distributions(space: Space) -> dict[str, Any]:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        name: IntDistribution(int(r.low), int(r.high), log=r.log)
        if r.whole
        else FloatDistribution(r.low, r.high, log=r.log)
        for name, r in space.items()
    }


def table(study: Study) -> list[dict[str, Any]]:
    """A row for every trial that counts: number, state, score, when, and its values."""
    rows = []
    for index, trial in enumerate(study.counted):
        problem = trial.user_attrs.get("problem", "")
        row = {
            "trial": index,
            "state": "failed" if problem else "done",
            "ssim": math.nan if problem else trial.value,
            "psnr": trial.user_attrs.get("psnr", math.nan),
            "best_step": trial.user_attrs.get("step"),
            "seconds": trial.duration.total_seconds(),
            **trial.params,
            "problem": problem,
        }
        rows.append(row)
    return rows


def _same(value: Any) -> Any:
    return value
