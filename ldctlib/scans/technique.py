"""How a series was exposed, as its headers say: tube voltage, tube load, dose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom import Dataset

# key in the provenance: keyword in a plain file; sequence and keyword in an enhanced one
_ELEMENTS = {
    "kVp": ("KVP", "CTXRayDetailsSequence", "KVP"),
    "mAs": ("Exposure", "CTExposureSequence", "ExposureInmAs"),
    "CTDIvol_mGy": ("CTDIvol", "CTExposureSequence", "CTDIvol"),
}


def technique(headers: Sequence[Dataset]) -> dict[str, str]:
    """Tube voltage in kV, tube load in mAs, and CTDIvol in mGy.

    Where the tube current followed the patient's thickness the load differs from slice to slice,
    and the lowest and the highest are given. It is per rotation with some vendors, and divided by
    the pitch with others.

    Args:
        headers: of all slices.

    Returns:
        What the headers state, "kVp", "mAs" and "CTDIvol_mGy"; zero counts as not stated.

    Source: DICOM PS3.3 C.8.2.1 (CT image), C.8.15.3.8 and C.8.15.3.9 (enhanced CT image).

    >>> first, second = Dataset(), Dataset()
    >>> first.KVP, first.Exposure, second.Exposure = 120, 42, 45
    >>> technique([first, second])
    {'kVp': '120', 'mAs': '42 to 45'}
    """
    told = {key: _range(list(_values(headers, key))) for key in _ELEMENTS}
    return {key: words for key, words in told.items() if words}


def _values(headers: Sequence[Dataset], key: str) -> Iterator[float]:
    plain, sequence, keyword = _ELEMENTS[key]
    for header in {id(h): h for h in headers}.values():  # the frames of one file share its header
        shared = header.get("SharedFunctionalGroupsSequence") or []
        frames = header.get("PerFrameFunctionalGroupsSequence") or []
        inner = [d for group in (*shared, *frames) for d in group.get(sequence) or []]
        yield from (_number(d.get(keyword)) for d in inner)
        yield _number(header.get(plain))


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _range(values: list[float]) -> str:
    stated = [v for v in values if v > 0]
    if not stated:
        return ""
    low, high = f"{min(stated):.4g}", f"{max(stated):.4g}"
    return low if low == high else f"{low} to {high}"
