"""What a built book must be. Each check returns one sentence for each thing that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup, Tag
from chapter import CLOSING, ROWS, SETUP
from copies import is_solution
from tables import table_row

PAGE_MB = 5.0
PUBLIC_NETWORKS = ("cdn.jsdelivr.net", "cdnjs.cloudflare.com", "unpkg.com")
LEFTOVER = re.compile(
    r"PLACEHOLDER|TODO|FIXME|lorem ipsum|:::\s*\{|```\{|\{[a-z:]+\}`|<!-- gen", re.I
)
CSS_URL = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")


@dataclass
class Page:
    """A built page: where it is, and its parsed HTML."""

    site: Path
    name: str
    soup: BeautifulSoup = field(init=False)

    def __post_init__(self) -> None:
        self.soup = BeautifulSoup(self.path.read_text(), "html.parser")

    @property
    def path(self) -> Path:
        """The HTML file."""
        return self.site / f"{self.name}.html"

    def local(self, address: str) -> Path | None:
        """The file that an address on this page points to; None if it is not the site's own."""
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            return None
        if not parts.path:
            return self.path
        base = self.site if parts.path.startswith("/") else self.path.parent
        return (base / unquote(parts.path).lstrip("/")).resolve()


def missing_pages(site: Path, names: list[str]) -> list[str]:
    """Pages that the table of contents names and the site lacks or left empty."""
    wrong = []
    for name in names:
        path = site / f"{name}.html"
        if not path.exists():
            wrong.append(f"{name}: the page was not built.")
        elif len(Page(site, name).soup.select_one("article").get_text(strip=True)) < 200:
            wrong.append(f"{name}: the page is empty.")
    return wrong


def outputs(page: Page) -> list[str]:
    """A chapter whose page shows no output, or shows an error."""
    shown = page.soup.select(".cell_output")
    if not shown:
        return [f"{page.name}: no cell shows an output."]
    if page.soup.select(".cell_output .traceback, .cell_output .tbs"):
        return [f"{page.name}: a cell shows an error."]
    return []


def links(page: Page, anchors: dict[Path, set[str]]) -> list[str]:
    """Links within the site that lead nowhere. ``anchors`` remembers the ids of pages seen."""
    wrong = []
    for tag in page.soup.select("a[href], link[href], img[src], script[src]"):
        address = str(tag.get("href") or tag.get("src"))
        target = page.local(address)
        if target is None:
            continue
        if not target.exists():
            wrong.append(f"{page.name}: {address} leads nowhere.")
            continue
        anchor = unquote(urlsplit(address).fragment)
        if anchor and tag.name == "a" and target.suffix == ".html":
            if target not in anchors:
                found = BeautifulSoup(target.read_text(), "html.parser").select("[id]")
                anchors[target] = {str(x["id"]) for x in found}
            if anchor not in anchors[target]:
                wrong.append(f"{page.name}: {address} leads to a page without that place.")
    return wrong


def alt_text(page: Page) -> list[str]:
    """Images of the text without a description, or with their file's name for one."""
    wrong = []
    for tag in page.soup.select("article img, article svg[role=img]"):
        alt = str(tag.get("alt") or tag.get("aria-label") or "").strip()
        if not alt or re.search(r"\.(png|jpe?g|svg)$|^_images", alt):
            source = str(tag.get("src", "an svg"))[:60]
            wrong.append(f"{page.name}: the image {source} has no alt text.")
    return wrong


def loaded(page: Page) -> Iterator[tuple[Tag, str]]:
    """What a browser loads with a page, as (tag, address)."""
    kinds = "script[src], img[src], iframe[src], video[src], audio[src], source[src], embed[src]"
    for tag in page.soup.select(kinds):
        yield tag, str(tag["src"])
    for tag in page.soup.select("link[href]"):
        loads = {"stylesheet", "icon", "preload", "modulepreload", "shortcut"}
        if loads & set(tag.get("rel") or []):
            yield tag, str(tag["href"])
    for tag in page.soup.select("[srcset]"):
        for part in str(tag["srcset"]).split(","):
            yield tag, part.split()[0]
    for tag in page.soup.select("object[data]"):
        yield tag, str(tag["data"])


