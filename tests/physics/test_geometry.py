import dataclasses

import numpy as np
import pytest

from ldctlib.physics import FanBeam
from ldctlib.physics.rays import rays
from ldctlib.scans import Scan


def scan_of(shape, pixel_mm):
    return Scan(np.zeros(shape), (1.0, pixel_mm, pixel_mm), "test")


def test_presets_are_the_scanners_of_the_literature():
    siemens, course = FanBeam.siemens(), FanBeam.course()
    assert (siemens.views, siemens.channels, siemens.pixels, siemens.pixel_mm) == (
        1152,
        736,
        512,
        0.7,
    )
    assert (course.views, course.channels, course.pixels, course.pixel_mm) == (384, 736, 256, 1.4)
    assert np.rad2deg(siemens.channel_rad) == pytest.approx(0.067864, abs=1e-5)
    assert siemens.fan_deg == pytest.approx(49.95, abs=0.01)
    assert course.channel_mm == siemens.channel_mm
    assert siemens.nyquist_per_mm == pytest.approx(0.5 / (1.2858 * 595 / 1085.6))


@pytest.mark.parametrize(("shape", "views"), [((2, 256, 256), 384), ((2, 512, 512), 1152)])
def test_matching_takes_the_scans_own_grid(shape, views):
    geometry = FanBeam.matching(scan_of(shape, 0.81))
    assert (geometry.pixels, geometry.pixel_mm, geometry.views) == (shape[1], 0.81, views)


def test_matching_takes_the_longer_side():
    assert FanBeam.matching(scan_of((1, 101, 122), 3.0)).pixels == 122


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pixels": 0}, "positive"),
        ({"channel_mm": float("nan")}, "positive"),
        ({"detector": "round"}, "arc.*flat"),
        ({"pixel_mm": 4.0}, "outside the image"),
        ({"sdd_mm": 300.0}, "before the detector"),
        ({"arc_deg": 400.0}, "360"),
        ({"channel_mm": 9.0}, "narrower than 90"),
    ],
)
def test_impossible_scanners_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(FanBeam.course(), **change)


def test_a_ray_passes_through_its_source_and_its_channel():
    geometry = FanBeam(64, 5.0, 7, 30, 595.0, 1085.6, 20.0, "flat", offset=0.4, start_deg=12)
    table, centre = rays(geometry), (geometry.pixels - 1) / 2
    for view, beta in enumerate(geometry.beta):
        source = geometry.sod_mm * np.array([np.cos(beta), np.sin(beta)])
        away, along = -source / geometry.sod_mm, np.array([np.sin(beta), -np.cos(beta)])
        for channel in (0, 13, 29):
            u = (channel - geometry.central_channel) * geometry.channel_mm
            detector = source + geometry.sdd_mm * away + u * along
            axis = int(
                channel >= table.segments[view, 1, 0] and channel < table.segments[view, 1, 1]
            )
            for point in (source, detector):
                i, j = (point / geometry.pixel_mm + centre)[[axis, 1 - axis]]
                at = table.start[view, channel] + table.slope[view, channel] * i - 1
                assert at == pytest.approx(j, abs=2e-3)


def test_every_channel_has_one_leading_axis():
    segments = rays(FanBeam.course()).segments
    assert ((segments[..., 1] - segments[..., 0]).sum(1) == 736).all()
    assert np.abs(rays(FanBeam.course()).slope).max() <= 1
