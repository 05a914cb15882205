"""The one door to records: a file, a folder of files, a data set that `datasets` saved, or one on the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cosmith.data.hub import is_hub_name, open_hub
from cosmith.data.records import Record, Table
from cosmith.data.tabular import FORMATS, file_format, open_file
from cosmith.errors import InputError, nearest

_SPLITS = ("train", "training", "test", "testing", "validation", "valid", "val", "dev", "eval", "evaluation")
_DESCRIPTIONS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "cosmith.json")
"""What lies beside the records and holds none."""


@dataclass(frozen=True)
class Place:
    """Where records are.

    Attributes:
        path: A file or folder, or the name of a data set on the hub.
        split: Which split of it; None where it was not said.
    """

    path: Path
    split: str | None = None


def place_of(path: str | Path) -> Place:
    """The place that is meant by ``PATH`` or, where there is no such file or folder, by ``PATH:SPLIT``."""
    path = Path(path)
    if is_hub_name(str(path)) or path.exists():
        return Place(path)
    head, colon, split = str(path).rpartition(":")
    return Place(Path(head), split) if colon and head and split and Path(head).exists() else Place(path)


def open_table(path: str | Path) -> Table:
    """Open records.

    Args:
        path: A file (JSONL, CSV, TSV, Parquet, Arrow, plain text); a folder of such files, all of one format, as one
            table; a folder that ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk`` wrote; or
            ``hf:OWNER/NAME[:CONFIGURATION][:SPLIT]``. Of a folder with several splits ``PATH:SPLIT`` says which.

    Raises:
        InputError: When it is missing, empty, or not what it seems to be; or has several splits, and none is asked for.
    """
    place = place_of(path)
    if is_hub_name(str(place.path)):
        return open_hub(str(place.path))
    if not place.path.is_dir():
        _require_no_split(place)
        return open_file(place.path)
    if (place.path / "dataset_dict.json").is_file():
        return _open_splits(place)
    if (place.path / "state.json").is_file():
        _require_no_split(place)
        return _joined(place.path, _saved_shards(place.path), "a folder of `datasets`")
    found, several = _shards(place)
    shards = [shard for shard in found if shard.stat().st_size] or found
    empty = f", without {len(found) - len(shards):,} that hold nothing" if len(shards) < len(found) else ""
    what = f"{several} {open_file(shards[0]).format} file{'s' * (len(found) > 1)}{empty}"
    return _joined(place.path, shards, what)


def splits_of(folder: Path) -> dict[str, list[Path]]:
    """The splits of a folder of records, and the files of each; one without a name where it has none.

    Raises:
        InputError: When it holds no records, or files of several formats.
    """
    if (folder / "dataset_dict.json").is_file():
        return {name: _saved_shards(folder / name) for name in _saved_splits(folder)}
    if (folder / "state.json").is_file():
        return {"": _saved_shards(folder)}
    return _files_by_split(folder)


def _require_no_split(place: Place) -> None:
    """Refuse to choose where there are no splits to choose from."""
    if place.split is not None:
        raise InputError("has no splits", path=place.path, remedy=f"Leave out :{place.split}.")


def _open_splits(place: Place) -> Table:
    split = _chosen(place, _saved_splits(place.path))
    table = open_table(place.path / split)
    return replace(table, format=f"the split {split!r} of {table.format}")


def _saved_splits(folder: Path) -> list[str]:
    """The splits that ``dataset_dict.json`` names."""
    splits = _json(folder / "dataset_dict.json").get("splits")
    if not isinstance(splits, list) or not all(isinstance(name, str) for name in splits):
        raise _damaged(folder / "dataset_dict.json", "names no splits")
    return splits


def _chosen(place: Place, splits: Sequence[str]) -> str:
    """The split that is asked for, or the only one.

    Raises:
        InputError: There is none of this name, or there are several and none is asked for.
    """
    if place.split is None:
        if len(splits) == 1:
            return splits[0]
        raise InputError(
            f"has several splits: {', '.join(map(repr, splits)) or 'none'}",
            path=place.path,
            remedy=f"Say which, e.g. {place.path}:{splits[0] if splits else 'SPLIT'}.",
        )
    if place.split not in splits:
        raise InputError(f"has no split {place.split!r}", path=place.path, remedy=nearest(place.split, splits))
    return place.split


def _saved_shards(folder: Path) -> list[Path]:
    """The files that ``state.json`` names."""
    files = _json(folder / "state.json").get("_data_files")
    names = [each.get("filename") for each in files if isinstance(each, dict)] if isinstance(files, list) else []
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise _damaged(folder / "state.json", "names no files")
    return [folder / str(name) for name in names]


def _shards(place: Place) -> tuple[list[Path], str]:
    """The files of records of a folder, or of one of its splits; and in words how many."""
    by_split = _files_by_split(place.path)
    if list(by_split) == [""]:
        _require_no_split(place)
        return by_split[""], f"{len(by_split[''])}"
    split = _chosen(place, [name for name in by_split if name])
    return by_split[split], f"the split {split!r}, {len(by_split[split])}"


def _files_by_split(folder: Path) -> dict[str, list[Path]]:
    """The files of records of a folder by the split that their names say."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.name in _DESCRIPTIONS or any(part.startswith(".") for part in inner.parts) or not path.is_file():
            continue
        if any(path.name.lower().endswith((suffix, f"{suffix}.gz")) for suffix in FORMATS):
            found.setdefault(file_format(path), []).append(path)
    if len(found) > 1:
        found.pop(".txt", None)  # a licence or a note
    if not found:
        remedy = f"Give a file, or a folder of files that end in {', '.join(FORMATS)}."
        raise InputError("is a folder, not a file, and holds no file of records", path=folder, remedy=remedy)
    if len(found) > 1:
        raise InputError(
            f"is a folder, not a file, and holds files of several formats: {', '.join(sorted(found))}",
            path=folder,
            remedy="Give one of the files, or a folder of files of one format.",
        )
    (files,) = found.values()
    by_split: dict[str, list[Path]] = {}
    for path in files:
        by_split.setdefault(_split_of(path.relative_to(folder)), []).append(path)
    return by_split


def _split_of(path: Path) -> str:
    """The split that a file's name, or that of a folder above it, says, as the hub understands it; or nothing."""
    words = re.split(r"[^a-z]+", str(path).lower())
    return next((word for word in reversed(words) if word in _SPLITS), "")


def _joined(path: Path, shards: Sequence[Path], what: str) -> Table:
    """Several files as one table; its columns are all that one of them has."""
    tables = [open_file(shard) for shard in shards]
    columns = tuple(dict.fromkeys(name for table in tables for name in table.columns))

    def records() -> Iterator[Record]:
        for table in tables:
            for record in table.records():
                yield replace(record, path=table.path)

    return Table(path, columns, records, what, tables[0].named)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, f"cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise _damaged(path, "is not a JSON object")
    return value


def _damaged(path: Path, problem: str) -> InputError:
    return InputError(problem, path=path, remedy="Save the data set again.")
