"""The student's and the teacher's copy of each chapter, from the one notebook that holds both.

Both copies read well outside the book: directives become headings, citations become links.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path

import nbformat

PROMPT = "# Your answer"
DIRECTIVE = re.compile(
    r"^(?P<fence>:{3,}|`{3,})\{(?P<name>[\w-]+)\}(?P<title>[^\n]*)\n"
    r"(?P<body>.*?)^(?P=fence)[ \t]*$",
    re.M | re.S,
)
OPTION = re.compile(r"^:[\w-]+:.*\n?", re.M)
ROLE = re.compile(r"\{(?P<role>[\w:-]+)\}`(?P<text>[^`]+)`")
WITH_TITLE = re.compile(r"(?P<title>[^<]+?)\s*<(?P<target>[^>]+)>")


def is_solution(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell belongs to a solution."""
    return "solution" in cell.metadata.get("tags", [])


def plain_directive(match: re.Match) -> str:
    """A MyST directive as Markdown that any notebook program shows."""
    name, title, body = match["name"], match["title"].strip(), OPTION.sub("", match["body"]).strip()
    if name in {"solution-end", "exercise-end", "bibliography", "tableofcontents"}:
        return ""
    if name.startswith("exercise"):
        head = f"Exercise: {title}" if title else "Exercise"
    elif name.startswith("solution"):
        head = "Solution"
    else:
        head = title or name.capitalize()
    return f"**{head}**\n\n{body}".strip()


def plain_role(match: re.Match, links: dict[str, str]) -> str:
    """A MyST role as text, or as a link where one is known."""
    text, role = match["text"], match["role"]
    if role.startswith("cite"):
        keys = [key.strip() for key in text.split(",")]
        return ", ".join(f"[{key}]({links[key]})" if key in links else f"[{key}]" for key in keys)
    titled = WITH_TITLE.fullmatch(text)
    if titled:
        return titled["title"]
    return f"*{text.rsplit('/', 1)[-1]}*" if role in {"doc", "ref"} else f"*{text}*"


def plain(markdown: str, links: dict[str, str] | None = None) -> str:
    """Markdown without MyST.

    >>> plain(":::{exercise} Two windows\\n:label: ex-a\\n\\nWhich {term}`window`?\\n:::")
    '**Exercise: Two windows**\\n\\nWhich *window*?'
    """
    text = DIRECTIVE.sub(plain_directive, markdown)
    return ROLE.sub(lambda m: plain_role(m, links or {}), text).strip()


def student(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy in which every solution has become an empty place for one's own answer."""
    result = copy.deepcopy(notebook)
    cells: list[nbformat.NotebookNode] = []
    answered = False
    for cell in result.cells:
        if not is_solution(cell):
            answered = False
            cells.append(cell)
        elif not answered:
            answered = True
            cells.append(empty_answer(cell))
    result.cells = cells
    return result


def empty_answer(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A code cell to answer in; it keeps the id of the solution it stands for."""
    answer = nbformat.v4.new_code_cell(PROMPT, metadata={"tags": ["answer"]})
    answer["id"] = cell["id"]
    return answer


def bibliography_links(bib: Path) -> dict[str, str]:
    """Citation key -> DOI link, for those entries that have a DOI."""
    links: dict[str, str] = {}
    for entry in re.split(r"^@", bib.read_text(), flags=re.M)[1:]:
        key = re.match(r"\w+\{([^,]+),", entry)
        doi = re.search(r"^\s*doi\s*=\s*[{\"]([^}\"]+)", entry, re.M | re.I)
        if key and doi:
            links[key[1].strip()] = f"https://doi.org/{doi[1]}"
    return links


def write_copies(notebook: Path, out: Path, links: dict[str, str]) -> list[Path]:
    """Write both copies of a notebook as ``<out>/student/<name>`` and ``<out>/teacher/<name>``.

    Raises:
        ValueError: a solution is not tagged ``solution``, so students would see it.
    """
    source = nbformat.read(notebook, 4)
    text = "\n".join(c.source for c in source.cells if not is_solution(c))
    if "{solution" in text:
        raise ValueError(f"{notebook.name}: a solution cell lacks the tag 'solution'.")
    written = []
    for kind, made in (("student", student(source)), ("teacher", copy.deepcopy(source))):
        for cell in made.cells:
            if cell.cell_type == "markdown":
                cell.source = plain(cell.source, links)
        made.cells = [c for c in made.cells if c.cell_type != "markdown" or c.source]
        path = out / kind / notebook.name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(made, path)
        written.append(path)
    return written
