"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` when the block ends without error.

    Until then, and for ever if the block fails or the process is killed, ``path`` is what it was
    before. The temporary path has the same file name, so that writers which look at the ending
    of a name, or append one, work; it lies in a hidden folder beside the target, so that no
    ``glob("*.npz")`` meets it. What a killed process leaves is that folder, ``.writing-…``.

    Args:
        path: of a file, or of a folder that the block makes; folders above it are made. A folder
            can only take the place of nothing or of an empty folder.

    Yields:
        The temporary path, at which there is nothing yet.

    >>> target = Path(tempfile.mkdtemp()) / "results" / "rmse.txt"
    >>> with replacing(target) as unfinished:
    ...     _ = unfinished.write_text("12.5 HU")
    ...     print(unfinished.name, target.exists())
    rmse.txt False
    >>> target.read_text()
    '12.5 HU'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=".writing-", dir=path.parent, ignore_cleanup_errors=True
    ) as folder:
        unfinished = Path(folder) / path.name
        yield unfinished
        os.replace(unfinished, path)


def write_text(path: str | Path, text: str) -> None:
    r"""Write a text as UTF-8, whole or not at all; lines end as they do in ``text``.

    >>> write_text(path := Path(tempfile.mkdtemp()) / "card.md", "± 3 HU\n")
    >>> path.read_bytes().decode()
    '± 3 HU\n'
    """
    with replacing(path) as unfinished:
        unfinished.write_bytes(text.encode("utf-8"))


def write_table(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV file with a line for every row, whole or not at all.

    Args:
        path: of the file.
        rows: at least one; the first one names the columns.

    Raises:
        ValueError: there is no row, or a row has a column that the first one lacks.
    """
    if not rows:
        raise ValueError(f"{path} would be a table without rows: there is nothing to write.")
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


def write_arrays(path: str | Path, arrays: Mapping[str, Any], *, compressed: bool = False) -> None:
    """Write named arrays as one .npz file, whole or not at all; the name is used as it is.

    >>> write_arrays(path := Path(tempfile.mkdtemp()) / "noise", {"low_hu": np.zeros(3)})
    >>> np.load(path)["low_hu"]
    array([0., 0., 0.])
    """
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        (np.savez_compressed if compressed else np.savez)(file, **arrays)


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Write named tensors and texts as one safetensors file, whole or not at all."""
    from safetensors.torch import save_file  # torch takes seconds, and a text needs none

    copies = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    with replacing(path) as unfinished:
        save_file(copies, unfinished, dict(metadata))
