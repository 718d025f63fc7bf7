"""Tasks of the Medical Segmentation Decathlon: CT and MRI with labels, NIfTI and dataset.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ldctlib.scans.labels import read_masks
from ldctlib.scans.scan import Scan
from ldctlib.scans.volumes import read_volume

CITATION = "Antonelli et al., Nat. Commun. 13, 4128 (2022), doi:10.1038/s41467-022-30695-9"
# Anatomies of the CT tasks by the name in dataset.json, small letters only.
_ANATOMY = {
    "lung": "chest",
    "liver": "abdomen",
    "hepaticvessel": "abdomen",
    "pancreas": "abdomen",
    "spleen": "abdomen",
    "colon": "abdomen",
}


@dataclass(frozen=True)
class DecathlonTask:
    """One task: a folder such as ``Task08_HepaticVessel``.

    Args:
        folder: of the task.
        name: e.g. "HepaticVessel".
        modalities: of the images, in the order of their channels: ("CT",), or ("FLAIR", …).
        labels: name of every id but the background.
        labelled: image and label map of every patient that has one, by the patient's name.
        unlabelled: images of the patients whose labels are kept secret, by name.
        licence: as dataset.json gives it.
    """

    folder: Path
    name: str
    modalities: tuple[str, ...]
    labels: Mapping[int, str]
    labelled: Mapping[str, tuple[Path, Path]]
    unlabelled: Mapping[str, Path]
    licence: str

    @property
    def patients(self) -> list[str]:
        """Names that `open` knows, the labelled ones first."""
        return [*self.labelled, *self.unlabelled]

    def open(self, patient: str, modality: str | None = None) -> Scan:
        """One patient, with ``masks["labels"]`` if there are any.

        Numbers of an MRI are no HU but the scanner's own; ``provenance["unit"]`` says so, and
        the scan has no anatomy, lest a CT window be chosen for it.

        Args:
            patient: one of ``patients``.
            modality: one of ``modalities``; the first if None.

        Raises:
            FileNotFoundError: an image or label map of the patient is not in the folder.
            ValueError: no such patient or modality, or files that do not fit together.
        """
        if patient not in self.patients:
            raise ValueError(f"{self.name} has no patient {patient!r}; see DecathlonTask.patients.")
        if modality is not None and modality not in self.modalities:
            known = ", ".join(self.modalities)
            raise ValueError(f"{self.name} has no modality {modality!r}; there is {known}.")
        channel = 0 if modality is None else self.modalities.index(modality)
        is_ct = self.modalities[channel].upper() == "CT"
        if patient in self.labelled:
            image, label_map = self.labelled[patient]
        else:
            image, label_map = self.unlabelled[patient], None
        for path in (image, label_map):
            if path is not None and not path.is_file():
                raise FileNotFoundError(
                    f"{self.folder / 'dataset.json'} lists {path.relative_to(self.folder)}, but it "
                    "is not there: unpack the task again."
                )
        scan = read_volume(
            image,
            name=patient,
            anatomy=_ANATOMY.get(self.name.lower()) if is_ct else None,
            channel=channel if len(self.modalities) > 1 else None,
        )
        masks = {"labels": read_masks(label_map, scan, self.labels)} if label_map else {}
        facts = {
            "modality": self.modalities[channel],
            "unit": "HU" if is_ct else "arbitrary",
            "licence": self.licence,
            "citation": CITATION,
        }
        return replace(scan, masks=masks, provenance={**scan.provenance, **facts})


def read_decathlon(folder: str | Path) -> DecathlonTask:
    """Read what a task's ``dataset.json`` says; no image is opened.

    Args:
        folder: the unpacked task, with ``dataset.json``, ``imagesTr`` and ``labelsTr``.

    Raises:
        FileNotFoundError: there is no ``dataset.json``.
        ValueError: it is no JSON, or lacks what a task needs.
    """
    path = Path(folder) / "dataset.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path}: a task of the Medical Segmentation Decathlon is a folder such as "
            "Task08_HepaticVessel with dataset.json, imagesTr and labelsTr."
        )
    try:
        described = json.loads(path.read_text("utf-8"))
        return _task(path.parent, described)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is truncated or no JSON.") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path} does not describe a task: it needs name, modality, labels and training "
            f"({type(error).__name__}: {error})."
        ) from error


def _task(folder: Path, described: dict[str, Any]) -> DecathlonTask:
    modality, labels = described["modality"], described["labels"]
    images = [(folder / pair["image"], folder / pair["label"]) for pair in described["training"]]
    secret = [folder / image for image in described.get("test", [])]
    return DecathlonTask(
        folder=folder,
        name=described["name"],
        modalities=tuple(modality[key] for key in sorted(modality, key=int)),
        labels={int(i): name for i, name in labels.items() if int(i) != 0},
        labelled={_patient(image): (image, label) for image, label in images},
        unlabelled={_patient(image): image for image in secret},
        licence=str(described.get("licence", described.get("license", "unknown"))),
    )


def _patient(image: Path) -> str:
    return image.name.split(".")[0]
