import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from ldctlib import units
from ldctlib.masks import Masks
from ldctlib.scans.scan import Scan
from ldctlib.viewing import payload, show


@pytest.fixture
def volumes():
    rng = np.random.default_rng(3)
    full = rng.normal(40, 200, (5, 60, 80)).astype(np.float32)
    return {"full dose": full, "low dose": full + rng.normal(0, 50, full.shape).astype(np.float32)}


def data_of(viewer):
    text = re.search(r'\nstart\("ct\w+", (.*)\);\}\)\(\);</script>$', viewer.html, re.S).group(1)
    return json.loads(text)


def png_of(viewer):
    return np.asarray(Image.open(io.BytesIO(viewer.png[0])).convert("RGB"))


def test_the_figure_carries_whole_hu_of_the_crop_and_the_slices(volumes):
    crop = (slice(10, 50), slice(20, 75))
    data = data_of(show(volumes, slices=[1, 3], crop=crop))
    values = payload.unpack(data["values"], 4).reshape(2, 2, 40, 55)
    for pane, volume in zip(values, volumes.values(), strict=True):
        np.testing.assert_array_equal(pane, np.rint(volume[[1, 3], 10:50, 20:75]))
    assert data["numbers"] == [1, 3]
    assert data["offset"] == [10, 20]


def test_three_ways_to_ask_for_slices(volumes):
    asked = [data_of(show(volumes, slices=s))["numbers"] for s in (3, range(1, 3), slice(2, None))]
    assert asked == [[3], [1, 2], [2, 3, 4]]


def test_the_mime_bundle_has_a_picture_and_words_for_every_place(volumes):
    bundle = show(volumes, caption="Look at <this> & that.")._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    page, png = bundle["text/html"], bundle["image/png"]
    assert page.startswith("<figure")
    assert 'data-lm-suppress-shortcuts="true"' in page
    assert page.count("<script>") == page.count("</script>") == 1
    assert f'src="data:image/png;base64,{png}"' in page
    assert base64.b64decode(png).startswith(b"\x89PNG")
    assert "<figcaption>Look at &lt;this&gt; &amp; that.</figcaption>" in page
    alt = re.search(r'<img[^>]* alt="([^"]*)"', page).group(1)
    assert "full dose, low dose" in alt
    assert "Level -600 HU, width 1500 HU" in alt


def test_the_figure_asks_nothing_of_another_host(volumes):
    page = show(volumes, difference=("low dose", "full dose")).html
    assert not re.search(r"https?:|//cdn|\bimport\b|\brequire\(|@import|<link|type=.module", page)
    assert set(re.findall(r"""(?:src|href)=["']([^"']{5})""", page)) == {"data:"}
    assert "url(" not in page


def test_the_same_figure_is_the_same_text_and_another_has_another_name(volumes):
    one, again, other = show(volumes), show(volumes), show(volumes, window="bone")
    assert one.html == again.html
    names = {re.search(r'data-ct-viewer="(\w+)"', v.html).group(1) for v in (one, other)}
    assert len(names) == 2


def test_names_cannot_end_the_script():
    viewer = show({"</script><b>": np.zeros((40, 40))})
    assert viewer.html.count("</script>") == 1
    assert data_of(viewer)["names"] == ["</script><b>"]


def test_words_say_mean_and_spread_of_the_region(volumes):
    roi = (slice(5, 25), slice(30, 70))
    told = repr(show(volumes, slices=2, roi=roi, difference=("low dose", "full dose")))
    low, full = (np.rint(volumes[k][2])[roi] for k in ("low dose", "full dose"))
    assert f"low dose: mean {low.mean():.1f} HU, SD {low.std():.1f} HU, n 800" in told
    change = (low - full).astype(np.float64)
    assert f"low dose − full dose: mean {change.mean():.1f} HU, SD {change.std():.1f} HU" in told


def test_the_picture_shows_what_the_window_rule_says(volumes):
    plane = np.rint(volumes["full dose"][2])
    picture = png_of(show({"a": volumes["full dose"]}, window=(40, 400), slices=2, zoom=2))
    expected = np.rint(units.apply_window(plane, (40, 400)) * 255).repeat(2, 0).repeat(2, 1)
    assert np.abs(picture[22:, :, 0] - expected).max() <= 1
    assert (picture[..., 0] == picture[..., 1]).all()


def test_the_picture_outlines_masks_and_region():
    square = np.zeros((100, 100), bool)
    square[20:40, 50:80] = True
    masks = Masks.from_slices([(0, square)], (1, 100, 100), ["square"])
    roi = (slice(60, 70), slice(10, 30))
    picture = png_of(show({"air": np.full((100, 100), -1500.0)}, masks=masks, roi=roi))[22:]
    coloured = np.argwhere((picture != picture[..., :1]).any(axis=2))
    inside = {tuple(p) for p in coloured}
    assert {(20, 50), (20, 79), (39, 50), (39, 79), (30, 50), (60, 10), (69, 29)} <= inside
    assert not inside & {(30, 60), (19, 50), (40, 50), (65, 20), (70, 20)}


