"""Build the book: run the notebooks, gather the pages, let Jupyter Book render them, check it all.

    python book/build.py                    everything; what has not changed is not done again
    python book/build.py --only 05-train    run one chapter (and build all pages)
    python book/build.py --profile full     the real trainings; wants a GPU and hours

The site is ``build/html``. ``LDCT_BOOK_SLACK=3`` allows notebooks three times their seconds, for
slow or shared machines; ``LDCT_BOOK_JOBS=1`` runs one notebook at a time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import assemble
import check
import copies
import execute
import vendor
import yaml


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the book.")
    parser.add_argument("--only", default="", help="run only notebooks whose name begins so")
    parser.add_argument("--profile", choices=sorted(execute.BUDGETS), default="quick")
    parser.add_argument("--root", type=Path, default=execute.ROOT, help="where _toc.yml is")
    return parser.parse_args()


def run_notebooks(
    root: Path, notebooks: list[Path], profile: str
) -> tuple[dict[str, execute.Run], list[str]]:
    """Run notebooks; returns the runs by name, and what went wrong."""
    slack = float(os.environ.get("LDCT_BOOK_SLACK", "1"))
    jobs = int(os.environ.get("LDCT_BOOK_JOBS", "0")) or None
    budget = execute.BUDGETS[profile].times(slack)
    runs = execute.run_all(
        notebooks,
        root / "build" / "executed",
        {"profile": profile},
        library=root / "ldctlib",
        pins=root / "constraints.txt",
        jobs=jobs,
        budget=budget,
    )
    wrong = [f"{run.name} failed: {run.error.strip()}" for run in runs if run.error]
    wrong += [over for run in runs if (over := run.over(budget))]
    return {run.name: run for run in runs}, wrong


def render(source: Path, site: Path, root_page: str) -> bool:
    """Let Jupyter Book build the site; a warning is an error."""
    from jupyter_book.sphinx import build_sphinx

    result = build_sphinx(
        source,
        site,
        path_config=source / "_config.yml",
        confoverrides={"latex_individualpages": False},
        noconfig=True,
        doctreedir=source.parent / "doctrees",
        freshenv=not (site / f"{root_page}.html").exists(),
        quiet=True,
        warningiserror=True,
        keep_going=True,
    )
    forward = f'<meta http-equiv="refresh" content="0; url={root_page}.html">'
    (site / "index.html").write_text(f"<!doctype html><title>{root_page}</title>{forward}\n")
    return result == 0


def summary(site: Path, pages: list[str], runs: dict[str, execute.Run]) -> None:
    """One table: every page, its weight, and what its run took."""
    print(f"\n  {'page':42} {'weight':>9} {'run':>8} {'memory':>9}")
    for name in pages:
        mb = check.megabytes(check.Page(site, name))
        line = f"  {name:42} {mb:6.2f} MB"
        if run := runs.get(Path(name).name):
            line += f" {run.seconds:6.0f} s {run.megabytes:6.0f} MB" + "  cached" * run.cached
        print(line)
    for name in sorted(set(runs) - {Path(page).name for page in pages}):
        print(f"  {name} was run; it is not in _toc.yml, so it has no page")


def book(root: Path, profile: str = "quick", only: str = "") -> list[str]:
    """Build the book of a repository into its folder ``build``.

    Args:
        root: the repository, with ``_toc.yml``, ``_config.yml``, ``book`` and ``notebooks``.
        profile: given to every notebook.
        only: run only notebooks whose name begins so; the others must have been run before.

    Returns:
        One sentence for each thing that is wrong; none if the book is as it must be.
    """
    build, site = root / "build", root / "build" / "html"
    pages = assemble.toc_pages(yaml.safe_load((root / "_toc.yml").read_text()))
    chapters = {page: root / f"{page}.ipynb" for page in pages if page.startswith("notebooks/")}
    notebooks = sorted((root / "notebooks").glob("*.ipynb"))
    wrong = [
        f"{p} is in _toc.yml but does not exist." for p, n in chapters.items() if not n.exists()
    ]
    wrong += [sentence for notebook in notebooks for sentence in check.template(notebook)]

    print(f"Running {len(notebooks)} notebooks, profile {profile}", flush=True)
    chosen = [notebook for notebook in notebooks if notebook.stem.startswith(only)]
    runs, failed = run_notebooks(root, chosen, profile)
    missing = [p for p, n in chapters.items() if not (build / "executed" / n.name).exists()]
    wrong += failed + [f"{page}: there is no executed copy, so no page." for page in missing]
    if missing:
        return wrong

    links = copies.bibliography_links(root / "book" / "references.bib")
    for notebook in notebooks:
        if not check.template(notebook):
            copies.write_copies(notebook, build / "copies", links)
    print("Building the pages", flush=True)
    local = vendor.fetch(build)
    source = assemble.assemble(root, pages, runs, vendor.sphinx_options(local))
    assemble.clean_site(site, pages)
    if not render(source, site, pages[0]):
        return [*wrong, "Jupyter Book reported warnings or errors (above)."]
    summary(site, pages, runs)
    return wrong + check.check_site(site, pages, offline=local is not None)


def main() -> int:
    """Build, and say how it ended."""
    begun, options = time.monotonic(), arguments()
    wrong = book(options.root.resolve(), options.profile, options.only)
    seconds = time.monotonic() - begun
    for sentence in wrong:
        print(f"\nERROR: {sentence}", file=sys.stderr)
    if wrong:
        print(f"\n{len(wrong)} errors after {seconds:.0f} s", file=sys.stderr)
        return 1
    print(f"\nThe book is ready after {seconds:.0f} s: build/html/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
