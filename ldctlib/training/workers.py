"""Where the jobs of a campaign run: in this process, or on the workers of a cluster."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from ldctlib.training.job import Job, Rows

Work: TypeAlias = "Callable[[Job], Rows]"
# A job, and its rows or the reason why there are none.
Outcome: TypeAlias = "tuple[Job, Rows | Exception]"


@contextmanager
def connected(client: Any, scheduler: str | None) -> Iterator[Any]:
    """The given client, or one of our own for a scheduler, or None."""
    if scheduler is None:
        yield client
        return
    try:
        import distributed
    except ImportError as error:
        raise RuntimeError(
            "A scheduler needs dask.distributed: install ldctlib[cluster]."
        ) from error
    connect: Any = distributed.Client
    with connect(scheduler) as own:
        yield own


def here(work: Work, jobs: Iterable[Job]) -> Iterator[Outcome]:
    """The jobs one after the other in this process."""
    for job in jobs:
        try:
            yield job, work(job)
        except Exception as problem:
            yield job, problem


def on_cluster(work: Work, jobs: Iterable[Job], client: Any) -> Iterator[Outcome]:
    """The jobs as they end on the workers; on the way out the others are taken back."""
    import distributed

    as_they_end: Any = distributed.as_completed
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    with_gpu = any("GPU" in worker["resources"] for worker in workers)
    futures = {
        client.submit(
            work,
            job,
            pure=False,
            key=f"{job.name}-{uuid.uuid4().hex}",
            resources={"GPU": 1} if with_gpu else None,
        ): job
        for job in jobs
    }
    try:
        for future in as_they_end(futures):
            problem = future.exception()
            yield futures[future], future.result() if problem is None else problem
    finally:
        client.cancel(list(futures))
