"""Run the notebooks: several at once, each in its own process, timed, weighed and remembered.

A run is taken from ``build/executed`` when the notebook, the library, the pinned packages and the
parameters are the same as last time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import nbformat
import psutil

from ldctlib.files import write_text

ROOT = Path(__file__).resolve().parent.parent
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Budget:
    """What one run may take; a run is stopped when it has taken three times its seconds."""

    seconds: float
    megabytes: float

    def times(self, slack: float) -> Budget:
        """More time, for a slow or shared machine; memory is the same everywhere."""
        return replace(self, seconds=self.seconds * slack)


# Binder gives a session 2 GB; a reader gives a chapter a minute and a half.
BUDGETS = {"quick": Budget(90, 2000), "full": Budget(float("inf"), float("inf"))}


@dataclass(frozen=True)
class Run:
    """One notebook's run: where its executed copy is, what it took, and why it failed, if so."""

    name: str
    key: str
    profile: str
    seconds: float
    cpu_seconds: float
    megabytes: float
    slowest: str
    error: str = ""
    cached: bool = False

    def over(self, budget: Budget) -> str:
        """One sentence when the run took more than it may, else nothing."""
        if self.seconds <= budget.seconds and self.megabytes <= budget.megabytes:
            return ""
        return (
            f"{self.name} took {self.seconds:.0f} s ({self.cpu_seconds:.0f} s of CPU time) and "
            f"{self.megabytes:.0f} MB; it may take {budget.seconds:.0f} s and "
            f"{budget.megabytes:.0f} MB ({self.slowest})."
        )


def fingerprint(notebook: Path, parameters: dict[str, str], library: Path, pins: Path) -> str:
    """Hash of all that a run depends on: cells, parameters, library files, pinned packages."""
    digest = hashlib.sha256()
    cells = [(c.cell_type, c.source, c.metadata) for c in nbformat.read(notebook, 4).cells]
    digest.update(json.dumps([cells, parameters, platform.python_version()]).encode())
    for path in sorted(library.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(library)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    digest.update(pins.read_bytes() if pins.exists() else b"")
    return digest.hexdigest()


def family(process: psutil.Process) -> tuple[float, float]:
    """Resident MB and CPU seconds of a process' descendants: the kernel and what it started."""
    megabytes = cpu_seconds = 0.0
    try:
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                megabytes += child.memory_info().rss / 1e6
                cpu_seconds += sum(child.cpu_times()[:2])
    except psutil.Error:
        pass
    return megabytes, cpu_seconds


def with_threads(threads: int | None) -> dict[str, str]:
    """The environment of a kernel that may use so many cores; all of them if None."""
    if threads is None:
        return dict(os.environ)
    return dict(os.environ) | dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))


def kill_family(process: psutil.Process) -> None:
    """End a process that this program started, and its descendants."""
    for one in [*process.children(recursive=True), process]:
        with contextlib.suppress(psutil.Error):
            one.kill()


def run(
    notebook: Path,
    out: Path,
    parameters: dict[str, str],
    budget: Budget,
    key: str,
    threads: int | None = None,
) -> Run:
    """Execute one notebook with papermill and write its executed copy into ``out``."""
    draft = out / f"{notebook.stem}.running.ipynb"
    command = [sys.executable, "-m", "papermill", str(notebook), str(draft), "--no-progress-bar"]
    command += [part for name, value in parameters.items() for part in ("-r", name, value)]
    with tempfile.TemporaryDirectory() as empty_folder, tempfile.TemporaryFile() as log:
        begun, peak, cpu, stopped = time.monotonic(), 0.0, 0.0, False
        process = psutil.Popen(
            [*command, "--cwd", empty_folder], stdout=log, stderr=log, env=with_threads(threads)
        )
        while process.poll() is None:
            megabytes, cpu_seconds = family(process)
            peak, cpu = max(peak, megabytes), max(cpu, cpu_seconds)
            if time.monotonic() - begun > 3 * budget.seconds:
                stopped = True
                kill_family(process)
            time.sleep(0.1)
        seconds = time.monotonic() - begun
        log.seek(0)
        said = log.read().decode(errors="replace")
    error = f"stopped after {seconds:.0f} s" if stopped else ""
    if process.returncode and not stopped:
        error = failure(draft) or ANSI.sub("", said)[-2000:] or f"exit code {process.returncode}"
    profile = parameters.get("profile", "")
    return Run(notebook.stem, key, profile, seconds, cpu, peak, slowest_cell(draft), error)


