"""The segmenter without weights: exact shapes, nothing in noise, and most of a phantom."""

import numpy as np
import pytest
from scipy import ndimage

from ldctlib.scans import open_scan
from ldctlib.segments import body_mask
from ldctlib.segments.agreement import agreement
from ldctlib.segments.builtin import CORE_SCORE, LIMIT, builtin, segment_slice
from ldctlib.segments.contrast import contrast, smoothed
from ldctlib.segments.noise_scale import noise_scale, steps
from ldctlib.segments.regions import merging_tree, watershed
from ldctlib.segments.trees import component_tree

SIZE = 256
Y, X = np.mgrid[:SIZE, :SIZE]


def disc(y, x, radius):
    return np.hypot(Y - y, X - x) < radius


def ct_noise(sigma_hu, seed, shape=(SIZE, SIZE)):
    """Noise with the spectrum of filtered backprojection: a ramp that a kernel rolls off."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    f = np.hypot(fy, fx)
    white = np.random.default_rng(seed).standard_normal(shape)
    coloured = np.fft.irfft2(np.fft.rfft2(white) * np.sqrt(f * np.exp(-((f / 0.22) ** 2))), shape)
    return sigma_hu * coloured / coloured.std()


def patient(seed=0, sigma_hu=10.0):
    """A water body with two discs in it, blurred a little and noisy."""
    hu = np.where(disc(128, 128, 100), 0.0, -1000.0)
    hu[disc(100, 90, 14)] = 90
    hu[disc(150, 160, 9)] = -80
    return ndimage.gaussian_filter(hu, 0.7) + ct_noise(sigma_hu, seed)


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def best(masks, truth):
    return max((iou(mask, truth) for mask, _ in masks), default=0.0)


@pytest.fixture(scope="module")
def found():
    return segment_slice(patient())


def test_two_discs_are_outlined(found):
    core = [(mask, score) for mask, score in found if score >= CORE_SCORE]
    for truth in (disc(100, 90, 14), disc(150, 160, 9), disc(128, 128, 100)):
        assert best(core, truth) > 0.9


def test_without_noise_the_discs_are_exact():
    hu = np.where(disc(128, 128, 100), 0.0, -1000.0)
    bright, dark = disc(100, 90, 14), disc(150, 160, 9)
    hu[bright], hu[dark] = 90, -80
    masks = segment_slice(hu)
    assert best(masks, bright) == 1
    assert best(masks, dark) == 1


def test_scores_fall_and_masks_differ(found):
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert len(found) <= LIMIT
    flat = np.array([mask.ravel() for mask, _ in found], np.float32)
    shared, area = flat @ flat.T, flat.sum(1)
    overlap = shared / (area[:, None] + area - shared) - np.eye(len(flat))
    assert overlap.max() <= 0.55 + 1e-6


def test_masks_lie_in_the_body(found):
    body = body_mask(patient())
    assert iou(body, disc(128, 128, 100)) > 0.97
    assert min((mask & body).sum() / mask.sum() for mask, _ in found) >= 0.5


@pytest.mark.parametrize(("sigma_hu", "seed"), [(10, 0), (20, 1), (40, 2)])
def test_noise_alone_has_no_structure(sigma_hu, seed):
    body = disc(128, 128, 100)
    hu = ndimage.gaussian_filter(np.where(body, 40.0, -1000.0), 0.7) + ct_noise(sigma_hu, seed)
    core = [mask for mask, score in segment_slice(hu) if score >= CORE_SCORE]
    assert len(core) == 1
    assert iou(core[0], body) > 0.97


def test_a_constant_in_hu_changes_nothing():
    # Whole levels of the trees (0.5 HU) and float32-exact values: rounding cannot matter.
    hu = np.round(patient(seed=3))
    hu[hu < -900] = -1000
    moved = segment_slice(hu + 16)
    masks = segment_slice(hu)
    assert len(masks) == len(moved)
    matched = [best(moved, mask) for mask, score in masks if score >= CORE_SCORE]
    assert min(matched) > 0.9


def test_a_faint_lesion_is_found_by_its_contrast():
    """15 HU in noise of 20 HU: an outline nobody sees, in the extended tier all the same."""
    lesion = disc(128, 128, 11)
    for seed in range(3):
        hu = np.where(disc(128, 128, 100), 60.0, -1000.0) - 15.0 * lesion
        hu = ndimage.gaussian_filter(hu, 0.7) + ct_noise(20.0, seed)
        assert best(segment_slice(hu), lesion) > 0.5


def test_most_of_a_phantom_is_found():
    """Lungs, bones, large vessels and nodules, on a seed not fitted to; see the benchmark."""
    scan = open_scan("phantom-chest", seed=417, shape=(1, 512, 512))
    masks = segment_slice(scan.hu[0] + ct_noise(10.0, 17, (512, 512)), scan.spacing_mm[-1])
    core = [mask for mask in masks if mask[1] >= CORE_SCORE]
    structures = scan.masks["structures"]
    vessels = np.zeros((512, 512), bool)
    truths = []
    for i, label in enumerate(structures.labels):
        if label.startswith("lung-vessel"):
            vessels |= structures.boolean(i)[0]
        elif label.startswith(("lung-left", "lung-right", "rib", "nodule", "sternum")):
            truths.append(structures.boolean(i)[0])
    pieces, count = ndimage.label(vessels)
    truths += [pieces == k for k in range(1, count + 1)]
    truths = [truth for truth in truths if truth.sum() > 16]
    assert len(truths) > 12
    assert np.mean([best(masks, truth) >= 0.5 for truth in truths]) >= 0.92
    assert np.mean([best(core, truth) >= 0.5 for truth in truths]) >= 0.75


def test_a_volume_keeps_scores_and_slices():
    volume = np.stack([patient(0), np.full((SIZE, SIZE), -1000.0), patient(1)]).astype(np.float32)
    core = builtin(volume, progress=False)
    extended = builtin(volume, "extended", processes=1, progress=False)
    assert core.shape == volume.shape
    assert core.scores.min() >= CORE_SCORE
    assert len(extended) > len(core) >= 6
    one = segment_slice(volume[2])[0][0]
    assert (core.boolean("2/0")[2] == one).all()
    assert not any(label.startswith("1/") for label in core.labels)


def test_sums_along_outlines_are_those_of_brute_force():
    hu = np.random.default_rng(0).integers(0, 6, (12, 14)).astype(float)
    right, down = steps(hu, 0)
    for sign in (1, -1):
        tree = component_tree(hu, right, down, 1.0, bright=sign > 0)
        for node in np.flatnonzero(tree.usable):
            mask = np.zeros(hu.size, bool)
            mask[tree.pixels[tree.start[node] :][: tree.area[node]]] = True
            mask = mask.reshape(hu.shape)
            across = np.concatenate(
                [np.diff(hu, axis=a)[np.diff(mask.astype(int), axis=a) == s] * s
                 for a in (0, 1) for s in (1, -1)]
            )  # fmt: skip
            assert ndimage.label(mask)[1] == 1
            assert tree.pairs[node] == across.size
            assert tree.steps[node] == pytest.approx(sign * across.sum())


def test_merged_regions_have_the_outlines_of_their_masks():
    rng = np.random.default_rng(1)
    hu = ndimage.gaussian_filter(rng.normal(0, 30, (24, 24)), 1.5)
    body = np.ones(hu.shape, bool)
    tree = merging_tree(hu, *steps(hu, 1), np.ones(hu.shape), body)
    assert (np.sort(tree.pixels) == np.arange(hu.size)).all()
    for node in range(len(tree.area)):
        mask = np.zeros(hu.size, bool)
        mask[tree.pixels[tree.start[node] :][: tree.area[node]]] = True
        mask = mask.reshape(hu.shape)
        pairs = sum((np.diff(mask.astype(int), axis=a) != 0).sum() for a in (0, 1))
        assert ndimage.label(mask)[1] == 1
        assert tree.pairs[node] == pairs


def test_rain_gathers_in_minima():
    height = np.abs(np.arange(9.0) - 4)[None] + np.zeros((9, 1))
    height = np.minimum(height, 3) * -1
    labels, count = watershed(height, np.ones(height.shape, bool))
    assert count == 2
    assert labels[0, 0] != labels[0, 8]


def test_contrast_is_what_the_ring_differs():
    hu = np.where(disc(128, 128, 10), 50.0, 20.0)
    tree = component_tree(hu, *steps(hu, 0), 1.0, bright=True)
    node = np.flatnonzero(tree.usable & (tree.area == disc(128, 128, 10).sum()))
    noise = np.full(hu.shape, 2.0)
    expected = 30 * np.sqrt(tree.area[node]) / 2
    for sign, value in ((1, expected), (-1, -expected), (0, expected)):
        assert contrast(tree, node, hu, noise, sign) == pytest.approx(np.full((1, 3), value))


def test_the_noise_scale_is_the_standard_deviation():
    values = np.random.default_rng(0).normal(0, 7, (256, 256))
    scale = noise_scale([values], np.ones(values.shape, bool))
    assert scale.mean() == pytest.approx(7, rel=0.03)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="finite HU"):
        segment_slice(np.full((64, 64), np.nan))
    with pytest.raises(ValueError, match=r"\(Z, H, W\)"):
        builtin(np.zeros((64, 64)))
    with pytest.raises(ValueError, match="core"):
        builtin(np.zeros((1, 64, 64)), "best")


def test_agreement_is_that_of_brute_force():
    """Nested discs of several radii in three trees, compared mask by mask."""
    rng = np.random.default_rng(4)
    pixels, tree, start, area, masks = [], [], [], [], []
    for t in range(3):
        y, x = rng.uniform(10, 20, 2)
        yy, xx = np.mgrid[:30, :30]
        pixels.append(np.argsort(np.hypot(yy - y, xx - x), axis=None, kind="stable"))
        for size in rng.choice(np.arange(9, 700), 6, replace=False):
            tree.append(t)
            start.append(0)
            area.append(size)
            masks.append(np.isin(np.arange(900), pixels[t][:size]))
    same = np.array([[iou(a, b) >= 0.5 for b in masks] for a in masks])
    tree, start, area = np.array(tree), np.array(start), np.array(area)
    found = agreement(np.stack(pixels), tree, start, area)
    expected = [len(set(tree[row]) - {tree[i]}) for i, row in enumerate(same)]
    assert found.tolist() == expected
    assert max(expected) == 2
    assert min(expected) < 2


def test_structures_do_not_count_as_noise():
    """A slice full of discs: the noise left by smoothing is that of the noise alone."""
    hu, noise = np.zeros((SIZE, SIZE)), ct_noise(10.0, 5)
    for y, x in np.random.default_rng(6).uniform(20, 236, (60, 2)):
        hu[disc(y, x, 6)] = 80
    busy = ndimage.gaussian_filter(hu, 0.7) + noise
    body = np.ones(hu.shape, bool)
    alone, smooth = ndimage.gaussian_filter(noise, 1.5), ndimage.gaussian_filter(busy, 1.5)
    truth = (alone - ndimage.gaussian_filter(alone, 4.5)).std()
    from_smooth = noise_scale([smooth - ndimage.gaussian_filter(smooth, 4.5)], body)
    assert np.median(smoothed(busy, body)[1]) < 1.4 * truth
    assert np.median(smoothed(noise, body)[1]) == pytest.approx(truth, rel=0.1)
    assert np.median(from_smooth) > 1.6 * truth


def test_a_lesion_of_twice_the_least_evidence_is_core():
    """Contrast times root of the area over sigma of about 25, in noise of 20 HU."""
    lesion = disc(128, 128, 9)
    for seed in range(3):
        hu = np.where(disc(128, 128, 100), 60.0, -1000.0) - 32.0 * lesion
        hu = ndimage.gaussian_filter(hu, 0.7) + ct_noise(20.0, seed)
        core = [(mask, score) for mask, score in segment_slice(hu) if score >= CORE_SCORE]
        assert best(core, lesion) > 0.5
