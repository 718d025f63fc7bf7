"""Arrays of masks from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def read(path: str | Path, needed: set[str]) -> dict[str, np.ndarray]:
    """The arrays of a file that ``Masks.save`` wrote.

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
