"""Tables that are generated, so that they cannot go out of date: chapters, copies, data sets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
from execute import ROOT

DOI = re.compile(r"doi:(10\.[^\s;,]+[^\s;,.])")
DOI_LINK = r"[doi:\1](https://doi.org/\1)"
GENERATED = re.compile(r"^<!-- generated: (\w+) -->$", re.M)


def table_row(notebook: nbformat.NotebookNode, row: str) -> str:
    """The right-hand cell of a row of the table that opens a chapter.

    >>> from chapter import example
    >>> table_row(nbformat.v4.new_notebook(cells=example()), "Minutes")
    '5 to read, 5 for the exercise'
    """
    found = re.search(rf"^\|[* ]*{row}[* ]*\|(.*)\|\s*$", notebook.cells[0].source, re.M)
    return found[1].strip() if found else ""


def chapters_table(chapters: dict[str, nbformat.NotebookNode]) -> str:
    """The chapters of this edition and what each teaches."""
    if not chapters:
        return "*This edition has no chapters yet.*"
    lines = ["| Chapter | You will be able to | Minutes |", "|---|---|---|"]
    for page, notebook in chapters.items():
        row = [table_row(notebook, name) for name in ("You will be able to", "Minutes")]
        lines.append(f"| {{doc}}`/{page}` | {row[0]} | {row[1]} |")
    return "\n".join(lines)


def copies_table(chapters: dict[str, nbformat.NotebookNode]) -> str:
    """Downloads for a course: every chapter without and with its solutions."""
    if not chapters:
        return "*This edition has no chapters yet.*"
    lines = ["| Chapter | For students | For teachers |", "|---|---|---|"]
    for page in chapters:
        links = " | ".join(copy_link(page, kind, text) for kind, text in COPIES)
        lines.append(f"| {{doc}}`/{page}` | {links} |")
    return "\n".join(lines)


COPIES = (("student", "without solutions"), ("teacher", "with solutions"))


def copy_link(page: str, kind: str, text: str) -> str:
    """A download of one copy of a chapter."""
    return f"{{download}}`{text} </copies/{kind}/{Path(page).name}.ipynb>`"


def catalogue() -> dict:
    """What the library knows about each data set, by name."""
    return json.loads((ROOT / "ldctlib" / "scans" / "catalogue.json").read_text())


def data_table(scans: bool) -> str:
    """The data sets that open as scans, or the others, with their licences."""
    lines = ["| Name | What it is | MB | Licence | Shown |", "|---|---|--:|---|---|"]
    for name, entry in catalogue().items():
        if ("open" in entry) != scans:
            continue
        size = sum(file["bytes"] for file in entry["files"].values()) / 1e6
        shown = "yes" if entry["may_show"] else "no"
        what = f"{entry['title']}. {entry['about']}"
        row = [f"`{name}`", what, f"{size:.1f}", entry["licence"], shown]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |")
    return table(lines, "data-table")


def table(lines: list[str], style: str) -> str:
    """A table that the style sheet can address."""
    return "\n".join([":::{table}", f":class: {style}", "", *lines, ":::"])


def citations_list() -> str:
    """How each data set wants to be cited."""
    lines = []
    for name, entry in catalogue().items():
        lines.append(f"`{name}`\n: {DOI.sub(DOI_LINK, entry['citation'])}\n")
    return "\n".join(lines)


def fill(text: str, tables: dict[str, str]) -> str:
    """Put generated tables where a page asks for them.

    Raises:
        KeyError: a page asks for a table that nobody generates.
    """
    return GENERATED.sub(lambda match: tables[match[1]], text)
