"""The groups of rows as they stand in a file: names, each of which is there once, and for every row a number of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_AT_ONCE = 1 << 12  # rows whose names are Python objects at a time

Int32 = npt.NDArray[np.int32]


class GroupNames(Sequence[str]):
    """The name of each row's group [R], equal to any sequence of the same names.

    What it is made of may be mapped: only the names that are asked for come into memory.

    Args:
        names: Arrow's large strings.
        numbers: int32 [R], which of them is each row's.
    """

    def __init__(self, names: pa.LargeStringArray, numbers: Int32) -> None:
        self.names, self.numbers = names, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            found: list[str] = self.names.take(pa.array(self.numbers[place])).to_pylist()
            return found
        name: str = self.names[int(self.numbers[place])].as_py()
        return name

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self[start : start + _AT_ONCE]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def take(self, numbers: npt.NDArray[np.int64]) -> GroupNames:
        """Those of these rows [m], in that order."""
        return GroupNames(self.names, self.numbers[numbers])
