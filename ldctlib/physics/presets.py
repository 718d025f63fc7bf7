"""Exposures by name: what the scanner is set to for each anatomy."""

from __future__ import annotations

from dataclasses import dataclass

from ldctlib.physics.geometry import FanBeam


@dataclass(frozen=True)
class Preset:
    """How an anatomy is exposed.

    Args:
        kernel: of the reconstruction.
        photons: at full dose without a patient, in each channel and view of `FanBeam.siemens`.
        electronic_noise: standard deviation in photons.
        bowtie_radius_mm, bowtie_strength: see `noise.bowtie`.
    """

    kernel: str
    photons: float
    electronic_noise: float = 8.0
    bowtie_radius_mm: float = 200.0
    bowtie_strength: float = 0.5


def in_geometry(photons: float, electronic_noise: float, geometry: FanBeam) -> tuple[float, float]:
    """The same dose and the same image noise for another scanner.

    Fewer or wider channels and views get more photons each. Where that is k times as many, the
    electronic noise is the square root of k times as large: k readings were added up.

    Args:
        photons: in each channel and view of `FanBeam.siemens`.
        electronic_noise: standard deviation in photons, likewise.
        geometry: the other scanner.

    >>> in_geometry(1e6, 8.0, FanBeam.course())
    (3000000.0, 13.856...)
    """
    reference = FanBeam.siemens()
    share = geometry.channel_rad / reference.channel_rad * geometry.view_rad / reference.view_rad
    return photons * share, electronic_noise * share**0.5


# "benchmark": calibrated by benchmarks/calibrate_dose.py so that low dose is as hard as published.
# "clinical": full dose leaves 4.0 HU of noise in the middle of 20 cm of water, 13 HU of 32 cm.
PRESETS: dict[str, dict[str, Preset]] = {
    "benchmark": {
        "chest": Preset("sharp", 3.29e4),
        "abdomen": Preset("standard", 2.97e5),
        "head": Preset("standard", 3.15e6, bowtie_radius_mm=100.0),
    },
    "clinical": {
        "chest": Preset("standard", 1e6),
        "abdomen": Preset("standard", 1e6),
        "head": Preset("standard", 1e6, bowtie_radius_mm=100.0),
    },
}

# The dose at which the published benchmark exposes each anatomy.
BENCHMARK_DOSE = {"chest": 0.10, "abdomen": 0.25, "head": 0.25}


def preset_of(preset: str | Preset, anatomy: str | None) -> Preset:
    """The preset for an anatomy; an unknown anatomy is exposed as an abdomen.

    Raises:
        ValueError: no preset has this name.
    """
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise ValueError(
            f"No preset is called {preset!r}; there are matched, {', '.join(PRESETS)}."
        )
    return PRESETS[preset][anatomy or "abdomen"]
