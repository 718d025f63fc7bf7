"""`ldct hallucinations`: what it prints and writes, and one sentence for every mistake."""

import csv

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ldctlib import cli
from ldctlib.masks import Masks


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three volumes of noise with one disc, which the denoised one lacks, and their masks."""
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    y, x = np.indices((96, 96))
    inside = [np.hypot(y - a, x - b) < 5 for a in (24, 48, 72) for b in (24, 48, 72)]
    lesion = np.where(inside[4], 80.0, 0.0)
    full, low = (lesion + rng.normal(0, sigma, (2, 96, 96)) for sigma in (8, 30))
    denoised = gaussian_filter(low - lesion, (0, 1, 1))
    paths = {}
    for name, volume in {"low": low, "denoised": denoised, "full": full}.items():
        paths[name] = folder / f"{name}.npy"
        np.save(paths[name], volume.astype(np.float32))
    names = [f"disc-{i}" for i in range(9)]
    masks = Masks.from_slices([(1, disc) for disc in inside], low.shape, names)
    paths["masks"] = folder / "masks.npz"
    masks.save(paths["masks"])
    return paths


def command(files, *more):
    scans = [files[name] for name in ("low", "denoised", "full")]
    return [str(part) for part in ("hallucinations", *scans, "--spacing-mm", 1, 1, 1, *more)]


def test_the_segments_in_a_table_and_the_worst_on_the_screen(files, tmp_path, capsys):
    target = tmp_path / "new" / "segments.csv"
    asked = command(files, "--masks", files["masks"], "--alpha", 0.001, "--out", target)
    assert cli.main(asked) == 0
    out = capsys.readouterr().out
    assert "1 of 9 segments flagged (1 removed" in out
    assert "disc-4" in out
    assert "disc-3" not in out
    with target.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert (rows[0]["label"], rows[0]["kind"], rows[0]["flagged"]) == ("disc-4", "removed", "True")
    assert float(rows[0]["bias_hu"]) == pytest.approx(-80, abs=15)
    assert [path.name for path in target.parent.iterdir()] == ["segments.csv"]


def test_masks_of_both_scans(files, capsys):
    masks = ("--masks", files["masks"], "--denoised-masks", files["masks"])
    assert cli.main(command(files, *masks, "--threshold", 1e6)) == 0
    assert "0 of 18 segments flagged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--out", "segments.txt"), "is no .csv file"),
        (("--denoised-masks", "masks.npz"), "needs --masks"),
        (("--masks", "absent.npz"), "absent.npz"),
        (("--method", "magic"), "magic"),
    ],
)
def test_mistakes(files, more, message, capsys):
    assert cli.main(command(files, *more)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 1
