"""Gather what Jupyter Book reads into ``build/source``, laid out as the repository is.

Pages, executed chapters, copies for teaching, and the configuration.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from pathlib import Path

import nbformat
import yaml
from execute import ROOT, Run
from tables import COPIES, chapters_table, citations_list, copies_table, copy_link, data_table, fill

TABLE = re.compile(r"(?:^\|.*\|[ \t]*\n?)+", re.M)


def toc_pages(toc: dict) -> list[str]:
    """Every page that a table of contents names, the root first."""
    pages = [toc["root"]]
    for part in toc.get("parts", [toc]):
        for chapter in part.get("chapters", []):
            pages.append(chapter["file"])
            pages += [section["file"] for section in chapter.get("sections", [])]
    return pages


def last_line_state(text: str) -> str:
    r"""What a terminal shows after carriage returns: of a progress bar, its last state.

    >>> last_line_state("0%\r50%\r100%\nend")
    '100%\nend'
    """
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))


def is_progress_bar(output: nbformat.NotebookNode, models: dict) -> bool:
    """Whether an output is a tqdm bar, as text or as a widget; a page has no use for either."""
    if output.output_type == "stream":
        lines = [line for line in output.text.splitlines() if line.strip()]
        return all(re.search(r"\d+%\|.*\|.*\[.*\]$", line.rstrip()) for line in lines)
    view = output.get("data", {}).get("application/vnd.jupyter.widget-view+json", {})
    box = models.get(view.get("model_id"), {}).get("state", {})
    children = [str(child).removeprefix("IPY_MODEL_") for child in box.get("children", [])]
    return "FloatProgressModel" in {models.get(c, {}).get("model_name") for c in children}


def without_progress_bars(notebook: nbformat.NotebookNode) -> None:
    """Drop progress bars, and the widgets' states when no widget is left to be shown."""
    states = notebook.metadata.get("widgets", {})
    models = states.get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    views = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = last_line_state(output.text)
        if "outputs" in cell:
            cell.outputs = [o for o in cell.outputs if not is_progress_bar(o, models)]
            views += sum(
                "application/vnd.jupyter.widget-view+json" in o.get("data", {})
                for o in cell.outputs
            )
    if not views:
        notebook.metadata.pop("widgets", None)


def dress(notebook: nbformat.NotebookNode, page: str, run: Run | None) -> nbformat.NotebookNode:
    """An executed notebook as a page: papermill's cell hidden, what the run took, the copies."""
    result = copy.deepcopy(notebook)
    without_progress_bars(result)
    for cell in result.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata.tags.append("remove-cell")
    first = result.cells[0]
    first.source = TABLE.sub(r":::{table}\n:class: chapter-table\n\n\g<0>\n:::", first.source, 1)
    links = " · ".join(copy_link(page, kind, f"copy {text}") for kind, text in COPIES)
    took = ""
    if run:
        took = f"Run for this page in {run.seconds:.0f} s with {run.megabytes / 1000:.1f} GB "
        took += f"of memory ({run.profile} profile). "
    note = nbformat.v4.new_markdown_cell(f":::{{div}} ran\n{took}Download: {links}\n:::")
    note["id"] = "ran"
    result.cells.insert(1, note)
    return result


def repository() -> tuple[str, str] | None:
    """(address, branch) of the public repository, if there is one to link to."""
    slug, branch = os.environ.get("GITHUB_REPOSITORY"), os.environ.get("GITHUB_REF_NAME", "main")
    if not slug:
        command = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
        remote = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", remote)
        slug = found[1] if found else None
    return (f"https://github.com/{slug}", branch) if slug else None


def configuration(base: dict, public: tuple[str, str] | None, sphinx_options: dict) -> dict:
    """The book's configuration, with buttons only where they lead somewhere."""
    config = copy.deepcopy(base)
    config["sphinx"]["config"] |= sphinx_options
    if public:
        config["repository"] = {"url": public[0], "branch": public[1], "path_to_book": ""}
        config["html"] |= {"use_repository_button": True, "use_edit_page_button": True}
        config["html"]["use_issues_button"] = True
        config["launch_buttons"] = {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        }
    return config


class Tree:
    """A folder that is brought up to date file by file, so unchanged pages are not built again."""

    def __init__(self, root: Path) -> None:
        self.root, self.kept = root, set()

    def write(self, name: str, content: str | bytes) -> None:
        """Write one file, only if its content is new."""
        path, content = self.root / name, content.encode() if isinstance(content, str) else content
        self.kept.add(path)
        if path.exists() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def copy(self, source: Path, name: str) -> None:
        """Copy a file, or a folder with all that is in it."""
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file() and "__pycache__" not in path.parts:
                below = path.relative_to(source).as_posix()
                self.write(name if path == source else f"{name}/{below}", path.read_bytes())

    def prune(self) -> None:
        """Delete what was not written this time."""
        for path in self.root.rglob("*"):
            if path.is_file() and path not in self.kept:
                path.unlink()


def assemble(root: Path, pages: list[str], runs: dict[str, Run], sphinx_options: dict) -> Path:
    """Write ``build/source`` from the repository and from ``build/executed`` and ``build/copies``.

    Args:
        root: the repository.
        pages: all pages of the table of contents.
        runs: what each chapter's run took, by name.
        sphinx_options: added to Sphinx' configuration.

    Returns:
        The folder that Jupyter Book is to read.
    """
    build, tree = root / "build", Tree(root / "build" / "source")
    executed = {
        page: nbformat.read(build / "executed" / f"{Path(page).name}.ipynb", 4)
        for page in pages
        if page.startswith("notebooks/")
    }
    tables = {
        "chapters": chapters_table(executed),
        "copies": copies_table(executed),
        "scans": data_table(scans=True),
        "measurements": data_table(scans=False),
        "citations": citations_list(),
    }
    texts = {page: (root / f"{page}.md").read_text() for page in pages if page not in executed}
    for page, text in texts.items():
        tree.write(f"{page}.md", fill(text, tables))
    for page, notebook in executed.items():
        dressed = dress(notebook, page, runs.get(Path(page).name))
        tree.write(f"{page}.ipynb", json.dumps(dressed, indent=1, ensure_ascii=False))
    for name in ("_static", "_ext", "references.bib"):
        tree.copy(root / "book" / name, f"book/{name}")
    if (build / "copies").exists():
        tree.copy(build / "copies", "copies")
    base = yaml.safe_load((root / "_config.yml").read_text())
    config = configuration(base, repository(), sphinx_options)
    tree.write("_config.yml", yaml.safe_dump(config, sort_keys=False))
    tree.write("_toc.yml", (root / "_toc.yml").read_bytes())
    tree.prune()
    return tree.root


def clean_site(site: Path, pages: list[str]) -> None:
    """Remove pages of earlier builds that the table of contents no longer names."""
    current = {site / f"{page}.html" for page in pages}
    for folder in ("book", "notebooks"):
        for path in (site / folder).glob("*.html"):
            if path not in current:
                path.unlink()
