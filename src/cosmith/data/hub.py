"""Data sets of the Hugging Face hub, streamed: what is not read is not downloaded, and none of their code is run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from cosmith.data.records import Record, Table, column_names
from cosmith.errors import InputError, nearest
from cosmith.progress import track

_NAME = re.compile(r"hf:([\w.-]+/[\w.-]+|[\w.-]+)(?::([^:/]+))?(?::([^:/]+))?")
_SPLITS = re.compile(r"(train|test|validation|valid|val|dev|eval)\w*")
_OFFLINE = "Check the name and the connection; without a network, download it first and give the folder."
_PEEKED = 100  # records whose columns are looked at where the data set does not say them


def is_hub_name(path: str) -> bool:
    """Whether a path is meant for the hub: ``hf:OWNER/NAME``."""
    return path.startswith("hf:")


def open_hub(name: str) -> Table:
    """Open a data set of the hub.

    Args:
        name: ``hf:OWNER/NAME[:CONFIGURATION][:SPLIT]``; what stands alone behind the name is a split if it is called
            like one (train, test, validation, …), else a configuration.

    Raises:
        InputError: When the name is none, `datasets` is not installed, or the data set cannot be reached or has several
            configurations or splits, and none is asked for.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(f"{name!r} names no data set", remedy="Write hf:OWNER/NAME, hf:OWNER/NAME:SPLIT or the like.")
    repository, configuration, split = match.groups()
    if split is None and configuration is not None and _SPLITS.fullmatch(configuration):
        configuration, split = None, configuration
    data = _one_split(_load(name, repository, configuration), name, split)
    columns = data.column_names or _columns_seen(data, name)

    def records() -> Iterator[Record]:
        with track(f"Reading {name}", _size(data), "rows") as bar:
            for number, values in enumerate(_reached(data, name), 1):
                yield Record(number, dict(values), json.dumps(values, ensure_ascii=False, default=str))
                bar.advance()

    return Table(Path(name), column_names(Path(name), list(columns)), records, "a data set of the hub")


def _load(name: str, repository: str, configuration: str | None) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            "the library `datasets` is not installed", path=name, remedy='Install it: pip install "cosmith[hub]".'
        ) from error
    try:
        return datasets.load_dataset(repository, configuration, streaming=True)
    except Exception as error:  # of the library, of what it downloads with, and of the parsers of what it found
        raise InputError(f"cannot be opened ({_first_line(error)})", path=name, remedy=_OFFLINE) from error


def _one_split(splits: Any, name: str, split: str | None) -> Any:
    names = list(splits)
    if split is None and len(names) == 1:
        return splits[names[0]]
    if split is None:
        remedy = f"Say which, e.g. {name}:{names[0] if names else 'train'}."
        raise InputError(f"has several splits: {', '.join(map(repr, names))}", path=name, remedy=remedy)
    if split not in names:
        raise InputError(f"has no split {split!r}", path=name, remedy=nearest(split, names))
    return splits[split]


def _reached(data: Any, name: str) -> Iterator[Any]:
    records = iter(data)
    while True:
        try:
            values = next(records)
        except StopIteration:
            return
        except Exception as error:  # as above; the network may fail at any record
            raise InputError(f"cannot be read on ({_first_line(error)})", path=name, remedy=_OFFLINE) from error
        yield values


def _size(data: Any) -> int:
    """How many records the hub says that there are; 0 where it does not."""
    splits = data.info.splits or {}
    return int(getattr(splits.get(str(data.split)), "num_examples", 0) or 0)


def _columns_seen(data: Any, name: str) -> list[str]:
    seen: dict[str, None] = {}
    for values in islice(_reached(data, name), _PEEKED):
        seen.update(dict.fromkeys(values))
    return list(seen)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
