"""The organs that RFS v1 compares, found among the labels of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from ldctlib.masks import Masks
from ldctlib.scans import Scan

# By anatomy and organ, the labels that make it up: TotalSegmentator's, and those of the phantoms,
# whose vessels and lesions are structures of their own and so no part of the organ round them.
RFS_ORGANS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "head": {
        "brain": ("brain", "grey-matter", "white-matter", "caudate-*", "lentiform-*", "thalamus-*",
                  "cerebellum", "brain-stem"),
        "skull": ("skull",),
    },
    "chest": {
        "left upper lobe": ("lung_upper_lobe_left",),
        "left lower lobe": ("lung_lower_lobe_left",),
        "right upper lobe": ("lung_upper_lobe_right",),
        "right middle lobe": ("lung_middle_lobe_right",),
        "right lower lobe": ("lung_lower_lobe_right",),
        "left lung": ("lung-left",),
        "right lung": ("lung-right",),
        "heart": ("heart", "heart_*", "heart-*", "myocardium"),
        "aorta": ("aorta",),
        "vertebrae": ("vertebrae_*", "vertebra-*"),
        "left back muscles": ("autochthon_left", "erector-spinae-left"),
        "right back muscles": ("autochthon_right", "erector-spinae-right"),
    },
    "abdomen": {
        "liver": ("liver",),
        "spleen": ("spleen",),
        "left kidney": ("kidney_left", "kidney-left"),
        "right kidney": ("kidney_right", "kidney-right"),
        "pancreas": ("pancreas",),
        "aorta": ("aorta",),
        "left back muscles": ("autochthon_left", "erector-left"),
        "right back muscles": ("autochthon_right", "erector-right"),
    },
}  # fmt: skip


def organ_masks(scan: Scan, masks: Masks | None = None) -> Masks:
    """The organs that RFS v1 compares, as far as the scan has them.

    Args:
        scan: says the anatomy.
        masks: labels of TotalSegmentator or of a phantom on the scan's grid; if None, the scan's
            own "organs" or "structures".

    Returns:
        One mask an organ, made of one label or several; see ``RFS_ORGANS``.

    Raises:
        ValueError: the anatomy is unknown, there are no masks, or none of the organs is among them.

    >>> from ldctlib.scans import open_scan
    >>> organ_masks(open_scan("phantom-abdomen", shape=(2, 64, 64))).labels[:3]
    ('liver', 'spleen', 'left kidney')
    """
    if scan.anatomy is None:
        raise ValueError(f"{scan.name} does not say its anatomy, and so not which organs to take.")
    if masks is None:
        masks = scan.masks.get("organs", scan.masks.get("structures"))
    if masks is None:
        raise ValueError(f"{scan.name} has no organs: read a label map with scans.read_masks.")
    groups = {
        organ: [i for i, label in enumerate(masks.labels) if _any(label, patterns)]
        for organ, patterns in RFS_ORGANS[scan.anatomy].items()
    }
    groups = {organ: members for organ, members in groups.items() if members}
    if not groups:
        wanted = ", ".join(RFS_ORGANS[scan.anatomy])
        raise ValueError(f"None of the masks of {scan.name} is one of {wanted}.")
    return masks.merged(groups)


def _any(label: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(label, pattern) for pattern in patterns)
