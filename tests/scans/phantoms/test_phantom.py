"""What every procedural patient promises, whatever the anatomy."""

import numpy as np
import pytest
from scipy import ndimage

from ldctlib.scans.phantoms import Lesion, phantom
from ldctlib.scans.scan import ANATOMIES

SHAPE = (6, 128, 128)
CENTRE_MM = {"chest": -30.0, "abdomen": 0.0, "head": 15.0}
COUCH = {"chest": "couch", "abdomen": "couch", "head": "head-rest"}
# An organ, a bone, a vessel or cavity, and the finest branch of a tree where there is one.
REMOVED = {
    "chest": ("aorta", "rib-8-left", "bronchus-intermediate", "lung-vessel"),
    "abdomen": ("spleen", "rib-12-right", "vena-cava", "kidney-left"),
    "head": ("thalamus-left", "lentiform-right", "frontal-horn-left", "third-ventricle"),
}


def make(anatomy, **options):
    settings = {"seed": 3, "shape": SHAPE, "centre_mm": CENTRE_MM[anatomy]} | options
    return phantom(anatomy, **settings)


@pytest.fixture(scope="module", params=ANATOMIES)
def anatomy(request):
    return request.param


@pytest.fixture(scope="module")
def whole(anatomy):
    return make(anatomy)


def same_masks(a, b):
    arrays = ("offsets", "starts", "lengths")
    return a.labels == b.labels and all(
        np.array_equal(getattr(a, n), getattr(b, n)) for n in arrays
    )


def test_a_seed_is_a_patient_to_the_last_bit(anatomy, whole):
    again = make(anatomy)
    np.testing.assert_array_equal(again.hu, whole.hu)
    assert same_masks(again.masks["structures"], whole.masks["structures"])
    other = make(anatomy, seed=4)
    assert np.abs(other.hu - whole.hu).mean() > 5


def test_any_slab_shows_the_same_body(anatomy, whole):
    step = whole.spacing_mm[0]
    part = make(anatomy, shape=(2, *SHAPE[1:]), centre_mm=CENTRE_MM[anatomy] + step)
    np.testing.assert_allclose(part.hu, whole.hu[3:5], atol=0.01)
    small, large = part.masks["structures"], whole.masks["structures"]
    for label in small.labels:
        mask = large.boolean(label)[3:5]
        assert np.count_nonzero(mask != small.boolean(label)) <= 1, label
    np.testing.assert_allclose(part.z_mm, whole.z_mm[3:5])


def test_removal_changes_nothing_but_the_structure(anatomy):
    options = {"shape": (8, 128, 128)}
    whole = make(anatomy, **options)
    masks = whole.masks["structures"]
    # A structure just beyond the slab may shine into its end slices.
    middle = slice(3, 5)
    for prefix in REMOVED[anatomy]:
        label = next(name for name in masks.labels if name.startswith(prefix))
        removed = make(anatomy, without=[label], **options)
        assert label not in removed.masks["structures"].labels
        mask = masks.boolean(label)
        reach = ndimage.distance_transform_edt(~mask, sampling=whole.spacing_mm)
        far = (reach > 4 + 2 * whole.pixel_mm)[middle]
        after, before = removed.hu[middle][far], whole.hu[middle][far]
        np.testing.assert_array_equal(after, before, err_msg=label)
        assert np.abs(removed.hu - whole.hu)[mask].max() > 1, label


def test_structures_do_not_overlap_and_lie_in_the_body(whole):
    masks = whole.masks["structures"]
    assert len(set(masks.labels)) == len(masks) > 20
    assert masks.areas.sum() <= whole.hu.size
    covered = np.zeros(whole.shape, bool)
    for i in range(len(masks)):
        covered |= masks.boolean(i)
    assert covered.sum() == masks.areas.sum()
    assert (covered[whole.hu > -300]).mean() > 0.97


def test_fewer_pixels_show_the_same_view(anatomy, whole):
    fine = make(anatomy, shape=(2, 256, 256))
    coarse = make(anatomy, shape=(2, 128, 128))
    assert fine.pixel_mm == pytest.approx(coarse.pixel_mm / 2)
    mean = fine.hu.reshape(2, 128, 2, 128, 2).mean((2, 4))
    assert np.corrcoef(mean.ravel(), coarse.hu.ravel())[0, 1] > 0.97


def test_a_sphere_has_the_size_and_contrast_asked_for(anatomy):
    contrast = -20.0
    spacing = (1.0, 1.0, 1.0)
    options = {"shape": (24, 112, 112), "spacing_mm": spacing}
    lesion = Lesion("sphere", (30.0, 10.0, CENTRE_MM[anatomy]), 16.0, contrast)
    plain, marked = (make(anatomy, lesions=chosen, **options) for chosen in ([], [lesion]))
    difference = marked.hu - plain.hu
    volume = 4 / 3 * np.pi * 8.0**3
    assert difference.sum() / contrast == pytest.approx(volume, rel=0.05)
    new = set(marked.masks["structures"].labels) - set(plain.masks["structures"].labels)
    assert len(new) == 1
    mask = marked.masks["structures"].boolean(new.pop())
    assert mask.sum() == pytest.approx(volume, rel=0.05)
    # The head is blurred along z as thick slices are, which the middle of the sphere does not feel.
    inner = ndimage.distance_transform_edt(mask) > 6.5
    np.testing.assert_allclose(difference[inner], contrast, atol=0.05)


def test_a_lesion_without_a_place_finds_room(anatomy):
    lesions = [Lesion("sphere", None, 8.0, -30.0), Lesion("sphere", None, 8.0, 30.0)]
    first, second = (make(anatomy, lesions=lesions, shape=(2, 32, 32)) for _ in range(2))
    np.testing.assert_array_equal(first.hu, second.hu)


def test_the_couch_can_be_left_out(anatomy, whole):
    bare = make(anatomy, without=[COUCH[anatomy]])
    couch = whole.masks["structures"].boolean(COUCH[anatomy])
    assert bare.hu[couch].mean() < -985 < whole.hu[couch].mean()


def test_a_phantom_is_an_object_without_a_scanner(anatomy):
    """What blurs it is the kernel; a pixel is the mean over its area."""
    with pytest.raises(TypeError, match="psf_mm"):
        make(anatomy, psf_mm=0.6)
    assert "sharpness" not in make(anatomy, shape=(1, 32, 32)).provenance


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"without": ["livre"]}, "no structure called livre"),
        ({"centre_mm": 500.0}, "exists from"),
        ({"shape": (0, 128, 128)}, "at least 1 slice"),
        ({"spacing_mm": (1.0, 1.0, 2.0)}, "square pixels"),
        ({"lesions": [Lesion("dragon")]}, "No lesion is called 'dragon'"),
    ],
)
def test_bad_requests_are_explained(anatomy, options, message):
    with pytest.raises(ValueError, match=message):
        make(anatomy, **({"shape": (1, 32, 32)} | options))


def test_an_unknown_anatomy_is_explained():
    with pytest.raises(ValueError, match="No phantom is called 'knee'"):
        phantom("knee")


def test_lesions_must_make_sense():
    with pytest.raises(ValueError, match="positive diameter"):
        Lesion("sphere", None, -3.0)
    with pytest.raises(ValueError, match="needs a contrast"):
        Lesion("sphere", None, 3.0, None)
