"""The registered data sets: what they are, where their files come from, and that they are whole."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pooch
from tqdm import tqdm


@dataclass(frozen=True)
class DataFile:
    """One file: where it is downloaded from, its size in bytes and its sha256."""

    url: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class DataSet:
    """What is known about a data set.

    Args:
        name: its key, and the name of its folder.
        title, about: a line for people.
        licence: of the pixels.
        may_show: whether pixels may appear in the published book.
        citation: whom to credit.
        files: by path inside the folder.
        anatomy: "chest", "abdomen", "head", or None.
        shape: (Z, H, W), or None if it is not a scan.
        open: how a scan is opened: reader, file patterns, options, masks.
    """

    name: str
    title: str
    about: str
    licence: str
    may_show: bool
    citation: str
    files: Mapping[str, DataFile]
    anatomy: str | None = None
    shape: tuple[int, int, int] | None = None
    open: Mapping[str, Any] = field(default_factory=dict)

    @property
    def megabytes(self) -> float:
        """Size of the download."""
        return sum(file.bytes for file in self.files.values()) / 1e6


@cache
def _catalogue() -> dict[str, DataSet]:
    raw = json.loads(files("ldctlib.scans").joinpath("catalogue.json").read_text("utf-8"))
    return {
        name: DataSet(
            name=name,
            files={path: DataFile(**facts) for path, facts in entry.pop("files").items()},
            shape=tuple(entry.pop("shape")) if "shape" in entry else None,
            **entry,
        )
        for name, entry in raw.items()
    }


def datasets() -> list[str]:
    """Names of all data sets, scans and others.

    >>> "lidc-0314" in datasets(), "mita-lcd" in datasets()
    (True, True)
    """
    return list(_catalogue())


def dataset(name: str) -> DataSet:
    """The entry of a data set.

    Raises:
        ValueError: there is none of this name.

    >>> dataset("head-ge").licence
    'BSD-2-Clause'
    """
    if name not in _catalogue():
        raise ValueError(f"No data set is called {name!r}; there are {', '.join(datasets())}.")
    return _catalogue()[name]


def table() -> list[dict[str, Any]]:
    """One row for every data set that opens as a scan, e.g. for ``pandas.DataFrame``.

    >>> table()[0]["name"], table()[0]["shape"]
    ('lidc-0314', (40, 512, 512))
    """
    columns = ("name", "title", "anatomy", "shape", "licence", "may_show", "megabytes", "citation")
    return [{c: getattr(d, c) for c in columns} for d in _catalogue().values() if d.open]


def folder(name: str) -> Path:
    """Where a data set's files lie or will lie.

    ``LDCTLIB_DATA_DIR/<name>`` if that folder exists, and the user's cache otherwise.
    """
    dataset(name)
    own = os.environ.get("LDCTLIB_DATA_DIR")
    if own and (Path(own) / name).is_dir():
        return Path(own) / name
    return Path(pooch.os_cache("ldctlib")) / name


def fetch(name: str, file: str | None = None, *, progress: bool = True) -> Path:
    """Make sure that a data set, or one file of it, is on this machine and unchanged.

    Files that are missing from the user's cache are downloaded; a folder that LDCTLIB_DATA_DIR
    names is only read.

    Args:
        name: of the data set.
        file: path inside the data set; everything if None.
        progress: whether to show a progress bar while downloading.

    Returns:
        The data set's folder, or the file.

    Raises:
        ValueError: there is no such data set or file, or a file is not the registered one.
        ConnectionError: a download failed.
    """
    if file is None:
        fetch_files(name, dataset(name).files, progress=progress)
        return folder(name)
    return fetch_files(name, [file], progress=progress)[0]


def fetch_files(name: str, wanted: Iterable[str], *, progress: bool = True) -> list[Path]:
    """`fetch` for some files of a data set; returns their paths in the same order."""
    known, wanted = dataset(name).files, list(wanted)
    for file in wanted:
        if file not in known:
            raise ValueError(f"The data set {name} has no file {file!r}.")
    paths = [folder(name) / file for file in wanted]
    missing = [f for f, path in zip(wanted, paths, strict=True) if _problem(path, known[f])]
    if missing and folder(name) != Path(pooch.os_cache("ldctlib")) / name:
        problem = _problem(folder(name) / missing[0], known[missing[0]])
        raise ValueError(
            f"LDCTLIB_DATA_DIR: {folder(name) / missing[0]} {problem}; copy {name} again, or "
            "unset the variable to download it."
        )
    if missing:
        _download(name, missing, progress)
    return paths


def verify(name: str) -> list[str]:
    """What is wrong with the files of a data set on this machine; empty if all are whole.

    Nothing is downloaded.
    """
    found = ((file, _problem(folder(name) / file, f)) for file, f in dataset(name).files.items())
    return [f"{file} {problem}" for file, problem in found if problem]


def _download(name: str, wanted: list[str], progress: bool) -> None:
    pooch.get_logger().setLevel(logging.WARNING)
    known = dataset(name).files

    def get(file: str) -> int:
        target = folder(name) / file
        pooch.retrieve(
            url=known[file].url,
            known_hash=f"sha256:{known[file].sha256}",
            fname=target.name,
            path=target.parent,
            downloader=pooch.HTTPDownloader(timeout=20),
        )
        return known[file].bytes

    total = sum(known[file].bytes for file in wanted)
    bar = tqdm(desc=name, total=total, unit="B", unit_scale=True, disable=not progress)
    with bar, ThreadPoolExecutor(8) as pool:
        try:
            for done in pool.map(get, wanted):
                bar.update(done)
        except BaseException as error:
            pool.shutdown(cancel_futures=True)
            if not isinstance(error, Exception):  # Ctrl-C
                raise
            raise ConnectionError(
                f"{name} is not on this machine and could not be downloaded "
                f"({type(error).__name__}: {str(error)[:80]}…); "
                f"set LDCTLIB_DATA_DIR to a folder that holds {name}/, "
                'or use open_scan("phantom-chest"), which needs no data.'
            ) from None


_hashes: dict[tuple[str, int, int], str] = {}


def _problem(path: Path, expected: DataFile) -> str | None:
    """Why a file is not the registered one, or None. Unchanged files are hashed once."""
    if not path.is_file():
        return "is missing"
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns)
    if key not in _hashes:
        _hashes[key] = hashlib.sha256(path.read_bytes()).hexdigest()
    return None if _hashes[key] == expected.sha256 else "is not the registered file (sha256)"
