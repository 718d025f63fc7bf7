"""The weights that come with the library: there, small, described, and of use to the unseen."""

import pytest

from ldctlib.denoisers import METHODS, available, load, read_weights
from ldctlib.denoisers.weights import shipped_weights
from ldctlib.metrics import psnr, ssim
from ldctlib.physics import expose
from ldctlib.physics.presets import BENCHMARK_DOSE
from ldctlib.scans import open_scan, split_of
from ldctlib.units import WINDOW_OF_ANATOMY

SEED = 21


def has_weights(name):
    try:
        return shipped_weights(name).is_file()
    except FileNotFoundError:
        return False


SHIPPED = [name for name in available() if has_weights(name)]


def test_the_methods_of_the_chapters_come_with_weights():
    assert set(available()) - set(SHIPPED) <= {"transct"}


def test_a_method_without_weights_says_so():
    for name in set(available()) - set(SHIPPED):
        with pytest.raises(FileNotFoundError, match=f"No weights of {name} come with the library"):
            load(name)


@pytest.fixture(scope="module", params=["chest", "abdomen", "head"])
def exposed(request):
    """A patient that no training has seen: anatomy, low and full dose of a central patch."""
    anatomy = request.param
    assert split_of(f"phantom-{anatomy}", SEED) == "unseen"
    scan = open_scan(f"phantom-{anatomy}", seed=SEED, shape=(1, 512, 512), centre_mm=15.0)
    # Trained on exams of the published benchmark's noise; matched exams are for the next ones.
    dose = BENCHMARK_DOSE[anatomy]
    exam = expose(scan, dose=dose, seed=SEED, preset="benchmark", keep_sinogram=False)
    return anatomy, exam.low.hu[:, 156:356, 156:356], exam.full.hu[:, 156:356, 156:356]


@pytest.mark.parametrize("name", SHIPPED)
def test_beats_the_low_dose(name, exposed):
    anatomy, low, full = exposed
    clean = load(name, device="cpu").denoise_image(low)
    window = WINDOW_OF_ANATOMY[anatomy]
    # Nine numbers for all noise there is; and a training that is short, as longer ones overflow.
    gain_db = {"bilateral": 0.5, "qae": 0.5}.get(name, 1.0)
    assert psnr(clean, full, window=window) > psnr(low, full, window=window) + gain_db
    assert ssim(clean, full, window=window) > ssim(low, full, window=window) + 0.01
    # The smoother the image, the more of it is guessed: at a tenth of the dose by 12 HU too dark.
    assert abs((clean - full).mean()) < 0.12 * (low - full).std()


@pytest.mark.parametrize("name", SHIPPED)
def test_files(name):
    path = shipped_weights(name)
    assert path.stat().st_size < 4_000_000
    facts = read_weights(path, METHODS, name).facts
    assert facts["seed"] is not None
    assert {"patients", "steps", "options", "device"} <= set(facts)
    card = path.with_suffix(".md").read_text("utf-8")
    for needed in (*facts["patients"], str(facts["steps"]), "nsclc-lung1-001", "dcmqi-liver"):
        assert needed in card
    assert not any(unseen in str(facts["patients"]) for unseen in ("nsclc", "total", "dcmqi"))
