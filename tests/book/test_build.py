"""The whole way from a notebook to a page, on a small book with widgets in it."""

import os
import subprocess
import sys

import pytest
from chapter import ROWS, SETUP, code, markdown, write
from conftest import ROOT

pytestmark = pytest.mark.book

SLIDER = """
import ipywidgets
slider, number = ipywidgets.FloatSlider(value=0.25, max=1), ipywidgets.FloatText()
ipywidgets.jslink((slider, "value"), (number, "value"))
ipywidgets.VBox([slider, number])"""

COUNTER = '''
import anywidget

class Counter(anywidget.AnyWidget):
    _esm = """export default { render({ model, el }) {
      const button = document.createElement("button");
      button.className = "counter";
      button.textContent = "0";
      button.onclick = () => button.textContent = Number(button.textContent) + 1;
      el.append(button);
    } }"""

Counter()'''


def chapter(*cells):
    table = "\n".join(f"| {row} | x |" + "\n|---|---|" * (row == ROWS[0]) for row in ROWS)
    head = [markdown(f"# Small\n\nDoes it work?\n\n{table}"), code(SETUP, "remove-cell")]
    head.append(code('profile = "quick"', "parameters"))
    return [*head, *cells, markdown("## Summary\n\n1. Yes."), markdown("## What is next\n\nMore.")]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A repository with the real pages' machinery, one text page and room for a notebook."""
    root = tmp_path_factory.mktemp("small")
    for name in ("_config.yml", "book"):
        (root / name).symlink_to(ROOT / name)
    (root / "notebooks").mkdir()
    (root / "build").mkdir()
    if (ROOT / "build" / "vendor").exists():
        (root / "build" / "vendor").symlink_to(ROOT / "build" / "vendor")
    chapters = "parts: [{caption: Chapters, chapters: [{file: notebooks/small}]}]"
    (root / "_toc.yml").write_text(f"format: jb-book\nroot: book/glossary\n{chapters}\n")
    return root


def build(root):
    command = [sys.executable, str(ROOT / "book" / "build.py"), "--root", str(root)]
    environment = {**os.environ, "LDCT_BOOK_SLACK": "4"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def small(root):
    """The small book, built."""
    cells = [code(SLIDER), code(COUNTER), markdown("Water: $\\mu = 0.0192$ per mm.")]
    write(chapter(*cells), root / "notebooks" / "small.ipynb")
    done = build(root)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "build" / "html"


def test_a_second_build_runs_nothing_and_says_the_same(small, root):
    page = (small / "notebooks" / "small.html").read_text()
    done = build(root)
    assert done.returncode == 0
    assert "running" not in done.stdout
    assert "cached" in done.stdout
    assert (small / "notebooks" / "small.html").read_text() == page


def test_widgets_live_in_the_page_without_kernel_and_network(small, browser):
    page = browser.new_page()
    outside, errors = [], []
    page.on("request", lambda r: outside.append(r.url) if r.url.startswith("http") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((small / "notebooks" / "small.html").as_uri())
    page.locator("input[type=number]").first.wait_for()
    page.locator(".noUi-handle, .jupyter-widgets [role=slider]").first.press("ArrowRight")
    page.wait_for_function("document.querySelector('input[type=number]').value > 0.25")
    page.locator("button.counter").click()
    assert page.locator("button.counter").inner_text() == "1"
    page.locator("mjx-container").first.wait_for()
    assert outside == []
    assert errors == []
    page.close()


PICTURE = "![](https://example.org/a.png)"


@pytest.mark.parametrize(
    ("cell", "complaints"),
    [
        (code("raise ValueError('no such window')"), ["small failed: cell 5", "no such window"]),
        (markdown("See {doc}`/book/nowhere`."), ["unknown document", "warnings or errors"]),
        (
            markdown(f"PLACEHOLDER {PICTURE}"),
            ["small: 'PLACEHOLDER' was left", "has no alt text", "it loads from example.org"],
        ),
    ],
)
def test_a_bad_chapter_fails_the_build_by_name(small, root, cell, complaints):
    good = (root / "notebooks" / "small.ipynb").read_text()
    try:
        write(chapter(code("print(1)"), cell), root / "notebooks" / "small.ipynb")
        done = build(root)
    finally:
        (root / "notebooks" / "small.ipynb").write_text(good)
    assert done.returncode == 1
    for complaint in complaints:
        assert complaint in done.stdout + done.stderr
