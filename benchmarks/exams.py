"""What an exam is: its noise, sharpness and dose, on phantoms and on every real scan.

python benchmarks/exams.py [--slices 2] [--scans lidc-0314 crlm-1004 ...]
"""

import argparse
import sys
from dataclasses import replace

import numpy as np
import torch
from _table import as_markdown, record

from ldctlib import metrics, physics, scans
from ldctlib.physics import noise
from ldctlib.physics.own_noise import local_noise, sampled, usual_noise
from ldctlib.physics.presets import in_geometry
from ldctlib.scans.phantoms import inserts
from ldctlib.units import MU_WATER_PER_MM

GRIDS = [(256, 1.4), (256, 0.7), (257, 0.7), (512, 0.7)]
REAL = ("lidc-0314", "nsclc-lung1-001", "nlst-100040", "crlm-1004", "dcmqi-liver", "head-ge")
DOSES = (0.5, 0.25, 0.1)
WATER_MM = 80.0  # radius
PHOTONS = 2e5


def water_lines(geometry):
    """Line integrals of a water cylinder on the axis: mu times the chord."""
    miss = geometry.sod_mm * np.sin(geometry.gamma)
    chord = 2 * np.sqrt(np.maximum(WATER_MM**2 - miss**2, 0))
    return np.tile(MU_WATER_PER_MM * chord, (geometry.views, 1))


def noise_by_grid():
    """SD around the axis of a water cylinder, full dose."""
    rows = []
    for pixels, mm in GRIDS:
        scan = scans.Scan(np.zeros((1, pixels, pixels)), (1, mm, mm), "grid")
        geometry = physics.FanBeam.matching(scan)
        photons, electronic = in_geometry(PHOTONS, 8.0, geometry)
        variance = noise.variance(water_lines(geometry), photons, electronic)
        middle = replace(geometry, pixels=16 + pixels % 2)
        sd = physics.noise_map(torch.from_numpy(variance)[None], middle).numpy()
        rows.append({"what": "noise of water", "case": f"{pixels} x {mm} mm",
                     "measured": round(float(np.sqrt((sd**2).mean())), 2)})  # fmt: skip
    return rows


def noise_power():
    """By band of frequencies, over |f| W(f)^2."""
    geometry = physics.FanBeam(64, 0.7, 240, 140, 2380.0, 4342.4, 1.2858, offset=0.25)
    lines = np.random.default_rng(0).normal(0, 0.01, (200, *geometry.sinogram_shape))
    image = physics.fbp(torch.from_numpy(lines.astype(np.float32)), geometry, "sharp").numpy()
    found = metrics.nps(image, 0.7, background="none")
    f, kernel = found.frequencies, physics.KERNELS["sharp"]
    scale = 0.01**2 * geometry.channel_rad * geometry.sod_mm * geometry.view_rad / 2
    stated = scale * f * kernel(f) ** 2
    rows = []
    for low, high in ((0.1, 0.2), (0.2, 0.3), (0.3, 0.45), (0.45, 0.55)):
        band = (f >= low) & (f < high)
        ratio = found.values[band].sum() / stated[band].sum()
        rows.append({"what": "noise power, measured over |f| W²", "case": f"{low} to {high} /mm",
                     "stated": 1, "measured": round(float(ratio), 3)})  # fmt: skip
    return rows


def sharpness():
    """f50 of an insert of 500 HU."""
    rows = []
    for pixels, mm in ((256, 1.4), (512, 0.7)):
        scan = inserts((500,), (40,), shape=(1, pixels, pixels), pixel_mm=mm, disc_mm=170.0)
        inside = scan.masks["structures"].boolean(0)[0]
        for name, kernel in physics.KERNELS.items():
            found = metrics.ttf(physics.imaged(scan, name).hu, mm, inside).f50
            rows.append({"what": f"f50 (1/mm), {name}", "case": f"{pixels} x {mm} mm",
                         "stated": round(kernel.f50, 3), "measured": round(found, 3)})  # fmt: skip
    return rows


def strength_of_own_noise():
    """The estimator on exams of phantoms, whose noise is known."""
    rows = []
    for anatomy in ("chest", "abdomen"):
        scan = scans.open_scan(f"phantom-{anatomy}", shape=(2, 256, 256))
        for preset in ("clinical", "benchmark"):
            exam = physics.expose(scan, 0.5, 3, preset=preset, keep_sinogram=False)
            usual, sigma = usual_noise(exam.full.hu, scan.pixel_mm)
            _, spread = local_noise(exam.full.hu - exam.truth.hu, scan.pixel_mm)
            true = float(np.sqrt((spread[usual] ** 2).mean()))
            rows.append({"what": "own noise (HU)", "case": f"phantom-{anatomy}, {preset}",
                         "stated": round(true, 1),
                         "measured": "none" if sigma is None else round(sigma, 1)})  # fmt: skip
    return rows


def bias(change, scan):
    """Mean of low less full dose in lung, air and soft tissue."""
    hu = scan.hu
    places = {"lung": (hu > -950) & (hu < -700), "air": (hu > -1024) & (hu < -980),
              "soft": np.abs(hu - 40) < 60}  # fmt: skip
    parts = [f"{name} {change[inside].mean():+.1f}" for name, inside in places.items()
             if inside.sum() > 500]  # fmt: skip
    return ", ".join(parts)


def real_scan(name, slices):
    """Doses of one patient: asked for and found, and what clipping adds to the means."""
    scan = scans.open_scan(name)
    start = max(0, len(scan.hu) // 2 - slices // 2)
    scan = scan.slab(start, min(len(scan.hu), start + slices))
    rows = []
    for dose in DOSES:
        row = {"what": "dose of a patient", "case": name, "stated": dose}
        rows.append(row)
        try:
            exam = physics.expose(scan, dose, 1, keep_sinogram=False)
        except ValueError as error:
            row["remark"] = str(error)
            break
        chosen, change = sampled(len(scan.hu)), exam.low.hu - scan.hu
        usual, own = usual_noise(scan.hu[chosen], scan.pixel_mm)
        _, spread = local_noise(change[chosen], scan.pixel_mm)
        row["measured"] = round(exam.equivalent_dose, 3)
        row["own HU"] = round(own, 1)
        row["added²/own²"] = round(float((spread[usual] ** 2).mean() / own**2), 2)
        row["(1-a)/a"] = round((1 - dose) / dose, 2)
        row["bias HU"] = bias(change, scan)
        row["bias HU, clipped"] = bias(physics.exam.stored(exam.low.hu) - scan.hu, scan)
    return rows


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--slices", type=int, default=2)
    options.add_argument("--scans", nargs="*", default=REAL)
    arguments = options.parse_args()
    rows = []
    for table in (noise_by_grid, noise_power, sharpness, strength_of_own_noise):
        rows += table()
        print(as_markdown(rows[-8:]), flush=True)
    for name in arguments.scans:
        rows += real_scan(name, arguments.slices)
        print(as_markdown(rows[-3:]), flush=True)
    record(
        "exams",
        rows,
        command=" ".join(["python benchmarks/exams.py", *sys.argv[1:]]),
        note=f"Noise of water: SD in HU in the middle of {2 * WATER_MM:.0f} mm, "
        f"{PHOTONS:.0e} photons, kernel standard; once 3.47, 3.44, 10.1 and 9.98 HU on such grids. "
        "f50: of an insert of 500 HU. Own noise: stated is full dose less truth in the same "
        f"windows. Patients: {arguments.slices} slices, matched; measured is the equivalent dose, "
        "the scan's own noise being as estimated.",
    )


if __name__ == "__main__":
    main()
