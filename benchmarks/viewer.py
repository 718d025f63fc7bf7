"""Weight of viewer figures, time until they live, and time to redraw them, in headless Chromium.

python benchmarks/viewer.py
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from _table import record
from playwright.sync_api import sync_playwright

from ldctlib.viewing import show

PAGE = "<!doctype html><meta charset=utf-8><body style='max-width:768px;margin:auto'>{}"

# Milliseconds from the start of the page until the figure lives.
WATCH = """new MutationObserver(() => {
  if (document.querySelector("figure[data-ready]")) window.alive ??= performance.now();
}).observe(document, { subtree: true, childList: true, attributes: true })"""

# Best and median ms of a redraw; reading one pixel of each canvas makes the browser finish it.
REDRAW = """([changes, rounds]) => {
  const { viewer } = document.querySelector("figure"), times = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    viewer.set(Object.fromEntries(Object.entries(changes).map(([k, v]) => [k, v[i % v.length]])));
    viewer.draw();
    for (const p of viewer.panes) p.front.getImageData(0, 0, 1, 1);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return [times[0], times[rounds >> 1]];
}"""


def panes(slices, side, sigmas=(12, 25, 40)):
    """Discs of water in air with the noise of a full, a quarter and a tenth of the dose."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] - side / 2
    body = np.where(np.hypot(1.3 * y, x) < 0.45 * side, 40.0, -1000.0)
    shape = (slices, side, side)
    return {
        f"SD {s} HU": body + np.where(body > 0, rng.normal(0, s, shape), rng.normal(0, 10, shape))
        for s in sigmas
    }


def load(page, file):
    """Milliseconds until the figure of a page lives."""
    page.goto(file.as_uri())
    page.wait_for_function("window.alive")
    return page.evaluate("window.alive")


def measure(browser, name, images, **options):
    start = time.perf_counter()
    viewer = show(images, window="abdomen", limit_mb=6, **options)
    built = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.html")
        file.write_text(PAGE.format(viewer.html), encoding="utf-8")
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.add_init_script(WATCH)
        alive = min(load(page, file) for _ in range(3))
        levels = {"level": list(range(40, 60)), "width": [400, 380]}
        windowing, median = page.evaluate(REDRAW, [levels, 60])
        depth = len(viewer.numbers)
        turns = {"slice": list(range(depth))}
        scrolling = page.evaluate(REDRAW, [turns, 60])[0] if depth else None
        page.evaluate("document.querySelector('figure').viewer.set({roi: [80, 80, 120, 120]})")
        region, _ = page.evaluate(REDRAW, [levels, 60])
        page.close()
    return {
        "figure": name,
        "MB": round(len(viewer.html.encode()) / 1e6, 2),
        "made in Python, s": round(built, 2),
        "alive after, s": round(alive / 1000, 2),
        "redraw for a window, ms": round(windowing, 1),
        "its median, ms": round(median, 1),
        "with a region measured, ms": round(region, 1),
        "redraw for a slice, ms": "" if scrolling is None else round(scrolling, 1),
    }


def main():
    busy = os.getloadavg()[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        whole, pair = panes(1, 512), ("SD 40 HU", "SD 12 HU")
        rows = [
            measure(browser, "3 panes of 512 x 512", whole),
            measure(browser, "the same, zoom 1/2", whole, zoom=0.5),
            measure(browser, "the same and a difference", whole, difference=pair),
            measure(browser, "3 panes of 6 slices of 192 x 192", panes(6, 192)),
            measure(browser, "3 panes of 16 slices of 256 x 256", panes(16, 256)),
        ]
        version = browser.version
        browser.close()
    note = (
        f"Headless Chromium {version} without a GPU, one figure a page; best of 3 loads and "
        f"of 60 redraws. Other work on the machine: load average {busy:.1f} before the run."
    )
    record("viewer", rows, note=note)


if __name__ == "__main__":
    main()
