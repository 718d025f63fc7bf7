"""What is done of a dose limit, kept so that the next call goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ldctlib.files import write_text
from ldctlib.hallucinations.dose_limit_results import Outcome
from ldctlib.hallucinations.lesions.pair import LesionPair


class Cell(NamedTuple):
    """One denoiser at one dose on one patient; the last two change when the two do."""

    denoiser: str
    dose: float
    number: int
    patient: str
    weights: str


class Store:
    """One small file for every denoiser, dose and patient; nothing where there is no folder."""

    def __init__(self, folder: str | Path | None, settings: Mapping[str, Any]) -> None:
        self.folder = None if folder is None else Path(folder)
        self.settings = dict(settings)

    def read(self, cell: Cell) -> list[Outcome] | None:
        """What became of the lesions, if it is known.

        Raises:
            ValueError: the file is of another patient, noise or network.
        """
        path = self._path(cell)
        if path is None or not path.exists():
            return None
        content = json.loads(path.read_text("utf-8"))
        if content["of"] != self._facts(cell):
            raise ValueError(
                f"{path} holds the result of another run (patient, noise or weights differ): "
                "give another folder, or delete this one."
            )
        return [Outcome(*row) for row in content["outcomes"]]

    def write(self, found: Sequence[Outcome], cell: Cell) -> None:
        """Keep what became of the lesions."""
        path = self._path(cell)
        if path is not None:
            content = {"of": self._facts(cell), "outcomes": found}
            write_text(path, json.dumps(content, ensure_ascii=False))

    def _path(self, cell: Cell) -> Path | None:
        name = f"{cell.denoiser}-{cell.dose:g}-{cell.number}.json"
        return self.folder / name if self.folder else None

    def _facts(self, cell: Cell) -> dict[str, Any]:
        return {"patient": cell.patient, "weights": cell.weights, **self.settings}


def of_patient(pair: LesionPair) -> str:
    """Changes when an image or a label does."""
    digest = hashlib.sha256(" ".join(pair.lesions.labels).encode())
    for scan in (pair.present, pair.absent):
        digest.update(np.ascontiguousarray(scan.hu).data)
    return digest.hexdigest()[:16]


def of_weights(denoiser: Callable[..., Any]) -> str:
    """Changes when a weight does; empty for what has none."""
    network = getattr(denoiser, "network", None)
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items() if network is not None else ():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16] if network is not None else ""
