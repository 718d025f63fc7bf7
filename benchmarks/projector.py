"""Projector and FBP beside deepinv's fan-beam Tomography, in one run, on the course geometry.

python benchmarks/projector.py

256 x 256 pixels, 384 views, 368 channels. deepinv knows flat detectors only, so ours is measured
with both. deepinv works on 2 slices at a time, whatever of its two modes is quicker: its exact
adjoint keeps every rotated image, which for 32 slices at once would take more than 20 GB.
"""

import argparse
import dataclasses
import time
import warnings

import torch
from _table import record
from deepinv.physics import Tomography

from ldctlib.physics import FanBeam, backproject, expose, fbp, project
from ldctlib.scans.phantoms import phantom

SLICES, THEIR_SLICES, ROUNDS = 32, 2, 3


def seconds(call, rounds=ROUNDS):
    """The quickest of a few calls."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def deepinv_operator(geometry, parallel, exact):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Tomography(
            angles=geometry.views,
            img_width=geometry.pixels,
            parallel_computation=parallel,
            adjoint_via_backprop=exact,
            normalize=False,
            fan_beam=True,
            fan_parameters={
                "pixel_spacing": geometry.pixel_mm / 10,
                "source_radius": geometry.sod_mm / 10,
                "detector_radius": (geometry.sdd_mm - geometry.sod_mm) / 10,
                "n_detector_pixels": geometry.channels,
                "detector_spacing": geometry.channel_mm / 10,
            },
        )


def theirs(geometry, images):
    """Seconds a slice of forward, exact adjoint and FBP, the quicker of deepinv's modes."""
    best = {}
    for parallel in (False, True):
        operator = deepinv_operator(geometry, parallel, exact=True)
        sinogram = operator.A(images)
        calls = {
            "forward": lambda o=operator: o.A(images),
            "adjoint": lambda o=operator, s=sinogram: o.A_adjoint(s),
            "FBP": lambda o=operator, s=sinogram: o.A_dagger(s),
        }
        for name, call in calls.items():
            taken = seconds(call, 2) / len(images)
            best[name] = min(best.get(name, taken), taken)
    return best


def ours(geometry, images):
    sinogram = project(images, geometry)
    backproject(sinogram, geometry), fbp(sinogram, geometry)  # compile
    calls = {
        "forward": lambda: project(images, geometry),
        "adjoint": lambda: backproject(sinogram, geometry),
        "FBP": lambda: fbp(sinogram, geometry),
    }
    return {name: seconds(call) / len(images) for name, call in calls.items()}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(options.parse_args().threads)
    geometry = FanBeam.course()
    flat = dataclasses.replace(geometry, detector="flat")
    images = torch.rand(SLICES, geometry.pixels, geometry.pixels) * 0.02
    their_time = theirs(flat, images[:THEIR_SLICES, None])
    our_time = {
        "arc": ours(geometry, images),
        "flat": ours(flat, images),
        "arc, one slice": ours(geometry, images[:1]),
    }
    rows = [
        {
            "what": f"{name}, {what}",
            "slices": 1 if "one" in what else SLICES,
            "ms a slice": round(1e3 * taken, 2),
            "deepinv ms a slice": round(1e3 * their_time[name], 1),
            "times faster": round(their_time[name] / taken, 1),
        }
        for what, times in our_time.items()
        for name, taken in times.items()
    ]
    scan = phantom("chest", shape=(8, 512, 512))
    for count in (8, 1):
        part = scan.slab(0, count)
        taken = seconds(lambda p=part: expose(p, 0.25), 2) / count
        rows.append(
            {
                "what": "expose() 512 x 512, 1152 views x 736 channels",
                "slices": count,
                "ms a slice": round(1e3 * taken, 1),
            }
        )
    record("projector", rows, note=" ".join(__doc__.split("\n\n")[2].split()))


if __name__ == "__main__":
    main()
