"""The viewer in headless Chromium, on a file:// page, with no network."""

import base64

import numpy as np
import pytest

from ldctlib import units
from ldctlib.masks import Masks
from ldctlib.viewing import show
from ldctlib.viewing.colours import difference_colours, difference_table

ROW0, COLUMN0 = 20, 30


@pytest.fixture(scope="module")
def volumes():
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:200, :230]
    body = np.where(np.hypot(y - 100, x - 115) < 80, 40, -1000)
    full = np.rint(body + rng.normal(0, 60, (5, 200, 230)))
    return {"full dose": full, "low dose": np.rint(full + rng.normal(0, 90, full.shape))}


@pytest.fixture(scope="module")
def viewer(volumes):
    disc = np.zeros((200, 230), bool)
    disc[90:130, 100:150] = True
    lung = np.zeros((200, 230), bool)
    lung[60:70, 60:90] = lung[62:66, 95:99] = True
    masks = Masks.from_slices(
        [(3, disc), (3, lung), (2, disc)], (5, 200, 230), ["disc", "lung", "two"]
    )
    return show(
        volumes,
        window=(40, 400),
        slices=range(1, 5),
        crop=(slice(ROW0, 180), slice(COLUMN0, 210)),
        difference=("low dose", "full dose"),
        difference_window=150,
        masks=masks,
        alt="A disc of water with noise.",
        caption="Noise.",
    )


def plane_of(volumes, name, number):
    return volumes[name][number][ROW0:180, COLUMN0:210]


def view(page, figure=0):
    return page.evaluate("i => document.querySelectorAll('figure')[i].viewer.view", figure)


def shown(page, pane, figure=0):
    """What stands in a canvas: uint8 (H, W, 3)."""
    text, height, width = page.evaluate(
        """async ([pane, figure]) => {
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        const { canvas } = document.querySelectorAll("figure")[figure].viewer.panes[pane];
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let text = "";
        for (let i = 0; i < data.length; i += 4096) {
            text += String.fromCharCode(...data.subarray(i, i + 4096));
        }
        return [btoa(text), canvas.height, canvas.width];
        }""",
        [pane, figure],
    )
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)[..., :3]


def grey(plane, window):
    values = np.rint(units.apply_window(plane.astype(np.float64), window) * 255).astype(np.uint8)
    return values[..., None].repeat(3, axis=2)


def check_panes(page, volumes, number):
    """Every pane shows what the window rule predicts for the view; returns the window."""
    now = view(page)
    window = now["level"], now["width"]
    for i, name in enumerate(volumes):
        np.testing.assert_array_equal(shown(page, i), grey(plane_of(volumes, name, number), window))
    change = plane_of(volumes, "low dose", number) - plane_of(volumes, "full dose", number)
    entry = difference_table(now["limit"])[change.astype(int) + 32768]
    np.testing.assert_array_equal(shown(page, 2), difference_colours()[entry])
    return window


def place(page, pane, row, column):
    """Page position of the centre of an image pixel, at zoom 1."""
    box = page.locator("canvas").nth(pane).bounding_box()
    return box["x"] + column + 0.5, box["y"] + row + 0.5


def drag(page, pane, start, stop):
    page.mouse.move(*place(page, pane, *start))
    page.mouse.down()
    page.mouse.move(*place(page, pane, *stop), steps=4)
    page.mouse.up()


def state(page):
    return page.locator("[data-is=state]").inner_text()


def test_it_comes_alive_with_the_pixels_that_the_rule_predicts(open_page, viewer, volumes):
    page = open_page(viewer)
    assert check_panes(page, volumes, 3) == (40, 400)
    assert state(page) == "level 40 HU, width 400 HU, slice 3, zoom 1"
    assert page.locator("figure img").count() == 0
    assert page.locator("figcaption").inner_text() == "Noise."
    names = [page.locator("canvas").nth(i).get_attribute("aria-label") for i in range(3)]
    assert names[2] == "low dose − full dose. A disc of water with noise."


def test_dragging_changes_window_and_pixels_of_all_panes(open_page, viewer, volumes):
    page = open_page(viewer)
    drag(page, 0, (80, 50), (60, 95))  # 45 of 180 columns to the right, 20 of 160 rows up
    level, width = check_panes(page, volumes, 3)
    assert width == round(400 * 4 ** (45 / 180))
    assert level == round(40 + 20 / 160 * 400)
    assert f"level {level} HU, width {width} HU" in state(page)