def styles(page: Page) -> Iterator[tuple[str, str]]:
    """(where, text) of each style sheet of a page."""
    for tag in page.soup.select("style"):
        yield "its own style", tag.get_text()
    for tag, address in loaded(page):
        file = page.local(address)
        if tag.name == "link" and file and file.suffix == ".css" and file.exists():
            yield file.name, file.read_text(errors="replace")


def other_hosts(page: Page, allowed: tuple[str, ...] = ()) -> list[str]:
    """Anything a page would load from another host."""
    found = [address for _, address in loaded(page)]
    for _, text in styles(page):
        found += [first or second for first, second in CSS_URL.findall(text)]
    hosts = {urlsplit(address).netloc for address in found if not address.startswith("data:")}
    return [f"{page.name}: it loads from {host}." for host in sorted(hosts - {"", *allowed})]


def megabytes(page: Page) -> float:
    """What a page is by itself, uncompressed: its HTML and its images.

    The scripts and styles of the theme are the same for all pages and fetched once.
    """
    files = {page.path, *(page.local(address) for _, address in loaded(page))}
    own = [f for f in files if f and f.is_file() and "_static" not in f.parts]
    return sum(f.stat().st_size for f in own) / 1e6


def weight(page: Page, limit: float = PAGE_MB) -> list[str]:
    """A page over its weight."""
    found = megabytes(page)
    return [f"{page.name}: {found:.1f} MB, {limit:.0f} MB allowed."] if found > limit else []


def leftovers(page: Page) -> list[str]:
    """Unfinished text, or markup that was not understood."""
    article = BeautifulSoup(str(page.soup.select_one("article") or ""), "html.parser")
    for tag in article.select("pre, code, script, style, .math"):
        tag.decompose()
    found = LEFTOVER.findall(article.get_text())
    return [f"{page.name}: {text!r} was left in the text." for text in sorted(set(found))]


def template(path: Path) -> list[str]:
    """Where a chapter's notebook departs from the form that all chapters share."""
    notebook, name, wrong = nbformat.read(path, 4), path.name, []
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        return [f"{name}: the first cell must be text and begin with '# Title'."]
    wrong += [f"{name}: its table lacks {row!r}." for row in ROWS if not table_row(notebook, row)]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code or code[0].source != SETUP or "remove-cell" not in code[0].metadata.get("tags", []):
        wrong.append(f"{name}: the first code cell must be chapter.SETUP, tagged remove-cell.")
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1 or 'profile = "quick"' not in tagged[0].source:
        wrong.append(f"{name}: one cell tagged 'parameters' must set profile = \"quick\".")
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    needed = CLOSING if "{cite" in text else CLOSING[:2]
    wrong += [f"{name}: no section '## {s}'." for s in needed if f"## {s}" not in text]
    if any("{solution" in c.source and not is_solution(c) for c in notebook.cells):
        wrong.append(f"{name}: a solution cell lacks the tag 'solution'.")
    if any(cell.outputs for cell in code):
        wrong.append(f"{name}: outputs are stored in it; run nbstripout.")
    return wrong


def check_site(site: Path, names: list[str], offline: bool) -> list[str]:
    """All that is wrong with a built site; ``offline`` if its scripts are its own."""
    wrong = missing_pages(site, names)
    anchors: dict[Path, set[str]] = {}
    allowed = () if offline else PUBLIC_NETWORKS
    for name in names:
        if not (site / f"{name}.html").exists():
            continue
        page = Page(site, name)
        wrong += [*links(page, anchors), *alt_text(page), *weight(page), *leftovers(page)]
        wrong += other_hosts(page, allowed)
        if name.startswith("notebooks/"):
            wrong += outputs(page)
    return wrong
