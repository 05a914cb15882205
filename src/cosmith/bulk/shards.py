"""Work in shards: what of it is done is what stands on the disk.

A shard is a file that takes its name when it is whole, and its content follows from the job and its number alone. So
whoever makes the missing ones finishes the work, whatever began it, and one that is made twice, since a worker was
taken for dead, stands there once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cosmith.atomic import make_folder, write_json
from cosmith.errors import InputError

_MANIFEST = "manifest.json"
_FORMAT = 1


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


def open_shards(folder: Path, fingerprint: str, count: int, suffix: str) -> None:
    """Make a folder ready for shards: those of the same work stay, those of another one go.

    Args:
        folder: The folder; it is known by its ``manifest.json``.
        fingerprint: A hash over all that the shards depend on.
        count: How many there are.
        suffix: How their names end.

    Raises:
        InputError: When the folder holds something else than shards.
        StorageError: When it cannot be written.
    """
    said = {"format": _FORMAT, "fingerprint": fingerprint, "shards": count, "suffix": suffix}
    manifest = folder / _MANIFEST
    if _read(manifest) == said:
        return
    if folder.exists() and not manifest.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("holds something else than shards", path=folder, remedy="Choose a new folder, or empty it.")
    make_folder(folder)
    for file in folder.glob(f"[0-9]*{suffix}"):
        file.unlink()
    write_json(manifest, said)


def _read(manifest: Path) -> object:
    try:
        return json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
