"""The programs of book/ as modules, a small site to check, and the built book."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
sys.path.insert(0, str(ROOT / "book"))

TEXT = "<p>" + "A page with enough text to count as one. " * 8 + "</p>"


@pytest.fixture
def make_page(tmp_path):
    """Write a page of a site and return it parsed: ``make_page('<img src=x.png>')``."""
    import check

    (tmp_path / "book").mkdir()
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "own.css").write_text("body { color: black }")
    (tmp_path / "x.png").write_bytes(b"0" * 1000)

    def make(article="", head="", name="book/page"):
        html = f"<html><head>{head}</head><body><article>{TEXT}{article}</article></body></html>"
        path = tmp_path / f"{name}.html"
        path.parent.mkdir(exist_ok=True)
        path.write_text(html)
        return check.Page(tmp_path, name)

    return make


@pytest.fixture(scope="session")
def site():
    """The built book."""
    folder = ROOT / "build" / "html"
    if not (folder / "index.html").exists():
        pytest.fail("The book is not built: run `make book` first.")
    return folder


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM.exists():
        reason = f"no browser at {CHROMIUM}; install chromium, or set CHROMIUM to its path"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()
