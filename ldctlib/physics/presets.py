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

    def photons_in(self, geometry: FanBeam) -> float:
        """Photons by channel and view that give another scanner the same dose.

        >>> round(Preset("hann", 1e6).photons_in(FanBeam.course()))
        6000000
        """
        reference = FanBeam.siemens()
        width = geometry.channel_rad / reference.channel_rad
        return self.photons * width * reference.view_rad**-1 * geometry.view_rad


# "benchmark": calibrated by benchmarks/calibrate_dose.py so that low dose is as hard as published.
# "clinical": full dose leaves 3.4 HU of noise behind 20 cm of water and 11 HU behind 32 cm.
PRESETS: dict[str, dict[str, Preset]] = {
    "benchmark": {
        "chest": Preset("lung", 7.9e4),
        "abdomen": Preset("standard", 2.16e5),
        "head": Preset("standard", 2.26e6, bowtie_radius_mm=100.0),
    },
    "clinical": {
        "chest": Preset("standard", 1e6),
        "abdomen": Preset("standard", 1e6),
        "head": Preset("standard", 1e6, bowtie_radius_mm=100.0),
    },
}

# The dose at which the published benchmark exposes each anatomy.
BENCHMARK_DOSE = {"chest": 0.10, "abdomen": 0.25, "head": 0.25}


def preset_of(name: str, anatomy: str | None) -> Preset:
    """The preset for an anatomy; an unknown anatomy is exposed as an abdomen.

    Raises:
        ValueError: no preset has this name.
    """
    if name not in PRESETS:
        raise ValueError(f"No preset is called {name!r}; there are {', '.join(PRESETS)}.")
    return PRESETS[name][anatomy or "abdomen"]
