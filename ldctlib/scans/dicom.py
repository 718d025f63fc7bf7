"""Read a CT series from DICOM files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import Dataset
from tqdm import tqdm

from ldctlib.scans.arrange import Series
from ldctlib.scans.scan import Scan
from ldctlib.scans.series import load_series
from ldctlib.scans.technique import technique

_ANATOMY_OF_BODY_PART = {
    "CHEST": "chest",
    "LUNG": "chest",
    "THORAX": "chest",
    "ABDOMEN": "abdomen",
    "ABDOMENPELVIS": "abdomen",
    "LIVER": "abdomen",
    "HEAD": "head",
    "BRAIN": "head",
    "SKULL": "head",
}


def read_dicom(
    source: str | Path | Sequence[Path],
    *,
    series: str | int | None = None,
    spacing: str = "even",
    name: str | None = None,
    anatomy: str | None = None,
) -> Scan:
    """Read one CT series as a volume.

    Slices are sorted by position, turned so that rows run from anterior to posterior and columns
    from the patient's right to left, and rescaled to HU; nothing is resampled. What lies outside
    the scan circle, and every value below -1024 HU, becomes -1024 HU.

    With a tilted gantry the slices stay as they were acquired: ``z_mm`` and ``spacing_mm`` are
    measured along the slices' normal, and ``provenance["gantry_tilt_deg"]`` says the angle.

    Args:
        source: a file, a folder (searched with its subfolders) or a list of files.
        series: UID or number of the wanted series, where there are several.
        spacing: "even" refuses missing slices and uneven steps; "keep" takes them, with the
            usual step in ``spacing_mm`` and the true positions in ``z_mm``.
        name: what figures call the scan; the folder's name if None.
        anatomy: "chest", "abdomen" or "head"; from BodyPartExamined if None.

    Returns:
        The scan, with scanner and kernel in its provenance, and with what the headers state of
        the exposure: tube voltage ("kVp"), tube load ("mAs") and dose ("CTDIvol_mGy").

    Raises:
        FileNotFoundError: the source does not exist.
        ValueError: it is not one whole axial CT series; the sentence names file and series.
    """
    if isinstance(source, str):
        source = Path(source)
    if isinstance(source, Path) and not source.exists():
        raise FileNotFoundError(f"There is no file or folder {source}.")
    found = load_series(source, series, spacing)
    header = found.slices[0].header
    if name is None:
        name = found.title if not isinstance(source, Path) else source.resolve().name
    part = "".join(c for c in str(header.get("BodyPartExamined", "")).upper() if c.isalpha())
    return Scan(
        hu=read_pixels(found),
        spacing_mm=(found.step_mm, *found.pixel_mm),
        name=name,
        anatomy=anatomy or _ANATOMY_OF_BODY_PART.get(part),
        z_mm=found.z_mm,
        provenance={"source": str(source) if isinstance(source, Path) else name}
        | _provenance(header, found),
        corner_mm=(float(found.corners_mm[0, 1]), float(found.corners_mm[0, 0])),
    )


def read_pixels(series: Series) -> np.ndarray:
    """The volume of a series in HU, float32 (Z, H, W)."""
    shape = series.turn(np.empty(series.slices[0].shape)).shape
    volume = np.empty((len(series.slices), *shape), np.float32)
    for z, s in enumerate(tqdm(series.slices, desc=series.title, leave=False, delay=5)):
        volume[z] = series.turn(s.hu())
    return volume


def _provenance(header: Dataset, series: Series) -> dict[str, str]:
    scanner = f"{header.get('Manufacturer', '')} {header.get('ManufacturerModelName', '')}"
    kernel = header.get("ConvolutionKernel", "")
    facts = {
        "scanner": scanner.strip(),
        "kernel": kernel if isinstance(kernel, str) else " ".join(kernel),
        **technique([s.header for s in series.slices]),
        "slice_thickness_mm": str(header.get("SliceThickness") or ""),
        "series": series.title,
        "gantry_tilt_deg": f"{series.tilt_deg:.1f}" if series.tilt_deg > 0.1 else "",
    }
    return {key: value for key, value in facts.items() if value}
