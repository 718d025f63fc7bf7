"""Open a scan from wherever it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ldctlib.scans.catalogue import dataset, fetch_files, table
from ldctlib.scans.dicom import read_dicom
from ldctlib.scans.labels import read_masks
from ldctlib.scans.scan import Scan
from ldctlib.scans.splits import PHANTOMS
from ldctlib.scans.volumes import SUFFIXES, read_array, read_volume


def available() -> list[str]:
    """Names that `open_scan` knows: registered scans and phantoms.

    >>> available()[0], available()[-1]
    ('lidc-0314', 'phantom-inserts')
    """
    return [row["name"] for row in table()] + [*PHANTOMS, "phantom-inserts"]


def open_scan(source: str | Path, **options: Any) -> Scan:
    """Open a scan by name or from files.

    Args:
        source: one of `available`, or a DICOM file or folder, a NIfTI, NRRD or MetaImage file, or
            a ``.npy`` file.
        options: of the reader: see `read_dicom`, `read_volume`, `read_array` and, for phantoms,
            `ldctlib.scans.phantoms.phantom` and `ldctlib.scans.phantoms.inserts`.

    Raises:
        FileNotFoundError: there is neither such a name nor such a file.
        ValueError: the source is not one CT scan; the sentence says why.
        ConnectionError: a registered scan could not be downloaded.
    """
    if source in PHANTOMS:
        from ldctlib.scans.phantoms import phantom

        scan: Scan = phantom(str(source).removeprefix("phantom-"), **options)
        return scan
    if source == "phantom-inserts":
        from ldctlib.scans.phantoms import inserts

        return inserts(**options)
    if source in available():
        return _open_registered(str(source), options)
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(
            f"There is no file or folder {path}, and no scan of that name; "
            f"scans are {', '.join(available())}."
        )
    if path.is_dir():
        return read_dicom(path, **options)
    if path.suffix == ".npy":
        return read_array(path, **options)
    if path.name.lower().endswith(SUFFIXES):
        return read_volume(path, **options)
    return read_dicom(path, **options)


def _open_registered(name: str, options: dict[str, Any]) -> Scan:
    entry = dataset(name)
    wanted = [f for f in entry.files if any(fnmatch(f, p) for p in entry.open["files"])]
    paths = fetch_files(name, wanted)
    options = {"name": name, "anatomy": entry.anatomy, **entry.open.get("options", {}), **options}
    reader = entry.open["reader"]
    if reader == "dicom":
        scan = read_dicom(paths, **options)
    else:
        readers: dict[str, Callable[..., Scan]] = {"volume": read_volume, "array": read_array}
        scan = readers[reader](paths[0], **options)
    masks = {}
    for key, label_map in entry.open.get("masks", {}).items():
        names = {int(i): label for i, label in label_map.get("names", {}).items()}
        file = fetch_files(name, [label_map["file"]])[0]
        masks[key] = read_masks(file, scan, names or None)
    facts = {key: getattr(entry, key) for key in ("title", "about", "licence", "citation")}
    may_show = "yes" if entry.may_show else "no"
    provenance = {**scan.provenance, "source": name, **facts, "may_show": may_show}
    return replace(scan, masks=masks, provenance=provenance)
