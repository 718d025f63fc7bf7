"""The form of a chapter: its fixed cells, and a new chapter to start from.

``python book/chapter.py notebooks/12-my-chapter.ipynb`` writes a small chapter that runs, builds
and passes every check. ``markdown`` and ``code`` make cells for those who write by script.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

from ldctlib.files import replacing

SETUP = """\
try:
    import ldctlib
except ImportError:
    %pip install -q "ldctlib[notebooks]"
    import ldctlib"""

PARAMETERS = """\
profile = "quick"  # or "full": see "How to use this book"
scan = "lidc-0314"  # or "phantom-chest": needs no download"""

ROWS = ("You will be able to", "Before this", "Minutes", "Hardware", "Data")
CLOSING = ("Summary", "What is next", "References")


def markdown(source: str, *tags: str) -> nbformat.NotebookNode:
    """A text cell."""
    return nbformat.v4.new_markdown_cell(source.strip(), metadata={"tags": list(tags)})


def code(source: str, *tags: str, alt: str = "", caption: str = "") -> nbformat.NotebookNode:
    """A code cell; one that draws a picture states its alt text and a caption."""
    metadata: dict = {"tags": list(tags)}
    if alt:
        metadata["mystnb"] = {"image": {"alt": alt}}
    if caption:
        figure = {"caption": caption, "align": "left"}
        metadata["mystnb"] = metadata.get("mystnb", {}) | {"figure": figure}
    return nbformat.v4.new_code_cell(source.strip(), metadata=metadata)


def write(cells: list[nbformat.NotebookNode], path: str | Path) -> None:
    """Write a notebook without outputs; the same cells give the same file."""
    for number, cell in enumerate(cells):
        cell["id"] = str(number)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(notebook)
    with replacing(path) as unfinished:
        nbformat.write(notebook, unfinished)


def example() -> list[nbformat.NotebookNode]:
    """The cells of a small, complete chapter."""
    return [
        markdown("""
# How noisy is a mean?

Average four noisy pixels. How much quieter is the result?

| You will be able to | predict the noise of a mean |
|---|---|
| **Before this** | nothing |
| **Minutes** | 5 to read, 5 for the exercise |
| **Hardware** | any laptop |
| **Data** | none; the numbers are drawn here |
"""),
        code(SETUP, "remove-cell"),
        code(PARAMETERS, "parameters"),
        code("import matplotlib.pyplot as plt\nimport numpy as np"),
        markdown("""
## Draw, average, compare

Noise of independent pixels shrinks with the square root of their number {cite:p}`kak1988`:

$$ \\sigma_n = \\sigma / \\sqrt{n}. $$
"""),
        code("""
rng = np.random.default_rng(0)
pixels_hu = rng.normal(0, 40, size=(20_000, 4))
single_hu, mean_hu = pixels_hu[:, 0].std(), pixels_hu.mean(axis=1).std()
print(f"one pixel {single_hu:.0f} HU, mean of four {mean_hu:.0f} HU")
"""),
        code("assert abs(single_hu - 40) < 1 and abs(mean_hu - 20) < 1", "remove-cell"),
        code(
            """
fig, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
ax.hist(pixels_hu[:, 0], bins=60, alpha=0.6, label="one pixel")
ax.hist(pixels_hu.mean(axis=1), bins=60, alpha=0.6, label="mean of four")
ax.set(xlabel="CT number (HU)", ylabel="count")
ax.legend()
plt.show()
""",
            alt="Two bell-shaped histograms centred at 0 HU; the mean of four is half as wide.",
            caption="The mean of four pixels spreads half as far as one pixel.",
        ),
        markdown("""
## Your turn

:::{exercise}
:label: ex-noise-mean

How many pixels must you average to reach 5 HU?
:::
"""),
        markdown(":::{solution-start} ex-noise-mean\n:class: dropdown\n:::", "solution"),
        markdown(
            "Noise falls by the root of the number, so the number grows with the square.",
            "solution",
        ),
        code("(single_hu / 5) ** 2", "solution"),
        markdown(":::{solution-end}\n:::", "solution"),
        markdown("""
## Summary

1. Independent noise averages out.
2. Four pixels halve it.
3. Sixteen quarter it.
4. Neighbouring pixels of a CT image are not independent.
5. So a mean over neighbours gains less than this.
"""),
        markdown("## What is next\n\n{doc}`/book/glossary` has the words used here."),
        markdown("## References\n\n```{bibliography}\n:filter: docname in docnames\n```"),
    ]


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].endswith(".ipynb"):
        sys.exit("usage: python book/chapter.py notebooks/NN-name.ipynb")
    if Path(sys.argv[1]).exists():
        sys.exit(f"{sys.argv[1]} exists already; nothing was written.")
    write(example(), sys.argv[1])
