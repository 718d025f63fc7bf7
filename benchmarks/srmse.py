"""SRMSE of a whole chest: sums over the runs beside boolean masks and the formula as it stands.

    python benchmarks/srmse.py [--slices 392] [--masks 15547] [--repeats 5]

All three get the same masks, each mask on its own slice only, and must agree. Boolean and dense
masks of all slices would need 4 and 16 GB, so theirs are made slice by slice, outside the time.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from _table import record

from ldctlib.masks import Masks
from ldctlib.metrics import segment_errors, srmse

SIDE = 512


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--slices", type=int, default=392)
    options.add_argument("--masks", type=int, default=15547)
    options.add_argument("--repeats", type=int, default=5)
    arguments = options.parse_args()
    random = np.random.default_rng(0)
    masks = blobs(random, arguments.slices, arguments.masks)
    test, reference = (random.standard_normal(masks.shape, dtype=np.float32) for _ in range(2))
    srmse(test[:1], reference[:1], masks.crop(0, slice(None), slice(None)))  # compiles
    seconds, errors = best_of(arguments.repeats, lambda: srmse(test, reference, masks))
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rows = [{"what": "srmse", "seconds": seconds, "ratio": 1.0, "peak GB": peak_gb}]
    for name, formula in [("loop over boolean masks", boolean), ("formula, dense masks", dense)]:
        other, found = slice_by_slice(formula, test, reference, masks)
        np.testing.assert_allclose(found, errors, rtol=1e-4)
        rows.append({"what": name, "seconds": other, "ratio": other / seconds})
    rows += tensors(arguments.repeats, test, reference, masks, errors)
    record(
        "srmse",
        rows,
        f"python benchmarks/srmse.py --slices {arguments.slices} --masks {arguments.masks}",
        note=(
            f"{len(masks)} masks, {masks.areas.mean():.0f} pixels in the mean, on "
            f"{' x '.join(map(str, masks.shape))} voxels, float32; masks ready, loops compiled; "
            f"the best of {arguments.repeats} for ours, one run for the others. Peak memory is "
            "that of the process: interpreter, masks and both volumes "
            f"({2 * test.nbytes / 1e9:.2f} GB) included."
        ),
    )


def blobs(random: np.random.Generator, slices: int, count: int) -> Masks:
    """Star-shaped outlines of about 1,000 pixels, from vessel to organ, all over the slices."""
    y, x = np.mgrid[-64:64, -64:64]
    angle, distance = np.arctan2(y, x), np.hypot(y, x)
    parts, found = [], []
    for i in range(count):
        radius = 15.5 * np.exp(random.normal(0, 0.35))
        waves = sum(
            random.normal(0, 0.25 / k) * np.cos(k * angle + random.uniform(0, 7)) for k in (2, 3, 5)
        )
        image = np.zeros((SIDE, SIDE), bool)
        top, left = random.integers(0, SIDE - 128, 2)
        image[top : top + 128, left : left + 128] = distance < radius * np.exp(waves)
        found.append((i * slices // count, image))
        if len(found) == 500 or i == count - 1:
            parts.append(Masks.from_slices(found, (slices, SIDE, SIDE)))
            found.clear()
    return Masks.concatenate(parts)


def boolean(test: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> float:
    return float(np.sqrt(np.mean((test[mask] - reference[mask]) ** 2)))


def dense(test: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> float:
    return float(np.sqrt(np.sum(mask * (test - reference) ** 2) / np.sum(mask)))


def slice_by_slice(
    formula: Callable[..., float], test: np.ndarray, reference: np.ndarray, masks: Masks
) -> tuple[float, np.ndarray]:
    """Seconds in the formula, and its values."""
    seconds, errors = 0.0, np.empty(len(masks))
    for z, positions, images in by_slice(masks):
        if formula is dense:
            images = images.astype(np.float32)
        begin = time.perf_counter()
        for at, image in zip(positions, images, strict=True):
            errors[at] = formula(test[z], reference[z], image)
        seconds += time.perf_counter() - begin
    return seconds, errors


def by_slice(masks: Masks) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    for z in range(masks.shape[0]):
        here = masks.crop(z, slice(None), slice(None))
        images = [here.boolean(i)[0] for i in range(len(here))]
        yield z, masks.in_slice(z), np.array(images, bool).reshape(-1, SIDE, SIDE)


def tensors(
    repeats: int, test: np.ndarray, reference: np.ndarray, masks: Masks, errors: np.ndarray
) -> list[dict]:
    """The differentiable version, forward and back, where it runs."""
    rows = []
    for device in ["cpu", "cuda"][: 1 + torch.cuda.is_available()]:
        pair = [torch.from_numpy(image).to(device) for image in (test, reference)]
        seconds, found = best_of(repeats, lambda: segment_errors(*pair, masks).cpu())  # noqa: B023
        np.testing.assert_allclose(found, errors, rtol=1e-5)
        pair[0].requires_grad_()
        both, _ = best_of(repeats, lambda: gradient(*pair, masks))  # noqa: B023
        rows.append({"what": f"segment_errors, {device}", "seconds": seconds})
        rows.append({"what": f"… with its gradient, {device}", "seconds": both})
    return rows


def gradient(test: torch.Tensor, reference: torch.Tensor, masks: Masks) -> float:
    test.grad = None
    segment_errors(test, reference, masks).mean().backward()
    return float(test.grad[0, 0, 0])  # waits for a GPU


def best_of(repeats: int, work: Callable[[], object]) -> tuple[float, object]:
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), result


if __name__ == "__main__":
    main()