def test_masks_travel_as_runs_of_the_crop():
    square = np.zeros((100, 100), bool)
    square[20:40, 50:80] = True
    masks = Masks.from_slices([(1, square), (2, ~square)], (3, 100, 100), ["in", "out"])
    crop = (slice(30, 60), slice(60, 100))
    data = data_of(show({"a": np.zeros((3, 100, 100))}, slices=[1, 2], crop=crop, masks=masks))
    runs = payload.unpack(data["masks"]["runs"], 5)
    back = np.zeros((2, 2, 30, 40), bool)
    for mask, z, row, first, length in runs.T:
        back[mask, z, row, first : first + length] = True
    np.testing.assert_array_equal(back[0], np.stack([square[crop], np.zeros((30, 40), bool)]))
    np.testing.assert_array_equal(back[1], np.stack([np.zeros((30, 40), bool), ~square[crop]]))
    assert data["masks"]["labels"] == ["in", "out"]


def test_a_scan_brings_its_window_and_tensors_are_welcome():
    scan = Scan(np.zeros((2, 40, 40)), (1, 1, 1), "head", anatomy="head")
    assert show({"a": scan}).window == units.WINDOWS["brain"]
    viewer = show({"a": torch.zeros(40, 40, requires_grad=True)}, window="bone")
    assert viewer.window == units.WINDOWS["bone"]
    assert viewer.numbers == ()


def exposed(dose, **provenance):
    facts = {"dose": dose, **provenance}
    return Scan(np.zeros((1, 40, 40)), (1, 1, 1), "chest", provenance=facts)


def caption_of(viewer):
    return re.search(r"<figcaption>(.*?)</figcaption>", viewer.html).group(1)


def test_the_caption_states_each_dose_once_below_the_words_of_the_author():
    half, tenth = "50 % (as noisy as 49 %)", "10 % (as noisy as 0.5 %)"
    images = {
        "full": Scan(np.zeros((1, 40, 40)), (1, 1, 1), "chest"),
        "CNN-10": exposed(tenth, denoiser="cnn10"),
        "low <dose>": exposed(tenth),
        "half": exposed(half),
        "again": exposed(half),
    }
    viewer = show(images, caption="Look.")
    low, again = f"low &lt;dose&gt;: {tenth}", f"half: {half}"
    assert caption_of(viewer) == f"Look.<br>{low}<br>{again}"
    assert viewer.alt.startswith(f"Look. low <dose>: {tenth} half: {half} CT")
    assert caption_of(show(images)) == f"{low}<br>{again}"
    assert "figcaption>" not in show({"full": images["full"], "slice": np.zeros((40, 40))}).html


def test_a_denoised_scan_alone_tells_the_dose_that_it_came_from():
    viewer = show({"CNN-10": exposed("10 % (as noisy as 0.5 %)", denoiser="cnn10")})
    assert caption_of(viewer) == "CNN-10, before it was denoised: 10 % (as noisy as 0.5 %)"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"slices": 9}, "slices=9 asks for slices that are not among 0 to 4"),
        ({"crop": (slice(0, 70), slice(0, 9))}, "crop=.* does not lie in the rows 0:60"),
        ({"crop": (slice(9, 9), slice(0, 9))}, "crop=.* does not lie"),
        (
            {"roi": (slice(0, 9), slice(0, 90))},
            "roi=.* does not lie in the rows 0:60, columns 0:80",
        ),
        ({"difference": ("low dose", "x")}, "names 'x', but the panes are 'full dose', 'low dose'"),
        ({"window": "liver"}, "No window is called 'liver'"),
        ({"zoom": 1.5}, "zoom is one of 0.5, 1, 2, 3, 4, not 1.5"),
        ({"mask_style": "red"}, "mask_style is one of outline, filled, hidden"),
        ({"limit_mb": 0.05}, "more than the 0.05 MB of a figure: .*crop=.*slices="),
    ],
)
def test_bad_questions_get_one_sentence(volumes, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        show(volumes, **options)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        ({}, "nothing to show"),
        ({"a": np.zeros((4, 4)), "b": np.zeros((4, 5))}, r"'a' is \(1, 4, 4\), 'b' is \(1, 4, 5\)"),
        ({"a": np.zeros(4)}, r"'a' is \(4,\)"),
        ({"a": np.array([[0, np.nan]])}, "'a' holds values that are not finite"),
        ({"a": np.array([[0, 1e6]])}, "'a' reaches beyond"),
    ],
)
def test_bad_images_get_one_sentence(images, sentence):
    with pytest.raises(ValueError, match=sentence):
        show(images)


def test_masks_of_another_grid_are_refused(volumes):
    masks = Masks.from_slices([], (1, 60, 80))
    with pytest.raises(
        ValueError, match=r"masks lie on \(1, 60, 80\), the images on \(5, 60, 80\)"
    ):
        show(volumes, masks=masks)


def test_three_noisy_panes_of_512_pixels_fit_into_a_figure():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:512, :512]
    body = np.where(np.hypot(y - 256, x - 256) < 220, 40.0, -1000.0)
    body[body < 0] += rng.normal(0, 15, (body < 0).sum())
    panes = {
        f"{sd}": body + np.where(body > -500, rng.normal(0, sd, body.shape), 0)
        for sd in (12, 24, 40)
    }
    assert len(show(panes, window="abdomen").html) < 1.5e6
