"""The pure part of viewer.js, run in node on cases that Python computed."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import playwright
import pytest

from ldctlib import units
from ldctlib.viewing import colours, payload, preview

HERE = Path(__file__).parent


def node():
    """Node from the system, or the one that playwright brings."""
    brought = Path(playwright.__file__).parent / "driver" / "node"
    return shutil.which("node") or str(brought)


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def cases():
    rng = np.random.default_rng(0)
    windows = [*units.WINDOWS.values(), (0.0, 1.0), (12.0, 2.0), (37.0, 401.0), (-3.5, 255.0)]
    planes = rng.integers(-32768, 32768, (3, 200)).astype(np.int16)
    planes[1, :4] = [-32768, 32767, -32768, 0]
    plane = rng.integers(-1024, 1500, (21, 34)).astype(np.int16)
    part = plane[3:17, 8:30].astype(np.float64)
    shapes = [
        (1, 512, 512),
        (2, 512, 512),
        (3, 512, 512),
        (4, 240, 240),
        (5, 100, 333),
        (2, 64, 40),
    ]
    layouts = []
    for panes, height, width in shapes:
        for zoom in (0.5, 1, 2, 3, 4):
            layout = vars(preview.Layout.of(panes, height, width, zoom))
            sizes = {"panes": panes, "height": height, "width": width}
            layouts.append({**sizes, "zoom": zoom, "layout": layout})
    return {
        "windows": [
            {
                "level": level,
                "width": width,
                "bounds": units.window_bounds((level, width)),
                "grey": text(colours.grey_table((level, width))),
            }
            for level, width in windows
        ],
        "differences": [
            {"limit": limit, "entry": text(colours.difference_table(limit))}
            for limit in (1, 10, 100, 333, 40000)
        ],
        "packed": [
            {"text": payload.pack(planes)[0], "planes": 3, "values": planes.ravel().tolist()}
        ],
        "statistics": {
            "plane": plane.ravel().tolist(),
            "width": 34,
            "roi": [3, 8, 17, 30],
            "n": part.size,
            "mean": part.mean(),
            "sd": part.std(),
        },
        "layouts": layouts,
        "halved": {
            "plane": plane.ravel().tolist(),
            "width": 34,
            "height": 21,
            "half": preview.halve(plane).ravel().tolist(),
        },
    }


def test_viewer_js_in_node(tmp_path):
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(cases()))
    run = subprocess.run(
        [node(), "--test", "--test-reporter=tap", str(HERE / "core.test.js")],
        env={**os.environ, "CASES": str(file)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "# pass 9" in run.stdout
    assert "# fail 0" in run.stdout


def test_viewer_js_is_short():
    lines = (Path(payload.__file__).with_name("viewer.js")).read_text().splitlines()
    assert len(lines) <= 400


@pytest.mark.parametrize("shape", [(1, 1), (2, 64), (4, 512 * 8)])
def test_packing_is_lossless(shape):
    planes = np.random.default_rng(1).integers(-32768, 32768, shape).astype(np.int16)
    packed, share = payload.pack(planes)
    assert share == 1
    np.testing.assert_array_equal(payload.unpack(packed, shape[0]), planes)
