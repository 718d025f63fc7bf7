import json

import numpy as np
import pytest
import SimpleITK as sitk

from ldctlib.scans import read_decathlon, read_volume

SPACING_XYZ = (0.8, 0.8, 2.5)


def write(path, values, spacing=SPACING_XYZ):
    """Values (Z, Y, X), or (C, Z, Y, X) as one 4-D NIfTI file, as the Decathlon stores MRI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if values.ndim == 3:
        image = sitk.GetImageFromArray(values)
        image.SetSpacing(spacing)
    else:
        volumes = [sitk.GetImageFromArray(v) for v in values]
        for volume in volumes:
            volume.SetSpacing(spacing)
        image = sitk.JoinSeries(volumes)
    sitk.WriteImage(image, str(path))


def make_task(folder, name, modality, labels, images, label_maps):
    pairs = []
    for i, (image, label_map) in enumerate(zip(images, label_maps, strict=True)):
        file = f"{name.lower()}_{i + 1:03d}.nii.gz"
        write(folder / "imagesTr" / file, image)
        write(folder / "labelsTr" / file, label_map)
        pairs.append({"image": f"./imagesTr/{file}", "label": f"./labelsTr/{file}"})
    write(folder / "imagesTs" / f"{name.lower()}_900.nii.gz", images[0])
    described = {
        "name": name,
        "licence": "CC-BY-SA 4.0",
        "tensorImageSize": f"{images[0].ndim}D",
        "modality": modality,
        "labels": labels,
        "numTraining": len(pairs),
        "training": pairs,
        "test": [f"./imagesTs/{name.lower()}_900.nii.gz"],
    }
    (folder / "dataset.json").write_text(json.dumps(described))
    return folder


@pytest.fixture
def label_map():
    found = np.zeros((5, 16, 18), np.uint8)
    found[1:4, 4:8, 5:9] = 1
    found[2, 10:12, 10:13] = 2
    return found


@pytest.fixture
def vessels(tmp_path, label_map):
    ct = np.random.default_rng(0).integers(-1000, 1000, label_map.shape).astype(np.int16)
    labels = {"0": "background", "1": "Vessel", "2": "Tumour"}
    folder = tmp_path / "Task08_HepaticVessel"
    maps = [label_map, label_map[::-1].copy()]
    return make_task(folder, "HepaticVessel", {"0": "CT"}, labels, [ct, ct + 7], maps), ct


@pytest.fixture
def brains(tmp_path, label_map):
    mri = np.random.default_rng(1).uniform(0, 900, (4, *label_map.shape)).astype(np.float32)
    labels = {"0": "background", "1": "edema", "2": "enhancing tumour"}
    modality = {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}
    folder = tmp_path / "Task01_BrainTumour"
    return make_task(folder, "BRATS", modality, labels, [mri], [label_map]), mri


def test_a_task_with_ct(vessels, label_map):
    folder, ct = vessels
    task = read_decathlon(folder)
    assert task.patients == ["hepaticvessel_001", "hepaticvessel_002", "hepaticvessel_900"]
    assert (task.modalities, task.labels) == (("CT",), {1: "Vessel", 2: "Tumour"})
    scan = task.open("hepaticvessel_001")
    # An ITK image without orientation has its rows from anterior to posterior, as a Scan.
    np.testing.assert_array_equal(scan.hu, ct)
    assert scan.spacing_mm == pytest.approx((2.5, 0.8, 0.8))
    assert scan.anatomy == "abdomen"
    assert scan.masks["labels"].labels == ("Vessel", "Tumour")
    for i, name in enumerate(("Vessel", "Tumour")):
        np.testing.assert_array_equal(scan.masks["labels"].boolean(name), label_map == i + 1)
    assert scan.provenance["licence"] == "CC-BY-SA 4.0"
    assert task.open("hepaticvessel_900").masks == {}


def test_a_lung_task_is_a_chest(tmp_path, label_map):
    ct = np.full(label_map.shape, -800, np.int16)
    labels = {"0": "background", "1": "cancer"}
    folder = tmp_path / "Task06_Lung"
    make_task(folder, "Lung", {"0": "CT"}, labels, [ct], [np.minimum(label_map, 1)])
    scan = read_decathlon(folder).open("lung_001")
    assert (scan.anatomy, scan.masks["labels"].labels) == ("chest", ("cancer",))


def test_a_task_with_four_contrasts_of_mri(brains, label_map):
    folder, mri = brains
    task = read_decathlon(folder)
    assert task.modalities == ("FLAIR", "T1w", "t1gd", "T2w")
    for i, modality in enumerate(task.modalities):
        scan = task.open("brats_001", modality)
        np.testing.assert_array_equal(scan.hu, mri[i])
        assert scan.provenance["unit"] == "arbitrary"
        assert scan.anatomy is None
        assert scan.masks["labels"].areas.tolist() == [(label_map == k).sum() for k in (1, 2)]
    np.testing.assert_array_equal(task.open("brats_001").hu, mri[0])


def test_what_is_missing_is_said(vessels, brains, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no .*nowhere/dataset.json: a task of"):
        read_decathlon(tmp_path / "nowhere")
    folder, _ = vessels
    task = read_decathlon(folder)
    with pytest.raises(ValueError, match="no patient 'x'"):
        task.open("x")
    with pytest.raises(ValueError, match="no modality 'T2w'; there is CT"):
        task.open("hepaticvessel_001", "T2w")
    (folder / "labelsTr" / "hepaticvessel_001.nii.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"lists labelsTr/hepaticvessel_001.nii.gz, but"):
        task.open("hepaticvessel_001")
    with pytest.raises(ValueError, match="no volume 4"):
        read_volume(brains[0] / "imagesTr" / "brats_001.nii.gz", channel=4)


def test_a_description_that_is_none_is_refused(vessels):
    path = vessels[0] / "dataset.json"
    whole = path.read_text()
    path.write_text(whole[:40])
    with pytest.raises(ValueError, match="truncated or no JSON"):
        read_decathlon(vessels[0])
    described = json.loads(whole)
    del described["labels"]
    path.write_text(json.dumps(described))
    with pytest.raises(ValueError, match=r"does not describe a task.*labels"):
        read_decathlon(vessels[0])


def test_a_label_map_of_another_patient_is_refused(vessels):
    folder, _ = vessels
    write(folder / "labelsTr" / "hepaticvessel_002.nii.gz", np.ones((4, 16, 18), np.uint8))
    with pytest.raises(ValueError, match="resample it"):
        read_decathlon(folder).open("hepaticvessel_002")
