"""Work in shards: what of it is done is what stands on the disk.

A shard is a file that takes its name when it is whole, and its content follows from the job and its number alone. So
whoever makes the missing ones finishes the work, whatever began it, and one that is made twice, since a worker was
taken for dead, stands there once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ShardJob:
    """Work in shards.

    Attributes:
        called: What is done, for the progress display: ``"Encoding documents"``.
        folder: Where the shards stand. Workers on other machines must find it at the same place.
        count: How many there are.
        suffix: How their names end: ``".parquet"``.
        make: Makes the shard of a number and writes it to a place, atomically. It is sent to workers with all that it
            holds.
        tells: Whether ``make`` shows its progress itself where it runs in this process.
        on_accelerator: Whether it computes on an accelerator where there is one.
    """

    called: str
    folder: Path
    count: int
    suffix: str
    make: Callable[[int, Path], None]
    tells: bool = False
    on_accelerator: bool = False

    def path(self, number: int) -> Path:
        """Where the shard of a number stands."""
        return self.folder / f"{number:06d}{self.suffix}"

    @property
    def paths(self) -> list[Path]:
        """Where all of them stand, in their order."""
        return [self.path(number) for number in range(self.count)]

    def missing(self) -> list[int]:
        """The numbers of those that do not stand there yet."""
        return [number for number in range(self.count) if not self.path(number).is_file()]
