"""Fields, outlines, tubes and trees against closed forms and brute force."""

from itertools import pairwise

import numpy as np
import pytest

from ldctlib.scans.phantoms import noise
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.capsules import chain_distance, cover
from ldctlib.scans.phantoms.labels import Labels
from ldctlib.scans.phantoms.outlines import make_outline
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import clipped, coverage, ellipsoid, smooth_max, smooth_min
from ldctlib.scans.phantoms.trees import Tree, grow

PATIENT = Patient("chest", 3, width=1.05, depth=0.95, warps=((4.0, 62.0), (0.9, 13.0)))
STRAIGHT = Patient("chest", 3)


def canvas(patient=STRAIGHT, slices=4, pixels=96, pixel_mm=1.5, labels=None):
    z = np.arange(slices) * 1.5
    return Canvas(patient, z, (pixels, pixels), pixel_mm, 1.5, labels or Labels())


@pytest.mark.parametrize("spacing", [2.0, 8.0])
def test_a_field_has_unit_variance_and_no_mean(spacing):
    axis = np.arange(64) * spacing / 1.7
    fields = np.stack([noise.field_on_grid(key, spacing, axis, axis, axis) for key in range(4)])
    assert abs(fields.mean()) < 0.03
    assert fields.std() == pytest.approx(1, abs=0.03)


def test_a_field_is_the_same_wherever_it_is_asked_for():
    z, y, x = np.arange(3) * 1.5, np.arange(-40, 40) * 0.7, np.arange(-50, 50) * 0.7
    whole = noise.field_on_grid(11, 5.0, z, y, x)
    part = noise.field_on_grid(11, 5.0, z[1:2], y[30:40], x[7:])
    np.testing.assert_array_equal(part, whole[1:2, 30:40, 7:])
    points = np.array([[x[3], y[5], z[2]], [x[80], y[70], z[0]]])
    np.testing.assert_allclose(
        noise.field_at(11, 5.0, points), [whole[2, 5, 3], whole[0, 70, 80]], atol=1e-5
    )


def test_a_field_is_smooth_over_its_spacing_and_independent_beyond():
    x = np.arange(4000) * 1.0
    row = noise.field_on_grid(5, 10.0, np.zeros(1), np.arange(8) * 97.0, x)[0]
    correlation = [np.mean(row[:, :-lag] * row[:, lag:]) for lag in (1, 12, 60)]
    assert correlation[0] > 0.98
    assert 0.2 < correlation[1] < 0.6
    assert abs(correlation[2]) < 0.1


def test_texture_falls_with_frequency_as_asked():
    rough, fine = (canvas(pixels=256, pixel_mm=0.5).texture("t", s) for s in (4.0, 1.0))
    assert rough.std() == pytest.approx(1, abs=0.15)
    assert np.abs(np.diff(fine)).mean() > 1.5 * np.abs(np.diff(rough)).mean()


def test_distance_to_a_round_outline_is_that_to_a_circle():
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = make_outline({0.0: np.column_stack([30 * np.cos(t), 30 * np.sin(t)])})
    here = canvas()
    expected = np.broadcast_to(np.hypot(here.x, here.y) - 30, here.hu.shape)
    np.testing.assert_allclose(here.distance(circle, exact=True), expected, atol=0.05)
    near = np.abs(expected) < 10
    fine = canvas(pixels=256, pixel_mm=0.6)
    expected = np.broadcast_to(np.hypot(fine.x, fine.y) - 30, fine.hu.shape)
    near = np.abs(expected) < 10
    np.testing.assert_allclose(fine.distance(circle)[near], expected[near], atol=0.08)


def test_an_outline_does_not_depend_on_the_box_it_is_computed_in():
    outline = PATIENT.outline("o", {0.0: [(-40, -30), (35, -30), (40, 30), (-40, 25)]}, 2.0)
    here = canvas(PATIENT, pixels=200, pixel_mm=0.7)
    whole, box = here.distance(outline), (slice(1, 3), slice(37, 151), slice(20, 117))
    np.testing.assert_allclose(here.distance(outline, box), whole[box], atol=1e-4)


def test_heights_between_two_keys_lie_between_their_outlines():
    square = np.array([(-10.0, -10.0), (10, -10), (10, 10), (-10, 10)])
    outline = make_outline({0.0: square, 20.0: 2 * square})
    edge = [float(outline.at(np.array([[0.0, 0.0, z]]))[0]) for z in (0.0, 10.0, 20.0, 99.0)]
    assert edge[1] == pytest.approx((edge[0] + edge[2]) / 2, rel=1e-3)
    assert edge[3] == edge[2] == pytest.approx(2 * edge[0], rel=1e-3)


def test_warp_and_its_inverse_agree():
    points = np.random.default_rng(0).uniform(-120, 120, (200, 3))
    back = PATIENT.to_template(PATIENT.to_world(points))
    assert np.abs(back - points).max() < 0.05
    assert np.abs(PATIENT.to_world(points) - points).max() > 3


def test_canvas_coordinates_are_the_patients():
    here = canvas(PATIENT)
    k, j, i = 2, 10, 70
    world = np.array([[here.x[0, 0, i], here.y[0, j, 0], here.z[k, 0, 0]]])
    template = [axis[k, j, i] for axis in (here.X, here.Y, here.Z)]
    np.testing.assert_allclose(PATIENT.to_template(world)[0], template, atol=1e-3)


