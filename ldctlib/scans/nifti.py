"""What ITK lets pass in NIfTI files (cut short, NaN) or does not read (names of labels)."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

import numpy as np

SUFFIXES = (".nii", ".nii.gz")


class _Layout(NamedTuple):
    offset: int
    size: int  # of the voxels, in bytes
    floats: np.dtype | None


def check_whole(path: Path) -> None:
    """Refuse a NIfTI file that ITK would fill up with zeros, or mistake for its neighbour.

    Raises:
        ValueError: the file is cut short or corrupt, holds NaN, or has a neighbour of its name.
    """
    neighbour = path.with_suffix("") if path.suffix == ".gz" else path.with_name(path.name + ".gz")
    if neighbour.is_file():
        raise ValueError(f"{path} lies beside {neighbour.name}, and ITK mixes them up: rename one.")
    size, finite = 0, True
    try:
        with _open(path) as file:
            layout = _layout(file.read(348)) or _Layout(348, 0, None)
            file.read(layout.offset - 348)
            while block := file.read(1 << 20):
                size += len(block)
                if layout.floats:
                    whole = len(block) // layout.floats.itemsize
                    finite &= bool(np.isfinite(np.frombuffer(block, layout.floats, whole)).all())
    except (EOFError, OSError, zlib.error, struct.error) as error:
        raise ValueError(f"{path} is truncated or corrupt.") from error
    if size < layout.size:
        raise ValueError(f"{path} is truncated: it holds {size} of {layout.size} bytes of voxels.")
    if not finite:
        raise ValueError(f"{path} holds values that are not finite; ITK would read them as 0 HU.")


def label_table(path: Path) -> dict[int, str]:
    """Names of the labels from the header extension that TotalSegmentator and others write."""
    with _open(path) as file:
        layout = _layout(file.read(348))
        text = file.read(layout.offset - 348) if layout else b""
    found = re.findall(rb'<Label Key="(\d+)"[^>]*>\s*<!\[CDATA\[(.*?)\]\]>', text)
    return {int(key): name.decode() for key, name in found}


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _layout(header: bytes) -> _Layout | None:
    """Fields dim, datatype, bitpix and vox_offset of NIfTI-1; None for other versions."""
    for order in "<>":
        if struct.unpack_from(f"{order}i", header)[0] == 348:
            dim = struct.unpack_from(f"{order}8h", header, 40)
            datatype, bits = struct.unpack_from(f"{order}2h", header, 70)
            floats = {16: "f4", 64: "f8"}.get(datatype)
            return _Layout(
                offset=int(struct.unpack_from(f"{order}f", header, 108)[0]),
                size=int(np.prod(dim[1 : dim[0] + 1], dtype=np.int64)) * bits // 8,
                floats=np.dtype(order + floats) if floats else None,
            )
    return None
