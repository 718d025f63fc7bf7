"""A scatter of segments: its drawing, its gallery, and what choosing a point does in a page."""

import re

import numpy as np
import pytest

from ldctlib.masks import Masks
from ldctlib.viewing import scatter
from ldctlib.viewing.axes import BOTTOM, LEFT, RIGHT, TOP, LogLog, ticks

SHAPE = (4, 60, 80)
BOXES = [(0, 5, 5), (1, 20, 70), (2, 50, 40), (3, 30, 30), (3, 10, 60)]
LABELS = ["a", "b", "c", "d", "e"]


def masks():
    parts = []
    for z, row, column in BOXES:
        part = np.zeros(SHAPE[1:], bool)
        part[row : row + 6, column : column + 6] = True
        parts.append((z, part))
    return Masks.from_slices(parts, SHAPE, LABELS)


def volumes():
    z, y, _ = np.indices(SHAPE)
    full = (1000 * z + y).astype(float)
    return {"denoised": full + 7, "full dose": full}


def made(**options):
    settings = {
        "kinds": ["removed", "introduced", "removed"],
        "windows": [(3000, 100), (0, 400), (2000, 50)],
        "texts": ["the fourth", "the first", "the third"],
        "reveal": "full dose",
        "labels": ("low dose (HU)", "denoised (HU)"),
        "crop_px": 32,
        "alt": "Five segments.",
        "caption": "Choose one.",
    }
    x, y = np.array([10, 20, 30, 40, 1000.0]), np.array([100, 20, 3, 40, 10.0])
    return scatter(x, y, volumes(), masks(), [3, 0, 2], **{**settings, **options})


def test_every_segment_is_a_point_and_the_chosen_ones_are_marks():
    html = made().html
    assert html.count("<path data-n=") == 3
    assert len(re.findall(r"M\d+ \d+h0", html)) == 2
    assert html.count(">removed</text>") == html.count(">introduced</text>") == 1


def test_the_gallery_holds_the_surroundings_of_each_chosen_segment():
    viewer = made().viewer
    assert viewer.values.shape == (2, 3, 32, 32)
    assert viewer.numbers == (3, 0, 2)
    for k, (label, place) in enumerate(zip("dac", [3, 0, 2], strict=True)):
        z, row, _ = BOXES[place]
        top = int(np.clip(row + 3 - 16, 0, 60 - 32))
        assert viewer.values[1, k, 0, 0] == 1000 * z + top
        assert viewer.labels[k] == label
        assert (viewer.runs[4][viewer.runs[1] == k]).sum() == 36


def test_both_axes_are_alike_so_that_the_diagonal_is_where_the_errors_are_equal():
    rng = np.random.default_rng(0)
    x, y = np.exp(rng.normal(3, 1, (2, 50)))
    frame = LogLog(x, y)
    for i in range(50):
        across, down = frame.place(i)
        right, up = (across - LEFT) / (RIGHT - LEFT), (BOTTOM - down) / (BOTTOM - TOP)
        assert (up > right) == (y[i] > x[i])
        assert 0 <= min(up, right) <= max(up, right) <= 1
    assert ticks(0.8, 25) == [1, 2, 5, 10, 20]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kinds": ["removed"]}, "1 kinds were given for 3"),
        ({"texts": []}, "0 texts were given for 3"),
        ({"reveal": "truth"}, "No pane is called 'truth'"),
    ],
)
def test_what_does_not_fit_is_said(options, says):
    with pytest.raises(ValueError, match=says):
        made(**options)
    with pytest.raises(ValueError, match="positive and finite"):
        scatter(np.zeros(5), np.ones(5), volumes(), masks(), [0], alt="x")
    with pytest.raises(ValueError, match="one of the segments 0 to 4"):
        scatter(np.ones(5), np.ones(5), volumes(), masks(), [5], alt="x")
    with pytest.raises(ValueError, match="There are 5 segments"):
        scatter(np.ones(4), np.ones(4), volumes(), masks(), [0], alt="x")


VIEW = "() => { const v = document.querySelector('figure').viewer; return v.view; }"
COVERED = """() => document.querySelector('figure').viewer.panes
    .map((p) => p.canvas.style.visibility === 'hidden')"""


def chosen(page):
    view = page.evaluate(VIEW)
    return view["slice"], view["level"], view["width"]


def test_choosing_a_point_shows_its_segment_in_its_window(open_page):
    page = open_page(made())
    page.wait_for_function("() => document.querySelector('figure').viewer.view.level === 3000")
    assert chosen(page) == (0, 3000, 100)
    assert page.evaluate(COVERED) == [False, True]
    page.click("text=Reveal full dose")
    assert page.evaluate(COVERED) == [False, False]
    page.click(".marks path[data-n='2']")
    assert chosen(page) == (2, 2000, 50)
    assert page.evaluate(COVERED) == [False, True]
    assert "3 of 3. removed: the third" in page.inner_text(".chosen")
    page.keyboard.press("ArrowRight")
    assert chosen(page) == (0, 3000, 100)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert chosen(page) == (1, 0, 400)
    assert "2 of 3. introduced: the first" in page.inner_text(".chosen")


def test_keys_of_the_viewer_choose_segments_too(open_page):
    page = open_page(made())
    page.focus("[role=group][tabindex='0']")
    page.keyboard.press("PageUp")
    page.wait_for_function("() => document.querySelector('figure').viewer.view.slice === 1")
    assert chosen(page) == (1, 0, 400)
    assert "2 of 3" in page.inner_text(".chosen")
