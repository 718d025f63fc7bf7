"""What became of the lesions, and what may be concluded from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ldctlib.hallucinations.proportions import wilson
from ldctlib.metrics import auc_interval
from ldctlib.metrics.roc import Interval

RULES = ("contrast", "sight", "flag")
SPECIFICITY = 0.95  # of whoever looks for a lesion


class Outcome(NamedTuple):
    """One lesion of one patient at one dose, denoised."""

    denoiser: str
    dose: float
    patient: int
    lesion: str
    true_hu: float  # what the lesion adds to its pixels, on average
    kept: float  # the share of it that the denoiser hands on
    anatomy_hu: float  # contrast of its place against the ring in the truth, without the lesion
    present_hu: float  # contrast of its place in the denoised image, with the lesion
    absent_hu: float  # and without it, in the same noise
    removed: bool  # flagged as such against the truth

    @property
    def group(self) -> str:
        """The kind of lesion: the label without its number."""
        return self.lesion.rpartition("-")[0]


class Share(NamedTuple):
    """Lesions lost, and the interval of their share."""

    lost: int
    lesions: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Of the lesions, in [0, 1]."""
        return self.lost / self.lesions


class Limit(NamedTuple):
    """How far the dose may fall.

    Args:
        dose: the lowest at which, and at every higher one that was tried, no lesion was lost;
            None if some were lost at the highest dose already.
        lesions: how many there were at each dose.
        at_most: with 95 % confidence (or whatever was asked for) no larger share is lost there.
    """

    dose: float | None
    lesions: int
    at_most: float


def none_of(lesions: int, alpha: float = 0.05) -> float:
    """The largest share of lost lesions that is compatible with having lost none of so many.

    If the share were p, all n would survive with probability (1 - p)^n; this is below ``alpha``
    for p above 1 - alpha^(1/n), about 3/n.

    Raises:
        ValueError: there was no lesion.

    Source: Hanley and Lippman-Hand, JAMA 249, 1743 (1983), doi:10.1001/jama.1983.03330370053031.

    >>> [round(none_of(n), 3) for n in (10, 59, 300)]
    [0.259, 0.05, 0.01]
    """
    if lesions < 1 or not 0 < alpha < 1:
        raise ValueError(f"{lesions} lesions at a level of {alpha} prove nothing.")
    return float(1 - alpha ** (1 / lesions))


@dataclass(frozen=True)
class DoseLimit:
    """The outcome of every lesion; made by `dose_limit`.

    Everywhere ``group`` is a kind of lesion, one of `groups`, or all of them if None. A lesion is
    lost by "contrast" if the denoiser hands on less than ``least_kept`` of it, whether or not the
    rest can be seen; by "sight" if, in the one image that a reader has, its contrast against its
    ring (less what the anatomy has there, which the reader knows) is not above that of 95 % of the
    same places without lesions, of all kinds together; by "flag" if it is called removed.

    Args:
        records: one a denoiser, dose, patient and lesion.
        least_kept: share of the contrast below which a lesion is lost.
    """

    records: tuple[Outcome, ...]
    least_kept: float

    @property
    def denoisers(self) -> list[str]:
        """Their names, in the order in which they were given."""
        return list(dict.fromkeys(record.denoiser for record in self.records))

    @property
    def doses(self) -> list[float]:
        """From the highest down."""
        return sorted({record.dose for record in self.records}, reverse=True)

    @property
    def groups(self) -> list[str]:
        """The kinds of lesions."""
        return list(dict.fromkeys(record.group for record in self.records))

    def of(self, denoiser: str, dose: float, group: str | None = None) -> list[Outcome]:
        """The lesions of one kind, denoised by one denoiser at one dose.

        Raises:
            ValueError: there are none.
        """
        found = [
            record
            for record in self.records
            if (record.denoiser, record.dose) == (denoiser, dose) and group in (None, record.group)
        ]
        if not found:
            raise ValueError(
                f"There is no {group or 'lesion'} of {denoiser} at a dose of {dose:g}; there are "
                f"{', '.join(self.denoisers)}, doses {self.doses} and {', '.join(self.groups)}."
            )
        return found

    def lost(
        self, denoiser: str, dose: float, group: str | None = None, *, by: str = "contrast"
    ) -> Share:
        """How many lesions were lost, with Wilson's interval at 95 %."""
        verdicts = self._verdicts(denoiser, dose, group, by)
        return Share(sum(verdicts), len(verdicts), *wilson(sum(verdicts), len(verdicts)))

    def limit(
        self, denoiser: str, group: str | None = None, *, by: str = "contrast", alpha: float = 0.05
    ) -> Limit:
        """The lowest dose at which no lesion was lost, nor at any higher one.

        Doses are taken from the highest down, and the first loss ends it. So the confidence of
        ``at_most`` needs no correction for their number. It counts lesions as independent, those
        of one patient too, and holds for patients such as these.
        """
        lowest = None
        for dose in self.doses:
            count = self.lost(denoiser, dose, group, by=by)
            if count.lost:
                break
            lowest = dose
        lesions = count.lesions
        return Limit(lowest, lesions, 1.0 if lowest is None else none_of(lesions, alpha))

    def seen(self, denoiser: str, dose: float, group: str | None = None) -> Interval:
        """Area under the ROC curve of an observer who knows where to look, with its interval.

        The observer, who knows the anatomy too, measures the contrast of the place against its
        ring, in images with and without the lesion: 0.5 is guessing.
        """
        return auc_interval(*_contrasts(self.of(denoiser, dose, group)))

    def rows(self) -> list[dict[str, Any]]:
        """One row for every denoiser, kind of lesion and dose."""
        rows = []
        for denoiser in self.denoisers:
            for group in self.groups:
                for dose in self.doses:
                    share = self.lost(denoiser, dose, group)
                    kept = [record.kept for record in self.of(denoiser, dose, group)]
                    rows.append(
                        {
                            "denoiser": denoiser,
                            "kind": group,
                            "dose": dose,
                            **share._asdict(),
                            "kept": sum(kept) / len(kept),
                            "flagged": self.lost(denoiser, dose, group, by="flag").lost,
                            "auc": self.seen(denoiser, dose, group).auc,
                        }
                    )
        return rows

    def table(self) -> Any:
        """`rows` as a pandas table."""
        import pandas

        return pandas.DataFrame(self.rows())

    def _verdicts(self, denoiser: str, dose: float, group: str | None, by: str) -> list[bool]:
        """Of every lesion, whether it was lost."""
        if by not in RULES:
            raise ValueError(f"A lesion is lost by one of {', '.join(RULES)}, not by {by!r}.")
        found = self.of(denoiser, dose, group)
        if by == "contrast":
            return [record.kept < self.least_kept for record in found]
        if by == "flag":
            return [record.removed for record in found]
        _, absent = _contrasts(self.of(denoiser, dose))
        limit = np.quantile(absent, SPECIFICITY)
        return [bool(hu <= limit) for hu in _contrasts(found)[0]]


def _contrasts(found: Sequence[Outcome]) -> tuple[np.ndarray, np.ndarray]:
    """(N,) HU against the rings with the lesions and without, positive where it looks like one."""
    sign = np.sign([record.true_hu for record in found])
    anatomy, present, absent = np.array(
        [(r.anatomy_hu, r.present_hu, r.absent_hu) for r in found]
    ).T
    return sign * (present - anatomy), sign * (absent - anatomy)
