"""pyradiomics, as we call it, against the consensus of the IBSI and against its own baselines.

The IBSI's chest phantom is measured in four of its five configurations. Every feature of ours that
the IBSI defines (ibsi_tags.TAGS, 102 of them) must lie within the tolerance of the consensus, with
both ways to combine the matrices of several directions:

    configuration   A           B           C             D
    neighbours      in slices   in slices   3-D           3-D
    voxels, mm      as scanned  2 x 2       2 x 2 x 2     2 x 2 x 2
    kept, HU        -500..400   -500..400   -1000..400    mean +- 3 SD
    grey levels     25 HU       32          25 HU         32

Left out: E, which keeps a range and then 3 SD, and pyradiomics can do one of them. Resampling is
ours (ibsi_tags.resampled): pyradiomics' own lays its grid from the corner, the IBSI from the
centre, which moves four features in five out of tolerance. In C pyradiomics counts grey levels
from the lowest voxel found, the IBSI from -1000 HU; without explicit bin edges, the 22 features
that depend on the level itself, not on differences of levels, deviate.

Zwanenburg et al., Radiology 295, 328 (2020), doi:10.1148/radiol.2020191145.
"""

import csv
import os

import numpy as np
import pytest
from ibsi_tags import TAGS, reference_values, resampled

from ldctlib.metrics import radiomic_features
from ldctlib.scans import catalogue, open_scan

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not os.environ.get("LDCTLIB_DATA_DIR"),
        reason="needs the real scans: set LDCTLIB_DATA_DIR to their folder",
    ),
]

CLASSES = ("firstorder", "shape", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
LEVELS_FROM_1000 = list(range(-1000, 426, 25))
CONFIGURATIONS = {
    "a": (None, "2_5D", {"force2D": True, "resegmentRange": [-500, 400], "binWidth": 25}),
    "b": ((3, 2, 2), "2_5D", {"force2D": True, "resegmentRange": [-500, 400], "binCount": 32}),
    "c": ((2, 2, 2), "3D", {"resegmentRange": [-1000, 400], "binCount": LEVELS_FROM_1000}),
    "d": ((2, 2, 2), "3D", {"resegmentRange": [-3, 3], "resegmentMode": "sigma", "binCount": 32}),
}
# The baselines' version closed a few cells of the surface differently: 0.1 % on one of the cases.
OF_THE_MESH = ("Sphericity", "SurfaceVolumeRatio", "MeshVolume", "SurfaceArea")
OF_THE_LEVEL = ("LowGrayLevel", "HighGrayLevel", "JointAverage", "SumAverage", "Autocorrelation")


def outside_tolerance(configuration, merge="avg", **changes):
    """Our features that deviate from the consensus, after rounding to its three digits."""
    scan = open_scan("ibsi-1")
    hu, tumour, spacing_mm = scan.hu, scan.masks["tumour"].boolean("GTV-1"), scan.spacing_mm
    grid_mm, dimension, settings = CONFIGURATIONS[configuration]
    if grid_mm:
        grid_mm = (spacing_mm[0], *grid_mm[1:]) if dimension == "2_5D" else grid_mm
        hu = np.rint(resampled(hu.astype(float), spacing_mm, grid_mm))
        tumour = resampled(tumour.astype(float), spacing_mm, grid_mm) >= 0.5
        spacing_mm = grid_mm
    settings = {"voxelArrayShift": 0, **settings, **changes}
    if merge == "comb":
        settings["weightingNorm"] = "no_weighting"
    found = radiomic_features(
        hu, tumour, settings=settings, classes=CLASSES, spacing_mm=spacing_mm
    ).of("scan", "mask")
    file = catalogue.fetch("ibsi-1", f"ibsi_1_chest_config_{configuration}.csv")
    consensus, deviating = reference_values(file), {}
    for name, tag in TAGS.items():
        group = name.split("_")[0]
        if group not in ("firstorder", "shape"):
            tag += f"_{dimension}" + (f"_{merge}" if group in ("glcm", "glrlm") else "")
        value = found[name] - (3 if name == "firstorder_Kurtosis" else 0)
        expected, tolerance = consensus[tag]
        if abs(float(f"{value:.3g}") - expected) > tolerance + 1e-9 * abs(expected):
            deviating[name] = (value, expected, tolerance)
    return deviating


@pytest.mark.parametrize("merge", ["avg", "comb"])
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_features_lie_within_the_consensus(configuration, merge):
    assert len(TAGS) == 102
    assert outside_tolerance(configuration, merge) == {}


def test_grey_levels_are_counted_from_the_lowest_voxel():
    deviating = outside_tolerance("c", binCount=None, binWidth=25)
    expected = {n for n in TAGS if any(part in n for part in OF_THE_LEVEL)} | {"ngtdm_Busyness"}
    assert set(deviating) == expected
    value, consensus, _ = deviating["glcm_JointAverage"]
    # the lowest voxel has -939 HU: its bin begins at -950 HU, two bins above -1000 HU
    assert value == pytest.approx(consensus - 2, abs=0.2)


@pytest.mark.parametrize("case", ["brain1", "breast1"])
def test_baselines_of_pyradiomics(case):
    import SimpleITK as sitk

    folder = catalogue.fetch("brain-mr")
    image = sitk.ReadImage(str(folder / f"{case}_image.nrrd"))
    label = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{case}_label.nrrd")))
    found = radiomic_features(
        sitk.GetArrayFromImage(image),
        label == 1,
        settings={"binWidth": 25, "voxelArrayShift": 2000},
        classes=("firstorder", "glcm", "shape"),
        spacing_mm=image.GetSpacing()[::-1],
        min_voxels=1,
    ).of("scan", "mask")
    compared = 0
    for group in ("firstorder", "glcm", "shape"):
        with open(folder / f"baseline_{group}.csv") as file:
            for row in csv.DictReader(file):
                if row["featureName"].startswith("original_"):
                    name = row["featureName"].removeprefix("original_")
                    within = 2e-3 if name.endswith(OF_THE_MESH) else 1e-6
                    assert found[name] == pytest.approx(float(row[case]), rel=within), name
                    compared += 1
    assert compared == 18 + 24 + 14
