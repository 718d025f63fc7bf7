"""Seconds to denoise a whole scan with every network, and the bilateral filter beside its taps.

python benchmarks/denoisers.py
python benchmarks/denoisers.py --device cuda
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from _table import record

from ldctlib.denoisers import available, load
from ldctlib.denoisers.bilateral import bilateral_filter

SLICES = 40


def seconds(call: Callable[[], object], rounds: int, device: str) -> float:
    """The quickest of a few calls."""
    finish = torch.cuda.synchronize if device == "cuda" else lambda: None
    times = []
    for _ in range(rounds):
        finish()
        begin = time.perf_counter()
        call()
        finish()
        times.append(time.perf_counter() - begin)
    return min(times)


def whole_scans(device: str, slices: int, methods: list[str]) -> list[dict]:
    """Untrained networks take as long as trained ones."""
    hu = np.random.default_rng(0).normal(0, 100, (slices, 512, 512)).astype(np.float32)
    rows = []
    for name in methods:
        denoiser = load(name, weights=None, device=device)
        denoiser.denoise_image(hu[:1])
        taken = seconds(lambda d=denoiser: d.denoise_image(hu), 1, device)
        parameters = sum(p.numel() for p in denoiser.network.parameters())
        rows.append(
            {
                "what": name,
                "parameters": parameters,
                "slices": slices,
                "s a scan": round(taken, 2),
                "ms a slice": round(1e3 * taken / slices, 1),
            }
        )
    return rows


def bilateral_beside_its_taps(device: str) -> list[dict]:
    """One filter of 5 x 5 taps, and what no such filter can do without: an exponential a tap."""
    x = torch.randn(4, 1, 512, 512, device=device)
    sigma = torch.tensor(0.5, device=device)
    shifted = [torch.randn_like(x) for _ in range(25)]

    def taps() -> torch.Tensor:
        total = torch.zeros_like(x)
        for y in shifted:
            total = total + torch.exp(-(y - x).square()) * y
        return total

    with torch.inference_mode():
        filtered = seconds(lambda: bilateral_filter(x, sigma, sigma, sigma), 5, device)
        bare = seconds(taps, 5, device)
    return [
        {
            "what": "one bilateral filter, beside 25 x exp(-(y - x)^2) y",
            "slices": 4,
            "ms a slice": round(1e3 * filtered / 4, 1),
            "taps alone, ms a slice": round(1e3 * bare / 4, 1),
            "times slower": round(filtered / bare, 2),
        }
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--slices", type=int, default=SLICES)
    parser.add_argument("--methods", nargs="+", default=available())
    options = parser.parse_args()
    rows = bilateral_beside_its_taps(options.device)
    rows += whole_scans(options.device, options.slices, options.methods)
    command = f"python benchmarks/denoisers.py --device {options.device} --slices {options.slices}"
    record(
        "denoisers",
        rows,
        command,
        note=f"{options.slices} slices of 512 x 512; tiles and batches within 256 MiB of features.",
    )


if __name__ == "__main__":
    main()
