"""What the text pages promise: code that works, words in order, references that are whole."""

import ast
import importlib
import json
import re

import pytest
from conftest import ROOT

PAGES = sorted((ROOT / "book").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
BIB = (ROOT / "book" / "references.bib").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_code_of_a_page_names_what_exists(page):
    for source in BLOCK.findall(page.read_text()):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"


def from_the_page(function):
    """A function of the page on using the book."""
    blocks = BLOCK.findall((ROOT / "book/use.md").read_text())
    names = {}
    exec(next(block for block in blocks if f"def {function}(" in block), names)
    return names[function]


def test_the_way_to_judge_a_network_works():
    import numpy as np

    from ldctlib.physics import Exam
    from ldctlib.scans import Scan

    hu = np.random.default_rng(0).normal(50, 20, (1, 64, 64)).astype(np.float32)
    full = Scan(hu, (1, 1, 1), "patient")
    exam = Exam(full, full.with_hu(hu + 10), None, 0.25)
    found = from_the_page("judge")(lambda low: low - 7, exam, "abdomen")
    assert found["rmse"] == pytest.approx(3, abs=0.2)
    assert set(found) == {"rmse", "psnr", "ssim", "vif"}


def test_the_way_to_find_suspects_works():
    """A denoiser that paints a disc away and draws another one is told both."""
    import numpy as np

    from ldctlib.physics import Exam
    from ldctlib.scans import Scan

    y, x = np.mgrid[:128, :128]
    kept, lost, new = (np.hypot(y - 64, x - c) < 8 for c in (34, 64, 94))
    water = np.where(np.hypot(y - 64, x - 64) < 58, 50.0, -1000.0)
    noise = np.random.default_rng(0).normal(0, 4, (2, 1, 128, 128))

    def scan(discs, noise=0):
        return Scan((water + 80 * discs + noise)[None].astype(np.float32), (3, 0.7, 0.7), "discs")

    full, low = scan(kept | lost, noise[0][0]), scan(kept | lost, 3 * noise[1][0])
    denoised = scan(kept | new, noise[0][0]).hu
    found = from_the_page("suspects")(lambda _: denoised, Exam(full, low, None, 0.1))
    told = {(f.kind, f.source) for f in found.flagged}
    assert {("removed", "reference"), ("introduced", "denoised")} <= told


def test_the_windows_on_the_page_are_those_of_the_library():
    from ldctlib.units import WINDOWS

    rows = re.findall(
        r"^\| `(\w+)` \| (\S+) \| (\S+) \|", (ROOT / "book/conventions.md").read_text(), re.M
    )
    shown = {name: (float(c.replace("−", "-")), float(w)) for name, c, w in rows}
    assert shown == WINDOWS


def test_the_page_tells_who_was_trained_on_as_the_library_does():
    split = json.loads((ROOT / "ldctlib" / "scans" / "splits.json").read_text())
    text = (ROOT / "book" / "data.md").read_text()
    told = re.search(r"Training used (.*) and phantoms with the seeds (\d+) to (\d+)\.", text)
    assert re.findall(r"`([^`]+)`", told[1]) == split["training"]["scans"]
    assert [int(told[2]), int(told[3]) + 1] == split["training"]["phantom_seeds"]
    chosen = re.search(r"on phantoms with the seeds (\d+) to (\d+)\.", text)
    assert [int(chosen[1]), int(chosen[2]) + 1] == split["validation"]["phantom_seeds"]
    assert split["validation"]["scans"] == []


def glossary():
    return re.findall(r"^(\S.*)\n  \S", (ROOT / "book/glossary.md").read_text(), re.M)


def test_the_glossary_is_sorted_and_has_the_words_that_pages_use():
    words = glossary()
    assert words == sorted(words, key=str.lower)
    assert 40 <= len(words) <= 100
    for page in [*PAGES, *(ROOT / "notebooks").glob("*.ipynb")]:
        for used in re.findall(r"\{term\}`([^`]+)`", page.read_text()):
            target = re.sub(r".*<(.+)>", r"\1", used)
            assert target.lower() in {w.lower() for w in words}, f"{page.name}: {target}"


def test_references_are_sorted_unique_and_lead_somewhere():
    keys = re.findall(r"^@\w+\{([^,]+),", BIB, re.M)
    assert keys == sorted(set(keys))
    for entry in re.split(r"^@", BIB, flags=re.M)[1:]:
        assert re.search(r"^\s*(doi|eprint|url|isbn)\s*= ", entry, re.M), entry.splitlines()[0]
    dois = re.findall(r"doi\s*= \{([^}]+)\}", BIB)
    assert all(re.fullmatch(r"10\.\d{4,5}/\S+", doi) for doi in dois)
    assert len(dois) == len(set(dois))
