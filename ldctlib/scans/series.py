"""Find one CT series among files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset, dcmread

from ldctlib.scans.arrange import Series, arrange, series_title
from ldctlib.scans.slices import slices_of

Header = tuple[Path, Dataset]

# Objects that accompany images: contours, reports, dose, how to present and register them.
_COMPANIONS = {"RTSTRUCT", "RTPLAN", "RTDOSE", "SEG", "SR", "PR", "KO", "REG", "DOC", "OT"}


def load_series(
    source: Path | Sequence[Path], series: str | int | None = None, spacing: str = "even"
) -> Series:
    """Read the headers of one CT series and check that they make a volume.

    Args:
        source: a file, a folder (searched with its subfolders) or a list of files.
        series: UID or number of the wanted series, where there are several.
        spacing: "even" refuses uneven slice positions, "keep" takes them as they are.

    Raises:
        ValueError: the files are not one CT volume; the sentence says why and what to do.
    """
    if spacing not in ("even", "keep"):
        raise ValueError(f'spacing is "even" or "keep", not {spacing!r}.')
    chosen = choose_series(find_headers(source), _name(source), series)
    title = series_title(chosen[0][1])
    for path, header in chosen:
        if header.get("Modality") != "CT":
            raise ValueError(f"{path.name} ({title}) is {header.get('Modality')}, not CT.")
    return arrange([s for path, header in chosen for s in slices_of(path, header, title)], spacing)


def find_headers(source: Path | Sequence[Path]) -> list[Header]:
    """The DICOM files of a source with their headers; other files are passed over.

    Raises:
        ValueError: there is none, or a file that should be DICOM cannot be read.
    """
    if not isinstance(source, Path):
        paths = list(source)
    elif source.is_dir():
        paths = sorted(p for p in source.rglob("*") if p.is_file() and p.name[0] != ".")
    else:
        paths = [source]
    found = [(path, header) for path in paths if (header := _header(path)) is not None]
    if not found:
        held = f"holds {len(paths)} files but none of them is DICOM" if paths else "is empty"
        if isinstance(source, Path) and source.is_file():
            held = "is not a DICOM file"
        raise ValueError(f"{_name(source)} {held}; give a CT file or the folder of a CT series.")
    return found


def _header(path: Path) -> Dataset | None:
    with path.open("rb") as file:
        marked = file.read(132)[128:] == b"DICM"
    named = path.suffix.lower() in (".dcm", ".ima", ".dicom")
    if path.name == "DICOMDIR" or not (marked or named):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = dcmread(path, stop_before_pixels=True, force=True)
    except Exception as error:
        raise ValueError(f"{path} is truncated or corrupt: it has no DICOM header.") from error
    if "Modality" not in header:
        raise ValueError(f"{path} is truncated or corrupt: its header has no Modality.")
    return header


def choose_series(headers: list[Header], name: str, wanted: str | int | None) -> list[Header]:
    """The files of one series.

    Args:
        headers: files of any number of series.
        name: what messages call the source.
        wanted: UID or number of a series; may be None if only one holds images.

    Raises:
        ValueError: there is no image, or several series, or none that is wanted.
    """
    groups: dict[str, list[Header]] = {}
    for path, header in headers:
        groups.setdefault(str(header.get("SeriesInstanceUID", "")), []).append((path, header))
    images = {u: g for u, g in groups.items() if g[0][1].get("Modality") not in _COMPANIONS}
    if wanted is not None:
        images = {
            uid: group
            for uid, group in groups.items()
            if wanted == uid or str(wanted) == str(group[0][1].get("SeriesNumber"))
        }
    if len(images) == 1:
        return next(iter(images.values()))
    listing = "; ".join(
        f"{series_title(g[0][1])}, {g[0][1].get('Modality')}, {len(g)} files, UID {uid}"
        for uid, g in (images or groups).items()
    )
    if images:
        raise ValueError(f"{name} holds {len(images)} series: choose one by series=: {listing}.")
    if wanted is not None:
        raise ValueError(f"{name} has no series {wanted!r}; it holds {listing}.")
    raise ValueError(f"{name} holds no CT images, only {listing}.")


def _name(source: Path | Sequence[Path]) -> str:
    return str(source) if isinstance(source, Path) else f"The list of {len(source)} files"
