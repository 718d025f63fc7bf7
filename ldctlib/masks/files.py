"""Arrays in one file that is complete or the old one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np


def write(path: str | Path, arrays: dict[str, Any]) -> None:
    """Write named arrays as one compressed .npz file."""
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: str | Path, needed: set[str]) -> dict[str, np.ndarray]:
    """The arrays of a file that `write` wrote.

    Raises:
        ValueError: the file is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, EOFError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is not a file that Masks.save wrote.") from error
    if missing := needed - arrays.keys():
        raise ValueError(f"{path} holds no masks: it lacks {', '.join(sorted(missing))}.")
    return arrays