def test_chain_distance_against_brute_force():
    rng = np.random.default_rng(1)
    line = np.column_stack([rng.uniform(-20, 20, (5, 3)), rng.uniform(1, 4, 5)])
    points = rng.uniform(-30, 30, (50, 3))
    for point, found in zip(points, chain_distance(*points.T, line), strict=True):
        best = np.inf
        for a, b in pairwise(line):
            way = b[:3] - a[:3]
            s = np.clip((point - a[:3]) @ way / (way @ way), 0, 1)
            best = min(best, np.linalg.norm(point - a[:3] - s * way) - a[3] - s * (b[3] - a[3]))
        assert found == pytest.approx(best, abs=1e-3)


def test_a_vessel_covers_its_cross_section():
    axis = (np.arange(64) - 31.5) * 0.5
    for radius in (0.6, 2.0, 5.0):
        alpha, _ = cover(
            np.zeros(1), axis, axis, 0.5, 1.0, np.array([[0.2, 0.1, -20, 0.2, 0.1, 20.0]]),
            np.full((1, 2), radius), np.zeros(1, int), 0.5, 1,
        )  # fmt: skip
        assert alpha.sum() * 0.25 == pytest.approx(np.pi * radius**2, rel=0.06)


def test_a_tree_reaches_every_leaf_and_follows_its_radius_law():
    rng = np.random.default_rng(2)
    leaves = rng.uniform([10, -40, -40], [80, 40, 40], (300, 3))
    tree = grow((0, 0, 0), leaves, rng, leaf_radius_mm=0.3, exponent=2.7, max_radius_mm=4.0)
    assert len(tree.branch_radius) == 2 * len(leaves) - 1
    assert tree.branch_leaves[0] == len(leaves)
    ends = tree.segments.reshape(3, -1, 6)[-1, :, 3:]
    last = ends[tree.branch_leaves == 1]
    gaps = np.linalg.norm(last[:, None] - leaves[None], axis=2).min(0)
    assert gaps.max() < 1e-9
    starts = tree.segments.reshape(3, -1, 6)[0, :, :3]
    children = tree.parent >= 0
    np.testing.assert_allclose(starts[children], ends[tree.parent[children]], atol=1e-9)
    law = np.minimum(0.3 * tree.branch_leaves ** (1 / 2.7), 4.0)
    np.testing.assert_allclose(tree.branch_radius, law)


def test_joined_trees_keep_their_branches_apart():
    rng = np.random.default_rng(3)
    options = {"leaf_radius_mm": 0.4, "exponent": 3.0, "max_radius_mm": 5.0}
    trees = [grow((0, 0, 0), rng.normal(0, 20, (n, 3)), rng, **options) for n in (5, 9)]
    both = Tree.joined(trees)
    assert sorted(set(both.branch)) == list(range(9 + 17))
    assert (both.parent[9:][1:] >= 9).all()


def test_tubes_are_where_their_centre_line_is():
    here = canvas(PATIENT, slices=6, pixels=160, pixel_mm=0.8)
    line = [(-20, 0, -10), (0, 10, 3), (25, 5, 12)]
    distance, box = here.tube(line, 5.0)
    whole, _ = here.tube(line, 5.0, box=(slice(None),) * 3)
    np.testing.assert_array_equal(distance, whole[box])
    outside = np.ones(whole.shape, bool)
    outside[box] = False
    assert (whole[outside] > 2).all()


def test_smooth_set_operations_meet_the_sharp_ones_away_from_corners():
    a, b = np.meshgrid(np.linspace(-9, 9, 37), np.linspace(-9, 9, 37))
    apart = np.abs(a - b) > 2
    np.testing.assert_allclose(smooth_min(a, b, 2.0)[apart], np.minimum(a, b)[apart])
    np.testing.assert_allclose(smooth_max(a, b, 2.0)[apart], np.maximum(a, b)[apart])
    assert (clipped(a, b, 1.5) >= b + 1.5 - 1e-12).all()


def test_an_ellipsoid_has_its_volume():
    here = canvas(slices=60, pixels=64, pixel_mm=1.0)
    inside = coverage(ellipsoid(here.x, here.y, here.z - 44, (9.0, 14.0, 20.0)), 1.0)
    assert inside.sum() * 1.5 == pytest.approx(4 / 3 * np.pi * 9 * 14 * 20, rel=0.02)


def test_paint_labels_what_it_covers_and_honours_what_is_left_out():
    labels = Labels(without=["tumour"])
    here = canvas(labels=labels)
    disc = np.broadcast_to(np.hypot(here.x, here.y) - 20, here.hu.shape)
    here.paint(disc, 50, "liver")
    before = here.hu.copy()
    here.paint(disc + 10, 90, "tumour")
    np.testing.assert_array_equal(here.hu, before)
    assert labels.name(int(here.ids[0, 48, 48])) == "liver"
    assert ((here.ids > 0) == (disc < 0)).all()
    labels.check_known()


def test_an_unknown_structure_is_named():
    labels = Labels(without=["livre", "vein-7"])
    labels.number("liver")
    labels.block("vein", 5)
    with pytest.raises(ValueError, match="no structure called livre, vein-7"):
        labels.check_known()
