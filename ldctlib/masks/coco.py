"""Run-length codes of COCO and of segment-anything: columns first, a count of zeros first.

Source: Lin et al. 2014, doi:10.1007/978-3-319-10602-1_48; the text form is that of its mask API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ldctlib.masks import loops


def decode(rle: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of the runs along rows of one image.

    Args:
        rle: "size" (height, width) and "counts", a list or the compressed text.

    Raises:
        ValueError: the counts do not fill the image.

    >>> [runs.tolist() for runs in decode({"size": [2, 3], "counts": [1, 2, 3]})]
    [[1, 3], [1, 1]]
    """
    height, width = (int(n) for n in rle["size"])
    counts = rle["counts"]
    if isinstance(counts, (str, bytes)):
        text = counts.encode("ascii", "replace") if isinstance(counts, str) else counts
        counts = _from_text(np.frombuffer(text, np.uint8))
    edges = np.cumsum(np.asarray(counts, np.int64))
    if len(edges) == 0 or edges[-1] != height * width or np.min(counts) < 0:
        raise ValueError(f"The counts of this code do not fill an image of {height} x {width}.")
    starts, ends = edges[:-1:2], edges[1::2]
    some = ends > starts
    runs = loops.transposed(starts[some], (ends - starts)[some], height, width)
    return runs[0], runs[1]


def encode(
    starts: np.ndarray, lengths: np.ndarray, size: tuple[int, int], compressed: bool = True
) -> dict[str, Any]:
    """The code of one image from its runs along rows; the inverse of `decode`.

    >>> encode(np.array([1, 3]), np.array([1, 1]), (2, 3), compressed=False)
    {'size': [2, 3], 'counts': [1, 2, 3]}
    """
    height, width = size
    begin, length = loops.transposed(starts, lengths, width, height)
    end = begin + length
    apart = begin[1:] != end[:-1]  # else a run goes on in the next column
    first, last = np.ones((2, len(begin)), bool)
    first[1:], last[:-1] = apart, apart
    spans = np.stack([begin[first], end[last]], 1).reshape(-1)
    edges = np.concatenate([[0], spans, [height * width]])
    counts = np.diff(edges)
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    text = _to_text(counts).tobytes().decode("ascii") if compressed else counts.tolist()
    return {"size": [height, width], "counts": text}


@loops.compiled
def _to_text(counts: np.ndarray) -> np.ndarray:
    """Every count, from the fourth on less the one before the last, five bits to a letter."""
    out, n = np.empty(13 * len(counts), np.uint8), 0
    for i in range(len(counts)):
        x = counts[i] - counts[i - 2] if i > 2 else counts[i]
        more = True
        while more:
            five = x & 31
            x >>= 5
            more = x != (-1 if five & 16 else 0)
            out[n] = five + 48 + (32 if more else 0)
            n += 1
    return out[:n]


@loops.compiled
def _from_text(text: np.ndarray) -> np.ndarray:
    """The inverse of `_to_text`."""
    counts, n = np.empty(len(text), np.int64), 0
    x, bits = np.int64(0), 0
    for letter in text:
        five = np.int64(letter) - 48
        x |= (five & 31) << bits
        bits += 5
        if not five & 32:
            if five & 16:
                x |= np.int64(-1) << bits
            counts[n] = x + counts[n - 2] if n > 2 else x
            n += 1
            x, bits = np.int64(0), 0
    return counts[:n]