def test_dragging_on_the_difference_changes_only_its_own_colours(open_page, viewer, volumes):
    page = open_page(viewer)
    drag(page, 2, (80, 50), (80, 140))
    assert check_panes(page, volumes, 3) == (40, 400)
    assert view(page)["limit"] == round(150 * 4 ** (90 / 180))
    page.get_by_label("Difference ±").fill("75")
    page.keyboard.press("Enter")
    check_panes(page, volumes, 3)
    assert view(page)["limit"] == 75


def test_the_two_thumbs_move_black_and_white(open_page, viewer, volumes):
    page = open_page(viewer)
    black, white = page.get_by_label("Black at, HU"), page.get_by_label("White at, HU")
    assert (black.input_value(), white.input_value()) == ("-160", "239")
    black.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    white.focus()
    for _ in range(7):
        page.keyboard.press("ArrowLeft")
    window = check_panes(page, volumes, 3)
    assert units.window_bounds(window) == (-140, 232)
    assert "level 46.5 HU, width 373 HU" in state(page)
    box, low, high = white.bounding_box(), *(float(white.get_attribute(k)) for k in ("min", "max"))
    at = box["x"] + 5 + (box["width"] - 10) * (232 - low) / (high - low)
    page.mouse.move(at, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(at + 40, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    moved = 40 / (box["width"] - 10) * (high - low)
    lower, upper = units.window_bounds(check_panes(page, volumes, 3))
    assert lower == -140
    assert abs(upper - 232 - moved) < 3


def test_the_thumbs_do_not_cross(open_page, viewer, volumes):
    page = open_page(viewer)
    page.get_by_label("Black at, HU").focus()
    page.keyboard.press("End")
    assert check_panes(page, volumes, 3)[1] == 1


def test_typed_numbers_presets_and_reset(open_page, viewer, volumes):
    page = open_page(viewer)
    page.get_by_label("Level").fill("-600")
    page.get_by_label("Width").fill("1500")
    page.keyboard.press("Tab")
    assert check_panes(page, volumes, 3) == units.WINDOWS["lung"]
    assert page.locator("[data-is=preset] option:checked").inner_text() == "lung"
    page.get_by_role("combobox", name="Window").select_option("bone")
    assert check_panes(page, volumes, 3) == units.WINDOWS["bone"]
    page.get_by_label("Width").fill("0")
    page.keyboard.press("Enter")
    assert page.get_by_label("Width").input_value() == "1"
    page.get_by_role("button", name="Reset").click()
    assert check_panes(page, volumes, 3) == (40, 400)


def test_slices_by_slider_keys_and_wheel(open_page, viewer, volumes):
    page = open_page(viewer)
    slider = page.get_by_role("slider", name="Slice")
    slider.focus()
    page.keyboard.press("ArrowRight")
    check_panes(page, volumes, 4)
    assert state(page).endswith("slice 4, zoom 1")
    assert slider.get_attribute("aria-valuetext") == "4"
    page.keyboard.press("Home")
    check_panes(page, volumes, 1)
    page.locator(".pane").first.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowDown")
    check_panes(page, volumes, 2)
    page.mouse.move(*place(page, 1, 30, 30))
    page.mouse.wheel(0, 100)
    page.keyboard.down("Shift")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Shift")
    page.wait_for_function("document.querySelector('figure').viewer.view.slice === 2")
    check_panes(page, volumes, 3)


def test_a_region_measures_what_numpy_measures(open_page, viewer, volumes):
    page = open_page(viewer)
    page.locator("fieldset").get_by_text("ROI").click()
    drag(page, 1, (70, 100), (49, 60))
    page.get_by_role("slider", name="Slice").focus()
    page.keyboard.press("ArrowRight")
    parts = [plane_of(volumes, name, 4)[49:71, 60:101] for name in volumes]
    parts.append(parts[1] - parts[0])
    page.wait_for_function("document.querySelector('figure').viewer.view.slice === 3")
    shown(page, 0)
    for i, part in enumerate(parts):
        told = f"mean {part.mean():.1f} HU, SD {part.std():.1f} HU, n 902".replace("-", "−")
        assert page.locator(".stats").nth(i).inner_text() == told
    assert page.locator("path.roi").nth(2).get_attribute("d") == "M60 49H101V71H60z"


def test_a_region_by_keyboard(open_page, viewer):
    page = open_page(viewer)
    page.locator("fieldset").get_by_text("ROI").click()
    page.locator(".pane").nth(1).focus()
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    assert view(page)["roi"] == [63, 71, 96, 107]
    page.keyboard.press("Escape")
    shown(page, 0)
    assert view(page)["roi"] is None
    assert page.locator(".stats").first.inner_text() == ""


def test_the_pointer_reads_hu_and_structure_in_every_pane(open_page, viewer, volumes):
    page = open_page(viewer)
    page.mouse.move(*place(page, 0, 90, 100))
    row, column = 90 + ROW0, 100 + COLUMN0
    values = [volumes[name][3, row, column] for name in volumes]
    told = f"row 110, column 130: full dose {values[0]:.0f}, low dose {values[1]:.0f} HU, disc"
    assert page.locator("[data-is=probe]").inner_text() == told.replace("-", "−")
    assert page.locator("path.cross").nth(0).get_attribute("d") == ""
    assert page.locator("path.cross").nth(1).get_attribute("d").startswith("M96 90.5")


def test_masks_are_laid_over_as_lines_and_leave_the_pixels_alone(open_page, viewer, volumes):
    page = open_page(viewer)
    legend = page.locator("[data-is=legend] li")
    assert legend.all_inner_texts() == ["disc", "lung"]
    assert page.locator("path.edge").count() == 6
    assert page.locator("path.area").count() == 0
    page.get_by_role("combobox", name="Masks").select_option("filled")
    check_panes(page, volumes, 3)
    assert page.locator("path.area").count() == 6
    box = page.evaluate(
        """() => { const { root } = document.querySelector("figure").viewer;
        const box = root.querySelector("path.area").getBBox();
        return [box.x, box.y, box.width, box.height]; }"""
    )
    assert box == [100 - COLUMN0, 90 - ROW0, 50, 40]
    page.get_by_role("combobox", name="Masks").select_option("hidden")
    check_panes(page, volumes, 3)
    assert page.locator("path.edge").count() == 0
    page.get_by_role("combobox", name="Masks").select_option("outline")
    page.get_by_role("slider", name="Slice").focus()
    page.keyboard.press("ArrowLeft")
    check_panes(page, volumes, 2)
    assert legend.all_inner_texts() == ["two"]


def test_zoom_is_whole_and_linked_and_pan_moves_all_panes(open_page, viewer, volumes):
    page = open_page(viewer)
    page.get_by_label("Zoom").select_option("3")
    page.locator("fieldset").get_by_text("Pan").click()
    page.locator(".pane").first.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    first = shown(page, 0)
    [left, top], box = page.evaluate(
        "() => { const v = document.querySelector('figure').viewer; return [v.corner(), v.box]; }"
    )
    assert (box["scale"], box["reduce"]) == (3, 1)
    assert left == np.floor(90 - 16 - box["across"] / 2 + 0.5)
    for i, name in enumerate(volumes):
        part = plane_of(volumes, name, 3)[top : top + box["down"], left : left + box["across"]]
        large = grey(part, (40, 400)).repeat(3, 0).repeat(3, 1)
        np.testing.assert_array_equal(shown(page, i), large)
    assert "of 180 columns" in state(page)
    size = page.locator("canvas").first.bounding_box()
    assert (size["width"], size["height"]) == (first.shape[1], first.shape[0])


def test_half_zoom_says_that_it_averages(open_page, viewer, volumes):
    page = open_page(viewer)
    page.get_by_label("Zoom").select_option("½")
    plane = plane_of(volumes, "full dose", 3)
    means = np.floor(plane.reshape(80, 2, 90, 2).mean(axis=(1, 3)) + 0.5)
    np.testing.assert_array_equal(shown(page, 0), grey(means, (40, 400)))
    assert "means of 2 × 2 pixels: noise looks weaker" in state(page)


def test_fine_screens_get_whole_device_pixels(open_page, viewer, volumes):
    page = open_page(viewer, device_scale_factor=2)
    full = grey(plane_of(volumes, "full dose", 3), (40, 400))
    np.testing.assert_array_equal(shown(page, 0), full.repeat(2, 0).repeat(2, 1))
    assert page.locator("canvas").first.bounding_box()["width"] == 180
    page.get_by_label("Zoom").select_option("½")
    np.testing.assert_array_equal(shown(page, 0), full)
    assert "means" not in state(page)


def test_blinking_shows_one_pane_in_the_place_of_the_other(open_page, viewer, volumes):
    page = open_page(viewer)
    button = page.get_by_role("button", name="Blink")
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    low = grey(plane_of(volumes, "low dose", 3), (40, 400))
    np.testing.assert_array_equal(shown(page, 0), low)
    assert button.get_attribute("aria-pressed") == "true"
    page.wait_for_function("!document.querySelector('figure').viewer.view.swapped")
    page.wait_for_function("document.querySelector('figure').viewer.view.swapped")
    button.click()
    check_panes(page, volumes, 3)


def test_readers_who_want_no_motion_swap_by_hand(open_page, viewer, volumes):
    page = open_page(viewer, reduced_motion="reduce")
    button = page.get_by_role("button", name="Swap")
    button.click()
    np.testing.assert_array_equal(shown(page, 0), grey(plane_of(volumes, "low dose", 3), (40, 400)))
    page.wait_for_timeout(1000)
    assert view(page)["swapped"]
    button.click()
    check_panes(page, volumes, 3)


@pytest.mark.parametrize("how", ["theme", "system"])
def test_dark_pages_change_the_controls_and_no_grey_value(open_page, viewer, volumes, how):
    page = open_page(viewer, color_scheme="dark" if how == "system" else "light")
    if how == "theme":
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
    check_panes(page, volumes, 3)
    style = "e => [getComputedStyle(e).color, getComputedStyle(e).filter]"
    assert page.get_by_role("button", name="Reset").evaluate(style)[0] == "rgb(206, 214, 221)"
    for ancestor in ("canvas", ".view", ".stage", "figure"):
        assert page.locator(ancestor).first.evaluate(style)[1] == "none"


def test_without_scripts_the_picture_stands_with_its_words(open_page, viewer):
    page = open_page(viewer, wait=False, java_script_enabled=False)
    image = page.get_by_role("img", name="A disc of water with noise.")
    assert image.bounding_box()["width"] == viewer.png[1]


def test_the_still_picture_keeps_its_greys_in_dark_themes(open_page, viewer):
    page = open_page(viewer, wait=False)
    still = viewer.html.split("<script>")[0]
    page.set_content(f"<style>html[data-theme=dark] img{{filter:brightness(.8)}}</style>{still}")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert page.locator("img").evaluate("e => getComputedStyle(e).filter") == "none"


def test_a_phone_sees_everything_without_scrolling_sideways(open_page, viewer, volumes):
    phone = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 3}
    page = open_page(viewer, has_touch=True, is_mobile=True, **phone)
    page.get_by_text("Keys").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    boxes = [e.bounding_box() for e in page.locator("canvas, .bar > *, .status > *").all()]
    for box in filter(None, boxes):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
    full = grey(plane_of(volumes, "full dose", 3), (40, 400))
    np.testing.assert_array_equal(shown(page, 0), full.repeat(3, 0).repeat(3, 1))


def test_every_control_is_reached_by_tab_and_has_a_name(open_page, viewer):
    page = open_page(viewer)
    reached = []
    for _ in range(16):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """() => { const e = document.querySelector("figure").viewer.root.activeElement;
                if (!e) return null;
                const name = e.ariaLabel || e.labels?.[0]?.textContent || e.textContent;
                const ringed = e.type === "radio" ? e.nextElementSibling : e;
                const { outlineStyle } = getComputedStyle(ringed);
                return [name.trim().split(/\\s+/)[0], outlineStyle, e.type]; }"""
            )
        )
    names = [r[0] for r in reached if r]
    assert names == [
        *("full", "low", "low", "Window", "Black", "White", "Level", "Width", "Slice", "Zoom"),
        *("Window", "Difference", "Blink", "Masks", "Reset", "Keys"),
    ]
    # Thumbs draw the focus ring on themselves, everything else is outlined.
    assert all(r[1] != "none" for r in reached if r and r[0] not in ("Black", "White"))


def test_the_same_output_twice_and_several_figures_all_come_alive(open_page, viewer, volumes):
    other = show({"one": volumes["full dose"][0]}, window="bone")
    page = open_page(viewer, other, viewer)
    for i in range(3):
        page.locator("figure").nth(i).scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('figure[data-ready]').length === 3")
    np.testing.assert_array_equal(
        shown(page, 0, figure=1), grey(volumes["full dose"][0], units.WINDOWS["bone"])
    )
    assert view(page, 1)["zoom"] == 1
    assert "slice" not in page.locator("[data-is=state]").nth(1).inner_text()
    assert page.locator("figure").nth(1).get_by_role("button", name="Blink").count() == 0
