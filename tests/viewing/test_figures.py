import io
import re

import numpy as np
import pytest
from matplotlib import colors, pyplot, rc_context, rcParams
from PIL import Image

from ldctlib import units
from ldctlib.scans.scan import Scan
from ldctlib.viewing import difference_map, figure, panel, style
from ldctlib.viewing.colours import difference_colours


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_a_figure_without_words_is_refused():
    with pytest.raises(ValueError, match="needs alt="):
        figure(pyplot.figure(), alt=" ")


def test_a_figure_carries_its_words_and_closes_the_plot():
    fig, _ = pyplot.subplots(figsize=(4, 2))
    shown = figure(fig, alt='Noise "falls" < dose', caption="Noise & dose")
    assert not pyplot.fignum_exists(fig.number)
    bundle = shown._repr_mimebundle_()
    assert 'alt="Noise &quot;falls&quot; &lt; dose"' in bundle["text/html"]
    assert "<figcaption>Noise &amp; dose</figcaption>" in bundle["text/html"]
    assert re.search('width="400" height="200"', bundle["text/html"])
    assert pixels(shown.png).shape == (400, 800, 3)
    assert bundle["text/plain"] == 'Noise "falls" < dose'


def test_a_panel_shows_every_pixel_at_its_grey_value():
    hu = np.random.default_rng(0).normal(0, 300, (3, 50, 70))
    shown = panel({"a": hu, "b": hu + 100}, "abdomen", slice_number=1, zoom=2, alt="two")
    picture = pixels(shown.png)
    for i, volume in enumerate((hu, hu + 100)):
        grey = np.rint(units.apply_window(np.rint(volume[1]), "abdomen") * 255)
        left = 2 * i * (140 + 4)
        part = picture[44 : 44 + 200, left : left + 280]
        np.testing.assert_array_equal(
            part, np.repeat(grey.repeat(4, 0).repeat(4, 1)[..., None], 3, 2)
        )


def test_a_panel_shows_differences_in_the_one_colour_map():
    a = np.zeros((64, 64))
    b = np.zeros((64, 64))
    b[:32] = 100
    shown = panel(
        {"a": a, "b": b}, "abdomen", difference=("b", "a"), difference_window=100, alt="x"
    )
    part = pixels(shown.png)[44 : 44 + 128, 2 * 2 * 68 : 2 * 2 * 68 + 128]
    assert part[10, 10].tolist() == difference_colours()[255].tolist()
    assert part[100, 10].tolist() == difference_colours()[128].tolist()


def test_a_panel_of_a_scan_has_a_length_bar():
    flat = np.full((1, 100, 100), -1000.0)
    bare = panel({"a": flat}, "abdomen", alt="x")
    known = panel({"a": Scan(flat, (1, 0.5, 0.5), "a")}, "abdomen", alt="x")
    assert (pixels(bare.png)[44:244, :200] == 0).all()
    bright = (pixels(known.png)[44:244, :200] > 128).all(axis=2)
    # 10 mm are 20 pixels of 0.5 mm: 40 dots in the file.
    assert abs(bright.sum(axis=1).max() - 40) <= 2


def test_the_difference_map_is_dark_at_zero_and_equally_bright_at_both_ends():
    cmap = difference_map()
    weights = np.array([0.2126, 0.7152, 0.0722])
    bright = [float(np.dot(colors.to_rgb(cmap(v)), weights)) for v in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert bright[2] < 0.06
    assert abs(bright[0] - bright[4]) < 0.06
    assert abs(bright[1] - bright[3]) < 0.06


def test_style_is_quiet():
    with rc_context():
        style()
        assert rcParams["axes.spines.top"] is False
        assert rcParams["image.interpolation"] == "nearest"
