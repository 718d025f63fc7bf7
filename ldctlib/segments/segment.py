"""One front for all segmenters: a scan in, the masks of its structures out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ldctlib.masks import Masks
from ldctlib.scans.scan import Scan
from ldctlib.segments.body import PIXEL_MM, body_mask
from ldctlib.segments.rules import apply_rules, link_slices
from ldctlib.units import Window, level_width

if TYPE_CHECKING:
    import torch

METHODS = ("builtin", "sam")
TIERS = ("core", "extended")

# The windows in which segment-anything sees a scan; in the chest lungs and soft tissue need one
# each.
WINDOWS_OF_ANATOMY: dict[str | None, tuple[Window, ...]] = {
    "chest": ("lung", "mediastinum"),
    "abdomen": ("abdomen",),
    "head": ("brain",),
    None: ("lung", "mediastinum"),
}


def segment(
    scan: Scan | np.ndarray,
    method: str = "builtin",
    *,
    tier: str = "core",
    window: Window | Sequence[Window] | None = None,
    checkpoint: str | Path | torch.nn.Module | None = None,
    points_per_side: int | None = None,
    device: torch.device | str | None = None,
    cache_folder: str | Path | None = None,
    processes: int | None = None,
    link: bool = False,
    progress: bool = True,
) -> Masks:
    """Find the structures of a scan, slice by slice: organs, vessels, nodules, lesions.

    Masks may overlap and nest. Those that break the rules of `apply_rules` (tiny, a large share
    of the body, outside the body, duplicates) are dropped.

    Args:
        scan: the scan, or a volume (Z, H, W) or slice (H, W) in HU, of pixels of 0.7 mm.
        method: "builtin", which needs no weights; or "sam", segment-anything.
        tier: "core" for the masks that the segmenter is sure of; "extended" for more of them.
        window: with "sam": a name, (level, width) in HU, or a list of them, in each of which the
            slices are segmented; the masks are united. By default that of the anatomy; in the
            chest lung and mediastinum.
        checkpoint: with "sam": see `ldctlib.segments.checkpoints.load_sam`; "mobile_sam" if None.
        points_per_side: with "sam": the prompts are a grid of so many points squared; 32 if None.
        device: with "sam": the best there is if None.
        cache_folder: with "sam": where the masks of every slice are kept, so that an interrupted
            run continues; the user's cache if None.
        processes: with "builtin": how many work on slices side by side.
        link: join the masks of neighbouring slices to structures in 3-D (`link_slices`).
        progress: whether to show a progress bar.

    Returns:
        Masks with scores, each in one slice unless linked, labelled "slice/number". The scores
        of one method are comparable: standardised contrast of the boundary ("builtin"), or the
        intersection over union that SAM predicts for its mask.

    Raises:
        ValueError: an unknown method, tier or window, or an option of the other method.

    Source: Kirillov et al. 2023, https://doi.org/10.1109/ICCV51070.2023.00371 (segment-anything).
    """
    hu = _volume(scan)
    pixel_mm = scan.pixel_mm if isinstance(scan, Scan) else PIXEL_MM
    given: dict[str, Any] = {
        "window": window,
        "checkpoint": checkpoint,
        "points_per_side": points_per_side,
        "device": device,
        "cache_folder": cache_folder,
        "processes": processes,
    }
    _check(method, tier, given)
    given = {name: value for name, value in given.items() if value is not None}
    body = body_mask(hu, pixel_mm)
    if method == "builtin":
        from ldctlib.segments.builtin import builtin

        masks = builtin(hu, tier=tier, body=body, progress=progress, **given)
    else:
        from ldctlib.segments.sam import sam

        anatomy = scan.anatomy if isinstance(scan, Scan) else None
        windows = windows_of(given.pop("window", WINDOWS_OF_ANATOMY[anatomy]))
        masks = sam(hu, windows=windows, tier=tier, progress=progress, **given)
    masks = apply_rules(masks, hu, body=body)
    return link_slices(masks) if link else masks


def windows_of(window: Window | Sequence[Window]) -> list[tuple[float, float]]:
    """(level, width) in HU of one window or of several.

    >>> windows_of("lung"), windows_of((40, 80)), windows_of(["brain", (400, 1800)])
    ([(-600.0, 1500.0)], [(40.0, 80.0)], [(40.0, 80.0), (400.0, 1800.0)])
    """
    one = isinstance(window, str) or (len(window) == 2 and not isinstance(window[0], (str, tuple)))
    several: Sequence[Any] = [window] if one else window
    if not several:
        raise ValueError("Name at least one window, e.g. 'lung'.")
    return [level_width(w) for w in several]


def _volume(scan: Scan | np.ndarray) -> np.ndarray:
    if isinstance(scan, Scan):
        return scan.hu
    hu = np.asarray(scan, np.float32)
    if hu.ndim not in (2, 3) or 0 in hu.shape or not np.isfinite(hu).all():
        raise ValueError(f"Segment a volume (Z, H, W) or a slice (H, W) in HU, not {hu.shape}.")
    return hu.reshape(-1, *hu.shape[-2:])


def _check(method: str, tier: str, given: dict[str, Any]) -> None:
    if method not in METHODS:
        raise ValueError(f"No segmenter is called {method!r}; there are {', '.join(METHODS)}.")
    if tier not in TIERS:
        raise ValueError(f"A tier is one of {', '.join(TIERS)}, not {tier!r}.")
    for name, value in given.items():
        owner = "builtin" if name == "processes" else "sam"
        if value is not None and owner != method:
            raise ValueError(f"The option {name} is for method={owner!r}, not for {method!r}.")