def numbered_cells(executed: Path) -> Iterator[tuple[int, nbformat.NotebookNode]]:
    """The cells of an executed copy, with the numbers they have in the source, from 1."""
    if not executed.exists():
        return
    added = {"injected-parameters", "papermill-error-cell-tag"}
    cells = nbformat.read(executed, 4).cells
    own = [cell for cell in cells if not added & set(cell.metadata.get("tags", []))]
    yield from enumerate(own, start=1)


def failure(executed: Path) -> str:
    """The cell that failed and its error, as a reader of the terminal wants them."""
    for number, cell in numbered_cells(executed):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                trace = ANSI.sub("", "\n".join(output.traceback)).splitlines()[-12:]
                lines = [f"cell {number}:", *cell.source.splitlines(), "", *trace]
                return "\n".join("    " + line for line in lines)
    return ""


def slowest_cell(executed: Path) -> str:
    """Which cell took longest, in words."""
    times: list[tuple[float, int]] = []
    for number, cell in numbered_cells(executed):
        took = cell.metadata.get("papermill", {}).get("duration")
        times += [(took, number)] if took else []
    return "slowest: cell {1} with {0:.0f} s".format(*max(times)) if times else "no cell finished"


def remembered(name: str, out: Path, key: str) -> Run | None:
    """The last good run of a notebook, if nothing it depends on has changed."""
    record = out / f"{name}.json"
    if not (record.exists() and (out / f"{name}.ipynb").exists()):
        return None
    try:
        last = Run(**json.loads(record.read_text()))
    except (TypeError, ValueError):  # written by an earlier version, or cut short
        return None
    return replace(last, cached=True) if last.key == key else None


def remember(done: Run, out: Path) -> Run:
    """Keep a good run; leave a failed one beside it as ``<name>.failed.ipynb`` for a look."""
    draft = out / f"{done.name}.running.ipynb"
    failed = out / f"{done.name}.failed.ipynb"
    if done.error:
        if draft.exists():
            draft.replace(failed)
        return done
    draft.replace(out / f"{done.name}.ipynb")
    failed.unlink(missing_ok=True)
    write_text(out / f"{done.name}.json", json.dumps(asdict(done), indent=1))
    return done


def run_all(
    notebooks: list[Path],
    out: Path,
    parameters: dict[str, str],
    *,
    library: Path,
    pins: Path,
    budget: Budget,
    jobs: int | None = None,
) -> list[Run]:
    """Run notebooks side by side; a run that is over time is judged by a second one, alone.

    Args:
        notebooks: the sources; they are only read.
        out: folder for executed copies and their records.
        parameters: given to every notebook, "profile" among them.
        library, pins: a folder and a file that the cache watches beside the notebook.
        budget: time and memory of one run.
        jobs: how many at once; one per two cores if None, at least two. They share the cores:
            threads that wait for a core which another notebook has make both many times slower.

    Returns:
        One run per notebook, in the order given.
    """
    out.mkdir(parents=True, exist_ok=True)
    keys = {n: fingerprint(n, parameters, library, pins) for n in notebooks}

    def one(notebook: Path) -> Run:
        known = remembered(notebook.stem, out, keys[notebook])
        if known:
            return known
        print(f"  running {notebook.stem}", flush=True)
        return remember(run(notebook, out, parameters, budget, keys[notebook], threads), out)

    cores = os.cpu_count() or 2
    jobs = jobs or max(2, cores // 2)
    threads = max(1, cores // min(jobs, len(notebooks) or 1))
    with ThreadPoolExecutor(jobs) as pool:
        runs = list(pool.map(one, notebooks))
    for i, (notebook, done) in enumerate(zip(notebooks, runs, strict=True)):
        crowded = len(notebooks) > 1 and done.seconds > budget.seconds
        if crowded and (not done.error or done.error.startswith("stopped")):
            print(f"  running {notebook.stem} again, alone: {done.seconds:.0f} s", flush=True)
            runs[i] = remember(run(notebook, out, parameters, budget, keys[notebook]), out)
    return runs
