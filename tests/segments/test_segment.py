"""The front of all segmenters: options, windows, rules; the segmenter itself is a stand-in."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from ldctlib import cli
from ldctlib.masks import Masks
from ldctlib.scans import open_scan
from ldctlib.segments import body_mask, segment
from ldctlib.segments.segment import windows_of

SHAPE = (2, 96, 96)


@pytest.fixture(scope="module")
def scan():
    return open_scan("phantom-abdomen", shape=SHAPE, seed=1)


@pytest.fixture
def asked(monkeypatch):
    """What the built-in segmenter was asked; it finds a square in both slices, and a speck."""
    calls = []

    def builtin(volume, tier="core", processes=None, progress=True, *, body=None):
        calls.append({"volume": volume, "tier": tier, "processes": processes, "body": body})
        square, speck = np.zeros(SHAPE[1:], bool), np.zeros(SHAPE[1:], bool)
        square[44:50, 44:50] = speck[60, 60] = True
        found = [(z, square) for z in range(len(volume))] + [(0, speck)]
        scores = [1.0] * len(found)
        return Masks.from_slices(found, volume.shape, scores=scores)

    module = SimpleNamespace(builtin=builtin)
    monkeypatch.setitem(sys.modules, "ldctlib.segments.builtin", module)
    return calls


def test_builtin_and_rules(scan, asked):
    masks = segment(scan, tier="extended", processes=1)
    assert asked[0]["volume"] is scan.hu
    assert (asked[0]["tier"], asked[0]["processes"]) == ("extended", 1)
    assert np.array_equal(asked[0]["body"], body_mask(scan.hu, scan.pixel_mm))
    assert masks.areas.tolist() == [36, 36]
    assert segment(scan, link=True).areas.tolist() == [72]
    assert segment(scan.hu[0]).shape == (1, *SHAPE[1:])


def test_mistakes(scan, asked):
    with pytest.raises(ValueError, match="No segmenter is called 'slic'"):
        segment(scan, "slic")
    with pytest.raises(ValueError, match="core, extended"):
        segment(scan, tier="best")
    with pytest.raises(ValueError, match="window is for method='sam'"):
        segment(scan, window="lung")
    with pytest.raises(ValueError, match="processes is for method='builtin'"):
        segment(scan, "sam", processes=2)
    with pytest.raises(ValueError, match="No window is called 'liver'"):
        segment(scan, "sam", window=["lung", "liver"])
    with pytest.raises(ValueError, match="or a slice"):
        segment(np.zeros(5))
    with pytest.raises(ValueError, match="at least one window"):
        windows_of([])
    assert not asked


def test_windows():
    assert windows_of(("lung", "mediastinum")) == [(-600.0, 1500.0), (40.0, 400.0)]
    assert windows_of(((40, 80), "lung")) == [(40.0, 80.0), (-600.0, 1500.0)]
    assert windows_of([40, 80]) == [(40.0, 80.0)]


def test_command(scan, asked, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("ldctlib.scans.open_scan", lambda *_, **__: scan)
    target = tmp_path / "new" / "masks.npz"
    assert cli.main(["segment", "mine", str(target), "--tier", "extended", "--link"]) == 0
    assert "1 masks in 2 slices" in capsys.readouterr().out
    assert asked[0]["tier"] == "extended"
    assert Masks.load(target).areas.tolist() == [72]
    for arguments, sentence in (
        ([str(target)], "is there already"),
        [["masks.zip"], "file .npz"],
        ([str(tmp_path / "x.npz"), "--window", "lung"], "window is for method='sam'"),
    ):
        assert cli.main(["segment", "mine", *arguments]) == 2
        assert sentence in capsys.readouterr().err


def test_windows_of_the_command():
    options = cli._parser().parse_args(["segment", "a", "b", "--window", "lung", "40/80"])
    assert options.window == ["lung", (40.0, 80.0)]
