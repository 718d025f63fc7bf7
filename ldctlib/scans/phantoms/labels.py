"""Names of the structures in a phantom, the numbers that stand for them, and which are left out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_FIRST_OF_BLOCKS = 10_000


class Labels:
    """A two-way table between labels and the integers painted into the label map.

    >>> labels = Labels(without=["liver"])
    >>> labels.number("liver"), labels.number("spleen"), labels.left_out("liver")
    (1, 2, True)
    >>> first = labels.block("vein", 3); labels.name(first + 2)
    'vein-2'
    """

    def __init__(self, without: Iterable[str] = ()) -> None:
        self._without = frozenset(without)
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._blocks: dict[str, tuple[int, int]] = {}
        self._next = _FIRST_OF_BLOCKS

    def left_out(self, label: str) -> bool:
        """Whether the structure is removed from this patient."""
        return label in self._without

    def number(self, label: str) -> int:
        """The integer of a label; a new one is given when it is first met."""
        if label not in self._numbers:
            self._numbers[label] = len(self._numbers) + 1
            self._names[self._numbers[label]] = label
        return self._numbers[label]

    def block(self, prefix: str, count: int) -> int:
        """The first of ``count`` integers for the labels "prefix-0" to "prefix-(count - 1)"."""
        if prefix not in self._blocks:
            self._blocks[prefix] = (self._next, count)
            self._next += count
        return self._blocks[prefix][0]

    def left_out_of_block(self, prefix: str) -> np.ndarray:
        """Which members of a block are left out, as their positions in it."""
        members = (label.rpartition("-") for label in self._without)
        return np.array([int(n) for p, _, n in members if p == prefix and n.isdigit()], np.int64)

    def name(self, number: int) -> str:
        """The label of an integer."""
        if number in self._names:
            return self._names[number]
        for prefix, (first, count) in self._blocks.items():
            if first <= number < first + count:
                return f"{prefix}-{number - first}"
        raise ValueError(f"No structure has the number {number}.")

    def check_known(self) -> None:
        """Raise ValueError if a structure was to be left out that this patient does not have."""
        in_blocks = {
            f"{prefix}-{n}"
            for prefix, (_, count) in self._blocks.items()
            for n in self.left_out_of_block(prefix)
            if n < count
        }
        unknown = sorted(self._without - set(self._numbers) - in_blocks)
        if unknown:
            some = ", ".join(list(self._numbers)[:8])
            raise ValueError(
                f"This patient has no structure called {', '.join(unknown)}; "
                f"there are {some}, … (masks['structures'].labels lists them all)."
            )
