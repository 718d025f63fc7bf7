"""The tables of the truth test: areas under the ROC curve, operating points, networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ldctlib.hallucinations import conformal_threshold, wilson
from ldctlib.metrics import auc

GONE, ALPHA, DRAWS = 0.5, 0.2, 500
Records = list[dict]
USUAL = ("psnr", "ssim", "vif")
BY_SEGMENT = ("srmse rise", "srmse ratio", "bias", "contrast lost")


def rows_of(records: Records) -> Iterator[tuple[str, list[dict], str]]:
    """Name, rows and note of every table."""
    yield (
        "truth_networks",
        by_network(records),
        "What every network does to the lesions of the truth test; kept: share of the contrast in "
        "the network's exact answer to the lesion, median; removed: less than half is kept; PSNR "
        "and SSIM: gain over the low dose in the slices' part with the organ, against the noisy "
        "full dose; flagged: outlined lesions flagged by either rule at its default.",
    )
    yield (
        "truth_test",
        areas(records),
        "Area under the ROC curve for lesions removed against lesions kept (95 % interval, "
        f"patients drawn again {DRAWS} times). Outlined: the score of the lesion's own mask; "
        "found: of the segment of the builtin segmenter (extended, on the full dose) that overlaps "
        "it with an IoU of at least 0.5, and the lowest score where there is none. PSNR, SSIM and "
        "VIF: the lower the more suspicious, in a square of 44 pixels around the lesion or in the "
        "slice's part with the organ; gain: denoised minus low dose.",
    )
    yield (
        "truth_rules",
        operating_points(records),
        "Recall: share of the removed lesions that are flagged; false alarms: share of the kept "
        "ones (95 % Wilson intervals, lesions taken as independent). Conformal: threshold of the "
        f"score for false alarms at {ALPHA:.0%}, from the kept lesions of all other "
        "patients of that anatomy under the shipped networks; none where fewer than four "
        "have a lesion with a segment.",
    )


def removed(record: dict) -> bool:
    """The truth."""
    return record["kept"] < GONE


def by_network(records: Records) -> list[dict]:
    rows = []
    for group in dict.fromkeys((r["anatomy"], r["dose"], r["network"]) for r in records):
        some = [r for r in records if (r["anatomy"], r["dose"], r["network"]) == group]
        gone = [r for r in some if removed(r)]
        gains = {m: np.mean([r["slice"][f"{m} gain"] for r in some]) for m in ("psnr", "ssim")}
        flags = [sum(map(either, part)) for part in (gone, some)]
        rows.append(
            {
                "anatomy": group[0],
                "dose": f"{group[1]:.0%}",
                "network": group[2].replace(", shipped", ""),
                "lesions": len(some),
                "kept": round(float(np.median([r["kept"] for r in some])), 2),
                "removed": len(gone),
                "of these flagged": flags[0],
                "kept ones flagged": f"{flags[1] - flags[0]} of {len(some) - len(gone)}",
                "PSNR gain": f"{gains['psnr']:+.1f}",
                "SSIM gain": f"{gains['ssim']:+.3f}",
            }
        )
    return rows


def scores() -> dict[str, Callable[[dict], float]]:
    """Suspicion, higher is worse, by name."""
    every: dict[str, Callable[[dict], float]] = {}
    for masks in ("outlined", "found"):
        for name in BY_SEGMENT:
            every[f"{name}, {masks}"] = lambda r, m=masks, n=name: r[m][n] if r[m] else -1e6
    for part in ("crop", "slice"):
        for metric in USUAL:
            for name in (metric, f"{metric} gain"):
                label = f"{name.replace(metric, metric.upper())}, {part}"
                every[label] = lambda r, p=part, n=name: -r[p][n]
    return every


def subsets(records: Records) -> dict[str, Records]:
    """Which lesions a column is about."""
    groups = dict.fromkeys((r["anatomy"], r["dose"]) for r in records)
    columns = {
        f"{a} {d:.0%}": [r for r in records if (r["anatomy"], r["dose"]) == (a, d)]
        for a, d in groups
    }
    return {"all": records, **columns}


def areas(records: Records) -> list[dict]:
    columns = subsets(records)
    head = {"score": "(removed / kept)"}
    for name, some in columns.items():
        gone = sum(map(removed, some))
        head[name] = f"({gone} / {len(some) - gone})"
    rows = [head]
    for label, score in scores().items():
        rows.append({"score": label, **{n: _area(some, score) for n, some in columns.items()}})
    return rows


def _area(some: Records, score: Callable[[dict], float]) -> str:
    """AUC with an interval from patients drawn again."""
    gone, values = np.array([removed(r) for r in some]), np.array([score(r) for r in some])
    if gone.all() or not gone.any():
        return "–"
    owners = np.array([r["patient"] for r in some])
    parts = [np.flatnonzero(owners == name) for name in np.unique(owners)]
    random, drawn = np.random.default_rng(0), []
    for _ in range(DRAWS):
        i = np.concatenate([parts[k] for k in random.integers(len(parts), size=len(parts))])
        if 0 < gone[i].sum() < len(i):
            drawn.append(auc(values[i][gone[i]], values[i][~gone[i]]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{auc(values[gone], values[~gone]):.2f} ({low:.2f}–{high:.2f})"


def either(record: dict, masks: str = "outlined", alpha: float = 0.05) -> bool:
    """The default rule of `flag`."""
    scored = record[masks]
    return bool(scored) and (scored["tolerance"] or scored["p"] <= alpha)


def rules(records: Records, masks: str) -> dict[str, Callable[[dict], bool]]:
    """Decisions by name."""
    every: dict[str, Callable[[dict], bool]] = {
        "SRMSE beyond tolerance": lambda r: bool(r[masks]) and r[masks]["tolerance"],
        "bias at level 0.05": lambda r: bool(r[masks]) and r[masks]["p"] <= 0.05,
        "either": lambda r: either(r, masks),
        "either, and of kind removed": lambda r: either(r, masks) and r[masks]["kind"] == "removed",
    }
    for name in ("srmse ratio", "bias", "contrast lost"):
        limits = thresholds(records, masks, name)
        every[f"conformal, {name}"] = lambda r, n=name, some=limits: (
            bool(r[masks]) and r[masks][n] > some[r["patient"]]
        )
    return every


def thresholds(records: Records, masks: str, name: str) -> dict[str, float]:
    """For every patient the conformal threshold from the others of the same anatomy."""
    limits = {}
    for patient, anatomy in dict.fromkeys((r["patient"], r["anatomy"]) for r in records):
        calibration: dict[str, list[float]] = {}
        for r in records:
            usable = r[masks] and not removed(r) and r["network"].endswith("shipped")
            if usable and r["anatomy"] == anatomy and r["patient"] != patient:
                calibration.setdefault(r["patient"], []).append(r[masks][name])
        others = [np.array(v) for v in calibration.values()]
        enough = len(others) >= 1 / ALPHA - 1
        limits[patient] = conformal_threshold(others, ALPHA) if enough else np.inf
    return limits


def operating_points(records: Records) -> list[dict]:
    gone = [r for r in records if removed(r)]
    left = [r for r in records if not removed(r)]
    honest = [r for r in left if r["network"].endswith("shipped")]
    rows = []
    for masks in ("outlined", "found"):
        for label, rule in rules(records, masks).items():
            rows.append(
                {
                    "masks": masks,
                    "rule": label,
                    "recall": _share(rule, gone),
                    "false alarms": _share(rule, left),
                    "of shipped networks": _share(rule, honest),
                }
            )
    return rows


def _share(rule: Callable[[dict], bool], some: Records) -> str:
    hits = sum(map(rule, some))
    low, high = wilson(hits, len(some))
    return f"{hits / len(some):.2f} ({low:.2f}–{high:.2f})"


def told(records: Records) -> str:
    """One sentence on what the builtin segmenter finds at all."""
    of = {(r["patient"], r["dose"], r["lesion"]): bool(r["found"]) for r in records}
    return f"{sum(of.values())} of {len(of)} lesions have a segment of the builtin segmenter."
