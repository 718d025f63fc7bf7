"""How sharp each shipped network leaves an insert, by contrast and by dose.

python benchmarks/resolution.py    # about 5 CPU minutes without a GPU
"""

import argparse

import numpy as np
from _table import record

from ldctlib import denoisers, metrics, physics, scans

SHIPPED = ("bilateral", "cnn10", "wganvgg", "qae", "redcnn", "dugan", "resnet")
CONTRASTS_HU = (-800, -100, 30, 100, 300, 900)
DOSES = (0.5, 0.25)  # at a tenth, 30 HU needs four times the slices
MIDDLE = slice(100, 156)  # water between the inserts
STANDARD, SHARP = physics.KERNELS["standard"], physics.KERNELS["sharp"]


def sharpened(hu, pixel_mm):
    """A linear filter: what the sharp kernel has on top of the standard one."""
    f = metrics.frequency_grid(hu.shape[1:], pixel_mm) / STANDARD.cutoff_per_mm
    gain = 1 + SHARP.boost * f.clip(max=1) ** 2
    return np.fft.ifft2(np.fft.fft2(hu) * gain).real


def measured(name, dose, hu, phantom):
    """One line of the table."""
    masks, pixel_mm = phantom.masks["structures"], phantom.pixel_mm
    row = {"image": name, "dose": dose}
    found = []
    for label, contrast in zip(masks.labels, CONTRASTS_HU, strict=True):
        found.append(metrics.ttf(hu, pixel_mm, masks.boolean(label)[0]))
        f50, error = found[-1].f50, found[-1].error_at(0.5)
        row[f"{contrast:+d} HU"] = f"{f50:.3f} ± {error:.3f}"
    dependence = metrics.contrast_dependence(found)
    row["spread"] = round(dependence.spread, 2)
    row["p"] = f"{dependence.p_value:.1g}"
    noise = metrics.nps(hu[:, MIDDLE, MIDDLE], pixel_mm, background="mean")
    row["noise HU"] = round(noise.variance_hu2**0.5, 1)
    row["mean of NPS 1/mm"] = round(noise.mean_frequency, 3)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--device", default=None)
    arguments = parser.parse_args()
    phantom = scans.open_scan(
        "phantom-inserts",
        contrasts_hu=CONTRASTS_HU,
        diameters_mm=(20,),
        shape=(arguments.slices, 256, 256),
        disc_mm=164.0,
    )
    rows = []
    for dose in DOSES:
        exam = physics.expose(phantom, dose, seed=1, kernel=STANDARD, keep_sinogram=False)
        images = {"low dose": exam.low.hu, "sharpened": sharpened(exam.low.hu, phantom.pixel_mm)}
        for name in SHIPPED:
            denoiser = denoisers.load(name, device=arguments.device)
            images[name] = denoiser.denoise_image(exam.low.hu)
        rows += [measured(name, f"{dose:.0%}", hu, phantom) for name, hu in images.items()]
    record(
        "resolution",
        rows,
        note="f50 in 1/mm, with its standard error, of the task transfer function of 20 mm inserts "
        f"of water ± contrast, {arguments.slices} slices of 256 x 256; that of the kernel is "
        f"{STANDARD.f50:.3f} at every contrast, and {SHARP.f50:.3f} of the sharp one. Spread: "
        "largest less smallest f50 over their mean; p: that all contrasts are resolved alike.",
        device=arguments.device or "cpu",
    )


if __name__ == "__main__":
    main()
